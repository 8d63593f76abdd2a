//! What theory says of whether an inference settles.
//!
//! To first order s̄_k = f(a_k) + (α_m − α_f) f′ W_kᵀ Δ_{k+1}: what is fed back leaks into the forward stream, reaches the output,
//! changes its gradient and is fed back again. Of a linear network with the loss c/2 ‖z−y‖² that loop is a linear map with the
//! eigenvalues −(α_m − α_f)·cβ·λ, λ those of Σ_{k<L} J_k J_kᵀ (PAPER 1.5, \[DER\]); it dies out where
//!
//! ```text
//! |α_m − α_f| · cβ · λ_max(Σ_{k<L} J_k J_kᵀ) < 1        (DP: |α_m − α_f| = |2α−1|; DP⊤: 0)
//! ```
//!
//! The nudge decides what c and β are: live as they stand; proximal cβ/((1+u·cβ)(1−d·cβ)), u and d being the weights of the
//! nudge (DP: α and 1−α); frozen 0, since the gradient never changes.

use crate::base::Named;
use crate::compute::Activation;
use crate::compute::spectral::feedback_eigenvalue;
use crate::inference::{Inference, Nudge, PerLayer, RuleKind, Schedule};
use crate::network::{Parameters, Topology};

/// What theory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prediction {
    /// It settles.
    Settles,
    /// It does not.
    Diverges,
}

impl Named for Prediction {
    const WHAT: &'static str = "prediction";
    const ALL: &'static [(&'static str, Self)] = &[("settles", Prediction::Settles), ("diverges", Prediction::Diverges)];
}

/// λ_max(Σ_{k<L} J_k J_kᵀ), J_k = ∂s_L/∂s_k; none unless all layers are dense and f is the identity.
pub fn lambda_max(topology: &Topology, parameters: &Parameters<f64>) -> Option<f64> {
    let kernels: Vec<_> = (1..=topology.depth()).map(|k| parameters.get(topology.kernel(k))).collect();
    (topology.is_dense() && topology.activation() == Activation::Identity).then(|| feedback_eigenvalue(&kernels))
}

/// cβ as the nudge has it, so that Δ_L = −cβ (a_L − y) + what never changes. None if the loss has no constant c, or if the
/// proximal nudge has no maximiser, d·cβ ≥ 1.
pub fn nudge_strength(inference: &Inference) -> Option<f64> {
    let weights = inference.rule.nudge_weights(inference.beta);
    let strength = inference.loss.curvature()? * inference.beta;
    match inference.nudge {
        Nudge::LinearisedFrozen => Some(0.0),
        Nudge::LinearisedLive => Some(strength),
        Nudge::Proximal if !weights.has_maximiser(inference.loss) => None,
        Nudge::Proximal => Some(strength / ((1.0 + weights.u * strength) * (1.0 - weights.d * strength))),
    }
}

/// α_m − α_f, with its sign; none if it is not the same for all layers, if the feedback has a gain or the rule is damped.
pub fn leak(inference: &Inference) -> Option<f64> {
    let rule = &inference.rule;
    let uniform = matches!(rule.alpha, PerLayer::Uniform(_)) && !matches!(rule.alpha_feedback, Some(PerLayer::Each(_)));
    if !uniform || rule.gain != PerLayer::Uniform(1.0) || rule.kind == RuleKind::DpDamped {
        return None;
    }
    let weights = rule.dyad_weights(1);
    Some(if weights.limit { 0.0 } else { weights.alpha - weights.w_minus })
}

/// |α_m − α_f|·cβ·λ_max of a linear network with this λ_max; none where theory has no such number.
pub fn loop_gain(inference: &Inference, lambda_max: f64) -> Option<f64> {
    let leak = leak(inference)?;
    // Without a leak, or with a gradient that does not change, it is 0 whatever the loss.
    match leak == 0.0 || inference.nudge == Nudge::LinearisedFrozen {
        true => Some(0.0),
        false => Some(leak.abs() * nudge_strength(inference)? * lambda_max),
    }
}

/// What theory says of this inference from a forward start; none where it says nothing.
///
/// * Backpropagation, and α_m = α_f ∈ {0, 1}: the mean is the forward state whatever f is, and one sweep settles.
/// * A linear network (`lambda_max` is given) settles where the loop gain is below 1.
/// * Where it is not, the schedules that go down and up layer by layer diverge. Under the others the leaks of the layers come
///   back at different times: for α_m < α_f they add up all the same, for α_m > α_f they may cancel, and nothing is said.
/// * Of a random order nothing is said but where the loop gain is 0.
pub fn predict(inference: &Inference, lambda_max: Option<f64>) -> Option<Prediction> {
    let leak = leak(inference)?;
    let weights = inference.rule.dyad_weights(1);
    if weights.limit || (leak == 0.0 && (weights.alpha == 0.0 || weights.alpha == 1.0)) {
        return Some(Prediction::Settles);
    }
    let gain = loop_gain(inference, lambda_max?)?;
    let in_turn = matches!(inference.schedule, Schedule::ForwardBackward | Schedule::BackwardForward);
    match inference.schedule == Schedule::Random {
        _ if gain == 0.0 => Some(Prediction::Settles),
        true => None,
        false if gain < 1.0 => Some(Prediction::Settles),
        false if gain.is_nan() => None,
        false => (in_turn || leak < 0.0).then_some(Prediction::Diverges),
    }
}
