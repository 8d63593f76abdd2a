//! The Lagrangian of DP⊤ at given states.

use crate::base::{Error, Result};
use crate::compute::{Activation, Pool};
use crate::inference::{Engine, Messages, RuleKind};
use crate::network::Parameters;

use super::one_level::weighted;
use super::terms::{activation, mean_loss};

/// ℓ(s̄_L) + 1/β Σ_k Δ_kᵀ (α f⁻¹(s_k⁺) + (1−α) f⁻¹(s_k⁻) − a_k); means over the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Lagrangian {
    /// Its value.
    pub value: f64,
    /// ℓ(s̄_L)
    pub loss: f64,
    /// 1/β Δ_kᵀ (α f⁻¹(s_k⁺) + (1−α) f⁻¹(s_k⁻) − a_k) of each layer k = 1..L: the constraint s̄_k = f(a_k) with its multiplier
    /// Δ_k/β, 0 where the layer has settled.
    pub constraints: Vec<f64>,
}

/// Evaluates the Lagrangian of DP⊤ (PAPER 1.3) at the states of an engine's last batch, for the targets y of it.
///
/// Where f is flat, f⁻¹(s) is a set; the number of it is taken that is nearest to the pre-activation from which the dyad update
/// would compute the compartment, a + (1−α) fb for s⁺ and a − α fb for s⁻.
///
/// # Errors
/// [`Error::Setting`] for another rule than `dp_transpose`, or one with gains or several α.
pub fn lagrangian(engine: &Engine<f64>, parameters: &Parameters<f64>, y: &[f64], pool: &Pool) -> Result<Lagrangian> {
    let (topology, inference) = (engine.topology(), engine.inference());
    let (depth, rule) = (topology.depth(), &inference.rule);
    if rule.kind != RuleKind::DpTranspose {
        return Err(Error::setting("learning.rule", format!("{:?}", rule.kind), "the Lagrangian is that of `dp_transpose`"));
    }
    let (Some(alpha), 1.0) = (rule.uniform_alpha(), rule.gain_product(1, depth)) else {
        return Err(Error::setting(
            "learning.alpha, gain",
            "several",
            "the Lagrangian has one alpha for all layers, and gains of 1",
        ));
    };
    let mut messages = Messages::new(topology, engine.samples(), inference.beta, pool);
    messages.set_all(engine)?;
    (1..=depth).try_for_each(|k| messages.listen(k, parameters))?;
    let constraint = |k: usize| -> f64 {
        let (a, f) = (messages.pre_activation(k), activation(topology, k));
        let (s_plus, s_minus) = engine.compartments(k);
        let neuron = |i: usize| {
            // Nothing is fed back into the output, whose f has an inverse.
            let feedback = if k < depth { messages.feedback(k)[i] } else { 0.0 };
            let rounding = 4.0 * f64::EPSILON * (s_plus[i].abs() + s_minus[i].abs());
            let u_plus = pre_image(f, s_plus[i], a[i] + (1.0 - alpha) * feedback, rounding);
            let u_minus = pre_image(f, s_minus[i], a[i] - alpha * feedback, rounding);
            // A weight of 0 also counts where f has saturated, and f⁻¹ is infinite.
            let mean = weighted(alpha, || u_plus) + weighted(1.0 - alpha, || u_minus);
            engine.difference(k)[i] * (mean - a[i])
        };
        // A dyad without difference has no say, also where f has saturated and f⁻¹ is infinite.
        (0..a.len()).filter(|&i| engine.difference(k)[i] != 0.0).map(neuron).sum::<f64>()
            / (inference.beta * engine.samples() as f64)
    };
    let constraints: Vec<f64> = (1..=depth).map(constraint).collect();
    let loss = mean_loss(inference.loss, engine.mean(depth), y, topology);
    Ok(Lagrangian { value: loss + constraints.iter().sum::<f64>(), loss, constraints })
}

/// f⁻¹(s), or `near` where s is f of it but for rounding: of s̄ + (1−α)Δ or s̄ − αΔ, or of f where it saturates.
fn pre_image(f: Activation, s: f64, near: f64, rounding: f64) -> f64 {
    if (f.value(near) - s).abs() <= rounding { near } else { f.inverse(s, near) }
}
