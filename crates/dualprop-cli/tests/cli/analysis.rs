//! `lipschitz` and `alignment`

use std::fs;

use crate::{assert_refused, dualprop, stderr, stdout};

/// A folder with a short run of the digits.
fn trained(more: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["train", "--quiet", "--name", "run", "--set", "training.epochs=2"], more].concat();
    let output = dualprop(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    folder
}

/// The lines of a CSV file as columns of this name.
fn column(text: &str, name: &str) -> Vec<String> {
    let place = text.lines().next().unwrap().split(',').position(|column| column == name).unwrap();
    text.lines().skip(1).map(|line| line.split(',').nth(place).unwrap().to_string()).collect()
}

fn number_after(text: &str, word: &str) -> f64 {
    text.split(word).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// A network without activations, whose local constants are the norm of the product of its kernels.
#[test]
fn lipschitz_prints_what_it_measures_and_writes_a_row_for_each_number() {
    let folder = trained(&["--set", "network.activation=identity", "--set", "optimizer.learning_rate=0.01"]);
    let lipschitz = |arguments: &[&str]| dualprop(folder.path(), &[&["lipschitz"], arguments].concat());
    let output = lipschitz(&["runs/run", "--samples", "40", "--out", "numbers.csv"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    let product = number_after(&text, "norm of the product of all kernels");
    for word in ["mean", "median", "largest"] {
        assert!((number_after(&text, word) / product - 1.0).abs() < 1e-5, "{text}");
    }
    assert!(text.contains("at 40 test samples") && text.contains("gamma by 10"), "{text}");
    let rows = fs::read_to_string(folder.path().join("numbers.csv")).unwrap();
    let columns = "quantity,layer,power_iterations,sample,label,value,residual,steps";
    assert_eq!(rows.lines().next(), Some(columns));
    assert_eq!(column(&rows, "quantity").iter().filter(|quantity| *quantity == "local_lipschitz").count(), 40);
    // What the last epoch kept of the same parameters, where it is the best one.
    let metrics = fs::read_to_string(folder.path().join("runs/run/metrics.jsonl")).unwrap();
    let products = metrics.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["product_norm"].as_f64()
    });
    assert!(products.into_iter().any(|kept| (kept / product - 1.0).abs() < 1e-5), "{product}");
    // As lines of JSON, and of a recipe without a model.
    assert!(lipschitz(&["digits", "--samples", "3", "--part", "validation", "--out", "l.jsonl"]).status.success());
    let lines = fs::read_to_string(folder.path().join("l.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((last["quantity"].as_str(), last["sample"].as_u64()), (Some("local_lipschitz"), Some(2)));
    for (arguments, message) in [
        (["runs/run", "--samples", "0"], "samples = 0: expected 1 to the "),
        (["runs/run", "--samples", "1000000"], "samples = 1000000: expected 1 to the "),
        (["runs/run", "--out", "numbers.txt"], "--out = numbers.txt"),
        (["digits", "--set", "network.activation=rleu"], "did you mean `relu`?"),
    ] {
        assert_refused(&lipschitz(&arguments), 2, message);
    }
    assert!(!folder.path().join("numbers.txt").exists());
}

#[test]
fn alignment_prints_means_and_writes_a_row_for_each_batch_and_layer() {
    let folder = trained(&[]);
    let alignment = |arguments: &[&str]| dualprop(folder.path(), &[&["alignment"], arguments].concat());
    let output = alignment(&["runs/run", "--batches", "3", "--out", "rows.csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("means over 3 batches of 32 training samples"), "{text}");
    let rows = fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert_eq!(rows.lines().next(), Some("batch,layer,cosine,angle_deg,norm_ratio,sign_agreement"));
    let layers = column(&rows, "layer");
    let depth: usize = layers.last().unwrap().parse().unwrap();
    assert_eq!((layers.len(), column(&rows, "batch").last().unwrap().as_str()), (3 * depth, "3"));
    // The first layer's line has the mean of its three cosines.
    let cosines: Vec<f64> = column(&rows, "cosine").iter().step_by(depth).map(|cosine| cosine.parse().unwrap()).collect();
    let mean = format!("{:.8}", cosines.iter().sum::<f64>() / 3.0);
    assert_eq!(text.lines().nth(1).unwrap().split_whitespace().nth(1), Some(mean.as_str()), "{text}");
    // A rule is compared with itself.
    let same = stdout(&alignment(&["runs/run", "--batches", "1", "--set", "learning.rule=backprop"]));
    assert!(same.contains("1.00000000   0.000°     1.000000  100.0%"), "{same}");
    assert_refused(&alignment(&["runs/run", "--batches", "9999"]), 2, "batches = 9999: of 32 samples each: expected 1 to the ");
    assert_refused(&alignment(&["runs/run", "--out", "rows"]), 2, "--out = rows");
}
