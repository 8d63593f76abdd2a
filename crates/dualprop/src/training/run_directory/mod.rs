//! The folder of a run: a run explains itself, and is never overwritten by accident.

mod claim;
mod environment;

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Error, Result, file};
use crate::network::Model;

use super::metrics::Line;
use super::{RecipeParams, Summary};
use claim::{claim, claim_next};
pub(super) use claim::{hold_run, is_abandoned, try_locks};

/// The file that marks a folder as a run's.
pub(super) const RECIPE: &str = "recipe.toml";
pub(super) const METRICS: &str = "metrics.jsonl";
const MODEL: &str = "model.safetensors";
pub(super) const SUMMARY: &str = "summary.json";
const ENVIRONMENT: &str = "environment.json";
pub(super) const LOCK: &str = "lock";
/// What a sweep keeps of a cell's seeds that diverged.
pub(super) const DIVERGED: &str = "diverged.json";
/// What is made of the metrics for other programs, where that is asked for.
pub(super) const EVENTS: &str = "events.out.tfevents.dualprop";
pub(super) const TABLE: &str = "metrics.csv";
/// The folder of the checkpoints, and its files.
const CHECKPOINTS: &str = "checkpoints";
const LAST: &str = "last.safetensors";
const BEST: &str = "best.safetensors";

/// All files of a run; several seeds have a folder each with the same.
const FILES: [&str; 9] = [RECIPE, METRICS, MODEL, SUMMARY, ENVIRONMENT, LOCK, DIVERGED, EVENTS, TABLE];

/// The largest file of JSON that is read; a real one has some kilobytes.
const MOST_BYTES: u64 = 1 << 24;

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

/// `runs/NAME/`, held by this process alone: `recipe.toml`, `environment.json`, `metrics.jsonl`, `checkpoints/`,
/// `model.safetensors` and, once it is complete, `summary.json`.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// The earlier run of this name, put aside until this one is complete.
    replaced: Option<PathBuf>,
    /// Whether the folder of checkpoints was seen. It is made once: what vanishes from under a training is not made again in its
    /// place, without a recipe and without what was kept.
    has_checkpoints: Cell<bool>,
    /// Locked for as long as it is open.
    _lock: File,
}

/// The checkpoint from which the run in this folder can go on.
pub(super) fn last_checkpoint(folder: &Path) -> PathBuf {
    folder.join(CHECKPOINTS).join(LAST)
}

impl RunDirectory {
    /// Makes the folder that `destination` asks for.
    ///
    /// # Errors
    /// [`Error::Exists`] if the name is given, taken, and not to be replaced; [`Error::Malformed`] if it belongs to something
    /// that is no run, or a run with a link in it; [`Error::Setting`] for a name that is no plain folder name;
    /// [`Error::Write`] if it cannot be made.
    pub fn create(destination: &Destination, params: &RecipeParams, threads: usize) -> Result<Self> {
        let (path, replaced) = claim_for(destination, &params.name, hold_run)?;
        let directory = Self::held(path, replaced)?;
        directory.explain(params, threads)?;
        Ok(directory)
    }

