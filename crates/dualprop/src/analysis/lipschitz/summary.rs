//! The local Lipschitz constants of many samples in three numbers.

use serde::{Deserialize, Serialize};

use crate::base::json;

use super::LocalLipschitz;

/// The local Lipschitz constants of many samples in three numbers; NaN where one of them is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LipschitzSummary {
    /// Their mean.
    #[serde(deserialize_with = "json::number")]
    pub mean: f64,
    /// Their median, of an even number the mean of the two in the middle.
    #[serde(deserialize_with = "json::number")]
    pub median: f64,
    /// The largest.
    #[serde(deserialize_with = "json::number")]
    pub largest: f64,
}

impl LipschitzSummary {
    /// None of no samples.
    pub fn of(constants: &[LocalLipschitz]) -> Option<Self> {
        let mut sorted: Vec<f64> = constants.iter().map(|local| local.constant).collect();
        // What is no number comes last.
        sorted.sort_by(f64::total_cmp);
        let (n, largest) = (sorted.len(), *sorted.last()?);
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let median = if mean.is_nan() { mean } else { 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]) };
        Some(LipschitzSummary { mean, median, largest: if mean.is_nan() { mean } else { largest } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_mean_median_and_largest() {
        let of = |constants: &[f64]| {
            let local = |&constant: &f64| LocalLipschitz { constant, residual: 0.0, steps: 1 };
            LipschitzSummary::of(&constants.iter().map(local).collect::<Vec<_>>())
        };
        assert_eq!(of(&[5.0, 1.0, 3.0]), Some(LipschitzSummary { mean: 3.0, median: 3.0, largest: 5.0 }));
        assert_eq!(of(&[5.0, 1.0, 2.0, 4.0]), Some(LipschitzSummary { mean: 3.0, median: 3.0, largest: 5.0 }));
        assert_eq!(of(&[]), None);
    }
}
