//! The CPU: binds a program once (buffers, gradients, fusion of neighbours) and then executes its operations in order.

use std::mem;
use std::ops::Range;

use crate::base::{Error, Real, Result};

use super::disturbance::Scales;
use super::disturbance::cpu::Course;
use super::dyad::{NeuronWeights, Weights};
use super::fusion::{Fused, fuse};
use super::pool::{ELEMENTS, Team};
use super::spectral::spectral_norm;
use super::update::Update;
use super::{BufferId, Op, ParameterId, Pool, Program, RoutingId, ScalarId, Tensor, affine, dyad, nudge, pooling};

/// A program bound to this machine's memory, for batches of up to `capacity` samples.
pub struct Cpu<T> {
    program: Program,
    capacity: usize,
    samples: usize,
    buffers: Vec<Vec<T>>,
    routings: Vec<Vec<u8>>,
    scalars: Vec<T>,
    /// The program's weights of single neurons.
    neurons: Vec<Vec<Weights<T>>>,
    course: Course,
    gradients: Vec<Tensor<T>>,
    /// What each sample of the batch counts in the gradients, 1 on average; empty: all count alike.
    sample_weights: Vec<T>,
    /// The differences of a layer, each sample's times its weight.
    weighted: Vec<T>,
    workspace: Vec<T>,
    updates_early: bool,
    fused: Vec<Option<Fused>>,
    pool: Pool,
}