    /// The folder of an earlier run.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is no run, or something that a run writes is a link; [`Error::Busy`] if another process is at
    /// work in it.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(RECIPE).is_file() {
            return Err(Error::malformed(path, "it is no run directory: it has no recipe.toml"));
        }
        Self::held(path.into(), None)
    }

    /// The folder of one seed within this one, made if it does not exist.
    ///
    /// # Errors
    /// [`Error::Write`] if it cannot be made; [`Error::Malformed`] if it, or something in it, is a link; [`Error::Busy`].
    pub fn seed(&self, seed: u64, params: &RecipeParams, threads: usize) -> Result<Self> {
        let path = self.path.join(format!("seed-{seed}"));
        refuse_link(&path)?;
        file::create_folder(&path)?;
        let directory = Self::held(path, None)?;
        if !directory.path.join(RECIPE).exists() {
            directory.explain(&RecipeParams { seeds: vec![seed], ..params.clone() }, threads)?;
        }
        Ok(directory)
    }

    /// A folder that exists, held by this process alone.
    fn held(path: PathBuf, replaced: Option<PathBuf>) -> Result<Self> {
        Ok(RunDirectory { _lock: take_over(&path)?, path, replaced, has_checkpoints: Cell::new(false) })
    }

    /// Writes what the run is and what it runs on.
    fn explain(&self, params: &RecipeParams, threads: usize) -> Result<()> {
        let path = self.path.join(ENVIRONMENT);
        file::write_atomic(
            &path,
            (json(&path, &environment::Environment::present(threads, params.training.exact_conv))? + "\n").as_bytes(),
        )?;
        file::write_atomic(&self.path.join(RECIPE), params.to_toml()?.as_bytes())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The recipe of the run.
    pub fn recipe(&self) -> PathBuf {
        self.path.join(RECIPE)
    }

    /// The checkpoint from which the run can go on.
    pub(super) fn last_checkpoint(&self) -> PathBuf {
        last_checkpoint(&self.path)
    }

    /// Appends one line to `metrics.jsonl` and returns its length.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub(super) fn append(&self, line: &Line) -> Result<u64> {
        let path = self.path.join(METRICS);
        let line = json(&path, line)? + "\n";
        file::append(&path, line.as_bytes())
    }

    /// Carries `metrics.jsonl` to the disk and returns its length; one that does not exist has none.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub(super) fn sync_metrics(&self) -> Result<u64> {
        file::sync(&self.path.join(METRICS))
    }

    /// Cuts `metrics.jsonl` back to this length, which its checkpoint knows.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is shorter; [`Error::Write`].
    pub(super) fn cut_metrics(&self, bytes: u64) -> Result<()> {
        let found = self.sync_metrics()?;
        let path = self.path.join(METRICS);
        match found.cmp(&bytes) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => {
                let problem = format!("it has {found} bytes, but its checkpoint was made when it had {bytes}; lines are missing");
                Err(Error::malformed(path, problem))
            }
            std::cmp::Ordering::Greater => file::truncate(&path, bytes),
        }
    }

    /// Writes the checkpoint from which the run can go on, and the same as that of the best epoch if it is.
    ///
    /// # Errors
    /// [`Error::Write`]; the checkpoint before it is then still there.
    pub(super) fn save_checkpoint(&self, bytes: &[u8], is_best: bool) -> Result<()> {
        let folder = self.path.join(CHECKPOINTS);
        if !self.has_checkpoints.get() {
            file::claim_folder(&folder)?;
            self.has_checkpoints.set(true);
        }
        if is_best {
            file::write_atomic(&folder.join(BEST), bytes)?;
        }
        file::write_atomic(&folder.join(LAST), bytes)
    }

    /// Writes `model.safetensors`.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn save_model(&self, model: &Model) -> Result<()> {
        model.save(&self.path.join(MODEL))
    }

    /// The summary of a run that is complete.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] if there is one that cannot be read.
    pub fn summary(&self) -> Result<Option<Summary>> {
        Summary::of_run(&self.path)
    }

    /// Writes `summary.json`, with which the run is complete; only now is an earlier run that it replaces removed.
    ///
    /// # Errors
    /// [`Error::Write`]
    pub fn complete(&mut self, summary: &Summary) -> Result<()> {
        let path = self.path.join(SUMMARY);
        file::write_atomic(&path, (json(&path, summary)? + "\n").as_bytes())?;
        match self.replaced.take() {
            Some(path) => fs::remove_dir_all(&path).map_err(|source| Error::Write { path, source }),
            None => Ok(()),
        }
    }
}

impl Summary {
    /// That of the run in this folder, which need not be held; none as long as it is not complete.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`] if there is one that cannot be read, or is a link.
    pub fn of_run(run: &Path) -> Result<Option<Self>> {
        read_json(&run.join(SUMMARY), "no summary of a run")
    }
}

/// Where the files of one of a run's seeds stand: in the run's own folder, or of several seeds in one for each.
pub fn folder_of_seed(run: &Path, seeds: &[u64], seed: u64) -> PathBuf {
    if seeds.len() > 1 { run.join(format!("seed-{seed}")) } else { run.into() }
}

