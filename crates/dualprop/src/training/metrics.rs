//! What a training measures: one line of `metrics.jsonl` per epoch, and one summary per run.

use serde::Serialize;

use crate::analysis::degrees;

/// The measurements of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: u32,
    /// Weight updates so far.
    pub step: u64,
    /// Mean loss over the epoch's batches, each before its update.
    pub train_loss: f64,
    /// Share of right predictions on the epoch's batches, each before its update, in percent.
    pub train_accuracy: f64,
    /// Mean loss on the validation samples, after the epoch.
    pub validation_loss: f64,
    /// Accuracy on the validation samples, after the epoch, in percent.
    pub validation_accuracy: f64,
    /// The learning rate of the epoch's last update.
    pub learning_rate: f64,
    /// Time spent on the training batches, without measurements.
    pub seconds: f64,
    /// Training samples per second of that time.
    pub samples_per_second: f64,
    /// Cosine between the local gradient and backpropagation's, per layer, kernel and bias as one vector; the mean over the
    /// epoch's measured steps, none where none was measured or a gradient was zero.
    pub cosines: Vec<Option<f64>>,
    /// The angle of that mean cosine, in degrees.
    pub angles_deg: Vec<Option<f64>>,
}

/// Running means of the cosines of an epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct Cosines {
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl Cosines {
    /// Takes the cosines of one step; a zero gradient has none.
    pub(super) fn add(&mut self, cosines: impl ExactSizeIterator<Item = f64>) {
        self.sums.resize(cosines.len(), 0.0);
        self.counts.resize(cosines.len(), 0);
        for (k, cosine) in cosines.enumerate().filter(|(_, cosine)| cosine.is_finite()) {
            self.sums[k] += cosine;
            self.counts[k] += 1;
        }
    }

    /// The mean cosine of each layer.
    pub(super) fn means(&self) -> Vec<Option<f64>> {
        let mean = |(sum, &count): (&f64, &u32)| (count > 0).then(|| sum / f64::from(count));
        self.sums.iter().zip(&self.counts).map(mean).collect()
    }
}

/// The angles of mean cosines.
pub(super) fn angles(cosines: &[Option<f64>]) -> Vec<Option<f64>> {
    cosines.iter().map(|cosine| cosine.map(degrees)).collect()
}

/// What came out of all seeds of a recipe: what `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The recipe's name.
    pub name: String,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// Mean over the seeds of the accuracy on the test samples, in percent, with the parameters best on validation.
    pub test_accuracy: f64,
    /// Standard deviation over the seeds (n−1 in the denominator; 0 for a single seed).
    pub test_accuracy_std: f64,
    /// Mean over the seeds of the best accuracy on validation, in percent.
    pub validation_accuracy: f64,
    /// Wall-clock time of everything.
    pub seconds: f64,
    /// Mean over the seeds of the angle to backpropagation in the last epoch that measured it, per layer, in degrees.
    pub angles_deg: Vec<Option<f64>>,
    /// The folder that holds the run.
    pub run_directory: String,
}

/// Mean and standard deviation with n−1 in the denominator; the deviation of a single value is 0.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_averages_cosines_and_not_angles() {
        let mut cosines = Cosines::default();
        cosines.add([1.0, f64::NAN].into_iter());
        cosines.add([0.0, f64::NAN].into_iter());
        assert_eq!(cosines.means(), [Some(0.5), None]);
        let angle = angles(&cosines.means())[0].unwrap();
        assert!((angle - 60.0).abs() < 1e-12, "{angle}");
    }

    #[test]
    fn deviations_are_those_of_a_sample() {
        assert_eq!(mean_and_deviation(&[1.0, 3.0]), (2.0, 2f64.sqrt()));
        assert_eq!(mean_and_deviation(&[5.0]), (5.0, 0.0));
    }
}
