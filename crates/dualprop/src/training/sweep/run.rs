//! The cells of a sweep, trained side by side.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::{Error, Result, file};
use crate::data::Folders;
use crate::training::run::{Place, run_cell};
use crate::training::run_directory::{RECIPE, refuse_link};
use crate::training::{Destination, Event, Outcome, Recipe};

use super::description::SWEEP;
use super::memory::Jobs;
use super::{Cell, CellOutcome, SweepDirectory, results};

/// How much is done at the same time; it never changes a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// Cells that are trained side by side; 0: as many as there are cores for, each with its threads, and as fit into memory.
    pub jobs: usize,
    /// Threads of each; 0: one per core.
    pub threads: usize,
}

/// The most cells that are trained side by side.
const MOST_JOBS: usize = 1024;

/// What a listener of a sweep hears, from the thread of the cell.
#[derive(Debug)]
pub enum SweepEvent<'a> {
    /// There are cores for more cells side by side than fit into memory. Nothing has begun yet.
    FewerJobs {
        /// How many are trained side by side.
        jobs: usize,
        /// How many there are cores for.
        cores: usize,
        /// Bytes that so many would need.
        needed: u64,
        /// Bytes that there are.
        available: u64,
    },
    /// A cell begins, or goes on.
    Begins(&'a Cell),
    /// A cell's training has something to tell.
    Training(&'a Cell, Event<'a>),
    /// A cell is over.
    Ended {
        /// The cell.
        cell: &'a Cell,
        /// What came out of it.
        outcome: &'a CellOutcome,
        /// How many cells are over by now.
        done: usize,
    },
}

/// Who hears the events, from several threads at once; `Break` ends every training after its present batch, with a checkpoint.
pub type SweepListener<'a> = dyn Fn(SweepEvent) -> ControlFlow<()> + Sync + 'a;

/// What the threads of a sweep share.
struct Shared<'a> {
    folders: &'a Folders,
    threads: usize,
    listen: &'a SweepListener<'a>,
    /// The cells that were not over when the sweep began, and which of them is next.
    left: Vec<usize>,
    next: AtomicUsize,
    stop: AtomicBool,
    outcomes: Mutex<Vec<Option<CellOutcome>>>,
    /// The first error.
    error: Mutex<Option<Error>>,
}

