//! The plan: rule + nudge + schedule + network, compiled to a flat list of operations before anything runs.
//!
//! [`emission`](self) writes the naive list, exactly what the schedule says; [`redundancy`](self) then takes out every
//! operation that provably changes nothing, and records why. Both lists give the same states to the bit on the same kernels
//! for finite values (0·∞ is not 0), with −0 = +0.

mod asynchrony;
mod emission;
mod layout;
mod maps;
mod print;
mod redundancy;

pub(super) use layout::Layout;
pub(super) use maps::Maps;
pub use redundancy::{Reason, Removed};

use crate::base::Result;
use crate::compute::{Op, Program};
use crate::network::Topology;

use super::Inference;
use super::disturbance::Device;
use asynchrony::Blocks;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// Whether redundant operations are taken out.
    pub optimise: bool,
    /// Whether the local gradients are computed at the end.
    pub gradients: bool,
    /// Whether the states are wanted after every pass, and not only after the last.
    pub every_pass: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions { optimise: true, gradients: true, every_pass: false }
    }
}

/// An operation with its place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The operation.
    pub op: Op,
    /// The layer k = 1..L that it belongs to.
    pub layer: usize,
    /// 0 for the start, 1..K for a pass, K+1 for the gradients.
    pub pass: usize,
}

/// A compiled inference.
#[derive(Debug, Clone)]
pub struct Plan {
    topology: Topology,
    inference: Inference,
    /// Whether the states after each pass are those of the schedule.
    every_pass: bool,
    steps: Vec<Step>,
    removed: Vec<Removed>,
    program: Program,
    layout: Layout,
    passes: usize,
    /// What an update is made of, where the updates are drawn for every batch.
    blocks: Option<Blocks>,
    warnings: Vec<String>,
}

impl Plan {
    /// Compiles an inference for a network.
    ///
    /// # Errors
    /// As [`Inference::check`]; [`crate::Error::Setting`] for a feedback through kernels that the network has not.
    pub fn compile(topology: &Topology, inference: &Inference, options: PlanOptions) -> Result<Self> {
        let warnings = inference.check(topology.depth())?;
        inference.feedback.check(topology)?;
        let layout = Layout::new(topology);
        let (asynchronous, depth) = (inference.disturbance.is_asynchronous(), topology.depth());
        let passes = match inference.disturbance.redraw_order {
            // Any of them may be drawn in any pass.
            true => vec![(1..=depth).map(|k| vec![k]).collect(); inference.passes],
            false => inference.schedule.passes(inference.passes, depth, inference.seed),
        };
        let naive = emission::emit(topology, inference, &layout, &passes, options.gradients);
        let (steps, removed) = match options.optimise && !asynchronous {
            true => redundancy::reduce(naive, &layout, options.every_pass),
            false => (naive, vec![]),
        };
        let device = Device::new(topology, inference);
        let program = Program {
            buffers: layout.widths().to_vec(),
            routings: layout.routings().to_vec(),
            parameters: topology.parameters().into_iter().map(|(_, shape)| shape).collect(),
            scalars: depth - 1,
            neurons: device.neurons(),
            disturbances: device.disturbances(),
            ops: steps.iter().map(|step| step.op).collect(),
        };
        let program = program.without_unused(&layout.always());
        Ok(Plan {
            topology: topology.clone(),
            inference: inference.clone(),
            every_pass: options.every_pass || !options.optimise || asynchronous,
            blocks: asynchronous.then(|| Blocks::of(&steps, passes.len(), depth)),
            steps,
            removed,
            program,
            layout,
            passes: passes.len(),
            warnings,
        })
    }

    /// The network that it is compiled for.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The inference that it carries out.
    pub fn inference(&self) -> &Inference {
        &self.inference
    }

    /// Whether the states after each pass can be observed, and not only those after the last.
    pub fn every_pass(&self) -> bool {
        self.every_pass
    }

    /// The operations, in the order of their execution.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the schedule asked for and the plan proved redundant.
    pub fn removed(&self) -> &[Removed] {
        &self.removed
    }

    /// The passes of the schedule.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// Settings that are valid but rarely meant.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The operations with the extents of their buffers.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Multiply-adds of the whole plan for a batch of this size.
    pub fn multiply_adds(&self, samples: usize) -> u64 {
        self.steps.iter().fold(0, |sum, step| sum.saturating_add(self.cost(&step.op, samples)))
    }

    /// Multiply-adds that the removed operations would have cost.
    pub fn multiply_adds_saved(&self, samples: usize) -> u64 {
        self.removed.iter().fold(0, |sum, removed| sum.saturating_add(self.cost(&removed.step.op, samples)))
    }

    fn cost(&self, op: &Op, samples: usize) -> u64 {
        let of_samples = self.program.multiply_adds(op).saturating_mul(samples as u64);
        of_samples.saturating_add(self.program.multiply_adds_per_batch(op))
    }

    /// Bytes that an engine reserves for the states of `samples` samples, the gradients and what convolutions work with,
    /// `element` bytes a number. Every thread but the first needs up to some megabytes more.
    pub fn memory(&self, samples: usize, element: usize) -> u64 {
        self.program.memory(samples, element)
    }

    /// Whether which updates take place, or their order, is drawn for every batch.
    pub fn is_asynchronous(&self) -> bool {
        self.blocks.is_some()
    }

    /// The operations of this pass of a batch, one range of the program after the other, as [`Inference::passes_of_batch`] has drawn it.
    pub(super) fn updates(&self, pass: usize, drawn: &super::Pass) -> Vec<std::ops::Range<usize>> {
        match &self.blocks {
            Some(blocks) => blocks.ranges(pass, drawn),
            None => vec![self.pass(pass)],
        }
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The operations of one pass (0: the start, K+1: the gradients) as a range of the program.
    pub(super) fn pass(&self, pass: usize) -> std::ops::Range<usize> {
        let start = self.steps.partition_point(|step| step.pass < pass);
        start..self.steps.partition_point(|step| step.pass <= pass)
    }
}
