//! The rule: how a dyad weighs its compartments and what is fed back to them.
//!
//! Every rule is one family. With the mean s̄ = α_m s⁺ + (1−α_m) s⁻ and the feedback weights (w⁺, w⁻) = (1−α_f, α_f),
//!
//! ```text
//! s⁺ = f(a + w⁺ g fb)        s⁻ = f(a − w⁻ g fb)        s̄ = f(a) + (α_m − α_f) f′(a) g fb  to first order
//! ```
//!
//! DP⊤ is α_f = α_m, where the feedback leaves the mean alone; DP is α_f = 1 − α_m; backpropagation is the limit of small
//! feedback, s̄ = f(a), Δ = f′(a) g fb. The output layer is nudged with (u, d), chosen like (w⁺, w⁻) from its own α.

use crate::base::{Error, Named, Result};
use crate::compute::dyad::DyadWeights;
use crate::compute::nudge::NudgeWeights;
use crate::compute::spectral::Power;

/// Which member of the family a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// The relaxation view (RAOVR): (w⁺, w⁻) = (α, 1−α). Settles for α ≠ ½ only where the feedback is weak.
    Dp,
    /// DP⊤, the adjoint view: (w⁺, w⁻) = (1−α, α). Stable for every α.
    DpTranspose,
    /// DP with a proximal term L_k/2 ‖s − s_old‖² that holds each compartment back.
    DpDamped,
    /// (w⁺, w⁻) = (1−α_f, α_f) for an α_f of its own.
    General,
    /// The limit of small feedback, whatever α.
    Backprop,
}

impl Named for RuleKind {
    const WHAT: &'static str = "rule";
    const ALL: &'static [(&'static str, Self)] = &[
        ("dp_transpose", RuleKind::DpTranspose),
        ("dp", RuleKind::Dp),
        ("dp_damped", RuleKind::DpDamped),
        ("general", RuleKind::General),
        ("backprop", RuleKind::Backprop),
    ];
}

/// One number for all hidden layers, or one for each (k = 1..L−1).
#[derive(Debug, Clone, PartialEq)]
pub enum PerLayer {
    /// The same for all.
    Uniform(f64),
    /// The first is that of layer 1.
    Each(Vec<f64>),
}

impl PerLayer {
    /// The number of hidden layer k = 1..L−1.
    pub fn at(&self, k: usize) -> f64 {
        match self {
            PerLayer::Uniform(value) => *value,
            PerLayer::Each(values) => values[k - 1],
        }
    }

    /// The number of the last hidden layer, if there is one.
    fn last(&self) -> Option<f64> {
        match self {
            PerLayer::Uniform(value) => Some(*value),
            PerLayer::Each(values) => values.last().copied(),
        }
    }

    /// Checks the count and each value.
    fn check(&self, field: &str, hidden: usize, valid: impl Fn(f64) -> bool, range: &str) -> Result<()> {
        let values = match self {
            PerLayer::Uniform(value) => std::slice::from_ref(value),
            PerLayer::Each(values) if values.len() != hidden => {
                let problem = format!("it has {} values, the network has {hidden} hidden layers", values.len());
                return Err(Error::setting(field, format!("{values:?}"), problem));
            }
            PerLayer::Each(values) => values,
        };
        match values.iter().find(|value| !valid(**value)) {
            Some(value) => Err(Error::setting(field, value, format!("expected {range}"))),
            None => Ok(()),
        }
    }
}

/// Where the coefficients L_k of the proximal term come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Damping {
    /// L_k for k = 1..L−1.
    Given(Vec<f64>),
    /// max(0, (γ²−1)/2), γ = ‖W_k‖₂ of the map that the layer leaves by.
    Spectral {
        /// How γ is found, anew for every batch.
        power: Power,
        /// Whether to multiply by |1−2α|, as the paper's Julia program does.
        asymmetry: bool,
    },
}

/// The most power iterations of one damping coefficient; a norm has converged long before.
const MOST_ITERATIONS: usize = 100_000;

