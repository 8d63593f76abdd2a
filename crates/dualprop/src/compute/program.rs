//! The language between the plan compiler and a device: a flat list of operations over numbered buffers and parameters.

use super::dyad::DyadWeights;
use super::nudge::NudgeWeights;
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

/// One operation. Buffers are [samples, neurons]; an operation overwrites its outputs completely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// output = input · kernel + bias
    Affine {
        /// `[in, out]`
        kernel: ParameterId,
        /// `[out]`
        bias: ParameterId,
        /// `[n, in]`
        input: BufferId,
        /// `[n, out]`
        output: BufferId,
    },
    /// output = input · kernelᵀ, the adjoint of the affine map's linear part.
    Adjoint {
        /// `[in, out]`
        kernel: ParameterId,
        /// `[n, out]`
        input: BufferId,
        /// `[n, in]`
        output: BufferId,
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
    /// The local gradient, a batch mean: ∂kernel = scale/n · meanᵀ · difference, ∂bias = scale/n · Σ difference.
    WeightProduct {
        /// `[in, out]`
        kernel: ParameterId,
        /// `[out]`
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
}

/// Operations with the extents of everything that they name.
#[derive(Debug, Clone)]
pub struct Program {
    /// Elements per sample of each buffer.
    pub buffers: Vec<usize>,
    /// Shape of each parameter.
    pub parameters: Vec<Vec<usize>>,
    /// How many scalars there are.
    pub scalars: usize,
    /// The operations, in order.
    pub ops: Vec<Op>,
}

impl Program {
    /// Multiply-adds that an operation costs for one sample; element-wise work, which reads each number once, is not counted.
    pub fn multiply_adds(&self, op: &Op) -> u64 {
        let elements = |parameter: ParameterId| self.parameters[parameter.0].iter().product::<usize>() as u64;
        match *op {
            Op::Affine { kernel, .. } | Op::Adjoint { kernel, .. } | Op::WeightProduct { kernel, .. } => elements(kernel),
            _ => 0,
        }
    }

    /// Multiply-adds that an operation costs once per batch, whatever its size.
    pub fn multiply_adds_per_batch(&self, op: &Op) -> u64 {
        match *op {
            Op::Damping { kernel, power: Power::Iterations(n), .. } => {
                2 * n as u64 * self.parameters[kernel.0].iter().product::<usize>() as u64
            }
            _ => 0,
        }
    }
}
