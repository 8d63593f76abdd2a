//! What a training measures: the lines of `metrics.jsonl`, and one summary per run.

use serde::{Deserialize, Serialize};

use crate::analysis::{LipschitzSummary, ObjectiveRow, degrees};
use crate::base::json;

use super::{Robustness, SeedResult};

/// One line of `metrics.jsonl`; `kind` tells them apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    /// After an epoch.
    Epoch(&'a EpochMetrics),
    /// At a step whose alignment was measured.
    Step(&'a StepMetrics),
    /// A lifted objective after an epoch.
    Objective {
        epoch: u32,
        #[serde(flatten)]
        row: &'a ObjectiveRow,
    },
    /// The norm of a layer's kernel after an epoch, by so many power iterations.
    Norm {
        epoch: u32,
        #[serde(flatten)]
        row: &'a NormRow,
    },
    /// How settled a layer is after an epoch.
    Settling {
        epoch: u32,
        #[serde(flatten)]
        row: &'a SettlingRow,
    },
    /// Accuracy under an attack after an epoch.
    Robustness {
        epoch: u32,
        #[serde(flatten)]
        row: &'a Robustness,
    },
}

/// The measurements of one epoch. Accuracies are in percent; what is listed per layer starts with layer 1. Read from a run of a
/// version that did not measure something, that is empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: u32,
    /// Weight updates so far.
    pub step: u64,
    /// Mean loss over the epoch's batches, each before its update.
    pub train_loss: f64,
    /// Share of right predictions on the epoch's batches, each before its update.
    pub train_accuracy: f64,
    /// The same for the label among the five largest outputs.
    pub train_top5: f64,
    /// Mean loss on the validation samples, after the epoch.
    pub validation_loss: f64,
    /// Accuracy on the validation samples, after the epoch.
    pub validation_accuracy: f64,
    /// The same for the label among the five largest outputs.
    pub validation_top5: f64,
    /// The learning rate of the epoch's last update.
    pub learning_rate: f64,
    /// Time spent on the training batches, without measurements.
    pub seconds: f64,
    /// Training samples per second of that time.
    #[serde(deserialize_with = "json::number")]
    pub samples_per_second: f64,
    /// Cosine between the local gradient, before weight decay and momentum, and backpropagation's, kernel and bias as one
    /// vector; the mean over the epoch's measured steps, none where none was measured or a gradient was zero.
    pub cosines: Vec<Option<f64>>,
    /// The angle of that mean cosine, in degrees.
    pub angles_deg: Vec<Option<f64>>,
    /// ‖g‖ / ‖b‖ of local gradient g and backpropagation's b; the mean over the measured steps.
    #[serde(default)]
    pub norm_ratios: Vec<Option<f64>>,
    /// The share of components of g and b with the same sign, of those that are not 0 in both; the mean over the measured steps.
    #[serde(default)]
    pub sign_agreements: Vec<Option<f64>>,
    /// The share of dyads whose compartments lie on different sides of a kink of f; the mean over the measured steps.
    #[serde(default)]
    pub straddling: Vec<Option<f64>>,
    /// ‖Δ_k‖ / ‖s̄_k‖; the mean over the measured steps.
    #[serde(default)]
    pub difference_ratios: Vec<Option<f64>>,
    /// γ_k = ‖W_k‖₂, after the epoch.
    #[serde(deserialize_with = "json::numbers")]
    pub gammas: Vec<f64>,
    /// L_k = max(0, (γ_{k+1}² − 1)/2) of the hidden layers, after the epoch.
    #[serde(deserialize_with = "json::numbers")]
    pub dampings: Vec<f64>,
    /// ‖W_L … W_1‖₂ after the epoch; none where it is not defined.
    #[serde(default)]
    pub product_norm: Option<f64>,
    /// ⟨W, B⟩ / (‖W‖ ‖B‖) of the kernel W of the map into a layer and the feedback kernel B beside it, after the epoch; none for layer
    /// 1, which feeds nothing back, and where the feedback is tied.
    #[serde(default)]
    pub feedback_cosines: Vec<Option<f64>>,
    /// The local Lipschitz constants at the first validation samples, after the epoch; none where they were not measured.
    #[serde(default)]
    pub local_lipschitz: Option<LipschitzSummary>,
    /// [`crate::network::Parameters::sha256`] after the epoch: what `dualprop verify` compares.
    #[serde(default)]
    pub parameters_sha256: String,
}

