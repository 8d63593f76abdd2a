//! How a run gets a folder of its own.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::{Error, Result, file};
use crate::training::report_folder::{self, REPORT};

use super::{CHECKPOINTS, ENVIRONMENT, FILES, LOCK, RECIPE, lock, refuse_link, refuse_links};

/// `root/name`, or where that exists `name-2`, `name-3` …
pub(super) fn claim_next(root: &Path, name: &str) -> Result<PathBuf> {
    file::create_folder(root)?;
    let mut path = root.join(name);
    let mut number = 1u64;
    // Creating the folder is what claims the name, so that two processes never share one.
    while !file::claim_folder(&path)? {
        number += 1;
        path = root.join(format!("{name}-{number}"));
    }
    Ok(path)
}

/// `root/name`, which must be new; with `hold`, which locks what may be replaced and refuses anything else, what has that name is
/// put aside, and where it is comes second.
pub(super) fn claim(
    root: &Path,
    name: &str,
    hold: Option<impl FnOnce(&Path) -> Result<Vec<File>>>,
) -> Result<(PathBuf, Option<PathBuf>)> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) || name.contains(char::is_control) {
        return Err(Error::setting("--name", format!("{name:?}"), "expected a plain folder name"));
    }
    file::create_folder(root)?;
    let path = root.join(name);
    if file::claim_folder(&path)? || is_abandoned(&path) {
        return Ok((path, None));
    }
    let Some(hold) = hold else { return Err(Error::Exists { path }) };
    // Nobody may be at work in it; held until it has its new name.
    let _held = hold(&path)?;
    let aside = claim_next(root, &format!("{name}.replaced"))?;
    // A folder may be renamed onto an empty one, which is what claims the name.
    file::rename(&path, &aside)?;
    match file::claim_folder(&path)? {
        true => Ok((path, Some(aside))),
        false => Err(Error::Exists { path }),
    }
}

/// Whether a folder is empty, or what a process left that was killed before it had written what its run is: nothing is lost in
/// it.
pub(in crate::training) fn is_abandoned(path: &Path) -> bool {
    let harmless = |name: &str| [ENVIRONMENT, LOCK].contains(&name) || file::is_unfinished(name);
    file::entries(path).is_ok_and(|entries| entries.iter().all(|entry| harmless(&entry.file_name().to_string_lossy())))
}

/// The locks of a run and of its seeds, of a folder that is a run and nothing else.
pub(in crate::training) fn hold_run(path: &Path) -> Result<Vec<File>> {
    check_is_run(path)?;
    let mut held = vec![lock(path)?];
    for folder in folders_of_seeds(path)? {
        held.push(lock(&folder)?);
    }
    Ok(held)
}

/// That a folder is a run and nothing else, and nobody is at work in it or in one of its seeds: each lock is taken and let go, since
/// thousands of runs would take more files than a process may have open.
pub(in crate::training) fn try_locks(path: &Path) -> Result<()> {
    check_is_run(path)?;
    lock(path)?;
    folders_of_seeds(path)?.iter().try_for_each(|folder| lock(folder).map(drop))
}

fn folders_of_seeds(run: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![];
    for entry in file::entries(run)? {
        if entry.path().is_dir() && entry.file_name() != CHECKPOINTS && entry.file_name() != REPORT {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// That a folder holds a run and nothing else, since all of it would be removed.
fn check_is_run(path: &Path) -> Result<()> {
    let refuse = |problem: String| Err(Error::malformed(path, problem + "; --force replaces nothing but runs"));
    if !path.join(RECIPE).is_file() {
        return refuse("it has no recipe.toml".into());
    }
    refuse_links(path)?;
    for entry in file::entries(path)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_seed = name.strip_prefix("seed-").is_some_and(|seed| seed.parse::<u64>().is_ok());
        if is_seed {
            // What it leads to would be locked, and is not part of what is replaced.
            refuse_link(&entry.path())?;
        }
        if is_seed && is_abandoned(&entry.path()) {
            // A kill came before it had a recipe.
        } else if is_seed && entry.path().is_dir() {
            check_is_run(&entry.path())?;
        } else if name == CHECKPOINTS && entry.path().is_dir() {
            // Whatever it holds was put there by a training.
        } else if name == REPORT {
            refuse_link(&entry.path())?;
            report_folder::check(&entry.path())?;
        } else if !FILES.contains(&name.as_str()) && !file::is_unfinished(&name) {
            return refuse(format!("`{name}` in it is no part of a run"));
        }
    }
    Ok(())
}
