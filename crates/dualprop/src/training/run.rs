//! All seeds of a recipe into one run directory.

use std::path::Path;
use std::time::Instant;

use crate::base::{Error, Result};
use crate::compute::Pool;
use crate::data::Folders;

use super::{Destination, Event, Listener, Outcome, Recipe, RunDirectory, SeedResult, Summary, Trainer};

/// Trains every seed of the recipe and writes the summary; several seeds have a folder each below the run's.
///
/// A listener that ends one seed ends the run, which [`resume`] goes on with.
///
/// # Errors
/// As [`Trainer::new`], before any folder is made; then as [`RunDirectory::create`] and [`Trainer::run`].
pub fn run(recipe: &Recipe, folders: &Folders, destination: &Destination, listen: &mut Listener) -> Result<Outcome<Summary>> {
    let pool = recipe.pool()?;
    // What cannot be trained leaves no folder.
    let trainer = new(recipe, folders, recipe.params().seeds[0], &pool, true)?;
    check_start(recipe, destination)?;
    let directory = RunDirectory::create(destination, recipe.params(), pool.threads())?;
    for warning in recipe.warnings() {
        // A warning stops nothing.
        let _ = listen(Event::Warning(warning));
    }
    train_seeds(recipe, folders, directory, &pool, Some(trainer), listen)
}

/// That the model from which the training starts is not in the run that it replaces: later seeds would not find it.
fn check_start(recipe: &Recipe, destination: &Destination) -> Result<()> {
    let inside = |from: &str| {
        let folder = destination.root.join(destination.name.as_ref()?).canonicalize().ok()?;
        Path::new(from).canonicalize().ok().filter(|from| destination.force && from.starts_with(folder))
    };
    match recipe.params().network.from.as_deref().filter(|from| inside(from).is_some()) {
        None => Ok(()),
        Some(from) => {
            let problem = "it is part of the run that --force would replace; copy it, or choose another name";
            Err(Error::setting("network.from", from, problem))
        }
    }
}

/// Goes on with a run from where its checkpoints are: to the same bits as if it had never been interrupted. Seeds that are
/// complete stay as they are; those without a checkpoint start from the recipe. A run that is complete gives its summary.
///
/// Its recipe is that of the run directory; `threads` may be others (none: the recipe's), and change no result.
///
/// # Errors
/// As [`RunDirectory::open`], [`Recipe::load`], [`Trainer::new`], [`Trainer::resume`] and [`Trainer::run`].
pub fn resume(path: &Path, folders: &Folders, threads: Option<usize>, listen: &mut Listener) -> Result<Outcome<Summary>> {
    let directory = RunDirectory::open(path)?;
    let overrides: Vec<String> = threads.map(|threads| format!("training.threads={threads}")).into_iter().collect();
    let recipe = Recipe::load_file(&directory.recipe(), &overrides)?;
    if let Some(summary) = directory.summary()? {
        return Ok(Outcome::Finished(summary));
    }
    let pool = recipe.pool()?;
    train_seeds(&recipe, folders, directory, &pool, None, listen)
}

/// Trains what is left of every seed; `first` is the first seed's trainer, if there is one already.
fn train_seeds(
    recipe: &Recipe,
    folders: &Folders,
    mut directory: RunDirectory,
    pool: &Pool,
    mut first: Option<Trainer>,
    listen: &mut Listener,
) -> Result<Outcome<Summary>> {
    let (began, params) = (Instant::now(), recipe.params());
    let mut results: Vec<SeedResult> = vec![];
    for &seed in &params.seeds {
        let of_seed = match params.seeds.len() {
            1 => None,
            _ => Some(directory.seed(seed, params, pool.threads())?),
        };
        if let Some(summary) = of_seed.as_ref().map(RunDirectory::summary).transpose()?.flatten() {
            if !matches!(&summary.results[..], [result] if result.seed == seed) {
                let path = of_seed.as_ref().unwrap_or(&directory).path().join("summary.json");
                return Err(Error::malformed(
                    path,
                    format!("it is not that of seed {seed}; remove it, and the seed is trained again"),
                ));
            }
            results.extend(summary.results);
            continue;
        }
        let (place, started) = (of_seed.as_ref().unwrap_or(&directory), Instant::now());
        let start = !place.last_checkpoint().exists();
        let mut trainer = first.take().map_or_else(|| new(recipe, folders, seed, pool, start), Ok)?;
        trainer.resume(place)?;
        let Outcome::Finished(result) = trainer.run(place, listen)? else {
            return Ok(Outcome::Interrupted);
        };
        if let Some(mut of_seed) = of_seed {
            let place = of_seed.path().display().to_string();
            of_seed.complete(&Summary::of(&params.name, vec![result.clone()], place, started.elapsed().as_secs_f64()))?;
        }
        results.push(result);
    }
    let place = directory.path().display().to_string();
    let summary = Summary::of(&params.name, results, place, began.elapsed().as_secs_f64());
    directory.complete(&summary)?;
    Ok(Outcome::Finished(summary))
}

/// A trainer; what does not fit is told with the line of the recipe.
fn new(recipe: &Recipe, folders: &Folders, seed: u64, pool: &Pool, start: bool) -> Result<Trainer> {
    Trainer::prepare(recipe, folders, seed, pool, start).map_err(|error| recipe.locate(error))
}
