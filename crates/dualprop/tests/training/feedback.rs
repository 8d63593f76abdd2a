//! Trainings whose differences travel down through kernels of their own.

use std::fs;
use std::path::Path;

use dualprop::network::{BiasInitializer, Initializer, Model, Parameters, initialize};
use dualprop::training::{Destination, run, verify};
use serde_json::Value;

use crate::{folder, metrics, no_folders, recipe, result, whole};

const RANDOM: &str = "learning.feedback=random";
const KOLEN_POLLACK: &str = "learning.feedback=kolen_pollack";
const NOISY: [&str; 2] = ["learning.feedback=noisy_copy", "learning.feedback_noise=0.25"];
const CONVOLUTIONAL: &str = "network.layers=['conv 6 pool', 'conv 8', 'dense 10']";

/// Every kind of separate feedback.
const KINDS: [&[&str]; 3] = [&[RANDOM], &[KOLEN_POLLACK], &NOISY];

fn trained(root: &Path, name: &str, sets: &[&[&str]]) -> Model {
    whole(&recipe("digits", &sets.concat()), root, name);
    Model::load(&folder(root, name).join("model.safetensors")).unwrap()
}

fn epochs(root: &Path, name: &str) -> Vec<Value> {
    metrics(&folder(root, name)).into_iter().filter(|line| line["kind"] == "epoch").collect()
}

/// Names and numbers of the tensors whose names begin so.
fn named(parameters: &Parameters<f32>, prefix: &str) -> Vec<(String, Vec<f32>)> {
    let tensors = parameters.iter().filter(|(name, _)| name.starts_with(prefix));
    tensors.map(|(name, tensor)| (name.to_string(), tensor.data().to_vec())).collect()
}

#[test]
fn random_feedback_is_what_the_seed_drew_after_a_training_with_weight_decay() {
    let root = tempfile::tempdir().unwrap();
    for (name, layers) in [("dense", &[][..]), ("convolutional", &[CONVOLUTIONAL])] {
        let model = trained(root.path(), name, &[&[RANDOM, "seeds=[3]", "optimizer.weight_decay=0.01"], layers]);
        let start: Parameters<f32> = initialize(&model.topology, Initializer::LecunNormal, BiasInitializer::Zero, 3);
        let feedback = named(&model.parameters, "feedback");
        assert_eq!(feedback.len(), 2);
        assert_eq!(feedback, named(&start, "feedback"));
        assert_ne!(named(&model.parameters, "kernel.1"), named(&start, "kernel.1"));
        // Nothing that a training writes down of it changes either.
        let cosines: Vec<Value> = epochs(root.path(), name).iter().map(|line| line["feedback_cosines"].clone()).collect();
        assert!(cosines.iter().all(|cosines| cosines[0].is_null() && cosines[1].is_f64() && cosines[2].is_f64()), "{cosines:?}");
    }
}

#[test]
fn a_copy_without_noise_trains_the_tied_network_to_the_bit() {
    let root = tempfile::tempdir().unwrap();
    for (name, sets) in [
        ("dense", &["learning.alpha=0.5"][..]),
        ("convolutional", &[CONVOLUTIONAL, "learning.rule=dp"]),
        ("multistep", &["learning.multistep=2", "optimizer.learning_rate=0.01"]),
        ("backprop", &["learning.rule=backprop", "training.alignment_every=0"]),
    ] {
        let tied = trained(root.path(), &format!("{name}-tied"), &[sets]);
        let copied = trained(root.path(), &format!("{name}-copied"), &[sets, &[NOISY[0], "learning.feedback_noise=0"]]);
        for (name, tensor) in tied.parameters.iter() {
            assert!(copied.parameters.named(name) == Some(tensor), "{name}");
        }
        for k in 2..=3 {
            let (kernel, own) = (copied.topology.kernel(k), copied.topology.feedback(k).unwrap());
            assert_eq!(copied.parameters.get(kernel), copied.parameters.get(own));
        }
        let lines = |which: &str| {
            let mut lines = metrics(&folder(root.path(), &format!("{name}-{which}")));
            for line in lines.iter_mut().filter_map(Value::as_object_mut) {
                // The sum of all tensors counts those of the feedback too.
                line.remove("parameters_sha256");
                let cosines = line.remove("feedback_cosines");
                let expected = if which == "tied" { Value::Null } else { 1.0.into() };
                let is_one = |cosine: &Value| cosine.as_f64().is_some_and(|cosine| (cosine - 1.0).abs() < 1e-12);
                let is_expected = |cosine: &Value| *cosine == expected || expected == 1.0 && is_one(cosine);
                let upper = cosines.iter().flat_map(|cosines| cosines.as_array().unwrap().iter().skip(1));
                assert!(upper.into_iter().all(is_expected), "{cosines:?}");
            }
            lines
        };
        assert_eq!(lines("tied"), lines("copied"), "{name}");
    }
}

#[test]
fn under_kolen_pollack_the_cosine_of_the_two_kernels_rises_to_one_and_the_network_learns() {
    let root = tempfile::tempdir().unwrap();
    let sets = [KOLEN_POLLACK, "training.epochs=20", "optimizer.weight_decay=0.03", "learning.alpha=0.5"];
    trained(root.path(), "run", &[&sets, &["optimizer.schedule={kind='constant'}"]]);
    let epochs = epochs(root.path(), "run");
    for k in 1..3 {
        let cosines: Vec<f64> = epochs.iter().map(|line| line["feedback_cosines"][k].as_f64().unwrap()).collect();
        assert!(cosines[0] < 0.9 && cosines.is_sorted() && *cosines.last().unwrap() > 0.99, "layer {}: {cosines:?}", k + 1);
    }
    let accuracy = epochs.last().unwrap()["validation_accuracy"].as_f64().unwrap();
    assert!(accuracy > 85.0, "{accuracy}");
    // By then what is fed back is all but the true gradient's.
    let angles = [&epochs[0], epochs.last().unwrap()].map(|line| line["angles_deg"][0].as_f64().unwrap());
    assert!(angles[0] > 30.0 && angles[1] < 10.0, "{angles:?}");
}

