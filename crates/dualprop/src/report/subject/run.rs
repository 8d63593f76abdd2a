//! A run directory as a report reads it; nothing is locked, and a run that is still at work may be looked at.

use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::report::figures::Series;
use crate::training::{EpochMetrics, MetricsLog, NormRow, Recipe, RecipeParams, Summary, folder_of_seed};

use super::folder_name;

/// What a run has measured.
pub(in crate::report) struct Run {
    /// The name of its folder.
    pub(in crate::report) name: String,
    pub(in crate::report) path: PathBuf,
    pub(in crate::report) params: RecipeParams,
    /// In the recipe's order; those that have not begun have measured nothing.
    pub(in crate::report) seeds: Vec<Seed>,
    /// Of a run that is complete.
    pub(in crate::report) summary: Option<Summary>,
}

/// What one seed of it has measured.
pub(in crate::report) struct Seed {
    pub(in crate::report) seed: u64,
    pub(in crate::report) folder: PathBuf,
    pub(in crate::report) log: MetricsLog,
}

impl Run {
    /// The run in this folder.
    ///
    /// # Errors
    /// As [`Recipe::load_file`] and [`MetricsLog::load`]; [`crate::Error::Malformed`] for a summary that is none.
    pub(in crate::report) fn load(path: &Path) -> Result<Self> {
        let params = Recipe::load_file(&path.join("recipe.toml"), &[])?.params().clone();
        let of_seed = |&seed: &u64| {
            let folder = folder_of_seed(path, &params.seeds, seed);
            let metrics = folder.join("metrics.jsonl");
            let log = if metrics.is_file() { MetricsLog::load(&metrics)? } else { MetricsLog::default() };
            Ok(Seed { seed, folder, log })
        };
        let seeds = params.seeds.iter().map(of_seed).collect::<Result<Vec<_>>>()?;
        let summary = Summary::of_run(path)?;
        let name = folder_name(path).unwrap_or_else(|| params.name.clone());
        Ok(Run { name, path: path.into(), params, seeds, summary })
    }

    /// A number of every epoch, over the seeds.
    pub(in crate::report) fn over_epochs(&self, value: impl Fn(&EpochMetrics) -> Option<f64>) -> Series {
        let of_seed = |seed: &Seed| seed.log.epochs.iter().map(|epoch| (f64::from(epoch.epoch), value(epoch))).collect();
        Series::of(&self.seeds.iter().map(of_seed).collect::<Vec<_>>())
    }

    /// A number of a layer's norm by so many power iterations, over the seeds.
    pub(in crate::report) fn over_norms(&self, layer: usize, iterations: usize, value: fn(&NormRow) -> Option<f64>) -> Series {
        let of_seed = |seed: &Seed| {
            let rows = seed.log.norms.iter().filter(|(_, row)| row.layer == layer && row.power_iterations == iterations);
            rows.map(|(epoch, row)| (f64::from(*epoch), value(row))).collect()
        };
        Series::of(&self.seeds.iter().map(of_seed).collect::<Vec<_>>())
    }

    /// ‖W_L … W₁‖₂ after the last epoch of each seed that has one.
    pub(in crate::report) fn product_norms(&self) -> Vec<(u64, f64)> {
        let last = |seed: &Seed| Some((seed.seed, seed.log.epochs.last()?.product_norm?));
        self.seeds.iter().filter_map(last).collect()
    }
}
