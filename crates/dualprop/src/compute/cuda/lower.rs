//! A program as calls of a GPU: every operation in the kernels and library functions that carry it out.

use std::marker::PhantomData;
use std::ops::Range;

use crate::base::{Error, Real, Result};
use crate::compute::affine::cuda::{AddBias, BiasGradient, PartSums, ROWS_OF_PART};
use crate::compute::affine::{Convolution, Map};
use crate::compute::dyad::cuda::{Activate, Constant, Dyad, Plus, number};
use crate::compute::fusion::only_pooled;
use crate::compute::loss::cuda::LossGradient;
use crate::compute::nudge::cuda::{NudgeLinearised, NudgeProximal};
use crate::compute::pooling::Pooling;
use crate::compute::pooling::cuda::{Pool, Routed};
use crate::compute::update::cuda::{Update, Widen};
use crate::compute::{BufferId, Op, ParameterId, Program};

use super::memory::{parts, rows};
use super::{Address, Call, Convolve, Direction, KernelParameters, Kind, Launch, Memory, Parameters, Product};

/// The calls of a program, operation by operation.
pub(super) struct Calls {
    calls: Vec<Call>,
    /// Where the calls of each operation begin, and where those of the last end.
    starts: Vec<usize>,
}

impl Calls {
    /// Those of these operations.
    pub(super) fn of(&self, ops: Range<usize>) -> &[Call] {
        &self.calls[self.starts[ops.start]..self.starts[ops.end]]
    }
}

/// A program as calls over this memory.
///
/// # Errors
/// [`Error::Setting`] for what a GPU does not do: disturbed states, and damping by spectral norms.
pub(super) fn lower<T: Real>(program: &Program, memory: &Memory) -> Result<Calls> {
    let mut lowering = Lowering::<T> { program, memory, calls: vec![], of: PhantomData };
    let mut starts = vec![];
    for index in 0..program.ops.len() {
        starts.push(lowering.calls.len());
        lowering.op(index)?;
    }
    starts.push(lowering.calls.len());
    Ok(Calls { calls: lowering.calls, starts })
}

/// The update of every parameter that has a gradient, by SGD or (`adam`) Adam. `steps` is a table of [`super::Step`].
pub(super) fn lower_updates(program: &Program, memory: &Memory, adam: bool, steps: Address) -> Vec<Call> {
    let learning = program.has_gradient().into_iter().enumerate().filter(|(_, has)| *has).map(|(i, _)| ParameterId(i));
    let update = |id: ParameterId| {
        let n = program.parameters[id.0].iter().product::<usize>() as u64;
        let update = Update {
            n,
            steps,
            step: memory.step(),
            gradient: memory.gradient(id),
            w: memory.parameter(id),
            first: memory.moment(0, id),
            second: memory.moment(1, id),
            narrow: memory.narrow(id),
            broken: memory.broken(id),
        };
        Call::Launch(Launch { kernel: if adam { "adam" } else { "sgd" }, work: n, parameters: Parameters::new(update) })
    };
    learning.map(update).collect()
}

struct Lowering<'a, T> {
    program: &'a Program,
    memory: &'a Memory,
    calls: Vec<Call>,
    of: PhantomData<T>,
}