/// With backpropagation random feedback is feedback alignment: the output's gradient is the true one, those below learn all the same.
#[test]
fn backpropagation_through_random_feedback_is_not_aligned_below_the_output_and_learns() {
    let root = tempfile::tempdir().unwrap();
    trained(root.path(), "run", &[&[RANDOM, "learning.rule=backprop", "training.epochs=20"]]);
    let epochs = epochs(root.path(), "run");
    let cosines = |line: &Value| [0, 1, 2].map(|k| line["cosines"][k].as_f64().unwrap());
    for line in &epochs {
        let [first, second, output] = cosines(line);
        assert!(first < 0.95 && second < 0.95 && output > 1.0 - 1e-6, "{:?}", cosines(line));
    }
    // The kernels above turn towards the feedback.
    assert!(cosines(epochs.last().unwrap())[1] > cosines(&epochs[0])[1], "{epochs:?}");
    let accuracy = epochs.last().unwrap()["validation_accuracy"].as_f64().unwrap();
    assert!(accuracy > 80.0, "{accuracy}");
}

/// Measured batches are settled before they are learnt, the others meanwhile.
#[test]
fn threads_and_measurements_change_no_bit() {
    let root = tempfile::tempdir().unwrap();
    for (number, kind) in KINDS.iter().enumerate() {
        for layers in [&[][..], &[CONVOLUTIONAL]] {
            let model = |name: &str, sets: &[&str]| {
                let name = format!("{number}-{}-{name}", layers.len());
                whole(&recipe("digits", &[kind, layers, sets].concat()), root.path(), &name);
                result(&folder(root.path(), &name)).1
            };
            let base = model("base", &["training.threads=1"]);
            for (name, sets) in [
                ("two", &["training.threads=2"][..]),
                ("three", &["training.threads=3", "training.alignment_every=1"]),
                ("unmeasured", &["training.alignment_every=0", "training.checkpoint_every=1"]),
            ] {
                assert!(base == model(name, sets), "{kind:?} {layers:?} {name}");
            }
        }
    }
}

#[test]
fn a_run_with_feedback_kernels_gives_the_same_bits_again_and_each_seed_others() {
    let root = tempfile::tempdir().unwrap();
    for kind in KINDS {
        whole(&recipe("digits", &[kind, &["seeds=[0,1]"]].concat()), root.path(), "run");
        for verification in verify(&folder(root.path(), "run"), &no_folders(), Some(2)).unwrap() {
            assert!(verification.differences.is_empty() && verification.lines > 3, "{kind:?}: {verification:?}");
        }
        let [a, b] =
            [0, 1].map(|seed| Model::load(&root.path().join(format!("run/seed-{seed}/model.safetensors"))).unwrap().parameters);
        for ((name, a), (_, b)) in named(&a, "feedback").into_iter().zip(named(&b, "feedback")) {
            assert_ne!(a, b, "{name}");
        }
        fs::remove_dir_all(folder(root.path(), "run")).unwrap();
    }
}

/// A step so small that the parameters stay what they were given.
#[test]
fn a_training_keeps_the_feedback_kernels_that_it_is_given_and_draws_those_that_it_is_not() {
    let root = tempfile::tempdir().unwrap();
    let tied = trained(root.path(), "tied", &[]);
    let separate = trained(root.path(), "separate", &[&[KOLEN_POLLACK]]);
    let from = |name: &str| format!("network.from='{}'", folder(root.path(), name).join("model.safetensors").display());
    let next = |name: &str, given: &str, sets: &[&str]| {
        let tiny = ["optimizer.learning_rate=1e-30", "training.epochs=1"];
        trained(root.path(), name, &[&[from(given).as_str()], &tiny, sets])
    };
    for (name, sets) in [("random", &[RANDOM][..]), ("pollack", &[KOLEN_POLLACK])] {
        let kept = next(&format!("{name}-kept"), "separate", sets);
        assert_eq!(kept.parameters, separate.parameters, "{name}");
        let drawn = next(&format!("{name}-drawn"), "tied", sets);
        assert_eq!(named(&drawn.parameters, "kernel"), named(&tied.parameters, "kernel"));
        let start: Parameters<f32> = initialize(&drawn.topology, Initializer::LecunNormal, BiasInitializer::Zero, 0);
        assert_eq!(named(&drawn.parameters, "feedback"), named(&start, "feedback"));
    }
    let dropped = next("dropped", "separate", &[]);
    assert!(!dropped.topology.has_feedback());
    assert_eq!(named(&dropped.parameters, "kernel"), named(&separate.parameters, "kernel"));
}

#[test]
fn objectives_of_a_training_that_feeds_back_otherwise_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let recipe = recipe("digits", &[RANDOM, "analysis.objective_samples=3", "learning.alpha=0.5"]);
    let error = run(&recipe, &no_folders(), &Destination::below(root.path()), &mut |_| std::ops::ControlFlow::Continue(()));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("analysis.objective_samples = 3: the lifted objectives feed back through the forward kernels"),
        "{error}"
    );
}
