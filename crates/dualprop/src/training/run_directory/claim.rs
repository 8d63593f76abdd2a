//! How a run gets a folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::base::{Error, Result, file};

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

/// `root/name`, which must be new; with `force` an earlier run of that name is put aside, and where it is comes second.
pub(super) fn claim(root: &Path, name: &str, force: bool) -> Result<(PathBuf, Option<PathBuf>)> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) || name.contains(char::is_control) {
        return Err(Error::setting("--name", format!("{name:?}"), "expected a plain folder name"));
    }
    file::create_folder(root)?;
    let path = root.join(name);
    if file::claim_folder(&path)? || is_abandoned(&path) {
        return Ok((path, None));
    }
    if !force {
        return Err(Error::Exists { path });
    }
    check_is_run(&path)?;
    // Nobody may be at work in it, nor in the folder of a seed; held until it has its new name.
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
fn is_abandoned(path: &Path) -> bool {
    let harmless = |name: &str| [ENVIRONMENT, LOCK].contains(&name) || file::is_unfinished(name);
    let names = fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<std::io::Result<Vec<_>>>());
    names.is_ok_and(|names| names.iter().all(|name| harmless(&name.to_string_lossy())))
}

/// The locks of a run and of its seeds.
fn hold(path: &Path) -> Result<Vec<File>> {
    let mut held = vec![lock(path)?];
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for entry in entries.map_err(|source| Error::Read { path: path.into(), source })? {
        if entry.path().is_dir() && entry.file_name() != CHECKPOINTS {
            held.push(lock(&entry.path())?);
        }
    }
    Ok(held)
}

/// That a folder holds a run and nothing else, since all of it would be removed.
fn check_is_run(path: &Path) -> Result<()> {
    let refuse = |problem: String| Err(Error::malformed(path, problem + "; --force replaces nothing but runs"));
    if !path.join(RECIPE).is_file() {
        return refuse("it has no recipe.toml".into());
    }
    refuse_links(path)?;
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for entry in entries.map_err(|source| Error::Read { path: path.into(), source })? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_seed = name.strip_prefix("seed-").is_some_and(|seed| seed.parse::<u64>().is_ok());
        if is_seed {
            // What it leads to would be locked, and is not part of what is replaced.
            refuse_link(&entry.path())?;
        }
        if is_seed && entry.path().is_dir() {
            check_is_run(&entry.path())?;
        } else if name == CHECKPOINTS && entry.path().is_dir() {
            // Whatever it holds was put there by a training.
        } else if !FILES.contains(&name.as_str()) && !file::is_unfinished(&name) {
            return refuse(format!("`{name}` in it is no part of a run"));
        }
    }
    Ok(())
}
