//! The folder of a sweep: `sweep.json`, the table of results, and a run directory for each cell.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::base::{Error, Result, file};
use crate::training::Destination;
use crate::training::report_folder::{self, REPORT};
use crate::training::run::check_start;
use crate::training::run_directory::{LOCK, RECIPE, claim_for, hold_run, is_abandoned, refuse_link, try_locks};

use super::description::{SWEEP, flaw};
use super::results::RESULTS;
use super::{Description, Sweep};

/// `runs/NAME/` of a sweep, held by this process alone.
#[derive(Debug)]
pub struct SweepDirectory {
    pub(super) path: PathBuf,
    pub(super) sweep: Sweep,
    /// What had this name, put aside until this sweep is complete.
    pub(super) replaced: Mutex<Option<PathBuf>>,
    /// Locked for as long as it is open.
    _lock: File,
}

impl SweepDirectory {
    /// Makes the folder of a new sweep and writes down what it is. Without a name in `destination` it is the recipe's with
    /// `-sweep` behind it, or that of the experiment with `reproduce-` before it. With `force` a sweep or a run of that name is put aside, and removed once this sweep is complete.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the name is taken and not to be replaced, or belongs to what is neither a sweep nor a run;
    /// [`Error::Setting`] for a name that is no plain folder name, and for a cell that starts from a model in what is replaced;
    /// [`Error::Busy`] if somebody is at work there; [`Error::Write`].
    pub fn create(destination: &Destination, sweep: Sweep) -> Result<Self> {
        for cell in sweep.cells() {
            check_start(&cell.recipe, destination).map_err(|error| sweep.in_cell(cell, error))?;
        }
        let taken = |path: PathBuf| {
            let problem =
                "it exists already; choose another --name, go on with a sweep by --resume, or give --force to replace it";
            Error::malformed(path, problem)
        };
        let (path, replaced) = claim_for(destination, &sweep.folder_name(), hold).map_err(|error| match error {
            Error::Exists { path } => taken(path),
            other => other,
        })?;
        let directory = Self::held(path, sweep, replaced)?;
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
        Self::held(path.into(), Sweep::load(path)?, None)
    }

    /// A folder that exists, locked and without what was never finished.
    fn held(path: PathBuf, sweep: Sweep, replaced: Option<PathBuf>) -> Result<Self> {
        let lock = lock(&path)?;
        file::remove_unfinished(&path);
        Ok(SweepDirectory { path, sweep, replaced: Mutex::new(replaced), _lock: lock })
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

impl Sweep {
    /// The sweep in this folder.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        Sweep::of(Description::load(folder)?).map_err(|error| flaw(folder, &error.to_string()))
    }
}

/// Locks the folder of a sweep.
fn lock(folder: &Path) -> Result<File> {
    // As in a run directory: nothing outside the folder is written through what is in it.
    [SWEEP, LOCK].iter().chain(&RESULTS).try_for_each(|name| refuse_link(&folder.join(name)))?;
    file::lock(&folder.join(LOCK), folder)
}

/// The locks of what a sweep may replace: a run, or a sweep and nothing else, since all of it would be removed. Nobody may be at work
/// in a cell of it.
fn hold(path: &Path) -> Result<Vec<File>> {
    if path.join(RECIPE).is_file() {
        return hold_run(path);
    }
    let refuse = |problem: String| Err(Error::malformed(path, problem + "; --force replaces nothing but sweeps and runs"));
    if !path.join(SWEEP).is_file() {
        return refuse(format!("it has no {SWEEP} and no {RECIPE}"));
    }
    let cells = Description::load(path)?.names()?;
    let lock = lock(path)?;
    for entry in file::entries(path)? {
        let (entry, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if cells.contains(&name) {
            refuse_link(&entry)?;
            // Where a kill came first it has no recipe.
            if !is_abandoned(&entry) {
                try_locks(&entry)?;
            }
        } else if name == REPORT {
            refuse_link(&entry)?;
            report_folder::check(&entry)?;
        } else if ![SWEEP, LOCK].iter().chain(&RESULTS).any(|file| *file == name) && !file::is_unfinished(&name) {
            return refuse(format!("`{name}` in it is no part of its sweep"));
        }
    }
    Ok(vec![lock])
}
