//! `[analysis]`: what is measured beside the training, outside the time that counts. Nothing of it changes what is learnt.

use serde::{Deserialize, Serialize};

use crate::analysis::{Attack, AttackKind, Norm};
use crate::base::{Error, Result};

use super::values::named;

/// `[analysis]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisParams {
    /// Batches from the first of the training, each of whose alignment with backpropagation is measured, whatever
    /// `training.alignment_every` says; 0: none.
    pub first_batches: u64,
    /// Validation samples, the first ones, at which the local Lipschitz constant is measured after each epoch; 0: none.
    pub lipschitz_samples: usize,
    /// The same for the lifted objectives.
    pub objective_samples: usize,
    /// The same for how settled the states are that the training's inference leaves.
    pub settling_samples: usize,
    /// The same for the accuracy under `attacks`.
    pub robustness_samples: usize,
    /// `"noise linf 0.1"`, `"fgsm l2 1"`, `"pgd-40 linf 0.1"`: what perturbs, how its size is measured, and the budget.
    pub attacks: Vec<String>,
}

/// Steps of PGD where none are named, as the paper by Madry et al. evaluates MNIST.
const STEPS: usize = 40;

impl AnalysisParams {
    /// How many validation samples are measured, by their keys.
    pub(in crate::training) fn samples(&self) -> [(&'static str, usize); 4] {
        [
            ("lipschitz_samples", self.lipschitz_samples),
            ("objective_samples", self.objective_samples),
            ("settling_samples", self.settling_samples),
            ("robustness_samples", self.robustness_samples),
        ]
    }

    /// The attacks, parsed.
    pub(super) fn check(&self) -> Result<Vec<Attack>> {
        if (self.robustness_samples > 0) == self.attacks.is_empty() {
            let (key, value, other) = match self.attacks.is_empty() {
                true => ("robustness_samples", self.robustness_samples.to_string(), "attacks"),
                false => ("attacks", format!("{:?}", self.attacks), "robustness_samples"),
            };
            let problem = format!("it needs analysis.{other} too; set both, or neither");
            return Err(Error::setting(format!("analysis.{key}"), value, problem));
        }
        self.attacks.iter().enumerate().map(|(i, text)| parse(&format!("analysis.attacks[{i}]"), text)).collect()
    }
}

/// An attack as a recipe writes it: `KIND NORM BUDGET`, of PGD `pgd-STEPS`.
fn parse(key: &str, text: &str) -> Result<Attack> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let problem = "expected an attack, a norm and a budget, such as \"pgd-40 linf 0.1\"";
    let wrong = || Error::setting(key, format!("{text:?}"), problem);
    let &[kind, norm, budget] = &words[..] else { return Err(wrong()) };
    let (kind, steps) = match kind.strip_prefix("pgd-") {
        Some(steps) => (AttackKind::Pgd, steps.parse().map_err(|_| wrong())?),
        None => (named(key, kind)?, STEPS),
    };
    let attack = Attack { kind, norm: named::<Norm>(key, norm)?, epsilon: budget.parse().map_err(|_| wrong())?, steps };
    attack.check().map_err(|error| match error {
        Error::Setting { problem, .. } => Error::setting(key, format!("{text:?}"), problem),
        other => other,
    })?;
    Ok(attack)
}