/// A rule with its weights; a plain value, checked against a network by [`Rule::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which member of the family.
    pub kind: RuleKind,
    /// α (α_m of the general rule) of the hidden layers.
    pub alpha: PerLayer,
    /// α_f of the general rule; none for the others, which derive it from α.
    pub alpha_feedback: Option<PerLayer>,
    /// α of the output layer, where it is not that of the last hidden layer.
    pub output_alpha: Option<f64>,
    /// g_k, the gain of what is fed back into hidden layer k.
    pub gain: PerLayer,
    /// The proximal term; only `DpDamped` has one.
    pub damping: Option<Damping>,
}

impl Rule {
    fn new(kind: RuleKind, alpha: f64) -> Self {
        let alpha = PerLayer::Uniform(alpha);
        Rule { kind, alpha, alpha_feedback: None, output_alpha: None, gain: PerLayer::Uniform(1.0), damping: None }
    }

    /// DP with this α.
    pub fn dp(alpha: f64) -> Self {
        Rule::new(RuleKind::Dp, alpha)
    }

    /// DP⊤ with this α.
    pub fn dp_transpose(alpha: f64) -> Self {
        Rule::new(RuleKind::DpTranspose, alpha)
    }

    /// Damped DP with this α.
    pub fn dp_damped(alpha: f64, damping: Damping) -> Self {
        Rule { damping: Some(damping), ..Rule::new(RuleKind::DpDamped, alpha) }
    }

    /// The general family: α_m in the mean, (1−α_f, α_f) in the feedback.
    pub fn general(alpha_mean: f64, alpha_feedback: f64) -> Self {
        let alpha_feedback = Some(PerLayer::Uniform(alpha_feedback));
        Rule { alpha_feedback, ..Rule::new(RuleKind::General, alpha_mean) }
    }

    /// Backpropagation, as the limit of any of them.
    pub fn backprop() -> Self {
        Rule::new(RuleKind::Backprop, 0.5)
    }

    /// (w⁺, w⁻) for this α and, in the general family, this α_f.
    fn feedback_weights(&self, alpha: f64, alpha_feedback: Option<f64>) -> (f64, f64) {
        match (self.kind, alpha_feedback) {
            (RuleKind::Dp | RuleKind::DpDamped, _) => (alpha, 1.0 - alpha),
            (RuleKind::General, Some(alpha_feedback)) => (1.0 - alpha_feedback, alpha_feedback),
            (RuleKind::General | RuleKind::DpTranspose | RuleKind::Backprop, _) => (1.0 - alpha, alpha),
        }
    }

    /// The weights of the dyads of hidden layer k = 1..L−1, the gain included.
    pub fn dyad_weights(&self, k: usize) -> DyadWeights {
        self.shifted(k, 0.0)
    }

    /// [`Rule::dyad_weights`] with α, and α_f where it is given, moved by `shift`, but to no further than 0 and 1.
    pub(super) fn shifted(&self, k: usize, shift: f64) -> DyadWeights {
        let moved = |alpha: f64| (alpha + shift).clamp(0.0, 1.0);
        let (alpha, gain) = (moved(self.alpha.at(k)), self.gain.at(k));
        let alpha_feedback = self.alpha_feedback.as_ref().map(|values| moved(values.at(k)));
        let (w_plus, w_minus) = self.feedback_weights(alpha, alpha_feedback);
        DyadWeights { alpha, w_plus: gain * w_plus, w_minus: gain * w_minus, limit: self.kind == RuleKind::Backprop }
    }

    /// The weights of the output nudge of strength β: (u, d) as (w⁺, w⁻), from the output's own α.
    pub fn nudge_weights(&self, beta: f64) -> NudgeWeights {
        // A network without hidden layers has no other α; symmetric is as good as any.
        let alpha = self.output_alpha.or(self.alpha.last()).unwrap_or(0.5);
        let alpha_feedback = self.alpha_feedback.as_ref().and_then(PerLayer::last);
        let (u, d) = self.feedback_weights(alpha, alpha_feedback);
        NudgeWeights { alpha, u, d, beta }
    }

