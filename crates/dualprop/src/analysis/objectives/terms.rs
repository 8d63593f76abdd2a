//! The terms of the nested objective, layer by layer.

use crate::compute::{Activation, Loss};
use crate::network::Topology;

/// What one layer k = 1..L adds to a lifted objective; means over the batch.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct LayerTerms {
    /// D_k(s_k⁺, s̄_{k−1}) / β
    pub plus: f64,
    /// D_k(s_k⁻, s̄_{k−1}) / β
    pub minus: f64,
}

impl LayerTerms {
    /// (D_k(s_k⁺, s̄_{k−1}) − D_k(s_k⁻, s̄_{k−1})) / β, which is (E_k(s_k⁺, s̄_{k−1}) − E_k(s_k⁻, s̄_{k−1})) / β.
    pub fn difference(&self) -> f64 {
        self.plus - self.minus
    }
}

/// f of layer k = 1..L; the output is linear.
pub(super) fn activation(topology: &Topology, k: usize) -> Activation {
    if k < topology.depth() { topology.activation() } else { Activation::Identity }
}

/// The mean over the samples of ℓ(z, y).
pub(super) fn mean_loss(loss: Loss, z: &[f64], y: &[f64], topology: &Topology) -> f64 {
    let outputs = topology.outputs();
    let samples = z.chunks(outputs).zip(y.chunks(outputs));
    samples.map(|(z, y)| loss.value(z, y)).sum::<f64>() / (z.len() / outputs) as f64
}
