//! `[learning]`, checked: rule, nudge, schedule and start of every inference.

use crate::base::{Error, Named, Result};
use crate::compute::Loss;
use crate::compute::spectral::Power;
use crate::inference::{Damping, Inference, Nudge, PerLayer, PoolRouting, Rule, RuleKind, Schedule, Start};

use super::check::named;
use super::params::{LearningParams, OneOrEach};

/// The most weight updates from one batch; more would be a slip of the pen.
const MOST_UPDATES: usize = 1000;

/// The inference that these values ask for; still to be held against the network.
pub(super) fn inference(learning: &LearningParams) -> Result<Inference> {
    let per_layer = |values: &OneOrEach| match values {
        OneOrEach::One(value) => PerLayer::Uniform(*value),
        OneOrEach::Each(values) => PerLayer::Each(values.clone()),
    };
    let kind = named::<RuleKind>("learning.rule", &learning.rule)?;
    let rule = Rule {
        kind,
        alpha: per_layer(&learning.alpha),
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
    let perturbation = learning.input_perturbation;
    if !(perturbation >= 0.0 && perturbation.is_finite()) {
        return Err(Error::setting("learning.input_perturbation", perturbation, "expected a finite number, 0 or more"));
    }
    Ok(Inference {
        rule,
        nudge: learning.nudge.as_deref().map_or(Ok(Nudge::default_for(kind)), |name| named("learning.nudge", name))?,
        beta: learning.beta,
        loss: named::<Loss>("learning.loss", &learning.loss)?,
        schedule,
        passes: learning.passes,
        start,
        pool_routing: named::<PoolRouting>("learning.pool_routing", &learning.pool_routing)?,
        nudge_from_pass: learning.nudge_from_pass,
        divide_gain: learning.divide_gain,
        seed: 0,
    })
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
