//! The folder of a run: a run explains itself, and is never overwritten by accident.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::{Error, Result, file};
use crate::network::Model;

use super::{EpochMetrics, RecipeParams, Summary};

/// The file that marks a folder as a run's.
const RECIPE: &str = "recipe.toml";

/// All files of a run; several seeds have a folder each with the same.
const FILES: [&str; 4] = [RECIPE, "metrics.jsonl", "model.safetensors", "summary.json"];

/// Where a run's folder is to be.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The folder that holds the run directories; made if it does not exist.
    pub root: PathBuf,
    /// The run's name; none: a free one is made from the recipe's.
    pub name: Option<String>,
    /// Whether an earlier run of that name is replaced.
    pub force: bool,
}

impl Destination {
    /// A new folder below `root`, under a name that is still free.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Destination { root: root.into(), name: None, force: false }
    }
}

/// `runs/NAME/` with `recipe.toml`, `metrics.jsonl`, `model.safetensors` and `summary.json`.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// The earlier run of this name, put aside until this one is complete.
    replaced: Option<PathBuf>,
}

impl RunDirectory {
    /// Makes the folder that `destination` asks for.
    ///
    /// # Errors
    /// [`Error::Exists`] if the name is given, taken, and not to be replaced, or belongs to something that is no run;
    /// [`Error::Setting`] for a name that is no plain folder name; [`Error::Write`] if it cannot be made.
    pub fn create(destination: &Destination, params: &RecipeParams) -> Result<Self> {
        let root = &destination.root;
        if root.exists() && !root.is_dir() {
            return Err(Error::malformed(root, "it is a file; expected a folder that can hold run directories"));
        }
        let (path, replaced) = match &destination.name {
            Some(name) => claim(root, name, destination.force)?,
            None => (claim_next(root, &params.name)?, None),
        };
        RunDirectory::open(path, replaced, params)
    }

    /// The folder of one seed within this one.
    ///
    /// # Errors
    /// [`Error::Write`] if it cannot be made.
    pub fn seed(&self, seed: u64, params: &RecipeParams) -> Result<Self> {
        let path = self.path.join(format!("seed-{seed}"));
        file::create_folder(&path)?;
        RunDirectory::open(path, None, &RecipeParams { seeds: vec![seed], ..params.clone() })
    }

    fn open(path: PathBuf, replaced: Option<PathBuf>, params: &RecipeParams) -> Result<Self> {
        file::write_atomic(&path.join(RECIPE), params.to_toml()?.as_bytes())?;
        Ok(RunDirectory { path, replaced })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn append(&self, metrics: &EpochMetrics) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let line = json(&path, metrics)? + "\n";
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|source| Error::Write { path, source })
    }

    /// Writes `model.safetensors`.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn save_model(&self, model: &Model) -> Result<()> {
        model.save(&self.path.join("model.safetensors"))
    }

    /// Writes `summary.json`, with which the run is complete; only now is an earlier run that it replaces removed.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn complete(&mut self, summary: &Summary) -> Result<()> {
        let path = self.path.join("summary.json");
        file::write_atomic(&path, (json(&path, summary)? + "\n").as_bytes())?;
        match self.replaced.take() {
            Some(path) => fs::remove_dir_all(&path).map_err(|source| Error::Write { path, source }),
            None => Ok(()),
        }
    }
}

/// `root/name`, or where that exists `name-2`, `name-3` …
fn claim_next(root: &Path, name: &str) -> Result<PathBuf> {
    file::create_folder(root)?;
    let mut path = root.join(name);
    let mut number = 1u64;
    // Creating the folder is what claims the name, so that two processes never share one.
    while !claimed(&path)? {
        number += 1;
        path = root.join(format!("{name}-{number}"));
    }
    Ok(path)
}

