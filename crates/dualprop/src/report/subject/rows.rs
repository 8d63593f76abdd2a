//! Tables that measuring commands have written by `--out`.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::analysis::stability::StabilityRow;
use crate::base::{Error, Result, file};
use crate::training::AlignmentRow;

/// The largest table that is read.
const MOST_BYTES: u64 = 1 << 28;

/// The rows of a table.
pub(in crate::report) enum Rows {
    /// Of `dualprop stability`.
    Stability(Vec<StabilityRow>),
    /// Of `dualprop robustness`.
    Robustness(Vec<AttackedRow>),
    /// Of `dualprop alignment`.
    Alignment(Vec<AlignmentRow>),
}

/// A row of `dualprop robustness`.
#[derive(Debug, Deserialize)]
pub(in crate::report) struct AttackedRow {
    model: String,
    name: String,
    pub(in crate::report) seed: u64,
    attack: String,
    pub(in crate::report) norm: String,
    steps: usize,
    pub(in crate::report) epsilon: f64,
    pub(in crate::report) samples: usize,
    pub(in crate::report) accuracy: f64,
}

impl AttackedRow {
    /// The attack as the command names it.
    pub(in crate::report) fn attack(&self) -> String {
        if self.attack == "pgd" { format!("pgd-{}", self.steps) } else { self.attack.clone() }
    }

    /// The folder of the run that the model is of; of several seeds, all have the same.
    pub(in crate::report) fn run(&self) -> &str {
        let folders = self.model.rsplit('/').skip(1).find(|part| !part.starts_with("seed-"));
        folders.filter(|folder| !folder.is_empty()).unwrap_or(&self.name)
    }
}

impl Rows {
    /// What such a table is about.
    pub(in crate::report) fn title(&self) -> &'static str {
        match self {
            Rows::Stability(_) => "Where inference settles",
            Rows::Robustness(_) => "Accuracy under attack",
            Rows::Alignment(_) => "Angle to backpropagation",
        }
    }

    /// The table in this file, known by its columns.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Malformed`] for a file that is no table of a command which a report can draw.
    pub(in crate::report) fn load(path: &Path) -> Result<Self> {
        let text = file::read_text(path, MOST_BYTES)?;
        let head = text.lines().next().unwrap_or_default();
        let has = |column: &str| head.split([',', '"', ':', '{']).any(|part| part.trim() == column);
        if has("share_settled") {
            read(path, &text).map(Rows::Stability)
        } else if has("epsilon") && has("accuracy") {
            read(path, &text).map(Rows::Robustness)
        } else if has("angle_deg") && has("batch") {
            read(path, &text).map(Rows::Alignment)
        } else {
            let problem = "expected a table that `dualprop stability`, `robustness` or `alignment` has written by --out";
            Err(Error::malformed(path, problem))
        }
    }
}

/// The rows of a text, which is lines of JSON if it begins as one, and else CSV.
fn read<R: DeserializeOwned>(path: &Path, text: &str) -> Result<Vec<R>> {
    let flaw = |row: usize, problem: String| Error::malformed(path, format!("row {row} is no row of such a table: {problem}"));
    let rows: Vec<R> = if text.starts_with('{') {
        let lines = (1..).zip(text.lines().filter(|line| !line.trim().is_empty()));
        lines
            .map(|(row, line)| serde_json::from_str(line).map_err(|error| flaw(row, error.to_string())))
            .collect::<Result<_>>()?
    } else {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows = (1..).zip(reader.deserialize());
        rows.map(|(row, read)| read.map_err(|error: csv::Error| flaw(row, error.to_string()))).collect::<Result<_>>()?
    };
    if rows.is_empty() { Err(Error::malformed(path, "it has no rows")) } else { Ok(rows) }
}
