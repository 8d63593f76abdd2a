//! One cell of a stability map, as a tidy row.

use serde::{Deserialize, Serialize};

use crate::base::Named;
use crate::base::json::{self, Name};
use crate::compute::{Activation, Loss};
use crate::inference::{Inference, Nudge, RuleKind, Schedule};

use super::closed_form::{loop_gain, nudge_strength, predict};
use super::{Ending, Networks, Prediction, SampleSettling, Trial};

/// One setting, and how the inference ended on all networks and samples; every number of it is a column of its own. None
/// (empty, `null`) is what does not apply: theory where it has nothing to say, and all results of a proximal nudge that has no
/// maximiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StabilityRow {
    /// `random`, or the model or recipe.
    pub network: String,
    /// The activation of the hidden layers.
    #[serde(deserialize_with = "json::name_of::<Activation, _>")]
    pub activation: Name,
    /// The standard deviation of a random kernel's elements times √fan_in.
    pub gain: Option<f64>,
    /// L
    pub depth: usize,
    /// The neurons of the first hidden layer; of a network without, its outputs.
    pub width: usize,
    /// The rule.
    #[serde(deserialize_with = "json::name_of::<RuleKind, _>")]
    pub rule: Name,
    /// α, of the general rule α_m.
    pub alpha: f64,
    /// α_f, also where the rule derives it from α.
    pub alpha_feedback: f64,
    /// β
    pub beta: f64,
    /// The schedule.
    #[serde(deserialize_with = "json::name_of::<Schedule, _>")]
    pub schedule: Name,
    /// The nudge.
    #[serde(deserialize_with = "json::name_of::<Nudge, _>")]
    pub nudge: Name,
    /// The loss.
    #[serde(deserialize_with = "json::name_of::<Loss, _>")]
    pub loss: Name,
    /// The most passes.
    pub most_passes: usize,
    /// Networks.
    pub nets: usize,
    /// Samples of all networks together.
    pub samples: usize,
    /// Networks of which every sample settled.
    pub nets_settled: Option<usize>,
    /// The share of samples that settled.
    pub share_settled: Option<f64>,
    /// The share of samples that diverged; the rest was still moving.
    pub share_diverged: Option<f64>,
    /// The median of the passes that settled samples needed; none if none settled.
    pub median_passes: Option<f64>,
    /// The most passes that a settled sample needed.
    pub max_passes: Option<usize>,
    /// The largest residual of a sample's last pass; none where one is not finite.
    pub largest_residual: Option<f64>,
    /// The smallest λ_max(Σ_{k<L} J_k J_kᵀ) of the networks.
    pub lambda_least: Option<f64>,
    /// The largest.
    pub lambda_most: Option<f64>,
    /// cβ as the nudge has it.
    pub nudge_strength: Option<f64>,
    /// The largest |α_m − α_f|·cβ·λ_max.
    pub loop_gain: Option<f64>,
    /// Networks that theory says to settle; none where it has nothing to say of one.
    pub nets_predicted: Option<usize>,
}

impl StabilityRow {
    /// The row of an inference on these networks; `verdicts` has the samples of each, or is none if it is not defined.
    pub(super) fn new(networks: &Networks, inference: &Inference, verdicts: Option<&[Vec<SampleSettling>]>) -> Self {
        let topology = &networks.topology;
        let outputs = topology.outputs();
        let weights = inference.rule.dyad_weights(1);
        let samples: Option<Vec<SampleSettling>> = verdicts.map(|verdicts| verdicts.concat());
        let share = |ending: Ending| {
            let samples = samples.as_ref()?;
            let count = samples.iter().filter(|sample| sample.ending == ending).count();
            Some(count as f64 / samples.len() as f64)
        };
        let settled = |net: &Vec<SampleSettling>| net.iter().all(|sample| sample.ending == Ending::Settled);
        let mut passes: Vec<usize> = samples.iter().flatten().filter_map(passes_of_settled).collect();
        passes.sort_unstable();
        let lambdas: Option<Vec<f64>> = networks.trials.iter().map(|trial| trial.lambda_max).collect();
        let extreme = |pick: fn(f64, f64) -> f64| lambdas.as_ref()?.iter().copied().reduce(pick).filter(|l| l.is_finite());
        let predict = |trial: &Trial| predict(inference, trial.lambda_max);
        let predictions: Option<Vec<Prediction>> = verdicts.and_then(|_| networks.trials.iter().map(predict).collect());
        let lambda_most = extreme(f64::max);
        StabilityRow {
            network: networks.name.clone(),
            activation: topology.activation().name(),
            gain: networks.gain,
            depth: topology.depth(),
            width: topology.state(1).neurons(),
            rule: inference.rule.kind.name(),
            alpha: weights.alpha,
            alpha_feedback: weights.w_minus,
            beta: inference.beta,
            schedule: inference.schedule.name(),
            nudge: inference.nudge.name(),
            loss: inference.loss.name(),
            most_passes: inference.passes,
            nets: networks.trials.len(),
            samples: networks.trials.iter().map(|trial| trial.y.len() / outputs).sum(),
            nets_settled: verdicts.map(|verdicts| verdicts.iter().filter(|net| settled(net)).count()),
            share_settled: share(Ending::Settled),
            share_diverged: share(Ending::Diverged),
            median_passes: median(&passes),
            max_passes: passes.last().copied(),
            largest_residual: samples.as_ref().and_then(|samples| largest(samples)),
            lambda_least: extreme(f64::min),
            lambda_most,
            nudge_strength: nudge_strength(inference),
            loop_gain: lambda_most.and_then(|lambda| loop_gain(inference, lambda)),
            nets_predicted: predictions.map(|all| all.iter().filter(|said| **said == Prediction::Settles).count()),
        }
    }
}

fn passes_of_settled(sample: &SampleSettling) -> Option<usize> {
    (sample.ending == Ending::Settled).then_some(sample.passes)
}

/// The middle of a sorted list, or the mean of the two that are.
fn median(sorted: &[usize]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) as f64 / 2.0)
}

fn largest(samples: &[SampleSettling]) -> Option<f64> {
    let all_finite = samples.iter().all(|sample| sample.residual.is_finite());
    all_finite.then(|| samples.iter().fold(0.0, |most, sample| sample.residual.max(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_by_hand() {
        assert_eq!([median(&[]), median(&[3]), median(&[1, 4]), median(&[1, 2, 9])], [None, Some(3.0), Some(2.5), Some(2.0)]);
    }
}
