//! The forward pass by itself: of the network as a function, or on a device.

use crate::base::{Real, Result};
use crate::compute::disturbance::{Disturbances, Scales};
use crate::compute::{Cpu, Pool, Program};
use crate::network::{Parameters, Topology};

use super::Inference;
use super::disturbance::Device;
use super::engine::{program, samples_of};
use super::plan::{Layout, Maps};

/// A forward pass alone.
pub struct Predictor<T> {
    topology: Topology,
    layout: Layout,
    device: Cpu<T>,
    /// How many samples have been predicted since the last [`Predictor::begin`].
    predicted: u32,
}

/// The batch that keys what disturbs predictions: none of a training.
const PREDICTION: u64 = u64::MAX;

impl<T: Real> Predictor<T> {
    /// Reserves memory for batches of up to `capacity` samples.
    pub fn new(topology: &Topology, capacity: usize, pool: &Pool) -> Self {
        Predictor::of(topology, None, capacity, pool)
    }

    /// A forward pass on the device of an inference: with what disturbs its dyads at rest.
    pub fn on_device(topology: &Topology, inference: &Inference, capacity: usize, pool: &Pool) -> Self {
        Predictor::of(topology, Device::new(topology, inference).disturbances(), capacity, pool)
    }

    fn of(topology: &Topology, disturbances: Option<Disturbances>, capacity: usize, pool: &Pool) -> Self {
        let layout = Layout::new(topology);
        let maps = Maps { topology, layout: &layout };
        let ops = if disturbances.is_some() { maps.disturbed_forward_pass() } else { maps.forward_pass() };
        let program = Program { disturbances, ..program(topology, &layout, ops) }.without_unused(&[]);
        let device = Cpu::new(program, capacity, pool.clone());
        Predictor { topology: topology.clone(), layout, device, predicted: 0 }
    }

    /// The samples to come are counted from 0 and disturbed relative to these scales: the same samples in the same order find the
    /// same disturbances, in batches of any size.
    pub fn begin(&mut self, scales: &Scales) {
        self.predicted = 0;
        self.device.set_scales(scales.clone());
    }

    /// The largest batch.
    pub fn capacity(&self) -> usize {
        self.device.capacity()
    }

    /// The outputs z [n, outputs] for x [n, H, W, C].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::Setting`] for inputs or parameters that do not fit.
    pub fn predict(&mut self, parameters: &Parameters<T>, x: &[T]) -> Result<&[T]> {
        let samples = samples_of(&self.topology, x)?;
        self.device.set_samples(samples)?;
        self.device.begin_batch(PREDICTION, self.predicted);
        // No data set has 2³² samples.
        self.predicted = self.predicted.wrapping_add(samples as u32);
        self.device.buffer_mut(self.layout.input()).copy_from_slice(x);
        self.device.execute(0..self.device.program().ops.len(), parameters.tensors())?;
        Ok(self.device.buffer(self.layout.pre_activation(self.topology.depth())))
    }
}
