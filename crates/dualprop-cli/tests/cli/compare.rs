//! `dualprop compare`

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{assert_refused, dualprop, stderr, stdout};

/// Trains a small network into `runs/name`.
fn train(folder: &Path, name: &str, sets: &[&str]) {
    let small = ["training.epochs=1", "data.limit_train=200", "network.layers=['dense 8', 'dense 10']"];
    let mut arguments = vec!["train", "digits", "--quiet", "--name", name];
    small.iter().chain(sets).for_each(|set| arguments.extend(["--set", set]));
    let output = dualprop(folder, &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn runs_are_compared_with_the_first_seed_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "a", &["seeds=[0,1,2,3]"]);
    train(folder.path(), "b", &["seeds=[1,2,3,7]", "learning.alpha=0.5"]);
    train(folder.path(), "one", &["seeds=[2]", "data.validation=0.1"]);
    let compared = |more: &[&str]| {
        let output = dualprop(folder.path(), &[&["compare", "runs/a", "runs/b", "runs/one"][..], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        output
    };
    let output = compared(&["--out", "rows.csv", "--figure", "compared.svg"]);
    let svg = fs::read_to_string(folder.path().join("compared.svg")).unwrap();
    assert!(svg.contains("runs/b, seed 2: ") && svg.contains(">difference of test_accuracy</text>"), "{svg}");
    for figure in ["compared.png", "nowhere/compared.svg"] {
        let refused = dualprop(folder.path(), &["compare", "runs/a", "runs/b", "--figure", figure]);
        assert_refused(&refused, 2, "--figure = ");
    }
    let text = stdout(&output);
    assert!(stderr(&output).contains("warning: runs/a and runs/one do not split their data in the same way"));
    for said in [
        "test_accuracy, paired by seed\nrun       n  ",
        "runs/a and runs/b: seed 0 left out, which only runs/a has\n",
        "runs/a and runs/b: seed 7 left out, which only runs/b has\n",
        "runs/a and runs/one: seeds 0, 1, 3 left out, which only runs/a has\n",
        "runs/one: no tests, since a single pair says nothing of chance; train more seeds\n",
    ] {
        assert!(text.contains(said), "{said:?} in {text}");
    }
    // Three losses never meet, so that the least p is that of three pairs.
    assert!(stdout(&compared(&["--metric", "test_loss"])).contains(" (0.250)"));
    // The numbers are those of the summaries.
    let summary: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("runs/a/summary.json")).unwrap()).unwrap();
    let json: Value = serde_json::from_str(&stdout(&compared(&["--json"]))).unwrap();
    assert_eq!((&json["metric"], &json["baseline"]["seeds"]), (&"test_accuracy".into(), &summary["seeds"]));
    let accuracies: Vec<&Value> = summary["results"].as_array().unwrap().iter().map(|of| &of["test"]["accuracy"]).collect();
    assert_eq!(json["baseline"]["values"].as_array().unwrap().iter().collect::<Vec<_>>(), accuracies);
    assert_eq!(json["others"][0]["difference"]["pairs"], 3);
    assert_eq!(json["others"][1]["difference"]["t_test"], Value::Null);
    let rows = fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    let header = "run,name,metric,n,mean,std,difference,difference_std,ci_low,ci_high,t,t_p,wilcoxon_p,wilcoxon_smallest_p,d_z";
    assert_eq!((rows.lines().next(), rows.lines().count()), (Some(header), 4));
    for metric in ["test_top5", "test_loss", "validation_accuracy", "mean_angle_deg", "product_norm", "seconds"] {
        assert!(stdout(&compared(&["--metric", metric])).starts_with(metric), "{metric}");
    }
}

#[test]
fn what_cannot_be_compared_is_an_error_that_says_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "a", &[]);
    train(folder.path(), "b", &["seeds=[4]"]);
    for (arguments, message) in [
        (&["runs/a"][..], "expected at least two"),
        (&["runs/a", "runs/b"], "none in common"),
        (&["runs/a", "nothing"], "nothing: it is no run directory"),
        (&["runs/a", "runs/a", "--metric", "test_acuracy"], "did you mean `test_accuracy`?"),
        (&["runs/a", "runs/a", "--out", "rows.txt"], "expected a name that ends in .csv or .jsonl"),
        (&["runs/a", "runs/a", "--out", "runs/a/metrics.jsonl"], "it is a file of a run"),
    ] {
        assert_refused(&dualprop(folder.path(), &[&["compare"][..], arguments].concat()), 2, message);
    }
    assert_refused(&dualprop(folder.path(), &["compare"]), 2, "<RUN>...");
}
