//! The language between the plan compiler and a device: a flat list of operations over numbered buffers and parameters.

use super::affine::{self, Map};
use super::disturbance::{Disturbances, Occasion};
use super::dyad::{DyadWeights, NeuronWeights};
use super::nudge::NudgeWeights;
use super::pooling::Pooling;
use super::spectral::Power;
use super::{Activation, Loss};

/// A buffer of one row per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// A parameter tensor, by its place in the network's list; the gradient of it has the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterId(pub usize);

/// A number that is computed once per execution, such as a damping coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScalarId(pub usize);

/// Which pixel won in each window of a pool, one row of bytes per sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoutingId(pub usize);

/// The weights of a layer whose neurons have each their own, by their place in the program's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeuronsId(pub usize);

/// One operation. Buffers are [samples, neurons]; an operation overwrites its outputs completely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// output = W input + b
    Affine {
        /// W by its extents
        map: Map,
        /// W
        kernel: ParameterId,
        /// b
        bias: ParameterId,
        /// `[n, in]`
        input: BufferId,
        /// `[n, out]`
        output: BufferId,
    },
    /// output = Wᵀ input, the adjoint of the affine map's linear part.
    Adjoint {
        /// W by its extents
        map: Map,
        /// W
        kernel: ParameterId,
        /// `[n, out]`
        input: BufferId,
        /// `[n, in]`
        output: BufferId,
    },
    /// output = the largest number in each window of input; see [`super::pooling`].
    Pool {
        /// The image
        pooling: Pooling,
        /// `[n, H, W, C]`
        input: BufferId,
        /// `[n, H/2, W/2, C]`
        output: BufferId,
        /// Which pixels they are
        routing: RoutingId,
    },
    /// output = input at the winners that a pool found: the linear part of a pool whose routing is held.
    RoutedPool {
        /// The image
        pooling: Pooling,
        /// `[n, H, W, C]`
        input: BufferId,
        /// Which pixels won
        routing: RoutingId,
        /// `[n, H/2, W/2, C]`
        output: BufferId,
    },
    /// output = input where a pool found its winners, zero elsewhere: the adjoint of [`Op::RoutedPool`].
    Unpool {
        /// The image
        pooling: Pooling,
        /// `[n, H/2, W/2, C]`
        input: BufferId,
        /// Which pixels won
        routing: RoutingId,
        /// `[n, H, W, C]`
        output: BufferId,
    },
    /// plus = s̄ + (1−α) Δ, the compartment s⁺.
    Plus {
        /// 1 − α
        weight: f64,
        /// s̄
        mean: BufferId,
        /// Δ
        difference: BufferId,
        /// s⁺
        plus: BufferId,
    },
    /// mean = f(a): a layer to which nothing is fed back.
    Activate {
        /// f
        activation: Activation,
        /// a
        pre_activation: BufferId,
        /// s̄
        mean: BufferId,
    },
    /// The dyad update; see [`super::dyad`].
    Dyad {
        /// f
        activation: Activation,
        /// (α, w⁺, w⁻), or the limit β → 0
        weights: DyadWeights,
        /// Those of each neuron, in their place
        neurons: Option<NeuronsId>,
        /// L_k of the proximal term, where the rule is damped
        damping: Option<ScalarId>,
        /// a
        pre_activation: BufferId,
        /// fb = Wᵀ Δ of the layer above
        feedback: BufferId,
        /// s̄, read as well where damped
        mean: BufferId,
        /// Δ, read as well where damped
        difference: BufferId,
    },
    /// Disturbs the dyads of a layer after their update; see [`super::disturbance`].
    Disturb {
        /// k = 1..L
        layer: usize,
        /// What the update was.
        occasion: Occasion,
        /// s̄
        mean: BufferId,
        /// Δ
        difference: BufferId,
    },
    /// gradient = ∂ℓ/∂z at these logits, per sample.
    LossGradient {
        /// ℓ
        loss: Loss,
        /// z
        logits: BufferId,
        /// y
        target: BufferId,
        /// g
        gradient: BufferId,
    },
    /// The linearised output nudge: Δ = −(u+d)βg, s̄ = a + (−αu + (1−α)d)βg.
    NudgeLinearised {
        /// (α, uβ, dβ)
        weights: NudgeWeights,
        /// a
        pre_activation: BufferId,
        /// g
        gradient: BufferId,
        /// s̄
        mean: BufferId,
        /// Δ
        difference: BufferId,
    },
    /// The exact output nudge; see [`super::nudge`].
    NudgeProximal {
        /// ℓ
        loss: Loss,
        /// (α, uβ, dβ)
        weights: NudgeWeights,
        /// a
        pre_activation: BufferId,
        /// y
        target: BufferId,
        /// s̄
        mean: BufferId,
        /// Δ
        difference: BufferId,
    },
    /// to = from
    Copy {
        /// Source.
        from: BufferId,
        /// Destination.
        to: BufferId,
    },
    /// buffer = 0
    Zero {
        /// The buffer.
        buffer: BufferId,
    },
    /// scalar = factor · max(0, (γ² − 1)/2), γ the spectral norm of the kernel.
    Damping {
        /// W by its extents
        map: Map,
        /// The outgoing map of the damped layer.
        kernel: ParameterId,
        /// How γ is found.
        power: Power,
        /// 1, or |1−2α|
        factor: f64,
        /// L_k
        scalar: ScalarId,
    },
    /// scalar = value
    Constant {
        /// The value.
        value: f64,
        /// L_k
        scalar: ScalarId,
    },
    /// The local gradient, a batch mean: ∂kernel = scale/n · Σ Δ s̄ᵀ, ∂bias = scale/n · Σ Δ.
    WeightProduct {
        /// W by its extents
        map: Map,
        /// W
        kernel: ParameterId,
        /// b
        bias: ParameterId,
        /// s̄ below, `[n, in]`
        mean: BufferId,
        /// Δ above, `[n, out]`
        difference: BufferId,
        /// −1/(β Π g)
        scale: f64,
    },
    /// ∂kernel = 0, ∂bias = 0: the gradient of a layer whose difference is still zero.
    ZeroGradient {
        /// The kernel.
        kernel: ParameterId,
        /// The bias.
        bias: ParameterId,
    },
    /// ∂to = ∂from, of two parameters of one shape.
    CopyGradient {
        /// Whose gradient is known.
        from: ParameterId,
        /// Who shares it.
        to: ParameterId,
    },
}

