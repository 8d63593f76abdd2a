//! Everything that defines an inference, as one plain value.

use crate::base::{Error, Named, Result};
use crate::compute::Loss;
use crate::compute::dyad::DyadWeights;
use crate::compute::nudge::NudgeWeights;

use super::{Disturbance, Feedback, Nudge, PerLayer, Rule, RuleKind, Schedule};

/// The states from which an inference starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A forward pass: s̄ = f(a), Δ = 0.
    Forward,
    /// The states that the previous inference of the same engine left, of whatever batch.
    Previous,
    /// The states and the first prediction that the previous inference of the same batch left.
    Continued,
    /// All zero.
    Zero,
}

impl Named for Start {
    const WHAT: &'static str = "start";
    const ALL: &'static [(&'static str, Self)] =
        &[("forward", Start::Forward), ("previous", Start::Previous), ("continued", Start::Continued), ("zero", Start::Zero)];
}

/// The state at which the feedback through a max pool is linearised; a network without pools, and all dense ones are, has
/// the same states under both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolRouting {
    /// s̄
    Mean,
    /// s⁺, as in the authors' program.
    Plus,
}

impl Named for PoolRouting {
    const WHAT: &'static str = "pool routing";
    const ALL: &'static [(&'static str, Self)] = &[("mean", PoolRouting::Mean), ("plus", PoolRouting::Plus)];
}

/// The most layer updates of one inference, passes times layers: a plan lists every one of them.
const MOST_UPDATES: usize = 1 << 16;

/// Rule, nudge, schedule and loss of an inference; checked against a network by [`Inference::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// What is fed back.
    pub rule: Rule,
    /// How the loss pulls.
    pub nudge: Nudge,
    /// β, the strength of the nudge; of backpropagation only a scale of its differences, so that they compare with the others'.
    pub beta: f64,
    /// ℓ
    pub loss: Loss,
    /// The order of updates.
    pub schedule: Schedule,
    /// K, the passes of the schedule.
    pub passes: usize,
    /// Where the states start.
    pub start: Start,
    /// Where the feedback through max pools is linearised. Of backpropagation always s̄, which is the forward state.
    pub pool_routing: PoolRouting,
    /// The first pass (from 1) in which the output is nudged; before, it is s⁺ = s⁻ = a.
    pub nudge_from_pass: usize,
    /// Whether layer k's gradient is divided by β·Π_{j=k}^{L−1} g_j, so that β → 0 is backpropagation, or by β alone, the
    /// predecessor's scale.
    pub divide_gain: bool,
    /// What is not ideal in the device that it runs on.
    pub disturbance: Disturbance,
    /// Draws the order of the random schedule, and every disturbance.
    pub seed: u64,
    /// Through which kernels differences travel down.
    pub feedback: Feedback,
}

impl Inference {
    /// One backward sweep of this rule from a forward pass, with the nudge that the authors use with it.
    pub fn new(rule: Rule, beta: f64, loss: Loss) -> Self {
        Inference {
            nudge: Nudge::default_for(rule.kind),
            rule,
            beta,
            loss,
            schedule: Schedule::ForwardBackward,
            passes: 1,
            start: Start::Forward,
            pool_routing: PoolRouting::Mean,
            nudge_from_pass: 1,
            divide_gain: true,
            disturbance: Disturbance::default(),
            seed: 0,
            feedback: Feedback::Tied,
        }
    }

    /// Checks that this inference is defined for a network of `depth` layers.
    ///
    /// Returns warnings about settings that are valid but rarely meant.
    ///
    /// # Errors
    /// [`Error::Setting`], naming the setting as recipes do and what would be valid.
    pub fn check(&self, depth: usize) -> Result<Vec<String>> {
        self.rule.check(depth)?;
        if !(self.beta > 0.0 && self.beta.is_finite()) {
            return Err(Error::setting("learning.beta", self.beta, "expected a finite number above 0"));
        }
        if self.passes == 0 {
            return Err(Error::setting("learning.passes", 0, "expected at least one pass"));
        }
        if self.passes > MOST_UPDATES / depth {
            let problem = format!("expected at most {} for {depth} layers", MOST_UPDATES / depth);
            return Err(Error::setting("learning.passes", self.passes, problem));
        }
        if self.nudge_from_pass == 0 || self.nudge_from_pass > self.passes {
            let problem = format!("expected a pass from 1 to passes = {}", self.passes);
            return Err(Error::setting("learning.nudge_from_pass", self.nudge_from_pass, problem));
        }
        self.check_output_is_nudged(depth)?;
        self.disturbance.check(self, depth)?;
        self.check_nudge()
    }

    /// The weights of the dyads of hidden layer k = 1..L−1, the mismatch of β included.
    pub(super) fn dyad_weights(&self, k: usize) -> DyadWeights {
        let (weights, [up, down]) = (self.rule.dyad_weights(k), self.disturbance.beta_factors());
        DyadWeights { w_plus: weights.w_plus * up, w_minus: weights.w_minus * down, ..weights }
    }