    /// α of layer k = 1..L, the weight of s⁺ in its mean.
    pub fn mean_weight(&self, k: usize, depth: usize) -> f64 {
        if k == depth { self.nudge_weights(1.0).alpha } else { self.alpha.at(k) }
    }

    /// α, if it is one for all layers and the output.
    pub fn uniform_alpha(&self) -> Option<f64> {
        let first = match &self.alpha {
            PerLayer::Uniform(alpha) => *alpha,
            PerLayer::Each(alphas) => *alphas.first()?,
        };
        let same = match &self.alpha {
            PerLayer::Uniform(_) => true,
            PerLayer::Each(alphas) => alphas.iter().all(|alpha| *alpha == first),
        };
        (same && self.output_alpha.is_none_or(|alpha| alpha == first)).then_some(first)
    }

    /// How far hidden layer k is from symmetric, |α_m − α_f|; for DP |1 − 2α|.
    pub fn asymmetry(&self, k: usize) -> f64 {
        let alpha = self.alpha.at(k);
        let (_, alpha_feedback) = self.feedback_weights(alpha, self.alpha_feedback.as_ref().map(|values| values.at(k)));
        (alpha - alpha_feedback).abs()
    }

    /// Π_{j=k}^{L−1} g_j: what the gains make of the gradient of layer k = 1..L.
    pub fn gain_product(&self, k: usize, depth: usize) -> f64 {
        (k..depth).map(|j| self.gain.at(j)).product()
    }

    /// Checks every number against a network of `depth` layers.
    ///
    /// # Errors
    /// [`Error::Setting`], naming the setting as recipes do.
    pub fn check(&self, depth: usize) -> Result<()> {
        let hidden = depth - 1;
        let unit = |value: f64| (0.0..=1.0).contains(&value);
        self.alpha.check("learning.alpha", hidden, unit, "a number from 0 to 1")?;
        self.gain.check("learning.gain", hidden, |g| g > 0.0 && g.is_finite(), "a finite number above 0")?;
        match (&self.alpha_feedback, self.kind) {
            (Some(values), RuleKind::General) => values.check("learning.alpha_feedback", hidden, unit, "a number from 0 to 1")?,
            (None, RuleKind::General) => {
                return Err(Error::setting("learning.alpha_feedback", "none", "the rule `general` needs it"));
            }
            (Some(_), kind) => {
                let problem = format!("the rule `{}` derives it from alpha; use the rule `general` to choose it", kind.name());
                return Err(Error::setting("learning.alpha_feedback", "given", problem));
            }
            (None, _) => {}
        }
        if let Some(alpha) = self.output_alpha
            && !unit(alpha)
        {
            return Err(Error::setting("learning.output_alpha", alpha, "expected a number from 0 to 1"));
        }
        self.check_damping(hidden)
    }

