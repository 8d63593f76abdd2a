//! Numbers that go wrong end a training with layer, step and quantity, and none of them is ever kept.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use dualprop::Error;
use dualprop::training::{Destination, Recipe, resume, run};
use safetensors::SafeTensors;

use crate::{folder, no_folders};

const DENSE: &str = "network.layers=['dense 12', 'dense 10']";
const CONVOLUTIONAL: &str = "network.layers=['conv 4 pool', 'dense 8', 'dense 10']";

/// Settings that a float cannot bear for long.
const WILD: [&[&str]; 7] = [
    &["learning.beta=1e30"],
    &["learning.beta=1e30", "learning.loss=squared_error"],
    &["optimizer.learning_rate=1e9"],
    &["optimizer.learning_rate=1e9", "learning.loss=squared_error"],
    &["optimizer.learning_rate=1e38"],
    &["optimizer.learning_rate=1e38", "training.alignment_every=1"],
    &["optimizer.learning_rate=1e15", "learning.multistep=2"],
];

fn recipe(sets: &[&str]) -> Recipe {
    let common = ["training.epochs=2", "training.batch_size=16", "data.limit_train=64", "training.checkpoint_every=1"];
    let more = ["training.alignment_every=0", "training.threads=1", "optimizer.schedule={kind='constant'}"];
    let sets: Vec<String> = common.iter().chain(&more).chain(sets).map(|set| set.to_string()).collect();
    Recipe::load("digits", &sets).unwrap()
}

/// Every number in every file of tensors below a folder.
fn assert_finite(folder: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files += assert_finite(&entry);
        } else if entry.extension().is_some_and(|extension| extension == "safetensors") {
            let bytes = fs::read(&entry).unwrap();
            for (name, tensor) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                let mut numbers = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
                assert!(numbers.all(f32::is_finite), "{}: {name}", entry.display());
            }
            files += 1;
        }
    }
    files
}

#[test]
fn wild_settings_end_a_training_with_layer_step_and_quantity_and_leave_finite_numbers() {
    let mut ended = 0;
    for rule in ["dp_transpose", "dp", "dp_damped", "backprop"] {
        for kind in ["optimizer.kind=sgd", "optimizer.kind=adam"] {
            for layers in [DENSE, CONVOLUTIONAL] {
                for wild in WILD {
                    let rule = format!("learning.rule={rule}");
                    let sets = [&[rule.as_str(), kind, layers][..], wild].concat();
                    // Backpropagation has neither a beta nor states to go on from.
                    let is_not_its = |set: &str| set.starts_with("learning.beta") || set.starts_with("learning.multistep");
                    if rule.ends_with("backprop") && wild.iter().any(|set| is_not_its(set)) {
                        continue;
                    }
                    let root = tempfile::tempdir().unwrap();
                    let destination = Destination { root: root.path().into(), name: Some("run".into()), force: false };
                    let outcome = run(&recipe(&sets), &no_folders(), &destination, &mut |_| ControlFlow::Continue(()));
                    let run = folder(root.path(), "run");
                    let files = assert_finite(&run);
                    let Err(error) = outcome else { continue };
                    let text = error.to_string();
                    assert!(matches!(error, Error::Diverged { .. }), "{sets:?}: {text}");
                    let named = ["layer ", "step ", "not finite"].iter().all(|part| text.contains(part));
                    assert!(named, "{sets:?}: {text}");
                    ended += 1;
                    // The last checkpoint is one that a training can go on from, to the same end.
                    if files > 0 {
                        let kept = fs::read(run.join("checkpoints/last.safetensors")).unwrap();
                        let again = resume(&run, &no_folders(), None, &mut |_| ControlFlow::Continue(())).unwrap_err();
                        assert_eq!(again.to_string(), text, "{sets:?}");
                        assert!(fs::read(run.join("checkpoints/last.safetensors")).unwrap() == kept, "{sets:?}");
                    }
                }
            }
        }
    }
    assert!(ended > 40, "{ended} trainings ended");
}