/// Operations with the extents of everything that they name.
#[derive(Debug, Clone)]
pub struct Program {
    /// Elements per sample of each buffer.
    pub buffers: Vec<usize>,
    /// Bytes per sample of each routing.
    pub routings: Vec<usize>,
    /// Shape of each parameter.
    pub parameters: Vec<Vec<usize>>,
    /// How many scalars there are.
    pub scalars: usize,
    /// The weights of layers whose neurons have each their own.
    pub neurons: Vec<NeuronWeights>,
    /// What disturbs the dyads of each layer; none: nothing.
    pub disturbances: Option<Disturbances>,
    /// The operations, in order.
    pub ops: Vec<Op>,
}

impl Program {
    /// Multiply-adds that an operation costs for one sample; element-wise work, which reads each number once, is not counted.
    pub fn multiply_adds(&self, op: &Op) -> u64 {
        match *op {
            Op::Affine { map, .. } | Op::Adjoint { map, .. } | Op::WeightProduct { map, .. } => map.multiply_adds(),
            _ => 0,
        }
    }

    /// Multiply-adds that an operation costs once per batch, whatever its size.
    pub fn multiply_adds_per_batch(&self, op: &Op) -> u64 {
        match *op {
            Op::Damping { map, power: Power::Iterations(n), .. } => (2 * n as u64).saturating_mul(map.multiply_adds()),
            _ => 0,
        }
    }

    /// Numbers that a device needs beside the buffers, for so many samples and threads.
    pub fn workspace(&self, samples: usize, threads: usize) -> usize {
        let maps = self.ops.iter().filter_map(|op| match *op {
            Op::Affine { map, .. } | Op::Adjoint { map, .. } | Op::WeightProduct { map, .. } => Some(map),
            _ => None,
        });
        maps.map(|map| affine::workspace(map, samples, threads)).max().unwrap_or(0)
    }

    /// Bytes of the buffers, routings and workspace of `samples` samples, `element` bytes a number, and of one number for each of
    /// the parameters: its gradient, or whatever else is kept of it.
    pub fn memory(&self, samples: usize, element: usize) -> u64 {
        let states: u128 = self.buffers.iter().map(|&width| width as u128).sum();
        let parameters: u128 = self.parameters.iter().map(|shape| shape.iter().product::<usize>() as u128).sum();
        let numbers = states.saturating_mul(samples as u128).saturating_add(parameters);
        let routings: u128 = self.routings.iter().map(|&width| width as u128).sum();
        let bytes = numbers.saturating_mul(element as u128).saturating_add(routings.saturating_mul(samples as u128));
        // Beyond this there is no such machine, and what extents multiply to might overflow.
        if bytes > 1 << 46 {
            return u64::try_from(bytes).unwrap_or(u64::MAX);
        }
        bytes as u64 + self.workspace(samples, 1) as u64 * element as u64
    }

