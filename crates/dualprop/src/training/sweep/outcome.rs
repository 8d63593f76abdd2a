//! What came out of a cell, as its folder keeps it.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, file};
use crate::training::run_directory::{DIVERGED, SUMMARY, refuse_link};
use crate::training::{SeedResult, Summary};

use super::Cell;

/// The largest file that is read here; a real one has some kilobytes.
const MOST_BYTES: u64 = 1 << 24;

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CellOutcome {
    /// All seeds were trained to their end.
    Finished(Summary),
    /// A seed diverged; those after it were not trained.
    Diverged {
        /// Where it did.
        divergence: Divergence,
        /// What came out of the seeds before it.
        results: Vec<SeedResult>,
    },
}

/// Where a training stopped having finite numbers: `diverged.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// The seed.
    pub seed: u64,
    /// Weight updates before it.
    pub step: u64,
    /// What stopped being finite.
    pub quantity: String,
}

impl Divergence {
    /// Keeps it in the cell's folder, which is then not trained again.
    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(DIVERGED);
        let text = serde_json::to_string(self).map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        file::write_atomic(&path, (text + "\n").as_bytes())
    }
}

impl CellOutcome {
    /// The outcome of a cell that is over; none if it is not.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] for a file that is no result of this cell's seeds.
    pub(super) fn load(folder: &Path, cell: &Cell) -> Result<Option<Self>> {
        // Of both, the summary is what cost more; but no cell has both.
        if let Some(summary) = read::<Summary>(&folder.join(SUMMARY))? {
            let seeds: Vec<u64> = summary.results.iter().map(|result| result.seed).collect();
            if seeds != cell.recipe.params().seeds {
                let problem = "it is not that of the sweep's seeds; remove it, and what is missing is trained";
                return Err(Error::malformed(folder.join(SUMMARY), problem));
            }
            return Ok(Some(CellOutcome::Finished(summary)));
        }
        let Some(divergence) = read::<Divergence>(&folder.join(DIVERGED))? else { return Ok(None) };
        let before = cell.recipe.params().seeds.iter().take_while(|seed| **seed != divergence.seed);
        let mut results = vec![];
        for seed in before {
            let path = folder.join(format!("seed-{seed}")).join(SUMMARY);
            let summary = read::<Summary>(&path)?.ok_or_else(|| {
                let problem = format!("it is missing, though seed {} after it diverged; remove {DIVERGED}", divergence.seed);
                Error::malformed(&path, problem)
            })?;
            results.extend(summary.results);
        }
        Ok(Some(CellOutcome::Diverged { divergence, results }))
    }

    /// What came out of each seed that was trained to its end.
    pub fn results(&self) -> &[SeedResult] {
        match self {
            CellOutcome::Finished(summary) => &summary.results,
            CellOutcome::Diverged { results, .. } => results,
        }
    }

    /// Where the cell diverged, if it did.
    pub fn divergence(&self) -> Option<&Divergence> {
        match self {
            CellOutcome::Finished(_) => None,
            CellOutcome::Diverged { divergence, .. } => Some(divergence),
        }
    }
}

/// The value in a file of JSON, if there is such a file.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    refuse_link(path)?;
    if !path.exists() {
        return Ok(None);
    }
    let text = file::read_text(path, MOST_BYTES)?;
    serde_json::from_str(&text).map(Some).map_err(|error| Error::malformed(path, format!("no result of a cell: {error}")))
}
