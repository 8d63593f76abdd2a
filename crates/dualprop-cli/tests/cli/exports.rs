//! `dualprop train --tensorboard --metrics-csv`

use std::fs;
use std::path::Path;

use crate::{LONG, assert_refused, command, dualprop, stderr, stdout, wait_for_lines};

const EVENTS: &str = "events.out.tfevents.dualprop";

fn train(folder: &Path, arguments: &[&str]) {
    let small = ["train", "--quiet", "--set", "training.epochs=2", "--set", "data.limit_train=200"];
    let output = dualprop(folder, &[&small[..], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn exports_are_made_while_a_run_trains_and_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/a");
    train(folder.path(), &["--name", "a", "--set", "seeds=[0,1]"]);
    let exist = |name: &str| ["seed-0", "seed-1", "."].map(|seed| run.join(seed).join(name).is_file());
    assert_eq!((exist(EVENTS), exist("metrics.csv")), ([false; 3], [false; 3]));
    let output = dualprop(folder.path(), &["train", "--resume", "runs/a", "--tensorboard", "--metrics-csv"]);
    assert!(stderr(&output).contains("finished already"), "{}", stderr(&output));
    assert_eq!((exist(EVENTS), exist("metrics.csv")), ([true, true, false], [true, true, false]));
    let table = fs::read_to_string(run.join("seed-1/metrics.csv")).unwrap();
    assert!(table.starts_with("epoch,step,train_loss,") && table.lines().count() == 3, "{table}");
    // They are parts of a run, which --force replaces.
    train(folder.path(), &["--name", "a", "--force", "--metrics-csv"]);
    assert_eq!((exist(EVENTS), exist("metrics.csv")), ([false; 3], [false, false, true]));
    for option in ["--tensorboard", "--metrics-csv"] {
        assert_refused(&dualprop(folder.path(), &["train", "--dry-run", option]), 2, "cannot be used with");
        assert_refused(&dualprop(folder.path(), &["train", "--print-recipe", option]), 2, "cannot be used with");
    }
}

#[cfg(unix)]
#[test]
fn an_export_that_cannot_be_written_ends_the_training_with_its_name_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/long");
    let mut child = command(folder.path(), &[&LONG[..], &["--name", "long"]].concat()).spawn().unwrap();
    wait_for_lines(&run, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    fs::create_dir(run.join("metrics.csv")).unwrap();
    let output = dualprop(folder.path(), &["train", "--resume", "runs/long", "--metrics-csv"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let said = stderr(&output);
    assert!(said.contains("error: runs/long/metrics.csv: cannot be written"), "{said}");
    assert!(said.contains("go on with: dualprop train --resume runs/long --metrics-csv"), "{said}");
    assert!(run.join("checkpoints/last.safetensors").is_file());
}
