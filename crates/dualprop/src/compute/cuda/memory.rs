//! Where everything that a program names lies in the memory of a device: one piece of it, laid out once.

use crate::compute::affine::Map;
use crate::compute::affine::cuda::ROWS_OF_PART;
use crate::compute::nudge::cuda::ROOM;
use crate::compute::{Activation, BufferId, Op, ParameterId, Program, RoutingId, ScalarId};

use super::{Address, Precision};

/// Everything begins at a multiple of this, which is what libraries read fastest.
const ALIGNMENT: u64 = 256;

/// The places of a program's buffers, parameters and whatever else a training step needs, for one number of samples.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    precision: Precision,
    samples: usize,
    /// Buffers whose numbers are those of losses rather than states.
    wide: Vec<bool>,
    buffers: Vec<u64>,
    routings: Vec<u64>,
    scalars: Vec<u64>,
    parameters: Vec<u64>,
    narrow: Vec<u64>,
    gradients: Vec<u64>,
    moments: [Vec<u64>; 2],
    neurons: Vec<u64>,
    broken: Vec<u64>,
    workspace: u64,
    step: u64,
    bytes: u64,
    base: u64,
}

impl Memory {
    /// Lays out a program for batches of `samples`, with so many moments of an optimiser for each parameter (0 to 2).
    pub(super) fn new(program: &Program, samples: usize, precision: Precision, moments: usize) -> Self {
        let mut next = Next(0);
        let (state, real) = (precision.state(), precision.real());
        let wide = wide(program);
        let samples_of = samples as u64;
        let buffers = program.buffers.iter().zip(&wide).map(|(&width, &wide)| {
            let bytes = if wide { real } else { state };
            width as u64 * samples_of * bytes
        });
        let buffers = next.all(buffers);
        let routings = next.all(program.routings.iter().map(|&width| width as u64 * samples_of));
        let scalars = next.all((0..program.scalars).map(|_| real));
        let numbers = || program.parameters.iter().map(|shape| shape.iter().product::<usize>() as u64);
        let parameters = next.all(numbers().map(|n| n * real));
        let narrow = if precision.is_narrow() { next.all(numbers().map(|n| n * state)) } else { vec![] };
        let has_gradient = program.has_gradient();
        let learning = || numbers().zip(&has_gradient).map(|(n, has)| if *has { n * real } else { 0 });
        let gradients = next.all(learning());
        let moments = [1, 2].map(|which| if moments >= which { next.all(learning()) } else { vec![] });
        let neurons = next.all(program.neurons.iter().map(|weights| 4 * weights.alpha.len() as u64 * real));
        let broken = next.all(numbers().map(|_| 4));
        let workspace = next.of(workspace(program, samples, precision));
        let step = next.of(8);
        Memory {
            precision,
            samples,
            wide,
            buffers,
            routings,
            scalars,
            parameters,
            narrow,
            gradients,
            moments,
            neurons,
            broken,
            workspace,
            step,
            bytes: next.0,
            base: 0,
        }
    }

