//! Whether a run gives the same bits again.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value};

use crate::base::{Error, Result, file};
use crate::data::Folders;

use super::{Destination, Event, Recipe, RunDirectory, Trainer, folder_of_seed};

/// What the first epoch of a seed gave when it was trained again.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The seed.
    pub seed: u64,
    /// Lines of `metrics.jsonl` that were compared: those of the measured steps, and that of the epoch.
    pub lines: usize,
    /// The SHA-256 of the parameters after the epoch, of the repetition.
    pub parameters_sha256: String,
    /// What differs; nothing if every bit is the same.
    pub differences: Vec<Difference>,
}

/// A number that is not the same again.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The line of `metrics.jsonl`, from 1.
    pub line: usize,
    /// The key in it.
    pub key: String,
    /// What the run kept.
    pub kept: String,
    /// What came out now.
    pub repeated: String,
}

/// Keys that tell how long something took, which is never the same.
const TIMES: [&str; 2] = ["seconds", "samples_per_second"];

/// The largest file of metrics that is read.
const MOST_BYTES: u64 = 1 << 30;

/// Trains the first epoch of every seed of a run again, in a temporary folder that is removed, and compares everything that was
/// measured, and the parameters, with what the run kept. The run itself is only read.
///
/// # Errors
/// [`Error::Malformed`] if it is no run directory, or has no complete epoch yet; as [`Recipe::load_file`], [`Trainer::new`] and
/// [`Trainer::run`].
pub fn verify(run: &Path, folders: &Folders, threads: Option<usize>) -> Result<Vec<Verification>> {
    let path = run.join("recipe.toml");
    if !path.is_file() {
        return Err(Error::malformed(run, "it is no run directory: it has no recipe.toml"));
    }
    let overrides: Vec<String> = threads.map(|threads| format!("training.threads={threads}")).into_iter().collect();
    let recipe = Recipe::load_file(&path, &overrides)?;
    let seeds = &recipe.params().seeds;
    let kept = |seed: u64| folder_of_seed(run, seeds, seed).join("metrics.jsonl");
    file::in_temporary_folder("verify", |root| {
        seeds.iter().map(|&seed| verify_seed(&recipe, folders, seed, &kept(seed), root)).collect()
    })
}

fn verify_seed(recipe: &Recipe, folders: &Folders, seed: u64, kept: &Path, root: &Path) -> Result<Verification> {
    let kept = first_epoch(kept)?;
    let pool = recipe.pool()?;
    let mut trainer = Trainer::new(recipe, folders, seed, &pool).map_err(|error| recipe.locate(error))?;
    let directory = RunDirectory::create(&Destination::below(root), recipe.params(), pool.threads())?;
    // Whether it ends because the listener does, or since it has one epoch only, is all the same.
    let _ = trainer.run(&directory, &mut |event| match event {
        Event::Epoch(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })?;
    let repeated = first_epoch(&directory.path().join("metrics.jsonl"))?;
    let digest = repeated.last().and_then(|line| line["parameters_sha256"].as_str()).unwrap_or_default();
    Ok(Verification { seed, lines: kept.len(), parameters_sha256: digest.into(), differences: differences(&kept, &repeated) })
}

/// The lines of a file of metrics up to that of the first epoch.
fn first_epoch(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let text = file::read_text(path, MOST_BYTES)?;
    let mut lines = vec![];
    for (number, line) in (1..).zip(text.lines()) {
        let flaw = |error: serde_json::Error| Error::malformed(path, format!("line {number} is no line of metrics: {error}"));
        let line: Map<String, Value> = serde_json::from_str(line).map_err(flaw)?;
        let is_epoch = line.get("kind").is_some_and(|kind| kind == "epoch");
        lines.push(line);
        if is_epoch {
            return Ok(lines);
        }
    }
    Err(Error::malformed(path, "it has no complete epoch yet, so that there is nothing to compare"))
}

fn differences(kept: &[Map<String, Value>], repeated: &[Map<String, Value>]) -> Vec<Difference> {
    let mut differences = vec![];
    let nothing = Map::new();
    for index in 0..kept.len().max(repeated.len()) {
        let [kept, repeated] = [kept, repeated].map(|lines| lines.get(index).unwrap_or(&nothing));
        // What a line of the repetition has beyond the one that was kept, the version that made the run did not measure.
        let keys = if kept.is_empty() { repeated.keys() } else { kept.keys() };
        for key in keys.filter(|key| !TIMES.contains(&key.as_str())) {
            let [kept, repeated] = [kept, repeated].map(|line| line.get(key).map_or("nothing".into(), Value::to_string));
            if kept != repeated {
                differences.push(Difference { line: index + 1, key: key.clone(), kept, repeated });
            }
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_number_counts_but_times_do_not() {
        let kept = [line(r#"{"kind":"step","loss":0.1}"#), line(r#"{"kind":"epoch","seconds":1.0,"gammas":[1.0,2.0]}"#)];
        let same = [line(r#"{"kind":"step","loss":0.1}"#), line(r#"{"kind":"epoch","seconds":2.0,"gammas":[1.0,2.0]}"#)];
        assert_eq!(differences(&kept, &same), []);
        let other = [line(r#"{"kind":"step","loss":0.1}"#), line(r#"{"kind":"epoch","gammas":[1.0,2.0000000000000004]}"#)];
        let found = differences(&kept, &other);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].key.as_str()), (2, "gammas"));
        assert_eq!((found[0].kept.as_str(), found[0].repeated.as_str()), ("[1.0,2.0]", "[1.0,2.0000000000000004]"));
        assert_eq!(differences(&kept, &same[..1]).len(), 2, "a line that is missing");
        assert_eq!(differences(&kept[..1], &same).len(), 2, "a line that was not there");
        let older = [line(r#"{"kind":"step","loss":0.1}"#), line(r#"{"kind":"epoch","seconds":1.0}"#)];
        assert_eq!(differences(&older, &same), [], "a run of a version that measured less");
    }
}
