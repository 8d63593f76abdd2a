//! `[optimizer]`, checked: which update, and the learning rate over time.

use crate::base::{Error, Result};
use crate::learning::{OptimizerKind, Rate};

use super::RecipeParams;
use super::params::RateParams;
use super::values::positive;

impl RecipeParams {
    /// The optimiser.
    ///
    /// # Errors
    /// [`Error::Unknown`] or [`Error::Setting`], naming the first wrong value and what would be right.
    pub fn optimizer_kind(&self) -> Result<OptimizerKind> {
        let o = &self.optimizer;
        positive("optimizer.learning_rate", o.learning_rate)?;
        let adam = [("beta1", o.beta1), ("beta2", o.beta2), ("epsilon", o.epsilon)];
        let (momentum, decay) =
            ([("momentum", o.momentum), ("momentum_after_warmup", o.momentum_after_warmup)], [("weight_decay", o.weight_decay)]);
        let unused = |keys: &[(&str, Option<f64>)]| match keys.iter().find_map(|(key, value)| value.map(|v| (key, v))) {
            Some((key, value)) => {
                let problem = format!("the optimizer `{}` has no such number; leave it out", o.kind);
                Err(Error::setting(format!("optimizer.{key}"), value, problem))
            }
            None => Ok(()),
        };
        match o.kind.as_str() {
            "sgd" => {
                unused(&adam)?;
                self.check_momentum_after_warmup()?;
                let momentum = fraction("momentum", o.momentum.unwrap_or(0.0))?;
                Ok(OptimizerKind::Sgd { momentum, weight_decay: not_negative("weight_decay", o.weight_decay.unwrap_or(0.0))? })
            }
            "adam" => {
                unused(&[&momentum[..], &decay].concat())?;
                let (beta1, beta2, epsilon) = self.adam_constants()?;
                Ok(OptimizerKind::Adam { beta1, beta2, epsilon })
            }
            "adamw" => {
                unused(&momentum)?;
                let (beta1, beta2, epsilon) = self.adam_constants()?;
                let weight_decay = not_negative("weight_decay", o.weight_decay.unwrap_or(1e-4))?;
                Ok(OptimizerKind::AdamW { beta1, beta2, epsilon, weight_decay })
            }
            other => Err(Error::unknown("optimizer.kind", other, ["sgd", "adam", "adamw"])),
        }
    }

    fn adam_constants(&self) -> Result<(f64, f64, f64)> {
        let o = &self.optimizer;
        let epsilon = o.epsilon.unwrap_or(1e-8);
        positive("optimizer.epsilon", epsilon)?;
        Ok((fraction("beta1", o.beta1.unwrap_or(0.9))?, fraction("beta2", o.beta2.unwrap_or(0.999))?, epsilon))
    }

    fn check_momentum_after_warmup(&self) -> Result<()> {
        let Some(momentum) = self.optimizer.momentum_after_warmup else { return Ok(()) };
        if self.optimizer.schedule.kind != "warmup_cosine" {
            let problem = "there is no warm-up; set optimizer.schedule.kind to `warmup_cosine`, or leave it out";
            return Err(Error::setting("optimizer.momentum_after_warmup", momentum, problem));
        }
        fraction("momentum_after_warmup", momentum).map(drop)
    }

    /// The step from which on SGD has another momentum, and that momentum.
    pub(super) fn momentum_change(&self, steps_per_epoch: u64) -> Option<(u64, f64)> {
        let warmup = u64::from(self.optimizer.schedule.warmup_epochs.unwrap_or(0));
        self.optimizer.momentum_after_warmup.map(|momentum| (warmup * steps_per_epoch, momentum))
    }

    /// The learning rate over all steps, of which an epoch has `steps_per_epoch`.
    pub(super) fn rate(&self, steps_per_epoch: u64) -> Result<Rate> {
        let RateParams { kind, first, last, warmup_epochs, decay_epochs } = &self.optimizer.schedule;
        let key = |name: &str| format!("optimizer.schedule.{name}");
        let unused = |name: &str, given: bool| match given {
            true => Err(Error::setting(key(name), "given", format!("the schedule `{kind}` has no such number; leave it out"))),
            false => Ok(()),
        };
        let peak = self.optimizer.learning_rate;
        let last_rate = last.unwrap_or(0.0);
        let decay = u64::from(decay_epochs.unwrap_or(self.training.epochs));
        if !(last_rate >= 0.0 && last_rate <= peak) {
            return Err(Error::setting(key("last"), last_rate, "expected a number from 0 to learning_rate"));
        }
        if decay == 0 {
            return Err(Error::setting(key("decay_epochs"), 0, "expected at least 1"));
        }
        if kind != "warmup_cosine" {
            unused("first", first.is_some())?;
            unused("warmup_epochs", warmup_epochs.is_some())?;
        }
        match kind.as_str() {
            "constant" => {
                unused("last", last.is_some())?;
                unused("decay_epochs", decay_epochs.is_some())?;
                Ok(Rate::Constant(peak))
            }
            "cosine" => Ok(Rate::Cosine { peak, last: last_rate, steps: decay * steps_per_epoch }),
            "warmup_cosine" => {
                let (first, warmup) = (first.unwrap_or(0.0), u64::from(warmup_epochs.unwrap_or(0)));
                if !(first >= 0.0 && first.is_finite()) {
                    return Err(Error::setting(key("first"), first, "expected a finite number, 0 or more"));
                }
                if warmup == 0 || warmup >= decay {
                    let problem = format!("expected at least 1 and fewer than the {decay} epochs of the decay, which include it");
                    return Err(Error::setting(key("warmup_epochs"), warmup, problem));
                }
                let (warmup_steps, decay_steps) = (warmup * steps_per_epoch, decay * steps_per_epoch);
                Ok(Rate::WarmupCosine { first, peak, last: last_rate, warmup_steps, decay_steps })
            }
            other => Err(Error::unknown("optimizer.schedule.kind", other, ["constant", "cosine", "warmup_cosine"])),
        }
    }
}

fn fraction(key: &str, value: f64) -> Result<f64> {
    match (0.0..1.0).contains(&value) {
        true => Ok(value),
        false => Err(Error::setting(format!("optimizer.{key}"), value, "expected a number from 0 to below 1")),
    }
}

fn not_negative(key: &str, value: f64) -> Result<f64> {
    match value >= 0.0 && value.is_finite() {
        true => Ok(value),
        false => Err(Error::setting(format!("optimizer.{key}"), value, "expected a finite number, 0 or more")),
    }
}