impl SweepDirectory {
    /// Trains every cell that is not over, goes on with those that were interrupted, and keeps the table of results up to date.
    /// A seed that diverges is one of the results; any other error ends the cells at work after their present batch, with
    /// checkpoints. Called again, it goes on to the same bits. Once all is over, what this sweep replaces is removed.
    ///
    /// # Errors
    /// As [`crate::training::run()`] and [`crate::training::resume`], with the cell; [`Error::Malformed`] for a result or a recipe
    /// of a cell that is not the sweep's; [`Error::Setting`] for too many jobs, or more than fit into memory; [`Error::Threads`].
    pub fn run(&self, folders: &Folders, workers: Workers, listen: &SweepListener) -> Result<Outcome<Vec<CellOutcome>>> {
        let cells = self.sweep.cells();
        let outcomes = cells.iter().map(|cell| self.outcome(cell)).collect::<Result<Vec<_>>>()?;
        // A process that was killed may have lost the last rows.
        results::write(&self.path, &self.sweep, &outcomes)?;
        let left: Vec<usize> = (0..cells.len()).filter(|&index| outcomes[index].is_none()).collect();
        let jobs = self.jobs(workers, &left, folders, listen)?;
        let (next, stop, error) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        let outcomes = Mutex::new(outcomes);
        let shared = Shared { folders, threads: workers.threads, listen, left, next, stop, outcomes, error };
        std::thread::scope(|scope| {
            for _ in 1..jobs {
                if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, || self.work(&shared)) {
                    shared.fail(Error::Threads { threads: jobs, problem: error.to_string() });
                }
            }
            self.work(&shared);
        });
        if let Some(error) = shared.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let outcomes: Option<Vec<CellOutcome>> =
            shared.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect();
        let Some(outcomes) = outcomes else { return Ok(Outcome::Interrupted) };
        if let Some(path) = locked(&self.replaced).take() {
            std::fs::remove_dir_all(&path).map_err(|source| Error::Write { path, source })?;
        }
        Ok(Outcome::Finished(outcomes))
    }

    /// How many of these cells are trained side by side.
    fn jobs(&self, workers: Workers, left: &[usize], folders: &Folders, listen: &SweepListener) -> Result<usize> {
        let count = workers.count()?.min(left.len());
        if count <= 1 {
            // A training by itself finds out whether it fits when it begins.
            return Ok(count);
        }
        let Jobs { count, lowered } = self.sweep.jobs(workers, left, folders)?;
        if let Some((cores, [needed, available])) = lowered {
            // Nothing has begun that could be stopped.
            let _ = listen(SweepEvent::FewerJobs { jobs: count, cores, needed, available });
        }
        Ok(count)
    }

    /// Trains one cell after the other, until none is left or something stops it.
    fn work(&self, shared: &Shared) {
        while !shared.stop.load(Ordering::Relaxed) {
            let Some(&index) = shared.left.get(shared.next.fetch_add(1, Ordering::Relaxed)) else { return };
            let cell = &self.sweep.cells()[index];
            match self.train(cell, shared) {
                Ok(Some(outcome)) => {
                    let mut outcomes = locked(&shared.outcomes);
                    outcomes[index] = Some(outcome);
                    if let Err(error) = results::write(&self.path, &self.sweep, &outcomes) {
                        return shared.fail(error);
                    }
                    let done = outcomes.iter().flatten().count();
                    let Some(outcome) = &outcomes[index] else { return };
                    if (shared.listen)(SweepEvent::Ended { cell, outcome, done }).is_break() {
                        shared.stop.store(true, Ordering::Relaxed);
                    }
                }
                Ok(None) => shared.stop.store(true, Ordering::Relaxed),
                Err(error) => return shared.fail(self.sweep.in_cell(cell, error)),
            }
        }
    }

    /// Trains a cell, or what is left of it; none if it was interrupted.
    fn train(&self, cell: &Cell, shared: &Shared) -> Result<Option<CellOutcome>> {
        let folder = self.path.join(&cell.name);
        refuse_link(&folder)?;
        // A folder that has vanished is not made again in its place, without what says what it is.
        file::size(&self.path.join(SWEEP))?;
        if (shared.listen)(SweepEvent::Begins(cell)).is_break() {
            return Ok(None);
        }
        let mut listen = |event: Event| {
            let flow = (shared.listen)(SweepEvent::Training(cell, event));
            if shared.stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { flow }
        };
        let mut params = cell.recipe.params().clone();
        params.training.threads = shared.threads;
        let recipe = params.check()?;
        let destination = Destination { root: self.path.clone(), name: Some(cell.name.clone()), force: false };
        let place = if folder.join(RECIPE).is_file() {
            check_recipe(&folder, cell)?;
            Place::Old(&folder)
        } else {
            Place::New(&destination)
        };
        match run_cell(&recipe, shared.folders, place, &mut listen)? {
            Outcome::Interrupted => return Ok(None),
            Outcome::Finished(()) => {}
        }
        self.outcome(cell)
    }

    fn outcome(&self, cell: &Cell) -> Result<Option<CellOutcome>> {
        CellOutcome::load(&self.path.join(&cell.name), cell)
    }
}

/// That the run in a cell's folder is of the recipe that the sweep has for it.
fn check_recipe(folder: &Path, cell: &Cell) -> Result<()> {
    let path = folder.join(RECIPE);
    refuse_link(&path)?;
    if Recipe::load_file(&path, &["training.threads=1".into()])?.params() == cell.recipe.params() {
        return Ok(());
    }
    let problem = "it is not the recipe that the sweep has for this cell: it or sweep.json has changed since; undo the change, or \
                   remove the cell's folder, and it is trained anew";
    Err(Error::malformed(path, problem))
}

impl Workers {
    /// How many cells are trained side by side, if they fit into memory.
    pub(in crate::training) fn count(self) -> Result<usize> {
        if self.jobs > MOST_JOBS {
            return Err(Error::setting("--jobs", self.jobs, format!("expected 0 (as many as cores allow) to {MOST_JOBS}")));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(match (self.jobs, self.threads) {
            (0, 0) => 1,
            (0, threads) => (cores / threads).max(1),
            (jobs, _) => jobs,
        })
    }
}

impl Shared<'_> {
    /// Keeps the first error and stops everybody.
    fn fail(&self, error: Error) {
        locked(&self.error).get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A thread that panicked has left nothing half-done behind such a lock; its panic goes on by itself.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