impl<T: Real> Lowering<'_, T> {
    fn samples(&self) -> usize {
        self.memory.samples()
    }

    /// Numbers of a buffer in a batch.
    fn numbers(&self, id: BufferId) -> u64 {
        (self.program.buffers[id.0] * self.samples()) as u64
    }

    fn launch(&mut self, kernel: &'static str, work: u64, parameters: impl KernelParameters) {
        self.calls.push(Call::Launch(Launch { kernel, work, parameters: Parameters::new(parameters) }));
    }

    fn op(&mut self, index: usize) -> Result<()> {
        let buffer = |id: BufferId| self.memory.buffer(id);
        let samples = self.samples() as u64;
        match self.program.ops[index] {
            Op::Affine { map, kernel, bias, input, output } => self.affine(index, map, (kernel, bias), input, output),
            Op::Adjoint { map, kernel, input, output } => self.adjoint(map, kernel, input, output),
            Op::Pool { pooling, input, output, routing } => {
                self.pool(index, pooling, (input, output), self.memory.routing(routing))
            }
            Op::RoutedPool { pooling, input, routing, output } => {
                let routed = self.routed(pooling, input, self.memory.routing(routing), output);
                self.launch("routed_pool", samples * pooling.outputs() as u64, routed);
            }
            Op::Unpool { pooling, input, routing, output } => {
                if pooling.height % 2 + pooling.width % 2 > 0 {
                    self.zero(output);
                }
                let routed = self.routed(pooling, input, self.memory.routing(routing), output);
                self.launch("unpool", samples * pooling.outputs() as u64, routed);
            }
            Op::Plus { weight, mean, difference, plus } => {
                let n = self.numbers(plus);
                let weight = T::from_f64(weight);
                self.launch(
                    "plus",
                    n,
                    Plus { n, mean: buffer(mean), difference: buffer(difference), plus: buffer(plus), weight },
                );
            }
            Op::Activate { activation, pre_activation, mean } => {
                if self.memory.is_wide(pre_activation) {
                    // The output layer, which is linear.
                    self.copy(pre_activation, mean);
                    return Ok(());
                }
                let (bias, channels) = self.take_bias(index);
                let (n, activation) = (self.numbers(mean), number(activation));
                self.launch(
                    "activate",
                    n,
                    Activate { n, channels, bias, a: buffer(pre_activation), mean: buffer(mean), activation },
                );
            }
            Op::Dyad { .. } => self.dyad(index),
            Op::LossGradient { loss, logits, target, gradient } => {
                let curvature = T::from_f64(loss.curvature().unwrap_or(0.0));
                let outputs = self.program.buffers[gradient.0] as u64;
                let (logits, target, gradient) = (buffer(logits), buffer(target), buffer(gradient));
                self.launch("loss_gradient", samples, LossGradient { samples, outputs, logits, target, gradient, curvature });
            }
            Op::NudgeLinearised { weights, pre_activation, gradient, mean, difference } => {
                let (n, shift, pull) = (self.numbers(mean), T::from_f64(weights.shift()), T::from_f64(weights.pull()));
                let (a, gradient, mean, difference) =
                    (buffer(pre_activation), buffer(gradient), buffer(mean), buffer(difference));
                self.launch("nudge_linearised", n, NudgeLinearised { n, a, gradient, mean, difference, shift, pull });
            }
            Op::NudgeProximal { loss, weights, pre_activation, target, mean, difference } => {
                let nudge = NudgeProximal {
                    samples,
                    outputs: self.program.buffers[mean.0] as u64,
                    a: buffer(pre_activation),
                    target: buffer(target),
                    mean: buffer(mean),
                    difference: buffer(difference),
                    room: self.memory.workspace(),
                    alpha: weights.alpha,
                    u_beta: weights.u * weights.beta,
                    d_beta: weights.d * weights.beta,
                    curvature: loss.curvature().unwrap_or(0.0),
                };
                self.launch("nudge_proximal", samples, nudge);
            }
            Op::Copy { from, to } => self.copy(from, to),
            Op::Zero { buffer } => self.zero(buffer),
            Op::WeightProduct { map, kernel, bias, mean, difference, scale } => {
                self.weight_product(map, (kernel, bias), (mean, difference), scale);
            }
            Op::ZeroGradient { kernel, bias } => [kernel, bias].into_iter().for_each(|id| self.zero_gradient(id)),
            Op::CopyGradient { from, to } => {
                let bytes = self.gradient_bytes(to);
                self.calls.push(Call::Copy { from: self.memory.gradient(from), to: self.memory.gradient(to), bytes });
            }
            Op::Disturb { .. } => return Err(unsupported("disturbance", "states that are disturbed")),
            Op::Constant { value, scalar } => {
                let constant = Constant { at: self.memory.scalar(scalar), value: T::from_f64(value) };
                self.launch("constant", 1, constant);
            }
            Op::Damping { .. } => return Err(unsupported("learning.power_iterations", "spectral norms while it trains")),
        }
        Ok(())
    }

    /// output = W input, and + b, unless the operation that follows adds it.
    fn affine(&mut self, index: usize, map: Map, (kernel, bias): (ParameterId, ParameterId), input: BufferId, output: BufferId) {
        let (below, above, factor) = (self.memory.buffer(input), self.memory.buffer(output), self.memory.factor(kernel));
        match map {
            Map::Dense { inputs, outputs } => self.calls.push(Call::Product(Product {
                extents: [self.samples(), outputs, inputs],
                transposed: [false, false],
                left: below,
                right: factor,
                output: above,
                kind: self.kind(output),
                scale: 1.0,
            })),
            Map::Convolution(c) => self.convolve(Direction::Forward, c, (below, factor, above), 1.0),
        }
        if self.bias_before(index + 1).is_some() {
            return;
        }
        let (n, channels, bias) = (self.numbers(output), map.bias() as u64, self.memory.parameter(bias));
        let kernel = if self.memory.is_wide(output) { "add_bias_wide" } else { "add_bias" };
        self.launch(kernel, n, AddBias { n, channels, bias, a: above });
    }

    /// The bias of the map that comes right before this operation, where this operation can add it to what it reads.
    fn bias_before(&self, index: usize) -> Option<(ParameterId, Map)> {
        let Op::Affine { map, bias, output, .. } = *self.program.ops.get(index.checked_sub(1)?)? else { return None };
        let reads = match *self.program.ops.get(index)? {
            Op::Activate { pre_activation, .. } => pre_activation,
            Op::Pool { input, .. } => input,
            _ => return None,
        };
        (reads == output && !self.memory.is_wide(output)).then_some((bias, map))
    }

    /// The bias that this operation adds, and how many channels it has.
    fn take_bias(&self, index: usize) -> (Address, u64) {
        match self.bias_before(index) {
            Some((bias, map)) => (self.memory.parameter(bias), map.bias() as u64),
            None => (Address::NONE, 1),
        }
    }

    fn adjoint(&mut self, map: Map, kernel: ParameterId, input: BufferId, output: BufferId) {
        let (above, below, factor) = (self.memory.buffer(input), self.memory.buffer(output), self.memory.factor(kernel));
        match map {
            Map::Dense { inputs, outputs } => self.calls.push(Call::Product(Product {
                extents: [self.samples(), inputs, outputs],
                transposed: [false, true],
                left: above,
                right: factor,
                output: below,
                kind: self.kind(output),
                scale: 1.0,
            })),
            Map::Convolution(c) => self.convolve(Direction::Adjoint, c, (below, factor, above), 1.0),
        }
    }

    fn convolve(&mut self, direction: Direction, convolution: Convolution, images: (Address, Address, Address), scale: f64) {
        let ((below, kernel, above), samples) = (images, self.samples());
        self.calls.push(Call::Convolve(Convolve { direction, convolution, samples, below, kernel, above, scale }));
    }

    fn pool(&mut self, index: usize, pooling: Pooling, (input, output): (BufferId, BufferId), routing: Address) {
        let (bias, _) = self.take_bias(index);
        let image = self.memory.buffer(input);
        let kept = if bias == Address::NONE || only_pooled(self.program, input) { Address::NONE } else { image };
        let [samples, height, width, channels] =
            [self.samples(), pooling.height, pooling.width, pooling.channels].map(|n| n as u64);
        let pool =
            Pool { samples, height, width, channels, bias, kept, input: image, output: self.memory.buffer(output), routing };
        self.launch("pool", samples * pooling.outputs() as u64, pool);
    }

    fn routed(&self, pooling: Pooling, input: BufferId, routing: Address, output: BufferId) -> Routed {
        let [samples, height, width, channels] =
            [self.samples(), pooling.height, pooling.width, pooling.channels].map(|n| n as u64);
        Routed { samples, height, width, channels, input: self.memory.buffer(input), routing, output: self.memory.buffer(output) }
    }

    fn dyad(&mut self, index: usize) {
        let Op::Dyad { activation, weights, neurons, damping, pre_activation, feedback, mean, difference } =
            self.program.ops[index]
        else {
            return;
        };
        let n = self.numbers(mean);
        let dyad = Dyad {
            n,
            neurons: self.program.buffers[mean.0] as u64,
            a: self.memory.buffer(pre_activation),
            fb: self.memory.buffer(feedback),
            mean: self.memory.buffer(mean),
            difference: self.memory.buffer(difference),
            damping: damping.map_or(Address::NONE, |id| self.memory.scalar(id)),
            each: neurons.map_or(Address::NONE, |id| self.memory.neurons(id.0)),
            alpha: T::from_f64(weights.alpha),
            one_minus_alpha: T::from_f64(1.0 - weights.alpha),
            w_plus: T::from_f64(weights.w_plus),
            w_minus: T::from_f64(weights.w_minus),
            activation: number(activation),
            limit: i32::from(weights.limit),
        };
        self.launch("dyad", n, dyad);
    }

    /// ∂kernel = scale/n · Σ Δ s̄ᵀ, ∂bias = scale/n · Σ Δ.
    fn weight_product(
        &mut self,
        map: Map,
        (kernel, bias): (ParameterId, ParameterId),
        (mean, difference): (BufferId, BufferId),
        scale: f64,
    ) {
        let scale = scale / self.samples() as f64;
        let (below, gradient, above) = (self.memory.buffer(mean), self.memory.gradient(kernel), self.memory.buffer(difference));
        match map {
            Map::Dense { inputs, outputs } => self.calls.push(Call::Product(Product {
                extents: [inputs, outputs, self.samples()],
                transposed: [true, false],
                left: below,
                right: above,
                output: gradient,
                kind: Kind::Real,
                scale,
            })),
            Map::Convolution(c) if self.memory.precision().is_narrow() => {
                let (n, narrow) = (map.kernel().iter().product::<usize>() as u64, self.memory.workspace());
                self.convolve(Direction::Weight, c, (below, narrow, above), scale);
                self.launch("widen", n, Widen { n, narrow, wide: gradient });
            }
            Map::Convolution(c) => self.convolve(Direction::Weight, c, (below, gradient, above), scale),
        }
        let sums = self.memory.workspace();
        let (rows, channels, parts) = (rows(map, self.samples()), map.bias() as u64, parts(map, self.samples()));
        let part_sums = PartSums { rows, channels, rows_of_part: ROWS_OF_PART, difference: above, parts: sums };
        self.launch("part_sums", parts * channels, part_sums);
        let (gradient, scale) = (self.memory.gradient(bias), T::from_f64(scale));
        self.launch("bias_gradient", channels, BiasGradient { parts, channels, sums, gradient, scale });
    }

    fn kind(&self, id: BufferId) -> Kind {
        if self.memory.is_wide(id) { Kind::Real } else { Kind::State }
    }

    fn copy(&mut self, from: BufferId, to: BufferId) {
        let bytes = self.numbers(to) * self.memory.bytes_of(to);
        self.calls.push(Call::Copy { from: self.memory.buffer(from), to: self.memory.buffer(to), bytes });
    }

    fn zero(&mut self, buffer: BufferId) {
        let bytes = self.numbers(buffer) * self.memory.bytes_of(buffer);
        self.calls.push(Call::Zero { at: self.memory.buffer(buffer), bytes });
    }

    fn gradient_bytes(&self, id: ParameterId) -> u64 {
        self.program.parameters[id.0].iter().product::<usize>() as u64 * self.memory.precision().real()
    }

    fn zero_gradient(&mut self, id: ParameterId) {
        let (at, bytes) = (self.memory.gradient(id), self.gradient_bytes(id));
        self.calls.push(Call::Zero { at, bytes });
    }
}

fn unsupported(field: &str, what: &str) -> Error {
    Error::setting("device", "cuda", format!("a GPU does not compute {what} yet; train on the CPU, or change {field}"))
}
