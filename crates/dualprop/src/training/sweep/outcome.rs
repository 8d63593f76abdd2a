//! What came out of a cell, as its folder keeps it.

use std::path::Path;

use crate::base::{Error, Result};
use crate::training::divergence::Divergences;
use crate::training::run::result_of_seed;
use crate::training::run_directory::{SUMMARY, read_json, refuse_link};
use crate::training::{Divergence, SeedResult, Summary, folder_of_seed, mean_and_deviation};

use super::Cell;

/// How each seed of a cell ended: one of both lists has it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellOutcome {
    /// What came out of the seeds that were trained to their end.
    pub results: Vec<SeedResult>,
    /// Where the others stopped having finite numbers.
    pub diverged: Vec<Divergence>,
}

impl CellOutcome {
    /// The outcome of a cell that is over; none if it is not.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] for a file that is no result of this cell's seeds, and for a folder that is a link.
    pub(super) fn load(folder: &Path, cell: &Cell) -> Result<Option<Self>> {
        refuse_link(folder)?;
        let seeds = &cell.params().seeds;
        // Only a cell of which no seed diverged has one.
        let path = folder.join(SUMMARY);
        if let Some(Summary { results, .. }) = read_json(&path, "no result of a cell")? {
            if !results.iter().map(|result| result.seed).eq(seeds.iter().copied()) {
                let problem = "it is not that of the sweep's seeds; remove it, and what is missing is trained";
                return Err(Error::malformed(path, problem));
            }
            return Ok(Some(CellOutcome { results, diverged: vec![] }));
        }
        let noted = Divergences::load(folder)?;
        noted.check(seeds)?;
        if noted.is_empty() {
            return Ok(None);
        }
        let mut outcome = CellOutcome { results: vec![], diverged: vec![] };
        for &seed in seeds {
            match noted.of(seed) {
                Some(divergence) => outcome.diverged.push(divergence.clone()),
                None => match result_of_seed(&folder_of_seed(folder, seeds, seed), seed)? {
                    Some(result) => outcome.results.push(result),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(outcome))
    }

    /// Mean and standard deviation of the accuracy on the test samples over the seeds that finished, in percent, as those of
    /// [`Summary`]; none if all diverged.
    pub fn test_accuracy(&self) -> Option<(f64, f64)> {
        self.over_results(|result| result.test.accuracy)
    }

    /// The same of the share of test samples whose label is among the five largest outputs.
    pub fn test_top5(&self) -> Option<(f64, f64)> {
        self.over_results(|result| result.test.top5)
    }

    /// The same of the accuracy on validation.
    pub fn validation_accuracy(&self) -> Option<(f64, f64)> {
        self.over_results(|result| result.validation_accuracy)
    }

    /// How many seeds were stopped because they had collapsed.
    pub fn collapsed(&self) -> usize {
        self.results.iter().filter(|result| result.collapsed.is_some()).count()
    }

    fn over_results(&self, value: fn(&SeedResult) -> f64) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.results.iter().map(value).collect();
        (!values.is_empty()).then(|| mean_and_deviation(&values))
    }
}
