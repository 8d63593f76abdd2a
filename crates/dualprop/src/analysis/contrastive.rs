//! The contrastive objective whose gradient the local gradients are.

use crate::base::Real;
use crate::inference::Engine;
use crate::network::Parameters;

use super::alignment::inner;

/// J = −1/(βB) Σ_k ⟨Δ_k, W_{k−1} s̄_{k−1} + b_{k−1}⟩ of the engine's last batch, the states held constant (PAPER 1.4).
///
/// J is linear in the parameters and the local gradients are its derivatives, so that J = Σ_θ ⟨θ, ∂J/∂θ⟩ (Euler); a gain by
/// which layer k's gradient was divided is multiplied back. None if the engine's plan computes no gradients.
pub fn contrastive_objective<T: Real>(engine: &Engine<T>, parameters: &Parameters<T>) -> Option<f64> {
    let (topology, inference) = (engine.topology(), engine.inference());
    let of_layer = |k: usize| -> f64 {
        let gain = if inference.divide_gain { inference.rule.gain_product(k, topology.depth()) } else { 1.0 };
        let ids = [topology.kernel(k), topology.bias(k)];
        gain * ids.iter().map(|&id| inner(parameters.get(id).data(), engine.gradients()[id.0].data())).sum::<f64>()
    };
    (!engine.gradients().is_empty()).then(|| (1..=topology.depth()).map(of_layer).sum())
}