    /// The weights of the output's nudge, the mismatch of β included.
    pub(super) fn nudge_weights(&self) -> NudgeWeights {
        let (weights, [up, down]) = (self.rule.nudge_weights(self.beta), self.disturbance.beta_factors());
        NudgeWeights { u: weights.u * up, d: weights.d * down, ..weights }
    }

    fn check_output_is_nudged(&self, depth: usize) -> Result<()> {
        // Of an order that is drawn for every batch nothing is known.
        if self.disturbance.redraw_order {
            return Ok(());
        }
        let passes = self.schedule.passes(self.passes, depth, self.seed);
        // A schedule of one sweep has fewer passes than were asked for; its output is then nudged in none of them.
        let nudged = passes.iter().skip(self.nudge_from_pass - 1).flatten().flatten().any(|&layer| layer == depth);
        if nudged {
            return Ok(());
        }
        let problem = format!(
            "this order never updates the output (layer {depth}) once it is nudged, so that nothing would be learnt; \
             raise passes or lower nudge_from_pass (random: or change the seed)"
        );
        Err(Error::setting("learning.schedule", self.schedule.name(), problem))
    }

    fn check_nudge(&self) -> Result<Vec<String>> {
        if self.nudge != Nudge::Proximal {
            let differs = |output: f64| match &self.rule.alpha {
                PerLayer::Uniform(alpha) => output != *alpha,
                PerLayer::Each(alphas) => alphas.iter().any(|alpha| output != *alpha),
            };
            return match self.rule.output_alpha {
                Some(output) if differs(output) => {
                    let problem = format!(
                        "the nudge `{}` gives the output difference -beta*g whatever output_alpha is; \
                         use the nudge `proximal`, or leave output_alpha out",
                        self.nudge.name()
                    );
                    Err(Error::setting("learning.output_alpha", output, problem))
                }
                _ => Ok(vec![]),
            };
        }
        if self.rule.kind == RuleKind::Backprop {
            let problem = "backpropagation follows the gradient of the loss; use `linearised_frozen`";
            return Err(Error::setting("learning.nudge", self.nudge.name(), problem));
        }
        self.check_proximal()
    }

    fn check_proximal(&self) -> Result<Vec<String>> {
        let weights = self.nudge_weights();
        let d = weights.d;
        match self.loss.curvature() {
            Some(c) if !weights.has_maximiser(self.loss) => {
                let problem = format!(
                    "the proximal nudge of {} has a maximiser only for beta < {}; choose a smaller beta, \
                     or a linearised nudge",
                    self.loss.name(),
                    1.0 / (d * c)
                );
                Err(Error::setting("learning.beta", self.beta, problem))
            }
            None if d * self.beta > 2.0 => Ok(vec![format!(
                "learning.beta = {}: beyond {} the proximal nudge of the cross-entropy has several maximisers; \
                 the one reached from the prediction is taken",
                self.beta,
                2.0 / d
            )]),
            _ => Ok(vec![]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inference(rule: Rule) -> Inference {
        Inference::new(rule, 0.1, Loss::CrossEntropy)
    }

    #[test]
    fn bad_inferences_are_refused_by_name() {
        let base = || inference(Rule::dp(0.5));
        let proximal = |rule, beta, loss| Inference { nudge: Nudge::Proximal, beta, loss, ..inference(rule) };
        for (bad, field) in [
            (Inference { beta: 0.0, ..base() }, "learning.beta"),
            (Inference { beta: f64::INFINITY, ..base() }, "learning.beta"),
            (Inference { passes: 0, ..base() }, "learning.passes"),
            (Inference { passes: usize::MAX, ..base() }, "learning.passes"),
            (Inference { nudge_from_pass: 2, ..base() }, "learning.nudge_from_pass"),
            (Inference { nudge_from_pass: 3, passes: 3, schedule: Schedule::Backward, ..base() }, "learning.schedule"),
            (inference(Rule { output_alpha: Some(0.2), ..Rule::dp(0.5) }), "learning.output_alpha"),
            (
                inference(Rule { alpha: PerLayer::Each(vec![0.3, 0.2]), output_alpha: Some(0.2), ..Rule::dp(0.5) }),
                "learning.output_alpha",
            ),
            (Inference { nudge: Nudge::Proximal, ..inference(Rule::backprop()) }, "learning.nudge"),
            (proximal(Rule::dp(0.0), 0.5, Loss::SquaredError), "learning.beta"),
        ] {
            let error = bad.check(3).expect_err(field).to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
        let error = proximal(Rule::dp(0.0), 1.5, Loss::HalfSquaredError).check(3).expect_err("beta").to_string();
        assert!(error.contains("beta < 1;"), "{error}");
    }

    #[test]
    fn a_strong_proximal_cross_entropy_warns_once_and_a_moderate_one_does_not() {
        let warnings = |beta| Inference { nudge: Nudge::Proximal, beta, ..inference(Rule::dp(0.0)) }.check(3).unwrap().len();
        assert_eq!((warnings(2.0), warnings(2.1)), (0, 1));
    }
}
