//! `[analysis]`: what is measured beside a training.

use std::fs;

use dualprop::training::Recipe;
use serde_json::Value;

use crate::{folder, go_on, metrics, no_folders, recipe, result, until, whole};

fn of_kind(lines: &[Value], kind: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["kind"] == kind).cloned().collect()
}

#[test]
fn the_first_batches_of_the_training_are_measured_one_by_one() {
    let root = tempfile::tempdir().unwrap();
    // Eleven batches an epoch, of which every fourth is measured anyway; two updates a batch.
    let sets = ["analysis.first_batches=13", "learning.multistep=2", "learning.alpha=0.5"];
    whole(&recipe("digits", &sets), root.path(), "run");
    let lines = metrics(&folder(root.path(), "run"));
    let steps: Vec<u64> = of_kind(&lines, "step").iter().map(|line| line["step"].as_u64().unwrap() / 2).collect();
    let expected: Vec<u64> = (0..13).chain([15, 19, 22, 26, 30]).collect();
    assert_eq!(steps, expected);
    // The epoch has the means over its measured steps.
    for (epoch, key) in [(1, "norm_ratios"), (2, "norm_ratios"), (1, "sign_agreements"), (3, "sign_agreements")] {
        let steps = of_kind(&lines, "step").into_iter().filter(|line| line["epoch"] == epoch);
        let values: Vec<f64> = steps.map(|line| line[key][1].as_f64().unwrap()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let found = of_kind(&lines, "epoch")[epoch - 1][key][1].as_f64().unwrap();
        assert!((found - mean).abs() < 1e-12 && found > 0.5, "{key} of epoch {epoch}: {found}, expected {mean}");
    }
    // Also where nothing else is.
    whole(&recipe("digits", &["training.alignment_every=0", "analysis.first_batches=2"]), root.path(), "alone");
    assert_eq!(of_kind(&metrics(&folder(root.path(), "alone")), "step").len(), 2);
}

/// Without activations the constant is that of the product of all kernels, at every sample.
#[test]
fn local_lipschitz_constants_are_measured_after_each_epoch() {
    let root = tempfile::tempdir().unwrap();
    let linear = ["analysis.lipschitz_samples=40", "network.activation=identity", "optimizer.learning_rate=0.01"];
    whole(&recipe("digits", &linear), root.path(), "linear");
    for line in of_kind(&metrics(&folder(root.path(), "linear")), "epoch") {
        let product = line["product_norm"].as_f64().unwrap();
        // Power iterations give lower bounds that grow, of layers 1 to 3.
        let epoch = line["epoch"].as_u64().unwrap();
        let norms: Vec<Value> =
            of_kind(&metrics(&folder(root.path(), "linear")), "norm").into_iter().filter(|norm| norm["epoch"] == epoch).collect();
        assert_eq!(
            norms.iter().map(|norm| norm["power_iterations"].as_u64().unwrap()).collect::<Vec<_>>(),
            [10, 10, 10, 20, 20, 20]
        );
        for k in 0..3 {
            let [ten, twenty] = [&norms[k], &norms[k + 3]].map(|norm| norm["gamma"].as_f64().unwrap());
            assert!(ten <= twenty && twenty <= line["gammas"][k].as_f64().unwrap() * (1.0 + 1e-12) && ten > 0.5 * twenty);
        }
        for key in ["mean", "median", "largest"] {
            let found = line["local_lipschitz"][key].as_f64().unwrap();
            assert!((found / product - 1.0).abs() < 1e-5, "{key} {found}, the product has {product}");
        }
    }
    whole(&recipe("digits", &["analysis.lipschitz_samples=40"]), root.path(), "relu");
    for line in of_kind(&metrics(&folder(root.path(), "relu")), "epoch") {
        let of = |key: &str| line["local_lipschitz"][key].as_f64().unwrap();
        // Rectifiers that let nothing through only take away.
        assert!(of("median") > 0.0 && of("mean") < of("largest"), "{line}");
    }
    whole(&recipe("digits", &[]), root.path(), "none");
    assert!(of_kind(&metrics(&folder(root.path(), "none")), "epoch").iter().all(|line| line["local_lipschitz"].is_null()));
    let error = dualprop::training::Trainer::new(
        &recipe("digits", &["analysis.lipschitz_samples=5000"]),
        &no_folders(),
        0,
        &dualprop::compute::Pool::new(1).unwrap(),
    );
    let error = error.err().unwrap().to_string();
    assert!(error.starts_with("analysis.lipschitz_samples = 5000: expected at most the "), "{error}");
}

#[test]
fn analyses_change_no_bit_of_what_is_learnt_and_survive_an_interruption() {
    let root = tempfile::tempdir().unwrap();
    let analysed = recipe("digits", &["analysis.first_batches=14", "analysis.lipschitz_samples=7"]);
    whole(&analysed, root.path(), "analysed");
    whole(&recipe("digits", &[]), root.path(), "bare");
    let [with, without] = ["analysed", "bare"].map(|name| result(&folder(root.path(), name)));
    assert!(with.1 == without.1);
    for step in [6, 13, 20] {
        let name = format!("split-{step}");
        until(&analysed, root.path(), &name, step);
        go_on(&folder(root.path(), &name), 2);
        assert!(result(&folder(root.path(), &name)) == with, "interrupted after step {step}: other bits");
    }
}

/// A run that version 0.1.0 wrote before there was an `[analysis]`, interrupted in the middle of its third epoch.
#[test]
fn a_run_of_an_older_version_goes_on() {
    let (root, old) = (tempfile::tempdir().unwrap(), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/training/version-0.1.0"));
    let run = root.path().join("old");
    fs::create_dir_all(run.join("checkpoints")).unwrap();
    for file in ["recipe.toml", "environment.json", "metrics.jsonl", "model.safetensors", "checkpoints/last.safetensors"] {
        fs::copy(format!("{old}/{file}"), run.join(file)).unwrap();
    }
    let recipe = Recipe::load_file(&run.join("recipe.toml"), &[]).unwrap();
    assert_eq!(recipe.params().analysis, Some(Default::default()));
    let summary = go_on(&run, 1);
    assert_eq!((summary.seeds.len(), summary.results[0].collapsed), (1, None));
    assert!(summary.test_accuracy > 85.0, "{summary:?}");
    let epochs = of_kind(&metrics(&run), "epoch");
    assert_eq!(epochs.len(), 6);
    assert!(epochs[1]["sign_agreements"].is_null() && epochs[2]["sign_agreements"][0].as_f64().unwrap() > 0.5);
}

/// Objectives, settling and robustness have lines of their own after each epoch; a resumed run has the same ones.
#[test]
fn what_is_asked_for_is_measured_after_each_epoch_and_by_a_resumed_run_alike() {
    let root = tempfile::tempdir().unwrap();
    let sets = [
        "analysis.objective_samples=5",
        "analysis.settling_samples=20",
        "analysis.robustness_samples=50",
        "analysis.attacks=['noise linf 0.05', 'pgd-5 linf 0.3']",
    ];
    whole(&recipe("digits", &sets), root.path(), "run");
    let lines = metrics(&folder(root.path(), "run"));
    let epochs = of_kind(&lines, "epoch").len();
    let value = |line: &Value, key: &str| line[key].as_f64().unwrap();
    for epoch in 1..=epochs as u64 {
        let of = |kind: &str| -> Vec<Value> { of_kind(&lines, kind).into_iter().filter(|line| line["epoch"] == epoch).collect() };
        let objective = |name: &str| {
            let found = of("objective").into_iter().find(|line| line["objective"] == name && line["term"] == "value");
            value(&found.unwrap(), "value")
        };
        assert!(objective("optimistic") < objective("loss") && objective("loss") < objective("adversarial"));
        // DP-transpose at alpha 0 has settled after one sweep.
        assert!(of("settling").iter().all(|line| value(line, "residual") < 1e-5), "{:?}", of("settling"));
        let robustness = of("robustness");
        assert_eq!(robustness.len(), 2);
        assert!(value(&robustness[1], "accuracy") < value(&robustness[0], "accuracy"), "{robustness:?}");
    }
    until(&recipe("digits", &sets), root.path(), "split", 15);
    go_on(&folder(root.path(), "split"), 2);
    let resumed = metrics(&folder(root.path(), "split"));
    for kind in ["objective", "settling", "robustness"] {
        assert_eq!(of_kind(&resumed, kind), of_kind(&lines, kind), "{kind}");
    }
}

#[test]
fn objectives_of_several_alphas_are_refused_before_anything_is_trained() {
    let recipe = recipe("digits", &["learning.alpha=[0.1,0.2]", "analysis.objective_samples=5"]);
    let pool = dualprop::compute::Pool::new(1).unwrap();
    let error = dualprop::training::Trainer::new(&recipe, &no_folders(), 0, &pool).err().unwrap().to_string();
    assert!(error.starts_with("analysis.objective_samples = 5: the lifted objectives have one alpha"), "{error}");
}