/// `root/name`, which must be new; with `force` an earlier run of that name is put aside, and where it is comes second.
fn claim(root: &Path, name: &str, force: bool) -> Result<(PathBuf, Option<PathBuf>)> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) || name.contains(char::is_control) {
        return Err(Error::setting("--name", format!("{name:?}"), "expected a plain folder name"));
    }
    file::create_folder(root)?;
    let path = root.join(name);
    if claimed(&path)? {
        return Ok((path, None));
    }
    if !force {
        return Err(Error::Exists { path });
    }
    check_is_run(&path)?;
    let aside = claim_next(root, &format!("{name}.replaced"))?;
    // A folder may be renamed onto an empty one, which is what claims the name.
    let moved = fs::rename(&path, &aside).and_then(|()| fs::create_dir(&path));
    moved.map_err(|source| Error::Write { path: path.clone(), source })?;
    Ok((path, Some(aside)))
}

/// That a folder holds a run and nothing else, since all of it would be removed.
fn check_is_run(path: &Path) -> Result<()> {
    let refuse = |problem: String| Err(Error::malformed(path, problem + "; --force replaces nothing but runs"));
    if !path.join(RECIPE).is_file() {
        return refuse("it has no recipe.toml".into());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for entry in entries.map_err(|source| Error::Read { path: path.into(), source })? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_seed = name.strip_prefix("seed-").is_some_and(|seed| seed.parse::<u64>().is_ok());
        if is_seed && entry.path().is_dir() {
            check_is_run(&entry.path())?;
        } else if !FILES.contains(&name.as_str()) {
            return refuse(format!("`{name}` in it is no part of a run"));
        }
    }
    Ok(())
}

/// Creates the folder; false if it exists already.
fn claimed(path: &Path) -> Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(Error::Write { path: path.into(), source }),
    }
}

fn json(path: &Path, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Write { path: path.into(), source: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> RecipeParams {
        RecipeParams::load("digits", &[]).unwrap()
    }

    fn create(root: &Path, name: &str, force: bool) -> Result<RunDirectory> {
        RunDirectory::create(&Destination { root: root.into(), name: Some(name.into()), force }, &params())
    }

    #[test]
    fn a_second_run_takes_the_next_name_and_an_explicit_name_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let destination = Destination::below(root.path());
        let next = || RunDirectory::create(&destination, &params()).unwrap().path().to_path_buf();
        assert_eq!([next(), next(), next()].map(|path| path.file_name().unwrap().to_owned()), ["digits", "digits-2", "digits-3"]);
        let explicit = |force| create(root.path(), "digits-2", force);
        fs::write(root.path().join("digits-2/model.safetensors"), "old").unwrap();
        assert!(matches!(explicit(false), Err(Error::Exists { .. })));
        let model = |name: &str| fs::read_to_string(root.path().join(name).join("model.safetensors"));
        assert_eq!(model("digits-2").unwrap(), "old");
        let mut replacing = explicit(true).unwrap();
        assert!(model("digits-2").is_err());
        assert_eq!(model("digits-2.replaced").unwrap(), "old", "the old run is kept until the new one is complete");
        replacing.complete(&summary()).unwrap();
        assert!(!root.path().join("digits-2.replaced").exists());
        explicit(true).unwrap();
    }

    fn summary() -> Summary {
        Summary {
            name: "digits".into(),
            seeds: vec![0],
            test_accuracy: 98.0,
            test_accuracy_std: 0.0,
            validation_accuracy: 97.0,
            seconds: 1.0,
            angles_deg: vec![],
            run_directory: "runs/digits".into(),
        }
    }

    #[test]
    fn force_replaces_nothing_but_runs() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("photos")).unwrap();
        fs::write(root.path().join("photos/cat"), "").unwrap();
        let error = create(root.path(), "photos", true).unwrap_err().to_string();
        assert!(error.contains("it has no recipe.toml"), "{error}");
        fs::write(root.path().join("photos/recipe.toml"), "").unwrap();
        let error = create(root.path(), "photos", true).unwrap_err().to_string();
        assert!(error.contains("`cat` in it is no part of a run"), "{error}");
        assert!(root.path().join("photos/cat").exists());
        for name in ["", "..", "a/b", ".hidden", "a\nb"] {
            assert!(create(root.path(), name, true).is_err(), "{name}");
        }
    }
}