    fn check_damping(&self, hidden: usize) -> Result<()> {
        match (&self.damping, self.kind) {
            (Some(Damping::Given(values)), RuleKind::DpDamped) => PerLayer::Each(values.clone()).check(
                "learning.damping",
                hidden,
                |l| l >= 0.0 && l.is_finite(),
                "a finite number, 0 or more",
            ),
            (Some(Damping::Spectral { power: Power::Iterations(n), .. }), RuleKind::DpDamped)
                if !(1..=MOST_ITERATIONS).contains(n) =>
            {
                let problem = format!("expected 1 to {MOST_ITERATIONS} iterations");
                Err(Error::setting("learning.power_iterations", n, problem))
            }
            (Some(_), RuleKind::DpDamped) | (None, _) if self.damping.is_some() || self.kind != RuleKind::DpDamped => Ok(()),
            (None, _) => Err(Error::setting("learning.damping", "none", "the rule `dp_damped` needs damping coefficients")),
            (Some(_), kind) => {
                let problem = format!("the rule `{}` is not damped; use `dp_damped`", kind.name());
                Err(Error::setting("learning.damping", "given", problem))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_reduces_to_its_members() {
        for alpha in [0.0, 0.25, 0.5, 1.0] {
            let weights = |rule: Rule| {
                let w = rule.dyad_weights(1);
                (w.alpha, w.w_plus, w.w_minus)
            };
            assert_eq!(weights(Rule::general(alpha, alpha)), weights(Rule::dp_transpose(alpha)));
            assert_eq!(weights(Rule::general(alpha, 1.0 - alpha)), weights(Rule::dp(alpha)));
            assert_eq!(Rule::dp(alpha).asymmetry(1), (1.0 - 2.0 * alpha).abs());
            assert_eq!(Rule::dp_transpose(alpha).asymmetry(1), 0.0);
        }
        assert!((Rule::general(0.3, 0.4).asymmetry(1) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn the_output_has_the_last_hidden_alpha_or_its_own() {
        let each = Rule { alpha: PerLayer::Each(vec![0.1, 0.3]), ..Rule::dp_transpose(0.0) };
        let own = Rule { output_alpha: Some(0.9), ..each.clone() };
        let weights = |rule: &Rule| {
            let w = rule.nudge_weights(0.5);
            (w.alpha, w.u, w.d, w.beta)
        };
        assert_eq!((weights(&each), weights(&own)), ((0.3, 0.7, 0.3, 0.5), (0.9, 1.0 - 0.9, 0.9, 0.5)));
        assert_eq!([&each, &own].map(Rule::uniform_alpha), [None, None]);
        let alike = Rule { alpha: PerLayer::Each(vec![0.3, 0.3]), output_alpha: Some(0.3), ..Rule::dp(0.0) };
        assert_eq!([&alike, &Rule::dp(0.7)].map(Rule::uniform_alpha), [Some(0.3), Some(0.7)]);
        let general = Rule { alpha_feedback: Some(PerLayer::Each(vec![0.0, 0.25])), ..Rule::general(1.0, 0.0) };
        assert_eq!(weights(&general), (1.0, 0.75, 0.25, 0.5));
    }

    #[test]
    fn gains_multiply_down_to_the_layer() {
        let rule = Rule { gain: PerLayer::Each(vec![2.0, 3.0]), ..Rule::dp(0.5) };
        assert_eq!([1, 2, 3].map(|k| rule.gain_product(k, 3)), [6.0, 3.0, 1.0]);
        assert_eq!(rule.dyad_weights(2).w_plus, 1.5);
    }

    #[test]
    fn bad_rules_are_refused_by_name() {
        let damping = || Damping::Given(vec![1.0]);
        for (rule, field) in [
            (Rule::dp(1.2), "learning.alpha"),
            (Rule::dp(f64::NAN), "learning.alpha"),
            (Rule { output_alpha: Some(-0.1), ..Rule::dp(0.5) }, "learning.output_alpha"),
            (Rule { gain: PerLayer::Uniform(0.0), ..Rule::dp(0.5) }, "learning.gain"),
            (Rule { gain: PerLayer::Uniform(f64::INFINITY), ..Rule::dp(0.5) }, "learning.gain"),
            (Rule::dp_damped(0.5, Damping::Given(vec![f64::INFINITY, 0.0])), "learning.damping"),
            (Rule::dp_damped(0.5, Damping::Given(vec![-1.0, 0.0])), "learning.damping"),
            (Rule { alpha: PerLayer::Each(vec![0.5]), ..Rule::dp(0.5) }, "learning.alpha"),
            (Rule { alpha_feedback: None, ..Rule::general(0.5, 0.5) }, "learning.alpha_feedback"),
            (Rule { alpha_feedback: Some(PerLayer::Uniform(0.5)), ..Rule::dp(0.5) }, "learning.alpha_feedback"),
            (Rule::dp_damped(0.5, damping()), "learning.damping"),
            (Rule { damping: Some(damping()), ..Rule::dp(0.5) }, "learning.damping"),
            (Rule { damping: None, ..Rule::dp_damped(0.5, damping()) }, "learning.damping"),
        ] {
            let error = rule.check(3).expect_err(field).to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
        assert!(Rule::dp_damped(0.5, Damping::Given(vec![1.0, 0.0])).check(3).is_ok());
        assert!(Rule::backprop().check(1).is_ok());
    }
}
