//! `metrics.csv`: the epochs of a run as a tidy table.

use std::path::Path;

use serde_json::Value;

use crate::base::Result;

use super::super::EpochMetrics;
use super::super::rows::write_table;

/// Writes a row for each epoch: a column for each number, and one for each layer of what is listed per layer, called `_1` to `_L`.
/// What is not measured is an empty cell.
pub(super) fn write(path: &Path, epochs: &[EpochMetrics]) -> Result<()> {
    let epochs: Vec<Epoch> = epochs.iter().map(Epoch::of).collect();
    let width = |list: usize| epochs.iter().map(|epoch| epoch.lists[list].1.len()).max().unwrap_or(0);
    let widths: [usize; LISTS] = std::array::from_fn(width);
    let nothing = Epoch::of(&EpochMetrics::default());
    let names = epochs.first().unwrap_or(&nothing);
    let mut columns: Vec<String> = names.numbers.iter().map(|(name, _)| name.to_string()).collect();
    for ((name, _), width) in names.lists.iter().zip(widths) {
        columns.extend((1..=width).map(|layer| format!("{name}_{layer}")));
    }
    let row = |epoch: &Epoch| -> Vec<Value> {
        let lists = epoch.lists.iter().zip(widths);
        let of_layers = lists.flat_map(|((_, values), width)| (0..width).map(|k| Value::from(values.get(k).copied().flatten())));
        epoch.numbers.iter().map(|(_, value)| value.clone()).chain(of_layers).collect()
    };
    write_table(path, &columns, &epochs.iter().map(row).collect::<Vec<_>>())
}

/// What is listed per layer.
const LISTS: usize = 9;

/// The line of an epoch, by the names that it has in `metrics.jsonl`.
struct Epoch {
    numbers: Vec<(&'static str, Value)>,
    lists: [(&'static str, Vec<Option<f64>>); LISTS],
}

impl Epoch {
    fn of(metrics: &EpochMetrics) -> Self {
        // All of them by name, so that none which is added is forgotten.
        let EpochMetrics {
            epoch,
            step,
            train_loss,
            train_accuracy,
            train_top5,
            validation_loss,
            validation_accuracy,
            validation_top5,
            learning_rate,
            seconds,
            samples_per_second,
            cosines,
            angles_deg,
            norm_ratios,
            sign_agreements,
            straddling,
            difference_ratios,
            gammas,
            dampings,
            product_norm,
            feedback_cosines,
            local_lipschitz,
            parameters_sha256,
        } = metrics;
        let some = |values: &[f64]| values.iter().copied().map(Some).collect();
        Epoch {
            numbers: vec![
                ("epoch", Value::from(*epoch)),
                ("step", Value::from(*step)),
                ("train_loss", Value::from(*train_loss)),
                ("train_accuracy", Value::from(*train_accuracy)),
                ("train_top5", Value::from(*train_top5)),
                ("validation_loss", Value::from(*validation_loss)),
                ("validation_accuracy", Value::from(*validation_accuracy)),
                ("validation_top5", Value::from(*validation_top5)),
                ("learning_rate", Value::from(*learning_rate)),
                ("seconds", Value::from(*seconds)),
                ("samples_per_second", Value::from(*samples_per_second)),
                ("product_norm", Value::from(*product_norm)),
                ("local_lipschitz_mean", Value::from(local_lipschitz.map(|local| local.mean))),
                ("local_lipschitz_median", Value::from(local_lipschitz.map(|local| local.median))),
                ("local_lipschitz_largest", Value::from(local_lipschitz.map(|local| local.largest))),
                ("parameters_sha256", Value::from(parameters_sha256.as_str())),
            ],
            lists: [
                ("cosine", cosines.clone()),
                ("angle_deg", angles_deg.clone()),
                ("norm_ratio", norm_ratios.clone()),
                ("sign_agreement", sign_agreements.clone()),
                ("straddling", straddling.clone()),
                ("difference_ratio", difference_ratios.clone()),
                ("gamma", some(gammas)),
                ("damping", some(dampings)),
                ("feedback_cosine", feedback_cosines.clone()),
            ],
        }
    }
}
