//! What is made of a run's metrics for other programs, while it trains: `events.out.tfevents.dualprop` for TensorBoard, and
//! `metrics.csv`. Whatever is in them comes from `metrics.jsonl`; they are never read here.

mod events;
mod record;
mod table;
#[cfg(test)]
pub(super) mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::{Result, file};

use super::run_directory::{EVENTS, METRICS, RECIPE, TABLE};
use super::{Event, Listener, MetricsLog, Recipe, RunDirectory, folder_of_seed};
use events::Written;

/// Which files are made of a run's metrics, in the folder of each seed.
#[derive(Debug, Clone, Default)]
pub struct Exports {
    /// `events.out.tfevents.dualprop`, which TensorBoard reads.
    pub tensorboard: bool,
    /// `metrics.csv`, a row for each epoch.
    pub metrics_csv: bool,
    /// The folders of the seeds whose files are up to date, or kept so.
    followed: Vec<PathBuf>,
    events: Written,
}

impl Exports {
    /// The files that are asked for.
    pub fn new(tensorboard: bool, metrics_csv: bool) -> Self {
        Exports { tensorboard, metrics_csv, ..Exports::default() }
    }

    /// Lends `train` a listener that passes on to `listen` what it hears, and keeps the files: made anew when a seed begins or goes
    /// on, so that nothing of a training that was killed stays in them, and brought up to date after each epoch. A file that cannot
    /// be written ends the training after the present batch, with a checkpoint.
    ///
    /// # Errors
    /// [`crate::Error::Write`] with the file; else as `train`.
    pub fn during<T>(&mut self, listen: &mut Listener, train: impl FnOnce(&mut Listener) -> Result<T>) -> Result<T> {
        let mut failed = None;
        let done = train(&mut |event| {
            if failed.is_none() {
                failed = self.hear(&event).err();
            }
            let flow = listen(event);
            if failed.is_some() { ControlFlow::Break(()) } else { flow }
        });
        // It came first, and may be why the training failed as well.
        failed.map_or(done, Err)
    }

    /// Makes the files of the seeds of a run that [`Exports::during`] has not seen, since they were trained before.
    ///
    /// # Errors
    /// As [`RunDirectory::open`] and [`MetricsLog::load`]; [`crate::Error::Write`].
    pub fn complete(&mut self, run: &Path) -> Result<()> {
        if self.are_none() {
            return Ok(());
        }
        let directory = RunDirectory::open(run)?;
        let seeds = Recipe::load_file(&directory.recipe(), &[])?.params().seeds.clone();
        for &seed in &seeds {
            let folder = folder_of_seed(run, &seeds, seed);
            // One that has not begun has nothing to be exported.
            if self.followed.contains(&folder) || !folder.join(RECIPE).is_file() {
                continue;
            }
            // Held while it is written to; of a single seed the folder is that of the run, which is held already.
            let _held = (folder != run).then(|| RunDirectory::open(&folder)).transpose()?;
            self.begin(&folder)?;
        }
        Ok(())
    }

    fn are_none(&self) -> bool {
        !self.tensorboard && !self.metrics_csv
    }

    fn hear(&mut self, event: &Event) -> Result<()> {
        match event {
            _ if self.are_none() => Ok(()),
            Event::Started { directory, .. } => self.begin(directory),
            Event::Epoch(_) => match self.followed.last().cloned() {
                Some(folder) => self.go_on(&folder),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Makes the files of a seed anew, each whole or not at all.
    fn begin(&mut self, folder: &Path) -> Result<()> {
        self.followed.push(folder.into());
        let log = metrics(folder)?;
        if self.tensorboard {
            let before: f64 = log.epochs.iter().map(|epoch| epoch.seconds).sum();
            self.events = Written::beginning(now() - before);
            file::write_atomic(&folder.join(EVENTS), &self.events.rest(&log))?;
        }
        self.write_table(folder, &log)
    }

    /// Brings the files of a seed up to date.
    fn go_on(&mut self, folder: &Path) -> Result<()> {
        let log = metrics(folder)?;
        if self.tensorboard {
            file::append(&folder.join(EVENTS), &self.events.rest(&log))?;
        }
        self.write_table(folder, &log)
    }

    fn write_table(&self, folder: &Path, log: &MetricsLog) -> Result<()> {
        if self.metrics_csv { table::write(&folder.join(TABLE), &log.epochs) } else { Ok(()) }
    }
}

/// What a seed has measured so far; nothing before its first line.
fn metrics(folder: &Path) -> Result<MetricsLog> {
    let path = folder.join(METRICS);
    if path.exists() { MetricsLog::load(&path) } else { Ok(MetricsLog::default()) }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
