//! A sweep, or an experiment, as a report reads it.

use std::path::Path;

use crate::base::Result;
use crate::report::figures::grids::short;
use crate::training::{CellOutcome, Experiment, Origin, SeedResult, SweepReading};

use super::{Run, folder_name};

/// A sweep with everything that its cells have measured.
pub(in crate::report) struct SweptRuns {
    /// The name of its folder.
    pub(in crate::report) name: String,
    pub(in crate::report) columns: Vec<String>,
    pub(in crate::report) seeds: Vec<u64>,
    /// The experiment whose arms the cells are, if they are those of one that is still known, and which form of it.
    pub(in crate::report) experiment: Option<(Experiment, Origin)>,
    pub(in crate::report) cells: Vec<SweptRun>,
}

/// A cell of it.
pub(in crate::report) struct SweptRun {
    /// Of each column.
    pub(in crate::report) values: Vec<String>,
    /// None before it has begun.
    pub(in crate::report) run: Option<Run>,
    /// None as long as it is not over.
    pub(in crate::report) outcome: Option<CellOutcome>,
}

impl SweptRuns {
    /// The sweep in this folder.
    ///
    /// # Errors
    /// As [`SweepReading::load`] and [`Run::load`].
    pub(in crate::report) fn load(path: &Path) -> Result<Self> {
        let reading = SweepReading::load(path)?;
        let of_cell = |cell: crate::training::CellReading| {
            let begun = cell.folder.join("recipe.toml").is_file();
            let run = if begun { Some(Run::load(&cell.folder)?) } else { None };
            Ok(SweptRun { values: cell.values.to_vec(), run, outcome: cell.outcome.cloned() })
        };
        let cells = reading.cells().map(of_cell).collect::<Result<_>>()?;
        let experiment = reading.origin().and_then(|origin| Some((Experiment::find(&origin.name).ok()?, origin.clone())));
        let (columns, seeds) = (reading.columns().to_vec(), reading.seeds().to_vec());
        Ok(SweptRuns { name: folder_name(path).unwrap_or_default(), columns, seeds, experiment, cells })
    }

    /// A cell by the values that tell it from the others.
    pub(in crate::report) fn label(&self, cell: &SweptRun) -> String {
        self.label_from(cell, 0)
    }

    /// The same without the first columns.
    pub(in crate::report) fn label_from(&self, cell: &SweptRun, first: usize) -> String {
        let varies = |column: usize| self.cells.iter().any(|other| other.values[column] != self.cells[0].values[column]);
        let pairs = self.columns.iter().zip(&cell.values).enumerate().skip(first);
        let told = pairs.filter(|(column, (_, value))| varies(*column) && !value.is_empty());
        told.map(|(_, (column, value))| described(column, value)).collect::<Vec<_>>().join(", ")
    }
}

impl SweptRun {
    /// A number of each seed that finished.
    pub(in crate::report) fn results(&self, value: fn(&SeedResult) -> f64) -> Vec<(u64, f64)> {
        let results = self.outcome.iter().flat_map(|outcome| &outcome.results);
        results.map(|result| (result.seed, value(result))).collect()
    }

    /// ‖W_L … W₁‖₂ after the last epoch of each seed that finished: what a training leaves that diverges is not what came out of it.
    pub(in crate::report) fn product_norms(&self) -> Vec<(u64, f64)> {
        let finished: Vec<u64> = self.results(|_| 0.0).into_iter().map(|(seed, _)| seed).collect();
        let norms = self.run.iter().flat_map(Run::product_norms);
        norms.filter(|(seed, _)| finished.contains(seed)).collect()
    }
}

/// A value as a label says it: Greek letters as the paper writes them, other numbers under the name of their key, words by
/// themselves.
pub(in crate::report) fn described(column: &str, value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok();
    match short(column) {
        "alpha" => format!("α = {}", halves(value)),
        "beta" => format!("β = {}", value),
        name if is_number => format!("{name} {value}"),
        _ => method(value).into(),
    }
}

fn halves(value: &str) -> &str {
    if value == "0.5" { "½" } else { value }
}

/// The rules as the paper calls them.
pub(in crate::report) fn method(value: &str) -> &str {
    match value {
        "dp_transpose" => "DP⊤",
        "dp" => "DP",
        "dp_damped" => "damped DP",
        "dp_mixed" => "mixed DP",
        "backprop" => "backpropagation",
        "input_adversarial" => "input-adversarial",
        other => other,
    }
}