/// A folder of its own where `destination` wants one, called `name` or the next that is free if it names none; where what had that
/// name was put aside comes second. `hold` says whether that may be replaced, and locks it.
pub(super) fn claim_for(
    destination: &Destination,
    name: &str,
    hold: impl FnOnce(&Path) -> Result<Vec<File>>,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let root = &destination.root;
    if root.exists() && !root.is_dir() {
        return Err(Error::malformed(root, "it is a file; expected a folder that can hold run directories"));
    }
    match &destination.name {
        Some(name) => claim(root, name, destination.force.then_some(hold)),
        None => Ok((claim_next(root, name)?, None)),
    }
}

/// Locks a run directory for this process, unless a file elsewhere would be changed through what is in it.
fn lock(folder: &Path) -> Result<File> {
    refuse_links(folder)?;
    file::lock(&folder.join(LOCK), folder)
}

/// That nothing which a run writes is a link: whoever sends a run directory would else choose which files of its receiver are
/// cut or replaced. The folder itself may be reached through one, since the user named it.
fn refuse_links(folder: &Path) -> Result<()> {
    let checkpoints = folder.join(CHECKPOINTS);
    FILES.iter().try_for_each(|name| refuse_link(&folder.join(name)))?;
    refuse_link(&checkpoints)?;
    [LAST, BEST].iter().try_for_each(|name| refuse_link(&checkpoints.join(name)))
}

/// That a part of a run is no link, wherever it leads.
pub(super) fn refuse_link(path: &Path) -> Result<()> {
    match path.is_symlink() {
        true => {
            Err(Error::malformed(path, "it is a link, through which a run writes nothing; put what it leads to in its place"))
        }
        false => Ok(()),
    }
}

/// Locks a run directory and removes what a process left in it that was killed while it wrote.
fn take_over(folder: &Path) -> Result<File> {
    let lock = lock(folder)?;
    file::remove_unfinished(folder);
    file::remove_unfinished(&folder.join(CHECKPOINTS));
    Ok(lock)
}

