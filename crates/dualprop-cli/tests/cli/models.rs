//! `eval`, `predict`, `export`, `summary` and `gradcheck`

use std::fs;

use crate::{assert_refused, dualprop, stderr, stdout};

/// A folder with a short run of the digits.
fn trained(name: &str, more: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["train", "--quiet", "--name", name, "--set", "training.epochs=3"], more].concat();
    let output = dualprop(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    folder
}

fn number_after(text: &str, word: &str) -> f64 {
    text.split(word).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_evaluation_finds_what_the_training_found() {
    let folder = trained("run", &["--set", "seeds=[2,5]"]);
    let text = fs::read_to_string(folder.path().join("runs/run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (part, key) in [("test", "/test/accuracy"), ("validation", "/validation_accuracy")] {
        let text = stdout(&dualprop(folder.path(), &["eval", "runs/run", "--part", part]));
        for (line, result) in text.lines().zip(summary["results"].as_array().unwrap()) {
            let expected = result.pointer(key).unwrap().as_f64().unwrap();
            assert!((number_after(line, "accuracy") - expected).abs() < 0.005, "{part}: {line}, expected {expected}");
        }
        assert_eq!(text.lines().count(), 2);
    }
    let model = "runs/run/seed-2/model.safetensors";
    let all = stdout(&dualprop(folder.path(), &["eval", model, "--data", "digits"]));
    assert!(all.contains("(1797 samples)") && number_after(&all, "accuracy") > 80.0, "{all}");
    assert_refused(&dualprop(folder.path(), &["eval", model]), 2, "--data NAME");
    assert_refused(&dualprop(folder.path(), &["eval", "."]), 2, "neither a model file nor a run directory");
    assert_refused(&dualprop(folder.path(), &["eval", model, "--data", "digts"]), 2, "did you mean `digits`?");
}

/// Whatever looks at a model does so of one with feedback kernels, but what has no meaning for it.
#[test]
fn a_model_with_feedback_kernels_is_looked_at_like_any_other() {
    let folder =
        trained("run", &["--set", "learning.feedback=kolen_pollack", "--set", "network.layers=['conv 4 pool', 'dense 10']"]);
    let run = |arguments: &[&str]| {
        let output = dualprop(folder.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    };
    let model = "runs/run/model.safetensors";
    assert!(number_after(&run(&["eval", "runs/run"]), "accuracy") > 20.0);
    // 4 channels of 4 x 4 pixels to 10 outputs, twice, and the biases.
    let text = run(&["summary", model]);
    assert!(text.contains("1,290") && text.contains("1,330"), "{text}");
    run(&["predict", model, "digits", "--out", "digits.csv"]);
    run(&["lipschitz", "runs/run", "--samples", "3"]);
    run(&["robustness", "runs/run", "--samples", "3"]);
    run(&["verify", "runs/run"]);
    // The output's gradient is the true one whatever is fed back below it.
    assert!(run(&["gradcheck", model, "--max-angle", "180"]).contains("layer"));
    let aligned = run(&["alignment", "runs/run", "--batches", "2"]);
    let tied = run(&["alignment", "runs/run", "--batches", "2", "--set", "learning.feedback=tied"]);
    assert_ne!(aligned, tied);
    assert_refused(&dualprop(folder.path(), &["objective", "runs/run"]), 2, "learning.feedback = kolen_pollack");
    run(&["objective", "runs/run", "--samples", "3", "--set", "learning.feedback=tied"]);
}

/// The optimist is below the loss and the adversary above, in the table and in the rows.
#[test]
fn objectives_are_printed_and_written() {
    let folder = trained("run", &[]);
    let run = |more: &[&str]| dualprop(folder.path(), &[&["objective", "runs/run", "--samples", "10"], more].concat());
    let text = stdout(&run(&["--out", "rows.jsonl", "--set", "learning.alpha=0.5", "--set", "learning.beta=0.5"]));
    assert!(text.starts_with("alpha = 0.5, beta = 0.5, cross_entropy, 10 test samples, in f64"), "{text}");
    let rows = fs::read_to_string(folder.path().join("rows.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let value = |name: &str| {
        let row = rows.iter().find(|row| row["objective"] == name && row["term"] == "value").unwrap();
        assert!(row["settled"].is_null() || row["settled"] == "settled", "{row}");
        row["value"].as_f64().unwrap()
    };
    assert!(value("optimistic") < value("rovr") && value("rovr") < value("loss"));
    assert!(value("loss") < value("one_level_adversarial") && value("one_level_adversarial") < value("adversarial"));
    assert!((value("arovr") - value("sprovr")).abs() < 1e-12);
    // A squared error of which the adversary takes without bound.
    let text = stdout(&run(&["--set", "learning.loss=half_squared_error", "--set", "learning.beta=1.5"]));
    assert!(text.lines().any(|line| line.starts_with("adversarial (DP at alpha = 0)") && line.contains("unbounded")), "{text}");
    assert_refused(&run(&["--out", "rows.txt"]), 2, "expected a name that ends in .csv or .jsonl");
    fs::copy(folder.path().join("runs/run/recipe.toml"), folder.path().join("recipe.csv")).unwrap();
    let lost = ["recipe.csv", "runs/run/model.safetensors"]
        .map(|subject| dualprop(folder.path(), &["objective", subject, "--samples", "2", "--out", "recipe.csv"]));
    assert_refused(&lost[0], 2, "which would be lost");
    assert!(lost[1].status.success(), "{}", stderr(&lost[1]));
    assert_refused(&run(&["--out", "nowhere/rows.csv"]), 2, "its folder does not exist");
    assert_refused(&run(&["--set", "learning.gain=2"]), 2, "learning.gain = ");
    // A folder that happens to have the name of a recipe.
    fs::create_dir(folder.path().join("digits")).unwrap();
    assert!(dualprop(folder.path(), &["summary", "digits"]).status.success());
    assert_refused(&run(&["--set", "learning.alpha=[0.5,0.1]"]), 2, "the objectives have one alpha for all layers");
    assert_refused(&dualprop(folder.path(), &["objective", "runs/run", "--samples", "0"]), 2, "expected 1 to the");
}

/// Every seed of a run is attacked; a budget of 0 leaves what an evaluation finds, and the row of a model alone is the same.
#[test]
fn robustness_is_measured_for_every_seed() {
    let folder = trained("run", &["--set", "seeds=[2,5]"]);
    let run = |arguments: &[&str]| dualprop(folder.path(), &[&["robustness", "--samples", "60"], arguments].concat());
    let rows = |file: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(folder.path().join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let sets = ["--attack", "noise,pgd", "--epsilon", "0,0.5", "--norm", "linf", "--steps", "10"];
    let text = stdout(&run(&[&["runs/run", "--out", "all.jsonl"], &sets[..]].concat()));
    assert!(text.starts_with("runs/run: accuracy on 60 test samples in percent, 2 models"), "{text}");
    let all = rows("all.jsonl");
    assert_eq!(all.len(), 2 * 2 * 2);
    for of_seed in all.chunks(4) {
        let accuracy = |i: usize| of_seed[i]["accuracy"].as_f64().unwrap();
        assert!(accuracy(0) == accuracy(2) && accuracy(0) > 80.0 && accuracy(3) < accuracy(1) - 10.0, "{of_seed:?}");
    }
    // The other commands take the first seed of a run.
    let [first, named] = ["runs/run", "runs/run/seed-2/model.safetensors"]
        .map(|subject| stdout(&dualprop(folder.path(), &["lipschitz", subject, "--samples", "5"])));
    assert!(first == named && first.contains("local"), "{first}{named}");
    let alone = run(&[&["runs/run/seed-5/model.safetensors", "--out", "one.jsonl"], &sets[..]].concat());
    assert!(alone.status.success(), "{}", stderr(&alone));
    for (row, again) in all[4..].iter().zip(rows("one.jsonl")) {
        assert_eq!((row["seed"].as_u64(), &row["loss"]), (Some(5), &again["loss"]));
    }
    for (arguments, expected) in [
        (&["runs/run", "--attack", "fgms"][..], "did you mean `fgsm`?"),
        (&["runs/run", "--norm", "l3"], "unknown norm `l3`"),
        (&["runs/run", "--epsilon=-1", "--norm=linf"], "epsilon = -1: expected a finite number"),
        (&["runs/run", "--steps", "0"], "steps = 0: expected 1 to"),
        (&["--attack=noise", "runs/run", "--steps=3"], "--steps = given: none of the attacks"),
        (&["--norm=linf", "runs/run", "--epsilon-l2=3"], "--epsilon-l2 = given: none of the attacks"),
    ] {
        assert_refused(&run(arguments), 2, expected);
    }
    assert_refused(&run(&["runs"]), 2, "neither a model file nor a run directory");
}

#[test]
fn predictions_are_labels_and_probabilities_of_every_sample() {
    let folder = trained("run", &[]);
    let output = dualprop(folder.path(), &["predict", "runs/run/model.safetensors", "digits", "--out", "out.csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(text.lines().next(), Some("sample,label,p0,p1,p2,p3,p4,p5,p6,p7,p8,p9"));
    assert_eq!(text.lines().count(), 1798);
    for (sample, line) in text.lines().skip(1).enumerate() {
        let numbers: Vec<f64> = line.split(',').map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers[0] as usize, sample);
        let (label, probabilities) = (numbers[1] as usize, &numbers[2..]);
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert!(probabilities.iter().all(|p| *p <= probabilities[label]), "{line}");
    }
    // Neither the model nor the data is overwritten.
    for (arguments, what) in [
        (["predict", "runs/run/model.safetensors", "digits", "--out", "runs/run/../run/model.safetensors"], "it is the model"),
        (["predict", "runs/run/model.safetensors", "out.csv", "--out", "./out.csv"], "it is the data"),
    ] {
        assert_refused(&dualprop(folder.path(), &arguments), 2, what);
    }
    // The same samples from an IDX file.
    let first = [[0, 0, 8, 3].to_vec(), [0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8].to_vec(), vec![3; 64]].concat();
    fs::write(folder.path().join("one.idx"), first).unwrap();
    let one = dualprop(folder.path(), &["predict", "runs/run/model.safetensors", "one.idx", "--out", "one.csv"]);
    assert!(stdout(&one).contains("of 1 samples"), "{}", stderr(&one));
    fs::write(folder.path().join("small.idx"), [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]).unwrap();
    let small = dualprop(folder.path(), &["predict", "runs/run/model.safetensors", "small.idx", "--out", "x.csv"]);
    assert_refused(&small, 2, "has shape [1, 1, 1], expected [8, 8, 1]");
    assert!(!folder.path().join("x.csv").exists());
}

/// What is in the files is held against other programs by scripts/check_onnx.py.
#[test]
fn a_model_is_exported_for_other_programs() {
    let folder = trained("run", &["--set", "seeds=[2,5]"]);
    let run = |arguments: &[&str]| dualprop(folder.path(), &[&["export"], arguments].concat());
    let first = run(&["runs/run"]);
    let of_first = "runs/run/seed-2/model.safetensors";
    let line = format!("model.onnx: {of_first} as ONNX, pixels [n, 1, 8, 8] to logits [n, 10]\n");
    assert_eq!((stdout(&first), stderr(&first)), (line, "runs/run: of its 2 seeds the first, 2\n".into()));
    let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let model = file("model.onnx");
    assert_refused(&run(&["runs/run"]), 2, "model.onnx exists already; choose another name, or give --force");
    assert_eq!(file("model.onnx"), model);
    let again = run(&[of_first, "--force", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!((&json["model"], &json["bytes"]), (&of_first.into(), &model.len().into()));
    assert_eq!(json["input"], serde_json::json!({ "name": "pixels", "sample_shape": [1, 8, 8] }));
    assert_eq!(file("model.onnx"), model, "the same model, other bytes");
    assert!(run(&["runs/run/seed-5/model.safetensors", "--force"]).status.success());
    assert_ne!(file("model.onnx"), model, "the same bytes of another seed");
    // The ending is the format, and the format the ending.
    let arrays = stdout(&run(&[of_first, "--format", "npz"]));
    assert_eq!(arrays, format!("model.npz: {of_first} as arrays of NumPy\n"));
    assert!(run(&[of_first, "--out", "runs/b.npz"]).status.success());
    assert_eq!(file("runs/b.npz"), file("model.npz"));
    std::fs::copy(folder.path().join(of_first), folder.path().join("own.onnx")).unwrap();
    for (arguments, expected) in [
        (&[of_first, "--format", "onxn"][..], "unknown export format `onxn`; did you mean `onnx`?"),
        (&[of_first, "--out", "a.pt"], "--out = a.pt: expected a name that ends in .onnx or .npz"),
        (&[of_first, "--out", "a.onnx", "--format", "npz"], "--out = a.onnx: expected a name that ends in .npz"),
        (&[of_first, "--out", "none/a.onnx"], "--out = none/a.onnx: its folder does not exist; make it first"),
        (&["own.onnx", "--out", "own.onnx", "--force"], "it is the model, which would be lost"),
        (&["runs", "--out", "a.onnx"], "runs: it is neither a model file nor a run directory with a model.safetensors"),
        (&["none", "--out", "a.onnx"], "none: cannot be read"),
        (&["runs/run/recipe.toml", "--out", "a.onnx"], "runs/run/recipe.toml: its header should have"),
    ] {
        assert_refused(&run(arguments), 2, expected);
    }
    assert!(!folder.path().join("a.onnx").exists());
}

#[test]
fn a_summary_shows_layers_and_cost() {
    let folder = trained("run", &[]);
    for subject in ["digits", "runs/run/model.safetensors", "mnist"] {
        let output = dualprop(folder.path(), &["summary", subject]);
        let text = stdout(&output);
        assert!(text.contains("times a forward pass"), "{subject}: {text}{}", stderr(&output));
        let parameters = if subject == "mnist" { "669,706" } else { "26,122" };
        assert!(text.contains(parameters), "{subject}: {text}");
    }
    fs::copy(folder.path().join("runs/run/model.safetensors"), folder.path().join("alone.safetensors")).unwrap();
    assert_refused(&dualprop(folder.path(), &["summary", "alone.safetensors"]), 2, "no recipe.toml stands beside it");
    assert!(dualprop(folder.path(), &["summary", "alone.safetensors", "--recipe", "digits"]).status.success());
}

#[test]
fn gradients_are_checked_and_failures_have_exit_code_1() {
    let folder = trained("run", &[]);
    let check = |arguments: &[&str]| dualprop(folder.path(), &[&["gradcheck"], arguments].concat());
    for passing in [
        &["digits"][..],
        &["digits", "--set", "learning.beta=1e-4", "--max-angle", "0.5"],
        &["digits", "--set", "learning.rule=backprop", "--max-angle", "1e-5"],
        &["runs/run/model.safetensors", "--samples", "8", "--set", "learning.loss=half_squared_error"],
    ] {
        let output = check(passing);
        assert!(output.status.success() && stdout(&output).contains("passed: angles up to"), "{}", stdout(&output));
    }
    for failing in [&["digits", "--max-angle", "0.1"][..], &["digits", "--tolerance", "1e-30"]] {
        let output = check(failing);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stdout(&output).contains("FAILED"), "{}", stdout(&output));
    }
    assert_refused(&check(&["digits", "--samples", "0"]), 2, "samples = 0: expected 1 to the 1078 training samples");
    assert_refused(&check(&["runs/run/model.safetensors", "--recipe", "mnist"]), 2, "data.dataset = mnist");
    let other = ["runs/run/model.safetensors", "--set", "network.layers=['dense 9', 'dense 10']"];
    assert_refused(&check(&other), 2, "the model's network is not the recipe's");
}
