//! What a report is about, as it is found on the disk: runs, sweeps and experiments, and tables of measurements.

mod rows;
mod run;
mod sweep;

use std::path::Path;

use crate::base::{Error, Result};

pub(super) use rows::{AttackedRow, Rows};
pub(super) use run::Run;
pub(super) use sweep::{SweptRun, SweptRuns, described, method};

/// One of the things that a report may be about.
pub(super) enum Subject {
    /// A run directory.
    Run(Box<Run>),
    /// The folder of a sweep or an experiment.
    Sweep(Box<SweptRuns>),
    /// A table that a measuring command has written.
    Rows(Rows),
}

impl Subject {
    /// What stands at this path.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is none of them; as each of them is read.
    pub(super) fn load(path: &Path) -> Result<Self> {
        if path.join("recipe.toml").is_file() {
            return Run::load(path).map(|run| Subject::Run(Box::new(run)));
        }
        if path.join("sweep.json").is_file() {
            return SweptRuns::load(path).map(|sweep| Subject::Sweep(Box::new(sweep)));
        }
        if path.is_dir() || !path.exists() {
            let problem = "expected a run directory (with a recipe.toml), the folder of a sweep (with a sweep.json), or a table of \
                           `dualprop stability`, `robustness` or `alignment` (.csv or .jsonl)";
            return Err(Error::malformed(path, problem));
        }
        Rows::load(path).map(Subject::Rows)
    }

    /// The run, if it is one.
    pub(super) fn run(&self) -> Option<&Run> {
        match self {
            Subject::Run(run) => Some(run),
            Subject::Sweep(_) | Subject::Rows(_) => None,
        }
    }

    /// The name of its folder.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Subject::Run(run) => Some(&run.name),
            Subject::Sweep(sweep) => Some(&sweep.name),
            Subject::Rows(_) => None,
        }
    }
}

/// The name of a folder, also of one that was called `.`
fn folder_name(path: &Path) -> Option<String> {
    Some(path.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned())
}
