//! From the settings of a case to the steps of a short training.

use crate::base::Result;
use crate::learning::{OptimizerKind, Rate};

use super::settings::{COUNT, NUMBER, Settings};

/// How the parameters are updated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Training {
    pub(super) steps: usize,
    pub(super) optimizer: OptimizerKind,
    pub(super) rate: Rate,
}

#[derive(Clone, Copy, PartialEq)]
enum Optimizer {
    Sgd,
    Adam,
}

#[derive(Clone, Copy)]
enum RateKind {
    Constant,
    WarmupCosine,
}

const RATES: [(&str, RateKind); 2] = [("constant", RateKind::Constant), ("warmup_cosine", RateKind::WarmupCosine)];

/// The training of a case that names an optimiser.
pub(super) fn training(settings: &mut Settings) -> Result<Option<Training>> {
    let optimizers = [("sgd", Optimizer::Sgd), ("adam", Optimizer::Adam)];
    let Some(kind) = settings.optional_choice("optimizer", &optimizers)? else { return Ok(None) };
    let steps = settings.required("steps", &COUNT)?;
    let steps = usize::try_from(steps).ok().filter(|steps| *steps > 0);
    let steps = steps.ok_or_else(|| settings.wrong("steps", "expected at least one step, and no more than `x` holds"))?;
    let optimizer = match kind {
        Optimizer::Sgd => OptimizerKind::Sgd {
            momentum: settings.required("momentum", &NUMBER)?,
            weight_decay: settings.required("weight_decay", &NUMBER)?,
        },
        Optimizer::Adam => OptimizerKind::Adam {
            beta1: settings.required("beta1", &NUMBER)?,
            beta2: settings.required("beta2", &NUMBER)?,
            epsilon: settings.required("epsilon", &NUMBER)?,
        },
    };
    let rate = match kind {
        Optimizer::Sgd => settings.choice("schedule_kind", &RATES)?,
        Optimizer::Adam => settings.optional_choice("schedule_kind", &RATES)?.unwrap_or(RateKind::Constant),
    };
    let peak = settings.required("learning_rate", &NUMBER)?;
    let rate = match rate {
        RateKind::Constant => Rate::Constant(peak),
        RateKind::WarmupCosine => Rate::WarmupCosine {
            first: settings.required("init_learning_rate", &NUMBER)?,
            peak,
            last: settings.required("final_learning_rate", &NUMBER)?,
            warmup_steps: settings.required("warmup_steps", &COUNT)?,
            decay_steps: settings.required("decay_steps", &COUNT)?,
        },
    };
    optimizer.check().and_then(|()| rate.check()).map_err(|error| settings.misfit(error))?;
    Ok(Some(Training { steps, optimizer, rate }))
}