impl<T: Real> Cpu<T> {
    /// Reserves all memory that the program needs for `capacity` samples.
    pub fn new(mut program: Program, capacity: usize, pool: Pool) -> Self {
        let fused = fuse::<T>(&mut program, pool.is_exact());
        let buffers = program.buffers.iter().map(|width| vec![T::ZERO; width * capacity]).collect();
        let routings = program.routings.iter().map(|width| vec![0; width * capacity]).collect();
        let has_gradient = program.has_gradient();
        let of_parameters = program.parameters.iter().zip(&has_gradient).filter(|_| has_gradient.contains(&true));
        let gradients = of_parameters.map(|(shape, has)| if *has { Tensor::zeros(shape) } else { Tensor::default() }).collect();
        let scalars = vec![T::ZERO; program.scalars];
        let workspace = vec![T::ZERO; program.workspace(capacity, pool.threads())];
        let updates_early = program.reads_no_parameter_after_its_gradient() && !program.shares_gradients();
        let neurons = program.neurons.iter().map(NeuronWeights::bind).collect();
        let course = Course::new(program.disturbances.as_ref().map_or(0, |disturbances| disturbances.layers.len()));
        let samples = capacity;
        Cpu {
            program,
            capacity,
            samples,
            buffers,
            routings,
            scalars,
            neurons,
            course,
            gradients,
            sample_weights: vec![],
            weighted: vec![],
            workspace,
            updates_early,
            fused,
            pool,
        }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The largest batch.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The samples of the present batch.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Sets the size of the coming batch.
    ///
    /// # Errors
    /// [`Error::Setting`] for no samples, or more than the capacity.
    pub fn set_samples(&mut self, samples: usize) -> Result<()> {
        if samples == 0 || samples > self.capacity {
            let problem = format!("this engine takes batches of 1 to {} samples", self.capacity);
            return Err(Error::setting("batch", samples, problem));
        }
        self.samples = samples;
        Ok(())
    }

    /// Sets what each sample of the batch counts in the gradients, which stay a mean over the batch: 1 on average; without a weight all
    /// count alike, and the gradients are the same to the bit as if no weights had been set.
    pub fn set_sample_weights(&mut self, weights: Vec<T>) {
        self.sample_weights = weights;
    }

    /// The rows of the present batch.
    pub fn buffer(&self, id: BufferId) -> &[T] {
        &self.buffers[id.0][..self.samples * self.program.buffers[id.0]]
    }

    /// The rows of the present batch, to be written.
    pub fn buffer_mut(&mut self, id: BufferId) -> &mut [T] {
        &mut self.buffers[id.0][..self.samples * self.program.buffers[id.0]]
    }

    /// The rows of the present batch.
    fn routing(&self, id: RoutingId) -> &[u8] {
        &self.routings[id.0][..self.samples * self.program.routings[id.0]]
    }

    /// The gradients, in the order of the parameters, a tensor without elements for one that has none; empty if the program
    /// computes none at all.
    pub fn gradients(&self) -> &[Tensor<T>] {
        &self.gradients
    }

    /// A batch begins: what keys its disturbances, and the number of its first sample.
    pub fn begin_batch(&mut self, batch: u64, first: u32) {
        self.course.begin(batch, first);
    }

    /// A batch is over: what was measured of it enters the running scales.
    pub fn end_batch(&mut self) {
        self.course.end();
    }

    /// What disturbances are relative to.
    pub fn scales(&self) -> &Scales {
        &self.course.scales
    }

    /// Replaces what disturbances are relative to.
    pub fn set_scales(&mut self, scales: Scales) {
        self.course.scales = scales;
    }

    /// A number computed by the last execution.
    pub fn scalar(&self, id: ScalarId) -> T {
        self.scalars[id.0]
    }

    /// Executes these operations of the program in one entry of the pool.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters are not those of the program.
    pub fn execute(&mut self, ops: Range<usize>, parameters: &[Tensor<T>]) -> Result<()> {
        self.check(parameters)?;
        let pool = self.pool.clone();
        pool.enter(|team| {
            for index in ops {
                self.perform(team, index, parameters);
            }
        });
        Ok(())
    }

    /// Executes the whole program, and updates every parameter as soon as its gradient is known. [`Cpu::gradients`] has no
    /// meaning afterwards: a gradient that is used at once is not kept.
    ///
    /// # Errors
    /// [`Error::Shape`] if the parameters are not those of the program.
    pub fn execute_and_update(&mut self, update: &mut Update<T>) -> Result<()> {
        self.check(update.parameters())?;
        let pool = self.pool.clone();
        pool.enter(|team| {
            for index in 0..self.program.ops.len() {
                match self.program.ops[index] {
                    Op::WeightProduct { map, kernel, bias, mean, difference, scale } if self.updates_early => {
                        let mut workspace = mem::take(&mut self.workspace);
                        self.weigh(difference);
                        self.with_gradients(kernel, bias, |device, gradients| {
                            let inputs = (device.buffer(mean), device.weighted(difference));
                            affine::update(team, map, inputs, scale, gradients, update, &mut workspace);
                        });
                        self.workspace = workspace;
                    }
                    _ => self.perform(team, index, update.parameters()),
                }
            }
            for op in &self.program.ops {
                if matches!(op, Op::WeightProduct { .. }) && self.updates_early {
                    continue;
                }
                op.gradients().into_iter().flatten().for_each(|id| update.apply_on(team, id, self.gradients[id.0].data()));
            }
        });
        Ok(())
    }

    /// Updates every parameter that has a gradient, once all of them are known.
    pub fn update(&self, update: &mut Update<T>) {
        let gradients = (0..).zip(&self.gradients).filter(|(_, gradient)| !gradient.data().is_empty());
        self.pool.enter(|team| gradients.for_each(|(id, gradient)| update.apply_on(team, ParameterId(id), gradient.data())));
    }

    fn check(&self, parameters: &[Tensor<T>]) -> Result<()> {
        if parameters.len() != self.program.parameters.len() {
            return Err(Error::shape("the parameter list", &[parameters.len()], &[self.program.parameters.len()]));
        }
        for (i, (tensor, shape)) in parameters.iter().zip(&self.program.parameters).enumerate() {
            if tensor.shape() != shape {
                return Err(Error::shape(format!("parameter {i}"), tensor.shape(), shape));
            }
        }
        Ok(())
    }

    fn perform(&mut self, team: &Team, index: usize, parameters: &[Tensor<T>]) {
        let parameter = |id: ParameterId| &parameters[id.0];
        let mut workspace = mem::take(&mut self.workspace);
        let space = &mut workspace[..];
        match self.fused[index] {
            Some(Fused::AffineAndPool { map, kernel, bias, input, output, routing }) => {
                self.with_routing(output, routing, |device, output, routing| {
                    let parameters = (parameter(kernel), parameter(bias));
                    affine::forward_pooled(team, map, parameters, device.buffer(input), (output, routing), space);
                });
            }
            Some(Fused::Done) => {}
            None => self.perform_alone(team, self.program.ops[index], parameters, space),
        }
        self.workspace = workspace;
    }

    fn perform_alone(&mut self, team: &Team, op: Op, parameters: &[Tensor<T>], space: &mut [T]) {
        let parameter = |id: ParameterId| &parameters[id.0];
        match op {
            Op::Affine { map, kernel, bias, input, output } => self.with_output(output, |device, output| {
                affine::forward(team, map, parameter(kernel), parameter(bias), device.buffer(input), output, space);
            }),
            Op::Adjoint { map, kernel, input, output } => self.with_output(output, |device, output| {
                affine::adjoint(team, map, parameter(kernel), device.buffer(input), output, space);
            }),
            Op::Pool { pooling, input, output, routing } => self.with_routing(output, routing, |device, output, routing| {
                pooling::forward(team, pooling, device.buffer(input), output, routing);
            }),
            Op::RoutedPool { pooling, input, routing, output } => self.with_output(output, |device, output| {
                pooling::routed(team, pooling, device.buffer(input), device.routing(routing), output);
            }),
            Op::Unpool { pooling, input, routing, output } => self.with_output(output, |device, output| {
                pooling::backward(team, pooling, device.buffer(input), device.routing(routing), output);
            }),
            Op::Plus { weight, mean, difference, plus } => self.with_output(plus, |device, plus| {
                let (mean, difference) = (device.buffer(mean), device.buffer(difference));
                dyad::cpu::plus(team, weight, mean, difference, plus);
            }),
            Op::Activate { activation, pre_activation, mean } => self.with_output(mean, |device, mean| {
                dyad::cpu::activate(team, activation, device.buffer(pre_activation), mean);
            }),
            Op::Dyad { activation, weights, neurons, damping, pre_activation, feedback, mean, difference } => {
                self.with_outputs(mean, difference, |device, mean, difference| {
                    let inputs = (device.buffer(pre_activation), device.buffer(feedback));
                    let damping = damping.map(|id| device.scalar(id));
                    match neurons.map(|id| &device.neurons[id.0][..]) {
                        None => dyad::cpu::update(team, (activation, weights), damping, inputs, mean, difference),
                        Some(each) => dyad::cpu::update_each(team, (activation, each), damping, inputs, mean, difference),
                    }
                });
            }
            Op::Disturb { layer, occasion, mean, difference } => {
                let mut course = mem::take(&mut self.course);
                self.with_outputs(mean, difference, |device, s_mean, s_difference| {
                    if let Some(disturbances) = &device.program.disturbances {
                        let neurons = device.program.buffers[mean.0];
                        course.disturb(team, disturbances, (layer, occasion), neurons, s_mean, s_difference);
                    }
                });
                self.course = course;
            }
            Op::LossGradient { loss, logits, target, gradient } => {
                let outputs = self.program.buffers[gradient.0];
                self.with_output(gradient, |device, gradient| {
                    let (z, y) = (device.buffer(logits), device.buffer(target));
                    team.pieces(gradient, ELEMENTS.div_ceil(outputs) * outputs, |start, gradient| {
                        let samples = z[start..].chunks(outputs).zip(y[start..].chunks(outputs));
                        gradient.chunks_mut(outputs).zip(samples).for_each(|(g, (z, y))| loss.gradient(z, y, g));
                    });
                });
            }
            Op::NudgeLinearised { weights, pre_activation, gradient, mean, difference } => {
                self.with_outputs(mean, difference, |device, mean, difference| {
                    let (a, g) = (device.buffer(pre_activation), device.buffer(gradient));
                    nudge::cpu::linearised(team, weights, a, g, mean, difference);
                });
            }
            Op::NudgeProximal { loss, weights, pre_activation, target, mean, difference } => {
                let outputs = self.program.buffers[mean.0];
                self.with_outputs(mean, difference, |device, mean, difference| {
                    let inputs = (device.buffer(pre_activation), device.buffer(target));
                    nudge::cpu::proximal(team, (loss, weights), outputs, inputs, mean, difference);
                });
            }
            Op::Copy { from, to } => self.with_output(to, |device, to| to.copy_from_slice(device.buffer(from))),
            Op::Zero { buffer } => self.buffer_mut(buffer).fill(T::ZERO),
            Op::Damping { map, kernel, power, factor, scalar } => {
                let gamma = spectral_norm(map, parameter(kernel), power);
                self.scalars[scalar.0] = T::from_f64(factor * ((gamma * gamma - 1.0) / 2.0).at_least(0.0));
            }
            Op::Constant { value, scalar } => self.scalars[scalar.0] = T::from_f64(value),
            Op::WeightProduct { map, kernel, bias, mean, difference, scale } => {
                self.weigh(difference);
                self.with_gradients(kernel, bias, |device, [(_, d_kernel), (_, d_bias)]| {
                    let inputs = (device.buffer(mean), device.weighted(difference));
                    affine::weight_product(team, map, inputs, scale, (d_kernel, d_bias), space);
                });
            }
            Op::ZeroGradient { kernel, bias } => {
                self.gradients[kernel.0].data_mut().fill(T::ZERO);
                self.gradients[bias.0].data_mut().fill(T::ZERO);
            }
            Op::CopyGradient { from, to } => {
                let mut copy = mem::take(&mut self.gradients[to.0]);
                copy.data_mut().copy_from_slice(self.gradients[from.0].data());
                self.gradients[to.0] = copy;
            }
        }
    }

    /// Multiplies each sample's difference with its weight, where samples have one: what a weight product reads. What is fed back
    /// stays as it is.
    fn weigh(&mut self, difference: BufferId) {
        if self.sample_weights.is_empty() {
            return;
        }
        let (width, mut weighted) = (self.program.buffers[difference.0], mem::take(&mut self.weighted));
        weighted.clear();
        for (row, &weight) in self.buffer(difference).chunks(width).zip(&self.sample_weights) {
            weighted.extend(row.iter().map(|&x| weight * x));
        }
        self.weighted = weighted;
    }

    /// What [`Cpu::weigh`] has made of this buffer.
    fn weighted(&self, difference: BufferId) -> &[T] {
        if self.sample_weights.is_empty() { self.buffer(difference) } else { &self.weighted }
    }

    /// Lends the gradients of a layer to `work` for writing, the buffers for reading.
    fn with_gradients(
        &mut self,
        kernel: ParameterId,
        bias: ParameterId,
        work: impl FnOnce(&Self, [(ParameterId, &mut Tensor<T>); 2]),
    ) {
        let [mut d_kernel, mut d_bias] = [kernel, bias].map(|id| mem::take(&mut self.gradients[id.0]));
        work(self, [(kernel, &mut d_kernel), (bias, &mut d_bias)]);
        (self.gradients[kernel.0], self.gradients[bias.0]) = (d_kernel, d_bias);
    }

    /// Lends one buffer to `work` for writing, the others for reading.
    fn with_output(&mut self, output: BufferId, work: impl FnOnce(&Self, &mut [T])) {
        let mut taken = mem::take(&mut self.buffers[output.0]);
        work(self, &mut taken[..self.samples * self.program.buffers[output.0]]);
        self.buffers[output.0] = taken;
    }

    /// Lends a buffer and a routing to `work` for writing, the others for reading.
    fn with_routing(&mut self, output: BufferId, routing: RoutingId, work: impl FnOnce(&Self, &mut [T], &mut [u8])) {
        let mut winners = mem::take(&mut self.routings[routing.0]);
        let end = self.samples * self.program.routings[routing.0];
        self.with_output(output, |device, output| work(device, output, &mut winners[..end]));
        self.routings[routing.0] = winners;
    }

    /// Lends two buffers to `work` for writing, the others for reading.
    fn with_outputs(&mut self, a: BufferId, b: BufferId, work: impl FnOnce(&Self, &mut [T], &mut [T])) {
        let mut taken = mem::take(&mut self.buffers[a.0]);
        let end = self.samples * self.program.buffers[a.0];
        self.with_output(b, |device, b| work(device, &mut taken[..end], b));
        self.buffers[a.0] = taken;
    }
}
