//! Which buffer holds which message.

use crate::compute::BufferId;
use crate::network::Topology;

/// The buffers of an inference: four for each layer k = 1..L, and the input, target, first prediction and its gradient.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    widths: Vec<usize>,
    depth: usize,
}

/// Input, target, logits, gradient.
const COMMON: usize = 4;

/// a, fb, s̄, Δ.
const PER_LAYER: usize = 4;

impl Layout {
    pub(crate) fn new(topology: &Topology) -> Self {
        let depth = topology.depth();
        let outputs = topology.outputs();
        let mut widths = vec![topology.input().neurons(), outputs, outputs, outputs];
        for k in 1..=depth {
            let neurons = topology.state(k).neurons();
            // Nothing is fed back into the output layer.
            let feedback = if k < depth { neurons } else { 0 };
            widths.extend([neurons, feedback, neurons, neurons]);
        }
        Layout { widths, depth }
    }

    /// Elements per sample of every buffer.
    pub(crate) fn widths(&self) -> &[usize] {
        &self.widths
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
        BufferId(COMMON + PER_LAYER * (k - 1) + which)
    }

    /// a_k, k = 1..L
    pub(crate) fn pre_activation(&self, k: usize) -> BufferId {
        self.of_layer(k, 0)
    }

    /// fb_k = W_{k+1}ᵀ Δ_{k+1}, k = 1..L−1
    pub(crate) fn feedback(&self, k: usize) -> BufferId {
        self.of_layer(k, 1)
    }

    /// s̄_k, k = 0..L
    pub(crate) fn mean(&self, k: usize) -> BufferId {
        if k == 0 { self.input() } else { self.of_layer(k, 2) }
    }

    /// Δ_k, k = 1..L
    pub(crate) fn difference(&self, k: usize) -> BufferId {
        self.of_layer(k, 3)
    }

    /// The name of a buffer, for people: a₂ is written a2.
    pub(crate) fn name(&self, id: BufferId) -> String {
        match id.0.checked_sub(COMMON) {
            None => ["x", "y", "logits", "g"][id.0].to_string(),
            Some(index) => format!("{}{}", ["a", "fb", "mean", "diff"][index % PER_LAYER], index / PER_LAYER + 1),
        }
    }
}
