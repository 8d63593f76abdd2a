//! The results of a sweep as a tidy table: a row for each cell and seed.

use std::path::Path;

use serde_json::Value;

use crate::base::Result;
use crate::training::SeedResult;
use crate::training::rows::write_table;

use super::{CellOutcome, Sweep};

/// The files of the table.
pub(super) const RESULTS: [&str; 2] = ["results.csv", "results.jsonl"];

/// Writes the rows of all cells that are over, in the order of the cells.
pub(super) fn write(folder: &Path, sweep: &Sweep, outcomes: &[Option<CellOutcome>]) -> Result<()> {
    let layers =
        outcomes.iter().flatten().flat_map(|outcome| &outcome.results).map(|result| result.angles_deg.len()).max().unwrap_or(0);
    let mut columns = sweep.columns().to_vec();
    columns.extend(["seed", "state", "test_accuracy", "validation_accuracy", "best_epoch", "mean_angle_deg"].map(String::from));
    columns.extend((1..=layers).map(|layer| format!("angle_deg_{layer}")));
    columns.extend(["collapsed", "diverged", "diverged_quantity"].map(String::from));
    let mut rows = vec![];
    for (cell, outcome) in sweep.cells().iter().zip(outcomes) {
        let Some(outcome) = outcome else { continue };
        for seed in sweep.seeds() {
            let mut row: Vec<Value> = cell.values.iter().map(|value| typed(value)).collect();
            row.extend(of_seed(*seed, outcome, layers));
            rows.push(row);
        }
    }
    RESULTS.iter().try_for_each(|name| write_table(&folder.join(name), &columns, &rows))
}

/// The cells of a row behind the sweep's columns.
fn of_seed(seed: u64, outcome: &CellOutcome, layers: usize) -> Vec<Value> {
    let result = outcome.results.iter().find(|result| result.seed == seed);
    let divergence = outcome.diverged.iter().find(|divergence| divergence.seed == seed);
    let state = if result.is_some() { "finished" } else { "diverged" };
    let mut row = vec![Value::from(seed), Value::from(state)];
    row.push(result.map(|result| result.test.accuracy).into());
    row.push(result.map(|result| result.validation_accuracy).into());
    row.push(result.map(|result| result.best_epoch).into());
    row.push(result.and_then(mean_angle).into());
    row.extend((0..layers).map(|k| Value::from(result.and_then(|result| result.angles_deg.get(k).copied().flatten()))));
    row.push(result.and_then(|result| result.collapsed).into());
    row.push(divergence.map(|divergence| divergence.step).into());
    row.push(divergence.map(|divergence| divergence.quantity.clone()).into());
    row
}

/// The mean of the angles of all layers that were measured, in degrees.
fn mean_angle(result: &SeedResult) -> Option<f64> {
    let angles: Vec<f64> = result.angles_deg.iter().copied().flatten().collect();
    (!angles.is_empty()).then(|| angles.iter().sum::<f64>() / angles.len() as f64)
}

/// A number or a truth where the text is one, nothing where it is empty, else the text.
fn typed(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ if text.is_empty() => Value::Null,
        _ => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::{Divergence, Evaluation};

    #[test]
    fn every_seed_of_a_cell_that_is_over_is_finished_or_diverged() {
        let test = Evaluation { samples: 10, loss: 0.5, accuracy: 90.0, top5: 100.0 };
        let angles_deg = vec![Some(10.0), None, Some(20.0)];
        let result = |seed| SeedResult {
            seed,
            test,
            validation_accuracy: 80.0,
            best_epoch: 3,
            angles_deg: angles_deg.clone(),
            collapsed: Some(7),
        };
        let divergence = Divergence { seed: 1, step: 42, quantity: "the loss".into() };
        let outcome = CellOutcome { results: vec![result(0), result(2)], diverged: vec![divergence] };
        let grid = ["learning.alpha=0,0.5".to_string(), "learning.rule=dp".to_string()];
        let sweep = Sweep::new("digits", &[], &grid, Some(3)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &sweep, &[None, Some(outcome)]).unwrap();
        let text = std::fs::read_to_string(folder.path().join("results.csv")).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "learning.alpha,learning.rule,seed,state,test_accuracy,validation_accuracy,best_epoch,mean_angle_deg,\
             angle_deg_1,angle_deg_2,angle_deg_3,collapsed,diverged,diverged_quantity",
                "0.5,dp,0,finished,90.0,80.0,3,15.0,10.0,,20.0,7,,",
                "0.5,dp,1,diverged,,,,,,,,,42,the loss",
                "0.5,dp,2,finished,90.0,80.0,3,15.0,10.0,,20.0,7,,",
            ]
        );
        let lines = std::fs::read_to_string(folder.path().join("results.jsonl")).unwrap();
        let line: Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&line["learning.alpha"], &line["diverged"], &line["best_epoch"]), (&0.5.into(), &42.into(), &Value::Null));
        assert!(lines.starts_with(r#"{"learning.alpha":0.5,"learning.rule":"dp","seed":0,"state":"finished","#), "{lines}");
    }
}