/// What a file of JSON in a run says, if there is such a file.
///
/// # Errors
/// [`Error::Read`]; [`Error::Malformed`] for a link, and for what is `no` such thing.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, no: &str) -> Result<Option<T>> {
    refuse_link(path)?;
    if !path.exists() {
        return Ok(None);
    }
    let text = file::read_text(path, MOST_BYTES)?;
    serde_json::from_str(&text).map(Some).map_err(|error| Error::malformed(path, format!("{no}: {error}")))
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
        RunDirectory::create(&Destination { root: root.into(), name: Some(name.into()), force }, &params(), 1)
    }

    #[test]
    fn a_second_run_takes_the_next_name_and_an_explicit_name_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let destination = Destination::below(root.path());
        let next = || RunDirectory::create(&destination, &params(), 1).unwrap().path().to_path_buf();
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
        assert!(matches!(explicit(true), Err(Error::Busy { .. })), "somebody is at work in it");
        drop(replacing);
        explicit(true).unwrap();
    }

    fn summary() -> Summary {
        Summary::of("digits", vec![], "runs/digits".into(), 1.0)
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

    #[test]
    fn a_directory_has_one_holder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = create(root.path(), "digits", false).unwrap();
        let path = first.path().to_path_buf();
        let error = RunDirectory::open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(first);
        RunDirectory::open(&path).unwrap();
        assert!(RunDirectory::open(root.path()).unwrap_err().to_string().contains("no run directory"));
    }

    #[test]
    fn metrics_are_cut_back_but_never_made_up() {
        let root = tempfile::tempdir().unwrap();
        let run = create(root.path(), "digits", false).unwrap();
        let path = run.path().join(METRICS);
        run.cut_metrics(0).unwrap();
        fs::write(&path, "one\ntwo\n").unwrap();
        run.cut_metrics(4).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
        assert!(run.cut_metrics(5).unwrap_err().to_string().contains("lines are missing"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    }

    /// Every file of a folder, with its content.
    #[cfg(unix)]
    fn contents(folder: &Path) -> Vec<(std::ffi::OsString, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries.map(|entry| (entry.file_name(), fs::read_to_string(entry.path()).unwrap())).collect();
        files.sort();
        files
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_run_is_refused_before_anything_that_it_leads_to_is_changed() {
        use std::os::unix::fs::symlink;
        let parts = FILES.iter().map(|name| name.to_string());
        for part in
            parts.chain(["checkpoints".into(), "checkpoints/last.safetensors".into(), "checkpoints/best.safetensors".into()])
        {
            let root = tempfile::tempdir().unwrap();
            let [run, elsewhere] = ["run", "elsewhere"].map(|name| root.path().join(name));
            drop(create(root.path(), "run", false).unwrap());
            fs::create_dir(run.join(CHECKPOINTS)).unwrap();
            fs::create_dir(&elsewhere).unwrap();
            for name in ["file", LAST, ".dualprop-1-0.tmp"] {
                fs::write(elsewhere.join(name), "precious").unwrap();
            }
            let link = run.join(&part);
            let target = if part == CHECKPOINTS { elsewhere.clone() } else { elsewhere.join("file") };
            // Without a recipe it would be no run at all.
            if part == RECIPE {
                fs::copy(&link, &target).unwrap();
            }
            let before = contents(&elsewhere);
            if link.is_dir() { fs::remove_dir(&link) } else { fs::remove_file(&link).or(Ok(())) }.unwrap();
            symlink(&target, &link).unwrap();
            for error in [RunDirectory::open(&run).unwrap_err(), create(root.path(), "run", true).unwrap_err()] {
                assert!(matches!(&error, Error::Malformed { path, .. } if *path == link), "{part}: {error}");
            }
            assert_eq!(contents(&elsewhere), before, "{part}");
            // Nor does one that leads to nothing make anything.
            fs::remove_file(&link).unwrap();
            symlink(root.path().join("nothing"), &link).unwrap();
            assert!(RunDirectory::open(&run).is_err() && !root.path().join("nothing").exists(), "{part}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_a_seeds_folder_or_in_what_a_killed_run_left_is_refused() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let elsewhere = root.path().join("elsewhere");
        drop(create(root.path(), "elsewhere", false).unwrap());
        let before = contents(&elsewhere);
        let run = create(root.path(), "run", false).unwrap();
        symlink(&elsewhere, run.path().join("seed-1")).unwrap();
        let error = run.seed(1, &params(), 1).unwrap_err();
        assert!(matches!(&error, Error::Malformed { path, .. } if path.ends_with("run/seed-1")), "{error}");
        fs::create_dir(run.path().join("seed-2")).unwrap();
        symlink(elsewhere.join(LOCK), run.path().join("seed-2/lock")).unwrap();
        let error = run.seed(2, &params(), 1).unwrap_err();
        assert!(matches!(&error, Error::Malformed { path, .. } if path.ends_with("run/seed-2/lock")), "{error}");
        drop(run);
        let error = create(root.path(), "run", true).unwrap_err();
        assert!(matches!(&error, Error::Malformed { path, .. } if path.starts_with(root.path().join("run"))), "{error}");
        // Empty but for them, a folder counts as abandoned and is taken without --force.
        for name in [LOCK, ENVIRONMENT] {
            let abandoned = root.path().join(format!("abandoned-{name}"));
            fs::create_dir(&abandoned).unwrap();
            symlink(elsewhere.join(name), abandoned.join(name)).unwrap();
            let error = create(root.path(), &format!("abandoned-{name}"), false).unwrap_err();
            assert!(matches!(&error, Error::Malformed { path, .. } if *path == abandoned.join(name)), "{error}");
        }
        assert_eq!(contents(&elsewhere), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_run_and_the_folder_of_runs_may_be_reached_through_links() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let [runs, disk, link] = ["runs", "disk", "link"].map(|name| root.path().join(name));
        fs::create_dir(&disk).unwrap();
        symlink(&disk, &runs).unwrap();
        drop(create(&runs, "run", false).unwrap().seed(1, &params(), 1).unwrap());
        symlink(disk.join("run"), &link).unwrap();
        let run = RunDirectory::open(&link).unwrap();
        run.save_checkpoint(b"state", true).unwrap();
        assert_eq!(fs::read(disk.join("run/checkpoints/last.safetensors")).unwrap(), b"state");
    }
}