/// The measurements of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// The epoch that it belongs to, from 1.
    pub epoch: u32,
    /// Weight updates before it.
    pub step: u64,
    /// Mean loss of its batch, before its update.
    pub train_loss: f64,
    /// As in [`EpochMetrics`], of this step alone.
    pub cosines: Vec<Option<f64>>,
    /// As in [`EpochMetrics`], of this step alone.
    pub angles_deg: Vec<Option<f64>>,
    /// As in [`EpochMetrics`], of this step alone.
    #[serde(default)]
    pub norm_ratios: Vec<Option<f64>>,
    /// As in [`EpochMetrics`], of this step alone.
    #[serde(default)]
    pub sign_agreements: Vec<Option<f64>>,
}

/// The norm of a layer's kernel after an epoch, as the paper's authors log it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NormRow {
    /// The layer k = 1..L.
    pub layer: usize,
    /// Power iterations.
    pub power_iterations: usize,
    /// γ_k = ‖W_k‖₂
    #[serde(deserialize_with = "json::number")]
    pub gamma: f64,
    /// L_k = max(0, (γ_{k+1}² − 1)/2); none for the output.
    pub damping: Option<f64>,
}

/// How settled the dyads of a layer are after an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SettlingRow {
    /// The layer k = 1..L.
    pub layer: usize,
    /// How far one more update would move the layer, as [`crate::analysis::Settling::residual`].
    #[serde(deserialize_with = "json::number")]
    pub residual: f64,
    /// ‖Δ_k‖ / ‖s̄_k‖
    #[serde(deserialize_with = "json::number")]
    pub difference_ratio: f64,
    /// The share of dyads across a kink.
    #[serde(deserialize_with = "json::number")]
    pub straddling: f64,
}

/// The angles of cosines.
pub(super) fn angles(cosines: &[Option<f64>]) -> Vec<Option<f64>> {
    cosines.iter().map(|cosine| cosine.map(degrees)).collect()
}

/// What came out of all seeds of a recipe: what `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The recipe's name.
    pub name: String,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// Mean over the seeds of the accuracy on the test samples, in percent, with the parameters best on validation.
    pub test_accuracy: f64,
    /// Standard deviation over the seeds (n−1 in the denominator; 0 for a single seed).
    pub test_accuracy_std: f64,
    /// Mean over the seeds of the share of test samples whose label is among the five largest outputs, in percent.
    pub test_top5: f64,
    /// Mean over the seeds of the best accuracy on validation, in percent.
    pub validation_accuracy: f64,
    /// Wall-clock time of everything, in the session that finished the run.
    pub seconds: f64,
    /// Mean over the seeds of the angle to backpropagation in the last epoch that measured it, per layer, in degrees.
    pub angles_deg: Vec<Option<f64>>,
    /// The folder that holds the run.
    pub run_directory: String,
    /// What came out of each seed.
    pub results: Vec<SeedResult>,
}

impl Summary {
    /// Summarises the seeds of a run.
    pub(super) fn of(name: &str, results: Vec<SeedResult>, run_directory: String, seconds: f64) -> Self {
        let over_seeds = |value: fn(&SeedResult) -> f64| mean_and_deviation(&results.iter().map(value).collect::<Vec<_>>());
        let (test_accuracy, test_accuracy_std) = over_seeds(|result| result.test.accuracy);
        let layers = results.iter().map(|result| result.angles_deg.len()).max().unwrap_or(0);
        let angle = |k: usize| {
            let angles: Vec<f64> = results.iter().filter_map(|result| result.angles_deg.get(k).copied().flatten()).collect();
            (!angles.is_empty()).then(|| mean_and_deviation(&angles).0)
        };
        Summary {
            name: name.into(),
            seeds: results.iter().map(|result| result.seed).collect(),
            test_accuracy,
            test_accuracy_std,
            test_top5: over_seeds(|result| result.test.top5).0,
            validation_accuracy: over_seeds(|result| result.validation_accuracy).0,
            seconds,
            angles_deg: (0..layers).map(angle).collect(),
            run_directory,
            results,
        }
    }
}

/// Mean and standard deviation with n−1 in the denominator; the deviation of a single value is 0.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_those_of_mean_cosines() {
        let angles = angles(&[Some(0.5), None]);
        assert!((angles[0].unwrap() - 60.0).abs() < 1e-12 && angles[1].is_none(), "{angles:?}");
    }

    #[test]
    fn deviations_are_those_of_a_sample() {
        assert_eq!(mean_and_deviation(&[1.0, 3.0]), (2.0, 2f64.sqrt()));
        assert_eq!(mean_and_deviation(&[5.0]), (5.0, 0.0));
    }
}
