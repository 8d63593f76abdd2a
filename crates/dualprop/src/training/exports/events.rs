//! Which of a run's metrics TensorBoard shows, and by which tag.

use super::super::{EpochMetrics, MetricsLog, StepMetrics};
use super::record;

/// How much of a run's metrics stands in a file of events.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    epochs: usize,
    steps: usize,
    /// Whether the file has begun.
    has_header: bool,
    /// Seconds from 1970 to the beginning of the training, had it gone on without a break, and from there to the last epoch.
    began: f64,
    seconds: f64,
}

impl Written {
    /// Of a file that is to be written anew, for a training that began then.
    pub(super) fn beginning(began: f64) -> Self {
        Written { began, ..Written::default() }
    }

    /// The events that are still to be written, in the order in which they were measured: the steps of an epoch, then the epoch.
    pub(super) fn rest(&mut self, log: &MetricsLog) -> Vec<u8> {
        let mut bytes = vec![];
        if !self.has_header {
            record::append(&mut bytes, &record::version(self.began));
            self.has_header = true;
        }
        while let Some(epoch) = log.epochs.get(self.epochs) {
            self.steps_up_to(epoch.epoch, log, &mut bytes);
            self.seconds += epoch.seconds;
            record::append(&mut bytes, &record::scalars(self.now(), epoch.step, &of_epoch(epoch)));
            self.epochs += 1;
        }
        self.steps_up_to(u32::MAX, log, &mut bytes);
        bytes
    }

    fn steps_up_to(&mut self, epoch: u32, log: &MetricsLog, bytes: &mut Vec<u8>) {
        while let Some(step) = log.steps.get(self.steps).filter(|step| step.epoch <= epoch) {
            record::append(bytes, &record::scalars(self.now(), step.step, &of_step(step)));
            self.steps += 1;
        }
    }

    /// The time that is written: what passes while nothing is trained, or is measured, does not count, so that a resume leaves no gap.
    fn now(&self) -> f64 {
        self.began + self.seconds
    }
}

/// Tags with their values.
type Scalars = Vec<(String, f64)>;

fn of_epoch(metrics: &EpochMetrics) -> Scalars {
    let mut scalars: Scalars = [
        ("accuracy/train", metrics.train_accuracy),
        ("accuracy/validation", metrics.validation_accuracy),
        ("loss/train", metrics.train_loss),
        ("loss/validation", metrics.validation_loss),
        ("learning_rate", metrics.learning_rate),
        ("speed", metrics.samples_per_second),
    ]
    .map(|(tag, value)| (tag.into(), value))
    .into();
    scalars.extend(per_layer("angle_deg", metrics.angles_deg.iter().copied()));
    scalars.extend(per_layer("gamma", metrics.gammas.iter().copied().map(Some)));
    scalars.extend(metrics.product_norm.map(|norm| ("product_norm".into(), norm)));
    scalars
}

fn of_step(metrics: &StepMetrics) -> Scalars {
    let mut scalars = vec![("step/loss".into(), metrics.train_loss)];
    scalars.extend(per_layer("step/angle_deg", metrics.angles_deg.iter().copied()));
    scalars
}

/// Those layers that have a value, by their number from 1.
fn per_layer(tag: &str, values: impl Iterator<Item = Option<f64>>) -> Scalars {
    (1..).zip(values).filter_map(|(layer, value)| Some((format!("{tag}/layer_{layer}"), value?))).collect()
}
