//! The folder of a run: a run explains itself, and is never overwritten by accident.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::{Error, Result, file};
use crate::network::Model;

use super::{EpochMetrics, RecipeParams, Summary};

/// The file that marks a folder as a run's.
const RECIPE: &str = "recipe.toml";

/// Where a run's folder is to be.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The folder that holds the run directories; made if it does not exist.
    pub root: PathBuf,
    /// The run's name; none: a free one is made from the recipe's.
    pub name: Option<String>,
    /// Whether a run of that name is replaced.
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
    metrics: File,
}

impl RunDirectory {
    /// Makes the folder that `destination` asks for.
    ///
    /// # Errors
    /// [`Error::Exists`] if the name is given, taken, and not to be replaced, or belongs to something that is no run;
    /// [`Error::Setting`] for a name that is no plain folder name; [`Error::Write`] if it cannot be made.
    pub fn create(destination: &Destination, params: &RecipeParams) -> Result<Self> {
        let root = &destination.root;
        let path = match &destination.name {
            Some(name) => claim(root, name, destination.force)?,
            None => claim_next(root, &params.name)?,
        };
        RunDirectory::open(path, params)
    }

    /// The folder of one seed within this one.
    ///
    /// # Errors
    /// [`Error::Write`] if it cannot be made.
    pub fn seed(&self, seed: u64, params: &RecipeParams) -> Result<Self> {
        let path = self.path.join(format!("seed-{seed}"));
        file::create_folder(&path)?;
        RunDirectory::open(path, &RecipeParams { seeds: vec![seed], ..params.clone() })
    }

    fn open(path: PathBuf, params: &RecipeParams) -> Result<Self> {
        file::write_atomic(&path.join(RECIPE), params.to_toml()?.as_bytes())?;
        let metrics = path.join("metrics.jsonl");
        let opened = OpenOptions::new().create_new(true).append(true).open(&metrics);
        let metrics = opened.map_err(|source| Error::Write { path: metrics, source })?;
        Ok(RunDirectory { path, metrics })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line to `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn append(&mut self, metrics: &EpochMetrics) -> Result<()> {
        let path = self.path.join("metrics.jsonl");
        let line = json(&path, metrics)? + "\n";
        self.metrics.write_all(line.as_bytes()).map_err(|source| Error::Write { path, source })
    }

    /// Writes `model.safetensors`.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn save_model(&self, model: &Model) -> Result<()> {
        model.save(&self.path.join("model.safetensors"))
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn save_summary(&self, summary: &Summary) -> Result<()> {
        let path = self.path.join("summary.json");
        file::write_atomic(&path, (json(&path, summary)? + "\n").as_bytes())
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

/// `root/name`, which must be new, or with `force` may replace an earlier run.
fn claim(root: &Path, name: &str, force: bool) -> Result<PathBuf> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
        return Err(Error::setting("--name", format!("{name:?}"), "expected a plain folder name"));
    }
    file::create_folder(root)?;
    let path = root.join(name);
    if claimed(&path)? {
        return Ok(path);
    }
    if !force {
        return Err(Error::Exists { path });
    }
    if !path.join(RECIPE).is_file() {
        let problem = "it exists and has no recipe.toml, so that it is no run's folder; --force replaces only runs";
        return Err(Error::malformed(path, problem));
    }
    match fs::remove_dir_all(&path).and_then(|()| fs::create_dir(&path)) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Write { path, source }),
    }
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
        fs::write(root.path().join("digits-2/mark"), "kept").unwrap();
        assert!(matches!(explicit(false), Err(Error::Exists { .. })));
        assert!(root.path().join("digits-2/mark").exists());
        explicit(true).unwrap();
        assert!(!root.path().join("digits-2/mark").exists());
    }

    #[test]
    fn force_replaces_nothing_but_runs() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("photos")).unwrap();
        fs::write(root.path().join("photos/cat"), "").unwrap();
        let error = create(root.path(), "photos", true).unwrap_err().to_string();
        assert!(error.contains("no run's folder"), "{error}");
        assert!(root.path().join("photos/cat").exists());
        for name in ["", "..", "a/b", ".hidden"] {
            assert!(create(root.path(), name, true).is_err(), "{name}");
        }
    }
}
