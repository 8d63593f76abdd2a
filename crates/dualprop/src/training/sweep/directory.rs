//! The folder of a sweep: `sweep.json`, the table of results, and a run directory for each cell.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::{Error, Result, file};
use crate::training::Destination;
use crate::training::run_directory::{LOCK, claim_for, refuse_link};

use super::results::RESULTS;
use super::{Description, Sweep};

/// The file that marks a folder as a sweep's.
pub(super) const SWEEP: &str = "sweep.json";

/// The largest description that is read; a real one has some kilobytes.
const MOST_BYTES: u64 = 1 << 24;

/// `runs/NAME/` of a sweep, held by this process alone.
#[derive(Debug)]
pub struct SweepDirectory {
    pub(super) path: PathBuf,
    pub(super) sweep: Sweep,
    /// Locked for as long as it is open.
    _lock: File,
}

impl SweepDirectory {
    /// Makes the folder of a new sweep and writes down what it is. Without a name in `destination` it is the recipe's, with
    /// `-sweep` behind it. A sweep never replaces anything: `force` is not looked at.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the name is taken; [`Error::Setting`] for a name that is no plain folder name; [`Error::Busy`];
    /// [`Error::Write`].
    pub fn create(destination: &Destination, sweep: Sweep) -> Result<Self> {
        let destination = Destination { force: false, ..destination.clone() };
        let taken =
            |path: PathBuf| Error::malformed(path, "it exists already; choose another --name, or go on with a sweep by --resume");
        let (path, _) = claim_for(&destination, &format!("{}-sweep", sweep.name)).map_err(|error| match error {
            Error::Exists { path } => taken(path),
            other => other,
        })?;
        let directory = Self::held(path, sweep)?;
        let path = directory.path.join(SWEEP);
        if path.exists() {
            // Another process was faster.
            return Err(taken(directory.path));
        }
        let text = serde_json::to_string_pretty(&directory.sweep.description);
        let text = text.map_err(|error| Error::Write { path: path.clone(), source: error.into() })?;
        file::write_atomic(&path, (text + "\n").as_bytes())?;
        Ok(directory)
    }

    /// The folder of an earlier sweep.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is no sweep, its description is damaged, or something in it is a link; [`Error::Busy`] if
    /// another process is at work in it; as [`Sweep::new`].
    pub fn open(path: &Path) -> Result<Self> {
        let description = path.join(SWEEP);
        if !description.is_file() {
            return Err(Error::malformed(path, format!("it is no sweep: it has no {SWEEP}")));
        }
        let flaw = |problem: String| Error::malformed(&description, format!("no description of a sweep: {problem}"));
        let read: Description =
            serde_json::from_str(&file::read_text(&description, MOST_BYTES)?).map_err(|error| flaw(error.to_string()))?;
        if read.format != 1 {
            return Err(flaw(format!("its format is {}, expected 1; a newer version wrote it", read.format)));
        }
        let sweep = Sweep::of(read).map_err(|error| flaw(error.to_string()))?;
        Self::held(path.into(), sweep)
    }

    /// A folder that exists, locked and without what was never finished.
    fn held(path: PathBuf, sweep: Sweep) -> Result<Self> {
        // As in a run directory: nothing outside the folder is written through what is in it.
        [SWEEP, LOCK].iter().chain(&RESULTS).try_for_each(|name| refuse_link(&path.join(name)))?;
        let lock = file::lock(&path.join(LOCK), &path)?;
        file::remove_unfinished(&path);
        Ok(SweepDirectory { path, sweep, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is swept over.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }
}
