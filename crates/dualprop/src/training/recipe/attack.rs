//! `learning.input_*`, checked: against what the inputs of a training are perturbed.

use crate::analysis::{Attack, AttackKind, Norm};
use crate::base::{Error, Result};

use super::params::LearningParams;
use super::values::named;

/// Steps of PGD in a training, where more would take too long.
const STEPS: usize = 7;

/// The attack that these values ask for; none without a budget.
pub(super) fn attack(learning: &LearningParams) -> Result<Option<Attack>> {
    let epsilon = learning.input_perturbation;
    if !(epsilon >= 0.0 && epsilon.is_finite()) {
        return Err(Error::setting("learning.input_perturbation", epsilon, "expected a finite number, 0 or more"));
    }
    let kind = match &learning.input_attack {
        Some(name) => named("learning.input_attack", name)?,
        None => AttackKind::Gradient,
    };
    let name = learning.input_attack.as_deref().unwrap_or("gradient");
    if kind == AttackKind::Noise {
        let problem = "a training is perturbed by `gradient`, `fgsm` or `pgd`";
        return Err(Error::setting("learning.input_attack", name, problem));
    }
    if let (Some(name), true) = (&learning.input_attack, epsilon == 0.0) {
        let problem = "nothing is perturbed while learning.input_perturbation is 0; set it too, or leave this out";
        return Err(Error::setting("learning.input_attack", name, problem));
    }
    let unused = |field: &str, given: bool, fits: bool| match given && !fits {
        true => Err(Error::setting(format!("learning.{field}"), "given", format!("the attack `{name}` has none; leave it out"))),
        false => Ok(()),
    };
    unused("input_norm", learning.input_norm.is_some(), kind != AttackKind::Gradient)?;
    unused("input_steps", learning.input_steps.is_some(), kind == AttackKind::Pgd)?;
    let norm = match &learning.input_norm {
        Some(name) => named("learning.input_norm", name)?,
        None => Norm::Linf,
    };
    let attack = Attack { kind, norm, epsilon, steps: learning.input_steps.unwrap_or(STEPS) };
    attack.check().map_err(|error| match error {
        Error::Setting { value, problem, .. } => Error::setting("learning.input_steps", value, problem),
        other => other,
    })?;
    Ok((epsilon > 0.0).then_some(attack))
}
