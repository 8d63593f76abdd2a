//! What the settings of a training mean.

use std::ops::ControlFlow;

use dualprop::Error;
use dualprop::network::Model;
use dualprop::training::{Destination, Event, Recipe, dry_run, run};

use crate::{metrics, no_folders, recipe, result, whole};

#[test]
fn epochs_and_measured_steps_have_a_line_each() {
    let root = tempfile::tempdir().unwrap();
    whole(&recipe("digits", &[]), root.path(), "run");
    let lines = metrics(&root.path().join("run"));
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    // 11 steps an epoch, of which every fourth is measured, from the first.
    let steps: Vec<u64> = of_kind("step").iter().map(|line| line["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [0, 4, 8, 11, 15, 19, 22, 26, 30]);
    let epochs = of_kind("epoch");
    assert_eq!(epochs.iter().map(|line| line["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    let last = epochs[2];
    for (key, count) in
        [("cosines", 3), ("angles_deg", 3), ("straddling", 3), ("difference_ratios", 3), ("gammas", 3), ("dampings", 2)]
    {
        let values: Vec<f64> = last[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        assert!(values.len() == count && values.iter().all(|value| value.is_finite()), "{key}: {values:?}");
    }
    for key in ["train_loss", "train_top5", "validation_loss", "validation_top5", "learning_rate", "product_norm"] {
        assert!(last[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert!(last["train_top5"].as_f64() >= last["train_accuracy"].as_f64());
    // The epoch's cosine is the mean over its measured steps.
    let of_first: Vec<f64> =
        of_kind("step").iter().filter(|l| l["epoch"] == 1).map(|l| l["cosines"][0].as_f64().unwrap()).collect();
    let mean = of_first.iter().sum::<f64>() / of_first.len() as f64;
    assert!((epochs[0]["cosines"][0].as_f64().unwrap() - mean).abs() < 1e-15);
}

#[test]
fn measurements_and_threads_change_no_bit_and_seeds_do() {
    let root = tempfile::tempdir().unwrap();
    let model = |name: &str, sets: &[&str]| {
        whole(&recipe("digits", sets), root.path(), name);
        result(&root.path().join(name)).1
    };
    let base = model("base", &["training.threads=1"]);
    assert!(base == model("threads", &["training.threads=3"]));
    assert!(base == model("unmeasured", &["training.alignment_every=0"]));
    assert!(base == model("kept", &["training.checkpoint_every=1"]));
    assert!(base != model("seed", &["seeds=[1]"]));
    assert!(base != model("batches", &["training.shuffle=batches"]));
    assert!(base != model("augmented", &["data.augment=crop"]));
    assert!(base != model("twice", &["learning.multistep=2"]));
}

/// Several updates by a rule whose difference is always that of the first inference would be one update too many; with one
/// update each of them is an ordinary training.
#[test]
fn several_updates_of_a_batch_learn_faster_than_one() {
    let root = tempfile::tempdir().unwrap();
    let loss = |name: &str, sets: &[&str]| {
        whole(&recipe("digits", &[sets, &["optimizer.learning_rate=0.01", "learning.alpha=0.5"]].concat()), root.path(), name);
        let lines = metrics(&root.path().join(name));
        let last = lines.last().unwrap();
        (last["train_loss"].as_f64().unwrap(), last["step"].as_u64().unwrap())
    };
    let (once, steps) = loss("once", &[]);
    let (thrice, more_steps) = loss("thrice", &["learning.multistep=3"]);
    assert_eq!((steps, more_steps), (33, 99));
    assert!(thrice < 0.8 * once, "{thrice} after three updates a batch, {once} after one");
}

#[test]
fn momentum_changes_after_the_warm_up_and_not_before() {
    let root = tempfile::tempdir().unwrap();
    let schedule = ["optimizer.schedule={kind='warmup_cosine',warmup_epochs=1,decay_epochs=3}", "optimizer.momentum=0.5"];
    let lines = |name: &str, sets: &[&str]| {
        whole(&recipe("digits", &[&schedule[..], sets].concat()), root.path(), name);
        let lines = metrics(&root.path().join(name));
        lines.into_iter().filter(|line| line["kind"] == "epoch").collect::<Vec<_>>()
    };
    let (same, changed) = (lines("same", &[]), lines("changed", &["optimizer.momentum_after_warmup=0.9"]));
    assert_eq!(same[0], changed[0]);
    assert_ne!(same[1], changed[1]);
}

#[test]
fn a_training_starts_from_the_model_that_it_is_given() {
    let root = tempfile::tempdir().unwrap();
    let first = whole(&recipe("digits", &[]), root.path(), "first");
    let model = root.path().join("first/model.safetensors");
    let from = format!("network.from={:?}", model.to_str().unwrap());
    // A step so small that it changes next to nothing.
    let sets = [from.as_str(), "optimizer.learning_rate=1e-12", "training.epochs=1"];
    let second = whole(&recipe("digits", &sets), root.path(), "second");
    assert_eq!(second.results[0].test.accuracy, first.results[0].test.accuracy);
    let wider = recipe("digits", &[from.as_str(), "network.layers=['dense 9', 'dense 10']"]);
    let error = run(&wider, &no_folders(), &Destination::below(root.path()), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("it is the model of"), "{error}");
    assert!(!root.path().join("digits").exists());
}

#[test]
fn a_collapse_stops_the_training_and_is_told() {
    let root = tempfile::tempdir().unwrap();
    // A good start, and then a learning rate that rises until nothing is left of it.
    let sets = [
        "training.epochs=12",
        "optimizer.kind=sgd",
        "optimizer.learning_rate=60.0",
        "optimizer.schedule={kind='warmup_cosine',first=0.02,warmup_epochs=11,decay_epochs=12,last=1.0}",
        "learning.loss=cross_entropy",
        "network.activation=hard_sigmoid",
    ];
    let mut warnings = vec![];
    let outcome = run(&recipe("digits", &sets), &no_folders(), &Destination::below(root.path()), &mut |event| {
        if let Event::Warning(text) = event {
            warnings.push(text.to_string());
        }
        ControlFlow::Continue(())
    });
    let summary = outcome.unwrap().finished().unwrap();
    let result = &summary.results[0];
    let epoch = result.collapsed.expect("half of the best is soon lost");
    assert!(epoch > 5 && epoch < 12 && result.best_epoch < epoch, "{result:?}");
    assert!(warnings.iter().any(|text| text.contains(&format!("stopped after epoch {epoch}"))), "{warnings:?}");
    let epochs = metrics(&root.path().join("digits")).iter().filter(|line| line["kind"] == "epoch").count();
    assert_eq!(epochs as u32, epoch);
}

#[test]
fn a_number_that_is_not_finite_stops_the_training() {
    let root = tempfile::tempdir().unwrap();
    let wild = recipe("digits", &["optimizer.learning_rate=1e30", "learning.loss=squared_error"]);
    let error = run(&wild, &no_folders(), &Destination::below(root.path()), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
}

#[test]
fn a_dry_run_leaves_nothing() {
    let done = dry_run(&recipe("digits", &[]), &no_folders()).unwrap();
    assert_eq!((done.validation.samples, done.parameters), (256, 64 * 24 + 24 + 24 * 16 + 16 + 16 * 10 + 10));
    assert!(done.checkpoint_bytes > 4 * 2 * done.parameters as u64);
    let folder = std::env::temp_dir().join(format!("dualprop-dry-run-{}", std::process::id()));
    assert!(!folder.exists(), "{}", folder.display());
    let error = dry_run(&Recipe::load("mnist", &[]).unwrap(), &no_folders()).unwrap_err().to_string();
    assert!(error.contains("no folder at all"), "{error}");
}

#[test]
fn the_model_of_a_run_is_the_one_that_it_tested() {
    let root = tempfile::tempdir().unwrap();
    let summary = whole(&recipe("digits", &["data.normalization=unit"]), root.path(), "run");
    let model = Model::load(&root.path().join("run/model.safetensors")).unwrap();
    assert_eq!(model.preprocessing.unwrap(), (vec![0.0; 64], vec![16.0; 64]));
    assert_eq!(summary.results[0].test.samples, 360);
}