    /// The same from this place on.
    #[must_use]
    pub(super) fn at(self, base: Address) -> Self {
        Memory { base: base.0, ..self }
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The types of its numbers.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// The samples of a batch.
    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    fn place(&self, offset: u64) -> Address {
        Address(self.base + offset)
    }

    /// A buffer, row by row.
    pub(super) fn buffer(&self, id: BufferId) -> Address {
        self.place(self.buffers[id.0])
    }

    /// Whether the numbers of a buffer are those of losses rather than states.
    pub(super) fn is_wide(&self, id: BufferId) -> bool {
        self.wide[id.0]
    }

    /// Bytes of a number of this buffer.
    pub(super) fn bytes_of(&self, id: BufferId) -> u64 {
        if self.is_wide(id) { self.precision.real() } else { self.precision.state() }
    }

    /// The winners of a pool, a byte each.
    pub(super) fn routing(&self, id: RoutingId) -> Address {
        self.place(self.routings[id.0])
    }

    /// A number that is computed once per execution.
    pub(super) fn scalar(&self, id: ScalarId) -> Address {
        self.place(self.scalars[id.0])
    }

    /// A parameter; the kernel of a convolution is [out, k, k, in].
    pub(super) fn parameter(&self, id: ParameterId) -> Address {
        self.place(self.parameters[id.0])
    }

    /// A parameter as products read it.
    pub(super) fn factor(&self, id: ParameterId) -> Address {
        match self.narrow.get(id.0) {
            Some(&offset) => self.place(offset),
            None => self.parameter(id),
        }
    }

    /// The copy of a parameter in the type of states, where that is another.
    pub(super) fn narrow(&self, id: ParameterId) -> Address {
        self.narrow.get(id.0).map_or(Address::NONE, |&offset| self.place(offset))
    }

    /// The gradient of a parameter, as the parameter stands.
    pub(super) fn gradient(&self, id: ParameterId) -> Address {
        self.place(self.gradients[id.0])
    }

    /// What the optimiser remembers of a parameter; nowhere where there is no such moment.
    pub(super) fn moment(&self, which: usize, id: ParameterId) -> Address {
        self.moments[which].get(id.0).map_or(Address::NONE, |&offset| self.place(offset))
    }

    /// α, 1−α, w⁺ and w⁻ of the neurons of a layer.
    pub(super) fn neurons(&self, layer: usize) -> Address {
        self.place(self.neurons[layer])
    }

    /// A word that becomes 1 where the gradient of this parameter is not finite.
    pub(super) fn broken(&self, id: ParameterId) -> Address {
        self.place(self.broken[id.0])
    }

    /// Room for an operation while it is carried out.
    pub(super) fn workspace(&self) -> Address {
        self.place(self.workspace)
    }

    /// The number of the present step, 8 bytes.
    pub(super) fn step(&self) -> Address {
        self.place(self.step)
    }
}

/// The next free place.
struct Next(u64);

impl Next {
    fn of(&mut self, bytes: u64) -> u64 {
        let here = self.0;
        self.0 += bytes.next_multiple_of(ALIGNMENT);
        here
    }

    fn all(&mut self, bytes: impl Iterator<Item = u64>) -> Vec<u64> {
        bytes.map(|bytes| self.of(bytes)).collect()
    }
}

/// Which buffers hold numbers of losses: logits, targets and gradients, what the output's nudge reads and the mean that it makes, and
/// what is copied from or to one of them; the output layer is linear, so that its mean at rest is a copy.
fn wide(program: &Program) -> Vec<bool> {
    let mut wide = vec![false; program.buffers.len()];
    for op in &program.ops {
        let ids = match *op {
            Op::LossGradient { logits, target, gradient, .. } => [logits, target, gradient],
            Op::NudgeLinearised { pre_activation, gradient, mean, .. } => [pre_activation, gradient, mean],
            Op::NudgeProximal { pre_activation, target, mean, .. } => [pre_activation, target, mean],
            _ => continue,
        };
        ids.iter().for_each(|id| wide[id.0] = true);
    }
    // Some copies are made of copies.
    for _ in 0..2 {
        for op in &program.ops {
            let (from, to) = match *op {
                Op::Copy { from, to } => (from, to),
                Op::Activate { activation: Activation::Identity, pre_activation, mean } => (pre_activation, mean),
                _ => continue,
            };
            let either = wide[from.0] || wide[to.0];
            (wide[from.0], wide[to.0]) = (either, either);
        }
    }
    wide
}

/// Bytes that the operation with the largest need of them has.
fn workspace(program: &Program, samples: usize, precision: Precision) -> u64 {
    let of = |op: &Op| match *op {
        Op::NudgeProximal { mean, .. } => 8 * (ROOM * program.buffers[mean.0] * samples) as u64,
        Op::WeightProduct { map, .. } => {
            let narrow =
                if precision.is_narrow() { map.kernel().iter().product::<usize>() as u64 * precision.state() } else { 0 };
            narrow.max(parts(map, samples) * map.bias() as u64 * precision.real())
        }
        _ => 0,
    };
    program.ops.iter().map(of).max().unwrap_or(0)
}

/// Rows of differences whose sum is the gradient of a bias: one for each sample, or for each pixel of it.
pub(super) fn rows(map: Map, samples: usize) -> u64 {
    (map.outputs() / map.bias() * samples) as u64
}

/// The parts in which they are added up.
pub(super) fn parts(map: Map, samples: usize) -> u64 {
    rows(map, samples).div_ceil(ROWS_OF_PART)
}
