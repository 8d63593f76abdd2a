//! What the layers of a network tell each other at states that somebody else chooses.

use std::ops::Range;

use crate::base::{Error, Real, Result};
use crate::compute::{Cpu, Pool, Tensor};
use crate::network::{Parameters, Topology};

use super::Engine;
use super::engine::program;
use super::plan::{Layout, Maps};

/// States of a batch, and what follows from them: pre-activations, feedback, local gradients. Nothing changes the states but
/// their owner.
pub struct Messages<T> {
    topology: Topology,
    layout: Layout,
    device: Cpu<T>,
    /// The operations of each layer k = 1..L, and last those of the gradients.
    ranges: Vec<Range<usize>>,
}

impl<T: Real> Messages<T> {
    /// Reserves memory for batches of so many samples; every state is 0. The gradients are −1/β times the products of states.
    pub fn new(topology: &Topology, samples: usize, beta: f64, pool: &Pool) -> Self {
        let (layout, depth) = (Layout::new(topology), topology.depth());
        let maps = Maps { topology, layout: &layout };
        let of_layer = |k: usize| match k < depth {
            true => [maps.up(k), maps.route(k + 1), maps.down(k + 1, layout.routing(k + 1))].concat(),
            false => maps.up(k),
        };
        let mut blocks: Vec<_> = (1..=depth).map(of_layer).collect();
        blocks.push((1..=depth).flat_map(|k| maps.gradient(k, -1.0 / beta)).collect());
        let mut end = 0;
        let ranges = blocks.iter().map(|ops| {
            end += ops.len();
            end - ops.len()..end
        });
        let ranges = ranges.collect();
        let program = program(topology, &layout, blocks.concat()).without_unused(&layout.always());
        Messages { topology: topology.clone(), device: Cpu::new(program, samples, pool.clone()), layout, ranges }
    }

    /// Sets the input x [n, H, W, C].
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of samples or of numbers in each.
    pub fn set_input(&mut self, x: &[T]) -> Result<()> {
        self.set(0, &[x])
    }

    /// Sets s̄_k and Δ_k, [n, neurons] each, k = 1..L.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of samples or of numbers in each.
    pub fn set_state(&mut self, k: usize, mean: &[T], difference: &[T]) -> Result<()> {
        self.set(k, &[mean, difference])
    }

    /// Takes input and states of an engine's last batch.
    ///
    /// # Errors
    /// [`Error::Shape`] for a batch of another size.
    pub fn set_all(&mut self, engine: &Engine<T>) -> Result<()> {
        self.set_input(engine.mean(0))?;
        (1..=self.topology.depth()).try_for_each(|k| self.set_state(k, engine.mean(k), engine.difference(k)))
    }

    fn set(&mut self, k: usize, states: &[&[T]]) -> Result<()> {
        let (samples, neurons) = (self.device.samples(), self.topology.state(k).neurons());
        for (i, state) in states.iter().enumerate() {
            if state.len() != samples * neurons {
                return Err(Error::shape(format!("the state of layer {k}"), &[state.len()], &[samples, neurons]));
            }
            let id = if i == 0 { self.layout.mean(k) } else { self.layout.difference(k) };
            self.device.buffer_mut(id).copy_from_slice(state);
        }
        Ok(())
    }

    /// Computes a_k, and W_kᵀΔ_{k+1} where there is a layer above, k = 1..L, from the states as they are now.
    ///
    /// # Errors
    /// [`Error::Shape`] for parameters of another network.
    pub fn listen(&mut self, k: usize, parameters: &Parameters<T>) -> Result<()> {
        self.device.execute(self.ranges[k - 1].clone(), parameters.tensors())
    }

    /// a_k = W_{k−1} s̄_{k−1} + b_{k−1} [n, neurons] as of the last [`Messages::listen`] to layer k = 1..L.
    pub fn pre_activation(&self, k: usize) -> &[T] {
        self.device.buffer(self.layout.pre_activation(k))
    }

    /// W_kᵀ Δ_{k+1} [n, neurons] as of the last [`Messages::listen`] to layer k = 1..L−1; a pool is held at the routing of s̄_k.
    pub fn feedback(&self, k: usize) -> &[T] {
        self.device.buffer(self.layout.feedback(k))
    }

    /// The local gradients −1/(βB) Σ Δ_k s̄_{k−1}ᵀ and −1/(βB) Σ Δ_k of the states as they are now, in the order of the parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] for parameters of another network.
    pub fn gradients(&mut self, parameters: &Parameters<T>) -> Result<&[Tensor<T>]> {
        self.device.execute(self.ranges[self.topology.depth()].clone(), parameters.tensors())?;
        Ok(self.device.gradients())
    }
}