    /// Whether a parameter may be changed as soon as its gradient is known.
    pub(super) fn reads_no_parameter_after_its_gradient(&self) -> bool {
        let mut known = vec![false; self.parameters.len()];
        self.ops.iter().all(|op| {
            let reads_known = op.parameters().into_iter().flatten().any(|id| known[id.0]);
            op.gradients().into_iter().flatten().for_each(|id| known[id.0] = true);
            !reads_known
        })
    }

    /// Whether a gradient is used for anything but the update of its parameter.
    pub(super) fn shares_gradients(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::CopyGradient { .. }))
    }

    /// For each parameter whether an operation computes its gradient.
    pub(super) fn has_gradient(&self) -> Vec<bool> {
        let mut has = vec![false; self.parameters.len()];
        self.ops.iter().flat_map(Op::gradients).flatten().for_each(|id| has[id.0] = true);
        has
    }

    /// The same program without room for what none of its operations names, except for these buffers.
    #[must_use]
    pub fn without_unused(mut self, keep: &[BufferId]) -> Self {
        let mut buffers = vec![false; self.buffers.len()];
        let mut routings = vec![false; self.routings.len()];
        keep.iter().for_each(|id| buffers[id.0] = true);
        for op in &self.ops {
            op.buffers().into_iter().for_each(|id| buffers[id.0] = true);
            op.routing().into_iter().for_each(|id| routings[id.0] = true);
        }
        let clear = |widths: &mut [usize], used: &[bool]| {
            widths.iter_mut().zip(used).filter(|(_, used)| !**used).for_each(|(width, _)| *width = 0);
        };
        clear(&mut self.buffers, &buffers);
        clear(&mut self.routings, &routings);
        self
    }
}

impl Op {
    /// Every buffer that the operation names.
    pub(super) fn buffers(&self) -> Vec<BufferId> {
        match *self {
            Op::Affine { input, output, .. }
            | Op::Adjoint { input, output, .. }
            | Op::Pool { input, output, .. }
            | Op::RoutedPool { input, output, .. }
            | Op::Unpool { input, output, .. } => vec![input, output],
            Op::Plus { mean, difference, plus, .. } => vec![mean, difference, plus],
            Op::Activate { pre_activation, mean, .. } => vec![pre_activation, mean],
            Op::Dyad { pre_activation, feedback, mean, difference, .. } => vec![pre_activation, feedback, mean, difference],
            Op::LossGradient { logits, target, gradient, .. } => vec![logits, target, gradient],
            Op::NudgeLinearised { pre_activation, gradient, mean, difference, .. } => {
                vec![pre_activation, gradient, mean, difference]
            }
            Op::NudgeProximal { pre_activation, target, mean, difference, .. } => vec![pre_activation, target, mean, difference],
            Op::Disturb { mean, difference, .. } => vec![mean, difference],
            Op::Copy { from, to } => vec![from, to],
            Op::Zero { buffer } => vec![buffer],
            Op::WeightProduct { mean, difference, .. } => vec![mean, difference],
            Op::Damping { .. } | Op::Constant { .. } | Op::ZeroGradient { .. } | Op::CopyGradient { .. } => vec![],
        }
    }

    /// The parameters that the operation reads, or whose gradients it writes.
    fn parameters(&self) -> [Option<ParameterId>; 2] {
        match *self {
            Op::Affine { kernel, bias, .. } | Op::WeightProduct { kernel, bias, .. } | Op::ZeroGradient { kernel, bias } => {
                [Some(kernel), Some(bias)]
            }
            Op::Adjoint { kernel, .. } | Op::Damping { kernel, .. } => [Some(kernel), None],
            // Of `from` it reads the gradient, and no number of the parameter itself.
            Op::CopyGradient { to, .. } => [Some(to), None],
            _ => [None, None],
        }
    }

    /// The parameters whose gradients the operation writes.
    pub(super) fn gradients(&self) -> [Option<ParameterId>; 2] {
        match *self {
            Op::WeightProduct { kernel, bias, .. } | Op::ZeroGradient { kernel, bias } => [Some(kernel), Some(bias)],
            Op::CopyGradient { to, .. } => [Some(to), None],
            _ => [None, None],
        }
    }

    /// The routing that the operation names.
    fn routing(&self) -> Option<RoutingId> {
        match *self {
            Op::Pool { routing, .. } | Op::RoutedPool { routing, .. } | Op::Unpool { routing, .. } => Some(routing),
            _ => None,
        }
    }
}
