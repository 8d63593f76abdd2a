//! All seeds of a recipe into one run directory.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::base::Result;
use crate::compute::Pool;

use super::metrics::mean_and_deviation;
use super::{Destination, Event, Recipe, RunDirectory, SeedResult, Summary, Trainer};

/// Trains every seed of the recipe and writes the summary; several seeds have a folder each below the run's.
///
/// A listener that ends one seed ends the run; the summary is that of the seeds so far.
///
/// # Errors
/// As [`Trainer::new`], before any folder is made; then as [`RunDirectory::create`] and [`Trainer::run`].
pub fn run(recipe: &Recipe, destination: &Destination, listen: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<Summary> {
    let began = Instant::now();
    let params = recipe.params();
    let pool = Pool::new(params.training.threads)?;
    let mut trainer = Trainer::new(recipe, params.seeds[0], &pool)?;
    let mut directory = RunDirectory::create(destination, params)?;
    for warning in recipe.warnings() {
        // A warning stops nothing.
        let _ = listen(Event::Warning(warning));
    }
    let mut results: Vec<SeedResult> = vec![];
    for (index, &seed) in params.seeds.iter().enumerate() {
        if index > 0 {
            trainer = Trainer::new(recipe, seed, &pool)?;
        }
        let result = match params.seeds.len() {
            1 => trainer.run(&directory, listen)?,
            _ => trainer.run(&directory.seed(seed, params)?, listen)?,
        };
        let stopped = result.stopped_early;
        results.push(result);
        if stopped {
            break;
        }
    }
    let summary = summarize(params.name.clone(), &results, &directory, began.elapsed().as_secs_f64());
    directory.complete(&summary)?;
    Ok(summary)
}

fn summarize(name: String, results: &[SeedResult], directory: &RunDirectory, seconds: f64) -> Summary {
    let over_seeds = |value: fn(&SeedResult) -> f64| mean_and_deviation(&results.iter().map(value).collect::<Vec<_>>());
    let (test_accuracy, test_accuracy_std) = over_seeds(|result| result.test_accuracy);
    let layers = results.iter().map(|result| result.angles_deg.len()).max().unwrap_or(0);
    let angle = |k: usize| {
        let angles: Vec<f64> = results.iter().filter_map(|result| result.angles_deg[k]).collect();
        (!angles.is_empty()).then(|| mean_and_deviation(&angles).0)
    };
    Summary {
        name,
        seeds: results.iter().map(|result| result.seed).collect(),
        test_accuracy,
        test_accuracy_std,
        validation_accuracy: over_seeds(|result| result.validation_accuracy).0,
        seconds,
        angles_deg: (0..layers).map(angle).collect(),
        run_directory: directory.path().display().to_string(),
    }
}
