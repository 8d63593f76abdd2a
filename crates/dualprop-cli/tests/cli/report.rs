//! `dualprop report`; `scripts/check_report.py` looks at the pages in a browser.

use std::fs;
use std::path::Path;

use crate::{assert_refused, dualprop, stderr, stdout};

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = dualprop(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

fn train(folder: &Path, name: &str, more: &[&str]) {
    let small = ["train", "digits", "--quiet", "--set", "training.epochs=2", "--set", "data.limit_train=200", "--name", name];
    run(folder, &[&small, more].concat());
}

#[test]
fn a_report_stands_in_its_run_and_is_replaced_with_it() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "a", &[]);
    assert_eq!(run(folder.path(), &["report", "runs/a"]), "runs/a/report/report.html: 8 figures\n");
    assert_eq!(run(folder.path(), &["report", "runs/a", "--no-models"]), "runs/a/report/report.html: 4 figures\n");
    let figures = fs::read_dir(folder.path().join("runs/a/report/figures")).unwrap().count();
    assert_eq!(figures, 8, "what the second report does not have is gone");
    // A run with a report is still a run: it resumes, and is replaced as a whole.
    run(folder.path(), &["train", "--resume", "runs/a", "--quiet"]);
    train(folder.path(), "a", &["--force"]);
    assert!(!folder.path().join("runs/a/report").exists() && !folder.path().join("runs/a.replaced").exists());
    // But not with what somebody has put beside it.
    run(folder.path(), &["report", "runs/a", "--no-models"]);
    fs::write(folder.path().join("runs/a/report/notes.txt"), "precious").unwrap();
    let arguments = ["train", "digits", "--quiet", "--set", "training.epochs=1", "--name", "a", "--force"];
    for arguments in [&arguments[..], &["report", "runs/a"]] {
        assert_refused(&dualprop(folder.path(), arguments), 2, "notes.txt: it is no part of a report");
    }
    assert_eq!(fs::read_to_string(folder.path().join("runs/a/report/notes.txt")).unwrap(), "precious");
}

#[test]
fn a_sweep_with_a_report_goes_on_and_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = ["sweep", "digits", "--quiet", "--grid", "learning.alpha=0,1", "--set", "training.epochs=1", "--name", "s"];
    run(folder.path(), &sweep);
    assert!(run(folder.path(), &["report", "runs/s"]).starts_with("runs/s/report/report.html: "));
    let page = fs::read_to_string(folder.path().join("runs/s/report/report.html")).unwrap();
    assert!(page.contains("<title>s</title>") && page.contains("2 combinations of learning.alpha."));
    run(folder.path(), &["sweep", "--resume", "runs/s", "--quiet"]);
    run(folder.path(), &[&sweep[..], &["--force"]].concat());
    assert!(!folder.path().join("runs/s/report").exists());
}

#[test]
fn data_that_is_not_here_is_said_and_the_rest_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "a", &[]);
    let recipe = folder.path().join("runs/a/recipe.toml");
    let text = fs::read_to_string(&recipe).unwrap().replace("dataset = \"digits\"", "dataset = \"mnist\"");
    fs::write(&recipe, text.replace("test = 0.2\n", "").replace("\"stratified\"", "\"last\"")).unwrap();
    run(folder.path(), &["report", "runs/a"]);
    let text = fs::read_to_string(folder.path().join("runs/a/report/report.md")).unwrap();
    assert!(text.contains("Confusion matrix and states are not drawn, for the data is not here"), "{text}");
}

#[test]
fn what_is_no_subject_or_no_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), "a", &[]);
    fs::write(folder.path().join("thesis.tex"), "precious").unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    fs::write(folder.path().join("mine/thesis.tex"), "precious").unwrap();
    for (arguments, message) in [
        (&["report", "runs/b"][..], "runs/b: expected a run directory"),
        (&["report", "thesis.tex", "--out", "out"], "thesis.tex: expected a table"),
        (&["report", "runs/a", "runs/a"], "--out = none for 2 subjects: give the folder of the report"),
        (&["report", "runs/a", "--out", "thesis.tex"], "thesis.tex: it is no folder"),
        (&["report", "runs/a", "--out", "mine"], "mine/thesis.tex: it is no part of a report"),
    ] {
        assert_refused(&dualprop(folder.path(), arguments), 2, message);
    }
    assert_eq!(fs::read_to_string(folder.path().join("mine/thesis.tex")).unwrap(), "precious");
    assert!(!folder.path().join("out").exists() && !folder.path().join("runs/a/report").exists());
}
