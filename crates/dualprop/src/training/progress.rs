//! Where a training stands: every counter and running sum that an exact resume needs beside the tensors.

use serde::{Deserialize, Serialize};

use crate::compute::disturbance::Scales;

/// Where a training stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    pub(super) seed: u64,
    /// The sum of everything that decides what is learnt from here on; see [`super::trainer`].
    pub(super) identity: String,
    /// Complete epochs.
    pub(super) epochs: u32,
    /// Batches of the epoch after those that are done.
    pub(super) batches: u64,
    /// Weight updates so far.
    pub(super) steps: u64,
    /// The length of `metrics.jsonl` that belongs to this state.
    pub(super) metrics_bytes: u64,
    /// The best epoch so far.
    pub(super) best: Option<BestEpoch>,
    /// The epoch after which the training had collapsed.
    pub(super) collapsed: Option<u32>,
    /// The angles to backpropagation that were measured last, per layer, in degrees.
    pub(super) angles_deg: Vec<Option<f64>>,
    /// What disturbances are relative to; nothing where there are none.
    #[serde(default, skip_serializing_if = "Scales::is_empty")]
    pub(super) scales: Scales,
    /// Sums over the batches of the unfinished epoch.
    pub(super) sums: EpochSums,
}

/// The epoch whose parameters were best on validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BestEpoch {
    pub(super) epoch: u32,
    /// On validation, in percent.
    pub(super) accuracy: f64,
    /// On validation.
    pub(super) loss: f64,
    /// As [`Progress::scales`], of then.
    #[serde(default, skip_serializing_if = "Scales::is_empty")]
    pub(super) scales: Scales,
}

/// Sums over the batches of an epoch, each before its update.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochSums {
    pub(super) loss: f64,
    pub(super) right: u64,
    pub(super) right_top5: u64,
    pub(super) samples: u64,
    pub(super) cosines: Means,
    pub(super) straddling: Means,
    pub(super) difference_ratios: Means,
    // Checkpoints of format 1 without what follows were written before it was measured.
    #[serde(default)]
    pub(super) norm_ratios: Means,
    #[serde(default)]
    pub(super) sign_agreements: Means,
    pub(super) busy_seconds: f64,
}

/// Running means, one for each layer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Means {
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl Means {
    /// Takes one value for each layer; one that is not finite, as the cosine of a zero gradient, is none.
    pub(super) fn add(&mut self, values: impl ExactSizeIterator<Item = f64>) {
        self.sums.resize(values.len(), 0.0);
        self.counts.resize(values.len(), 0);
        for (k, value) in values.enumerate().filter(|(_, value)| value.is_finite()) {
            self.sums[k] += value;
            self.counts[k] += 1;
        }
    }

    /// The mean of each layer; `layers` of none where nothing was taken.
    pub(super) fn of(&self, layers: usize) -> Vec<Option<f64>> {
        let mean = |k: usize| Some((*self.sums.get(k)?, *self.counts.get(k).filter(|count| **count > 0)?));
        (0..layers).map(|k| mean(k).map(|(sum, count)| sum / f64::from(count))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_leave_out_what_is_not_finite() {
        let mut means = Means::default();
        assert_eq!(means.of(2), [None, None]);
        means.add([1.0, f64::NAN].into_iter());
        means.add([0.0, f64::NAN].into_iter());
        assert_eq!(means.of(2), [Some(0.5), None]);
    }

    /// The progress of a checkpoint as version 0.1.0 wrote it, in the middle of an epoch.
    #[test]
    fn sums_that_an_older_checkpoint_does_not_have_are_empty() {
        let text = r#"{"seed":3,"identity":"ab","epochs":1,"batches":4,"steps":15,"metrics_bytes":900,
            "best":{"epoch":1,"accuracy":50.0,"loss":1.5},"collapsed":null,"angles_deg":[null,20.5],
            "sums":{"loss":6.5,"right":90,"right_top5":120,"samples":128,"cosines":{"sums":[0.5,0.75],"counts":[1,1]},
            "straddling":{"sums":[0.25,0.0],"counts":[1,1]},"difference_ratios":{"sums":[0.1,0.2],"counts":[1,1]},
            "busy_seconds":0.5}}"#;
        let progress: Progress = serde_json::from_str(text).unwrap();
        assert_eq!(progress.sums.cosines.of(2), [Some(0.5), Some(0.75)]);
        assert_eq!((progress.sums.norm_ratios.of(2), progress.sums.sign_agreements.of(2)), (vec![None; 2], vec![None; 2]));
    }

    #[test]
    fn every_number_survives_json_to_the_bit() {
        let awkward = [0.1 + 0.2, f64::MIN_POSITIVE, 1.0 / 3.0, 123_456_789.123_456_78, 5e-324, 1.797e308];
        for value in awkward {
            let mut progress = Progress { seed: u64::MAX, angles_deg: vec![None, Some(value)], ..Progress::default() };
            progress.best = Some(BestEpoch { epoch: 3, accuracy: value, loss: -value, scales: Scales::of(&[[value, value]]) });
            progress.sums.loss = value;
            progress.sums.cosines.add([value, -value].into_iter());
            let text = serde_json::to_string(&progress).unwrap();
            assert_eq!(serde_json::from_str::<Progress>(&text).unwrap(), progress, "{value}");
        }
    }
}
