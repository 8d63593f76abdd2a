//! `[learning]`, checked: rule, nudge, schedule and start of every inference.

use crate::base::{Error, Named, Result};
use crate::compute::Loss;
use crate::compute::spectral::Power;
use crate::inference::{Damping, Disturbance, Inference, Nudge, PerLayer, PoolRouting, Rule, RuleKind, Schedule, Start};

use super::feedback::feedback;
use super::params::{LearningParams, OneOrEach};
use super::values::named;

/// The most weight updates from one batch; more would be a slip of the pen.
const MOST_UPDATES: usize = 1000;

impl LearningParams {
    /// The inference that these values ask for, without disturbances; still to be held against a network, as
    /// [`crate::inference::Plan::compile`] does.
    ///
    /// # Errors
    /// [`Error::Unknown`] or [`Error::Setting`], naming the first wrong value and what would be right.
    pub fn inference(&self) -> Result<Inference> {
        inference(self)
    }
}

fn inference(learning: &LearningParams) -> Result<Inference> {
    let per_layer = |values: &OneOrEach| match values {
        OneOrEach::One(value) => PerLayer::Uniform(*value),
        OneOrEach::Each(values) => PerLayer::Each(values.clone()),
    };
    let (kind, alpha) = rule_and_alpha(learning)?;
    let rule = Rule {
        kind,
        alpha: per_layer(&alpha),
        alpha_feedback: learning.alpha_feedback.as_ref().map(per_layer),
        output_alpha: learning.output_alpha,
        gain: per_layer(&learning.gain),
        damping: damping(learning, kind)?,
    };
    let schedule = named::<Schedule>("learning.schedule", &learning.schedule)?;
    if schedule == Schedule::Backward && learning.passes != 1 {
        let problem = "the schedule `backward` is a single sweep; use `forward_backward` for more";
        return Err(Error::setting("learning.passes", learning.passes, problem));
    }
    let start = named::<Start>("learning.start", &learning.start)?;
    if start == Start::Continued {
        let problem = "a training goes on to another batch, so that nothing of its inference can be continued; use `previous`";
        return Err(Error::setting("learning.start", start.name(), problem));
    }
    check_multistep(learning, kind)?;
    Ok(Inference {
        rule,
        nudge: match &learning.nudge {
            Some(name) => named("learning.nudge", name)?,
            // With it the states settle where the objective has its extreme.
            None if Extreme::parse(&learning.rule).is_some() => Nudge::Proximal,
            None => Nudge::default_for(kind),
        },
        beta: learning.beta,
        loss: named::<Loss>("learning.loss", &learning.loss)?,
        schedule,
        passes: learning.passes,
        start,
        pool_routing: named::<PoolRouting>("learning.pool_routing", &learning.pool_routing)?,
        nudge_from_pass: learning.nudge_from_pass,
        divide_gain: learning.divide_gain,
        disturbance: Disturbance::default(),
        seed: 0,
        feedback: feedback(learning)?,
    })
}

/// A rule by the name of the lifted objective of which it finds the extreme.
#[derive(Clone, Copy, PartialEq)]
enum Extreme {
    /// The optimistic one, LPOM: DP at α = 1.
    Lpom,
    /// The adversarial one: DP at α = 0.
    Adversarial,
}

impl Extreme {
    const NAMES: [(&'static str, Self); 2] = [("lpom", Extreme::Lpom), ("adversarial", Extreme::Adversarial)];

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, extreme)| *extreme)
    }

    fn alpha(self) -> f64 {
        if self == Extreme::Lpom { 1.0 } else { 0.0 }
    }
}

/// Whether a rule of this name has an α of its own.
pub(super) fn has_own_alpha(rule: &str) -> bool {
    Extreme::parse(rule).is_some()
}

/// The member of the family, and α.
fn rule_and_alpha(learning: &LearningParams) -> Result<(RuleKind, OneOrEach)> {
    let Some(extreme) = Extreme::parse(&learning.rule) else {
        if let Some(damped) = learning.damped {
            let problem = format!("it is of the rules `lpom` and `adversarial`; of `{}` leave it out", learning.rule);
            return Err(Error::setting("learning.damped", damped, problem));
        }
        let members = RuleKind::ALL.iter().map(|(name, _)| *name);
        let known: Vec<&str> = members.chain(Extreme::NAMES.map(|(name, _)| name)).collect();
        let kind = RuleKind::parse(&learning.rule).map_err(|_| Error::unknown("learning.rule", &learning.rule, known))?;
        return Ok((kind, learning.alpha.clone().unwrap_or(OneOrEach::One(0.5))));
    };
    let own = OneOrEach::One(extreme.alpha());
    for (field, given) in [("alpha", learning.alpha.clone()), ("output_alpha", learning.output_alpha.map(OneOrEach::One))] {
        if let Some(given) = given.filter(|given| *given != own) {
            let problem = format!("the rule `{}` is dp_damped at alpha = {}; leave it out", learning.rule, extreme.alpha());
            let value = match given {
                OneOrEach::One(alpha) => alpha.to_string(),
                OneOrEach::Each(alphas) => format!("{alphas:?}"),
            };
            return Err(Error::setting(format!("learning.{field}"), value, problem));
        }
    }
    let kind = if learning.damped.unwrap_or(true) { RuleKind::DpDamped } else { RuleKind::Dp };
    Ok((kind, own))
}

fn damping(learning: &LearningParams, kind: RuleKind) -> Result<Option<Damping>> {
    let (given, spectral) = (&learning.damping, learning.power_iterations.is_some() || learning.damping_asymmetry.is_some());
    match (given, kind) {
        (Some(values), _) if !spectral => Ok(Some(Damping::Given(values.clone()))),
        (Some(values), _) => {
            let problem = "given coefficients exclude power_iterations and damping_asymmetry";
            Err(Error::setting("learning.damping", format!("{values:?}"), problem))
        }
        (None, RuleKind::DpDamped) => Ok(Some(Damping::Spectral {
            power: match learning.power_iterations {
                None | Some(0) => Power::Converged,
                Some(n) => Power::Iterations(n),
            },
            asymmetry: learning.damping_asymmetry.unwrap_or(false),
        })),
        (None, _) if spectral => {
            let problem = format!("the rule `{}` is not damped; use `dp_damped`, or leave them out", kind.name());
            Err(Error::setting("learning.power_iterations, damping_asymmetry", "given", problem))
        }
        (None, _) => Ok(None),
    }
}

/// Whether several weight updates per batch are possible.
fn check_multistep(learning: &LearningParams, kind: RuleKind) -> Result<()> {
    let refuse = |problem: String| Err(Error::setting("learning.multistep", learning.multistep, problem));
    match learning.multistep {
        0 => refuse("expected at least 1 weight update per batch".into()),
        1 => Ok(()),
        _ if kind == RuleKind::Backprop => {
            refuse("backpropagation has no states to go on from; use 1, or more training.epochs".into())
        }
        n if n > MOST_UPDATES => refuse(format!("expected at most {MOST_UPDATES}")),
        _ => Ok(()),
    }
}
