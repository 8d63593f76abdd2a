//! Trainings on devices that are not ideal.

use std::ops::ControlFlow;

use dualprop::compute::Pool;
use dualprop::network::Model;
use dualprop::training::{Part, evaluate_run, resume};

use crate::{folder, metrics, no_folders, recipe, result, until, whole};

const NOISE: [&str; 3] = ["learning.alpha=0.5", "disturbance.state_noise=0.05", "disturbance.message_noise=0.05"];

#[test]
fn strengths_of_zero_train_the_undisturbed_network_to_the_bit() {
    let root = tempfile::tempdir().unwrap();
    let zero = [
        "disturbance.state_noise=0",
        "disturbance.nudge_noise=0",
        "disturbance.message_noise=0",
        "disturbance.noise_per=sample",
        "disturbance.beta_mismatch=0",
        "disturbance.alpha_mismatch=0",
        "disturbance.dead=0",
        "disturbance.stuck=0",
        "disturbance.state_bits=0",
        "disturbance.message_bits=0",
        "disturbance.weight_bits=0",
        "disturbance.rounding=stochastic",
        "disturbance.update_probability=1",
        "disturbance.redraw_order=false",
    ];
    whole(&recipe("digits", &[]), root.path(), "plain");
    whole(&recipe("digits", &zero), root.path(), "zero");
    assert!(result(&folder(root.path(), "zero")) == result(&folder(root.path(), "plain")));
}

#[test]
fn threads_change_no_bit_of_a_disturbed_training_and_disturbances_do() {
    let root = tempfile::tempdir().unwrap();
    let train = |name: &str, more: &[&str]| {
        whole(&recipe("digits", &[&NOISE, more].concat()), root.path(), name);
        result(&folder(root.path(), name))
    };
    let expected = train("one", &["training.threads=1"]);
    assert!(train("two", &["training.threads=2"]) == expected && train("three", &["training.threads=3"]) == expected);
    assert!(train("other", &["disturbance.state_noise=0.06"]) != expected);
}

#[test]
fn a_run_is_evaluated_on_its_device() {
    let root = tempfile::tempdir().unwrap();
    // Without saturation a dead compartment makes the weights of its neuron grow without end.
    let sets = ["disturbance.state_noise=0.02", "disturbance.dead=0.02", "disturbance.message_bits=10", "training.threads=2"];
    let summary = whole(&recipe("digits", &sets), root.path(), "run");
    let evaluate = |part| evaluate_run(&folder(root.path(), "run"), part, &no_folders(), &Pool::new(1).unwrap()).unwrap();
    assert_eq!(evaluate(Part::Test), [(0, summary.results[0].test)]);
    let best = summary.results[0].best_epoch;
    let metrics = metrics(&folder(root.path(), "run"));
    let line = metrics.iter().find(|line| line["kind"] == "epoch" && line["epoch"] == best).unwrap();
    assert_eq!(line["validation_accuracy"], evaluate(Part::Validation)[0].1.accuracy);
    // The same network without its device is another one.
    let ideal = recipe("digits", &["training.threads=2"]);
    let text = ideal.params().to_toml().unwrap();
    std::fs::write(folder(root.path(), "run").join("recipe.toml"), text).unwrap();
    assert_ne!(evaluate(Part::Test)[0].1.loss, summary.results[0].test.loss);
}

#[test]
fn kernels_of_few_bits_stay_on_their_levels() {
    let root = tempfile::tempdir().unwrap();
    let sets = ["disturbance.weight_bits=5", "disturbance.weight_range=4", "disturbance.rounding=stochastic"];
    whole(&recipe("digits", &sets), root.path(), "run");
    let model = Model::load(&folder(root.path(), "run").join("model.safetensors")).unwrap();
    for (k, inputs) in [(1, 64.0f64), (2, 24.0), (3, 16.0)] {
        let q = 4.0 / inputs.sqrt() / 15.0;
        let kernel = model.parameters.get(model.topology.kernel(k)).data();
        let steps: Vec<f64> = kernel.iter().map(|w| f64::from(*w) / q).collect();
        assert!(steps.iter().all(|step| (step - step.round()).abs() < 1e-4 && step.abs() < 15.1), "layer {k}");
        assert!(steps.iter().any(|step| step.abs() > 1.5), "layer {k}");
    }
}

#[test]
fn a_checkpoint_with_scales_that_cannot_be_is_refused() {
    let root = tempfile::tempdir().unwrap();
    until(&recipe("digits", &NOISE), root.path(), "run", 5);
    let run = folder(root.path(), "run");
    let path = run.join("checkpoints/last.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let key = br#"scales\":[["#;
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let number: Vec<u8> = bytes[at..].iter().copied().take_while(|c| *c != b',').collect();
    // A number of the same length, so that nothing else of the file is wrong.
    let negative = format!("-{}", "1".repeat(number.len() - 1));
    let broken = [&bytes[..at], negative.as_bytes(), &bytes[at + number.len()..]].concat();
    std::fs::write(&path, broken).unwrap();
    let error = resume(&run, &no_folders(), None, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(error.contains("its running scales are not those of 3 layers, finite and not negative"), "{error}");
    std::fs::write(&path, bytes).unwrap();
    assert!(resume(&run, &no_folders(), None, &mut |_| ControlFlow::Continue(())).is_ok());
}

/// A layer that is not drawn is updated once more like the others when it is asked how settled it is.
#[test]
fn settling_is_of_all_layers_also_where_updates_are_drawn() {
    let root = tempfile::tempdir().unwrap();
    let sets = ["learning.schedule=random", "learning.passes=4", "disturbance.redraw_order=true", "analysis.settling_samples=20"];
    whole(&recipe("digits", &sets), root.path(), "redrawn");
    let parallel = ["learning.schedule=parallel", "learning.passes=2", "learning.beta=1", "analysis.settling_samples=20"];
    let seldom = [&parallel[..], &["disturbance.update_probability=0.05"]].concat();
    whole(&recipe("digits", &seldom), root.path(), "seldom");
    let residuals = |name: &str| -> Vec<f64> {
        let lines = metrics(&folder(root.path(), name));
        lines.iter().filter(|line| line["kind"] == "settling").map(|line| line["residual"].as_f64().unwrap()).collect()
    };
    assert_eq!(residuals("redrawn").len(), 9);
    // With so few updates the output has hardly been nudged; one more update of all layers nudges it after every epoch.
    let of_output: Vec<f64> = residuals("seldom").into_iter().skip(2).step_by(3).collect();
    assert!(of_output.len() == 3 && of_output.iter().all(|residual| *residual > 1e-4), "{of_output:?}");
}

/// Of so many bits f32 does not hold every level exactly: what were rounded again would move.
#[test]
fn random_feedback_kernels_on_levels_never_change() {
    let root = tempfile::tempdir().unwrap();
    let feedback = |epochs: &str| {
        let sets = ["learning.feedback=random", "disturbance.weight_bits=24", "disturbance.rounding=stochastic", epochs];
        whole(&recipe("digits", &sets), root.path(), epochs);
        let model = Model::load(&folder(root.path(), epochs).join("model.safetensors")).unwrap();
        [2, 3].map(|k| model.parameters.get(model.topology.feedback(k).unwrap()).clone())
    };
    assert_eq!(feedback("training.epochs=1"), feedback("training.epochs=2"));
}
