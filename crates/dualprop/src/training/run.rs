//! All seeds of a recipe into one run directory.

use std::path::Path;
use std::time::Instant;

use crate::base::{Error, Result};
use crate::compute::Pool;
use crate::data::Folders;

use super::divergence::{Divergence, Divergences, refuse_diverged};
use super::run_directory::{SUMMARY, read_json};
use super::{Destination, Event, Listener, Outcome, Recipe, RunDirectory, SeedResult, Summary, Trainer};

/// Trains every seed of the recipe and writes the summary; several seeds have a folder each below the run's.
///
/// A listener that ends one seed ends the run, which [`resume`] goes on with.
///
/// # Errors
/// As [`Trainer::new`], before any folder is made; then as [`RunDirectory::create`] and [`Trainer::run`].
pub fn run(recipe: &Recipe, folders: &Folders, destination: &Destination, listen: &mut Listener) -> Result<Outcome<Summary>> {
    let mut work = Work::begin(recipe, folders, destination, listen)?;
    match work.train(None, listen)? {
        Outcome::Finished(results) => work.complete(results).map(Outcome::Finished),
        Outcome::Interrupted => Ok(Outcome::Interrupted),
    }
}

/// That the model from which the training starts is not in what it replaces: later seeds would not find it.
pub(super) fn check_start(recipe: &Recipe, destination: &Destination) -> Result<()> {
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
/// As [`RunDirectory::open`], [`Recipe::load`], [`Trainer::new`], [`Trainer::resume`] and [`Trainer::run`];
/// [`Error::Malformed`] for a cell of a sweep that diverged.
pub fn resume(path: &Path, folders: &Folders, threads: Option<usize>, listen: &mut Listener) -> Result<Outcome<Summary>> {
    let mut work = Work::again(path, folders, threads)?;
    if let Some(summary) = work.directory.summary()? {
        return Ok(Outcome::Finished(summary));
    }
    refuse_diverged(path, "it would diverge again; what is left of the sweep is trained by `dualprop sweep --resume`")?;
    match work.train(None, listen)? {
        Outcome::Finished(results) => work.complete(results).map(Outcome::Finished),
        Outcome::Interrupted => Ok(Outcome::Interrupted),
    }
}

/// Where a cell of a sweep is trained.
pub(super) enum Place<'a> {
    /// In a folder that is made.
    New(&'a Destination),
    /// In the folder of the run, which exists.
    Old(&'a Path),
}

/// [`run`] or [`resume`] for a cell of a sweep: a seed that diverges is noted in the folder of the run, and those after it are
/// trained all the same. Only a run of which none diverged gets a summary. Whether it was interrupted.
///
/// # Errors
/// As [`run`] and [`resume`], but for [`Error::Diverged`].
pub(super) fn run_cell(recipe: &Recipe, folders: &Folders, place: Place, listen: &mut Listener) -> Result<Outcome<()>> {
    let mut work = match place {
        Place::New(destination) => Work::begin(recipe, folders, destination, listen)?,
        Place::Old(path) => Work::again(path, folders, Some(recipe.params().training.threads))?,
    };
    if work.directory.summary()?.is_some() {
        return Ok(Outcome::Finished(()));
    }
    let mut diverged = Divergences::load(work.directory.path())?;
    let Outcome::Finished(results) = work.train(Some(&mut diverged), listen)? else { return Ok(Outcome::Interrupted) };
    if diverged.is_empty() {
        work.complete(results)?;
    }
    Ok(Outcome::Finished(()))
}

/// What came out of a seed that has a folder of its own, if it is complete.
///
/// # Errors
/// [`Error::Read`] and [`Error::Malformed`] for a file that is no result of this seed.
pub(super) fn result_of_seed(folder: &Path, seed: u64) -> Result<Option<SeedResult>> {
    let path = folder.join(SUMMARY);
    let Some(Summary { mut results, .. }) = read_json(&path, "no summary of a run")? else { return Ok(None) };
    match (results.pop(), results.is_empty()) {
        (Some(result), true) if result.seed == seed => Ok(Some(result)),
        _ => {
            let problem = format!("it is not that of seed {seed}; remove it, and the seed is trained again");
            Err(Error::malformed(path, problem))
        }
    }
}

/// A run that is at work.
struct Work<'a> {
    recipe: Recipe,
    folders: &'a Folders,
    directory: RunDirectory,
    pool: Pool,
    /// The first seed's trainer, if there is one already.
    first: Option<Trainer>,
    began: Instant,
}

impl<'a> Work<'a> {
    /// In a new folder.
    fn begin(recipe: &Recipe, folders: &'a Folders, destination: &Destination, listen: &mut Listener) -> Result<Self> {
        let pool = recipe.pool()?;
        // What cannot be trained leaves no folder.
        let first = new(recipe, folders, recipe.params().seeds[0], &pool, true)?;
        check_start(recipe, destination)?;
        let directory = RunDirectory::create(destination, recipe.params(), pool.threads())?;
        for warning in recipe.warnings() {
            // A warning stops nothing.
            let _ = listen(Event::Warning(warning));
        }
        Ok(Work { recipe: recipe.clone(), folders, directory, pool, first: Some(first), began: Instant::now() })
    }

    /// In the folder where it was before.
    fn again(path: &Path, folders: &'a Folders, threads: Option<usize>) -> Result<Self> {
        let directory = RunDirectory::open(path)?;
        let overrides: Vec<String> = threads.map(|threads| format!("training.threads={threads}")).into_iter().collect();
        let recipe = Recipe::load_file(&directory.recipe(), &overrides)?;
        let pool = recipe.pool()?;
        Ok(Work { recipe, folders, directory, pool, first: None, began: Instant::now() })
    }

    /// Trains what is left of every seed: the results, in order. With `diverged` a seed that diverges is put there, and none that is
    /// there already is trained; without it, one that diverges is an error.
    fn train(&mut self, mut diverged: Option<&mut Divergences>, listen: &mut Listener) -> Result<Outcome<Vec<SeedResult>>> {
        let Work { recipe, folders, directory, pool, first, .. } = self;
        let params = recipe.params();
        let mut results: Vec<SeedResult> = vec![];
        for &seed in &params.seeds {
            if diverged.as_ref().is_some_and(|diverged| diverged.of(seed).is_some()) {
                continue;
            }
            let of_seed = match params.seeds.len() {
                1 => None,
                _ => Some(directory.seed(seed, params, pool.threads())?),
            };
            if let Some(result) = of_seed.as_ref().map(|folder| result_of_seed(folder.path(), seed)).transpose()?.flatten() {
                results.push(result);
                continue;
            }
            let (place, started) = (of_seed.as_ref().unwrap_or(&*directory), Instant::now());
            let start = !place.last_checkpoint().exists();
            let mut trainer = first.take().map_or_else(|| new(recipe, folders, seed, pool, start), Ok)?;
            trainer.resume(place)?;
            let done = match (trainer.run(place, listen), diverged.as_deref_mut()) {
                // To find out where trainings die is what sweeps are for.
                (Err(Error::Diverged { quantity, step, .. }), Some(diverged)) => {
                    // A clause within the sentence of the error may end it.
                    let quantity = quantity.trim_end_matches(',').into();
                    diverged.note(Divergence { seed, step, quantity })?;
                    continue;
                }
                (done, _) => done?,
            };
            let Outcome::Finished(result) = done else { return Ok(Outcome::Interrupted) };
            if let Some(mut of_seed) = of_seed {
                let place = of_seed.path().display().to_string();
                of_seed.complete(&Summary::of(&params.name, vec![result.clone()], place, started.elapsed().as_secs_f64()))?;
            }
            results.push(result);
        }
        Ok(Outcome::Finished(results))
    }

    /// Writes the summary.
    fn complete(mut self, results: Vec<SeedResult>) -> Result<Summary> {
        let place = self.directory.path().display().to_string();
        let summary = Summary::of(&self.recipe.params().name, results, place, self.began.elapsed().as_secs_f64());
        self.directory.complete(&summary)?;
        Ok(summary)
    }
}

/// A trainer; what does not fit is told with the line of the recipe.
fn new(recipe: &Recipe, folders: &Folders, seed: u64, pool: &Pool, start: bool) -> Result<Trainer> {
    Trainer::prepare(recipe, folders, seed, pool, start).map_err(|error| recipe.locate(error))
}
