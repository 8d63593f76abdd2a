//! Every call that changes the disk fails once, at every place of a training: no file is half under its own name, no earlier
//! checkpoint is lost, and the training goes on from there to the same bits.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::base::disk::faults::{self, Fault};
use crate::base::{Error, Result, file};
use crate::data::Folders;

use super::checkpoint::Checkpoint;
use super::exports::tests::contents;
use super::{Destination, Exports, Listener, Outcome, Recipe, Summary, resume, run};

fn recipe() -> Recipe {
    let sets = [
        "training.epochs=2",
        "training.batch_size=16",
        "training.checkpoint_every=3",
        "training.alignment_every=4",
        "training.threads=1",
        "data.limit_train=64",
        "data.validation=20",
        "network.layers=['dense 4', 'dense 10']",
    ];
    Recipe::load("digits", &sets.map(String::from)).unwrap()
}

fn no_folders() -> Folders {
    Folders::new(vec![])
}

fn train(root: &Path) -> Result<Outcome<Summary>> {
    let destination = Destination { root: root.join("runs"), name: Some("run".into()), force: false };
    exported(|listen| run(&recipe(), &no_folders(), &destination, listen))
}

/// With everything that is made of the metrics.
fn exported<T>(train: impl FnOnce(&mut Listener) -> Result<T>) -> Result<T> {
    Exports::new(true, true).during(&mut |_| ControlFlow::Continue(()), train)
}

/// What must be the same to the bit: the model, and all lines without what depends on the time.
fn result(run: &Path) -> (Vec<u8>, Vec<serde_json::Value>) {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(|line| line.as_object_mut()) {
        line.retain(|key, _| key != "seconds" && key != "samples_per_second");
    }
    (fs::read(run.join("model.safetensors")).unwrap(), lines)
}

/// Weight updates in the last checkpoint, if there is one; that every file under its own name is whole.
fn kept(run: &Path) -> Option<u64> {
    let recipe_path = run.join("recipe.toml");
    if recipe_path.exists() {
        Recipe::load_file(&recipe_path, &[]).unwrap();
    }
    for name in ["environment.json", "summary.json"] {
        if let Ok(text) = fs::read_to_string(run.join(name)) {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }
    let recipe = recipe();
    let model = run.join("model.safetensors");
    if model.exists() {
        crate::network::Model::load(&model).unwrap();
    }
    let topology = recipe.topology(crate::network::Shape::image(8, 8, 1), 10).unwrap();
    let [_, last] = ["best", "last"].map(|name| {
        let path = run.join("checkpoints").join(format!("{name}.safetensors"));
        path.exists().then(|| Checkpoint::load(&path, &topology, recipe.optimizer()).unwrap().progress.steps)
    });
    last
}

/// Where files cost nothing to be carried to the disk, if there is such a place.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn whatever_call_fails_nothing_is_lost_and_the_training_goes_on_to_the_same_bits() {
    let whole = folder();
    train(whole.path()).unwrap().finished().unwrap();
    let expected = result(&whole.path().join("runs/run"));
    let exports_of_whole = contents(&whole.path().join("runs/run"));
    for fault in [Fault::ShortWrite, Fault::Interrupted, Fault::Broken, Fault::Full] {
        let harmless = matches!(fault, Fault::ShortWrite | Fault::Interrupted);
        let mut steps = None;
        for call in 0.. {
            let root = folder();
            let (outcome, struck) = faults::at(fault, call, || train(root.path()));
            let run = root.path().join("runs/run");
            if !struck {
                // Every call of the training has failed once.
                assert!(call > 10, "{fault:?}: {call} calls");
                outcome.unwrap();
                break;
            }
            if harmless {
                outcome.unwrap();
                assert!(result(&run) == expected, "{fault:?} at call {call}");
                assert!(contents(&run) == exports_of_whole, "{fault:?} at call {call}");
                continue;
            }
            let error = outcome.expect_err("a call that fails is told");
            assert!(matches!(error, Error::Write { .. }), "{fault:?} at call {call}: {error}");
            assert!(error.to_string().contains("cannot be written"), "{error}");
            // The later the fault the more is kept.
            let now = kept(&run);
            assert!(now >= steps, "{fault:?} at call {call}: {now:?} updates kept, {steps:?} before");
            steps = now;
            let mut exports = Exports::new(true, true);
            let goes_on = match run.join("recipe.toml").exists() {
                true => exports.during(&mut |_| ControlFlow::Continue(()), |listen| resume(&run, &no_folders(), None, listen)),
                false => train(root.path()),
            };
            goes_on.unwrap().finished().unwrap();
            // Where nothing was left to train but the summary.
            exports.complete(&run).unwrap();
            assert!(result(&run) == expected, "{fault:?} at call {call}: other bits");
            assert!(contents(&run) == exports_of_whole, "{fault:?} at call {call}: other exports");
            let unfinished = |folder: &Path| {
                fs::read_dir(folder).unwrap().any(|entry| file::is_unfinished(&entry.unwrap().file_name().to_string_lossy()))
            };
            assert!(!unfinished(&run) && !unfinished(&run.join("checkpoints")), "{fault:?} at call {call}: litter");
        }
        assert!(harmless || steps.is_some(), "{fault:?}: no checkpoint was ever kept");
    }
}
