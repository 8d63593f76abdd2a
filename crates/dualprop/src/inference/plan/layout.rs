//! Which buffer holds which message.

use crate::compute::{BufferId, RoutingId};
use crate::network::Topology;

/// The buffers of an inference: input, target, first prediction, its gradient, what is fed back to the input, and for each
/// layer k = 1..L its own and those of the map into it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    widths: Vec<usize>,
    routings: Vec<usize>,
    depth: usize,
}

/// The names of the common buffers.
const COMMON: [&str; 5] = ["x", "y", "logits", "g", "fb0"];

/// The names of a layer's buffers, in their order.
const PER_LAYER: [&str; 9] = ["a", "fb", "mean", "diff", "up", "down", "plus", "plus_up", "plus_a"];

/// The routings of a map: at s̄ and at s⁺.
const ROUTINGS: usize = 2;

impl Layout {
    pub(crate) fn new(topology: &Topology) -> Self {
        let (depth, outputs) = (topology.depth(), topology.outputs());
        let input = topology.input().neurons();
        let mut widths = vec![input, outputs, outputs, outputs, input];
        let mut routings = vec![];
        for k in 1..=depth {
            let neurons = topology.state(k).neurons();
            // Nothing is fed back into the output layer.
            let feedback = if k < depth { neurons } else { 0 };
            let (between, routing) = match (topology.pool_below(k), topology.pool_above(k)) {
                (Some(pooling), _) => (pooling.outputs(), pooling.outputs()),
                (None, Some(pooling)) => (pooling.inputs(), pooling.outputs()),
                (None, None) => (0, 0),
            };
            widths.extend([neurons, feedback, neurons, neurons, between, between, neurons, between, routing]);
            routings.extend([routing; ROUTINGS]);
        }
        Layout { widths, routings, depth }
    }

    /// Elements per sample of every buffer.
    pub(crate) fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Bytes per sample of every routing.
    pub(crate) fn routings(&self) -> &[usize] {
        &self.routings
    }

    /// L
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// x = s_0
    pub(crate) fn input(&self) -> BufferId {
        BufferId(0)
    }

    /// y
    pub(crate) fn target(&self) -> BufferId {
        BufferId(1)
    }

    /// The first prediction of the inference.
    pub(crate) fn logits(&self) -> BufferId {
        BufferId(2)
    }

    /// g = ∂ℓ/∂z
    pub(crate) fn gradient(&self) -> BufferId {
        BufferId(3)
    }

    fn of_layer(&self, k: usize, which: usize) -> BufferId {
        BufferId(COMMON.len() + PER_LAYER.len() * (k - 1) + which)
    }

    /// a_k, k = 1..L
    pub(crate) fn pre_activation(&self, k: usize) -> BufferId {
        self.of_layer(k, 0)
    }

    /// fb_k, what layer k+1 feeds back, k = 0..L−1
    pub(crate) fn feedback(&self, k: usize) -> BufferId {
        if k == 0 { BufferId(4) } else { self.of_layer(k, 1) }
    }

    /// s̄_k, k = 0..L
    pub(crate) fn mean(&self, k: usize) -> BufferId {
        if k == 0 { self.input() } else { self.of_layer(k, 2) }
    }

    /// Δ_k, k = 1..L
    pub(crate) fn difference(&self, k: usize) -> BufferId {
        self.of_layer(k, 3)
    }

    /// What stands between the affine map into layer k and its pool on the way up.
    pub(crate) fn between_up(&self, k: usize) -> BufferId {
        self.of_layer(k, 4)
    }

    /// The same on the way down.
    pub(crate) fn between_down(&self, k: usize) -> BufferId {
        self.of_layer(k, 5)
    }

    /// s⁺_k, k = 1..L
    pub(crate) fn plus(&self, k: usize) -> BufferId {
        self.of_layer(k, 6)
    }

    /// [`Layout::between_up`] of s⁺ below.
    pub(crate) fn plus_between_up(&self, k: usize) -> BufferId {
        self.of_layer(k, 7)
    }

    /// The pooled map into layer k of s⁺ below; only its routing matters.
    pub(crate) fn plus_pooled(&self, k: usize) -> BufferId {
        self.of_layer(k, 8)
    }

    /// The routing of the pool of the map into layer k at s̄ below.
    pub(crate) fn routing(&self, k: usize) -> RoutingId {
        RoutingId(ROUTINGS * (k - 1))
    }

    /// The same at s⁺ below.
    pub(crate) fn plus_routing(&self, k: usize) -> RoutingId {
        RoutingId(ROUTINGS * (k - 1) + 1)
    }

    /// What an engine reads and writes from outside whatever its operations are.
    pub(crate) fn always(&self) -> Vec<BufferId> {
        let states = (1..=self.depth).flat_map(|k| [self.mean(k), self.difference(k)]);
        states.chain([self.input(), self.target(), self.logits()]).collect()
    }

    /// The name of a buffer, for people: a₂ is written a2.
    pub(crate) fn name(&self, id: BufferId) -> String {
        match id.0.checked_sub(COMMON.len()) {
            None => COMMON[id.0].to_string(),
            Some(index) => format!("{}{}", PER_LAYER[index % PER_LAYER.len()], index / PER_LAYER.len() + 1),
        }
    }
}
