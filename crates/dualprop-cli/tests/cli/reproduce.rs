//! `dualprop reproduce`: listed, refused, trained, interrupted, resumed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::{assert_refused, command, dualprop, stderr, stdout};

/// All arms of the experiment with MNIST in its quick form, on the digits, which need no files.
const DIGITS: [&str; 17] = [
    "reproduce",
    "mnist",
    "--quick",
    "--set",
    "data.dataset=digits",
    "--set",
    "data.split=stratified",
    "--set",
    "data.validation=0.2",
    "--set",
    "data.limit_train=100",
    "--set",
    "training.epochs=1",
    "--set",
    "training.checkpoint_every=1",
    "--set",
    "network.layers=['dense 8', 'dense 8', 'dense 10']",
];

fn table(folder: &Path) -> [String; 2] {
    ["results.csv", "results.jsonl"].map(|name| fs::read_to_string(folder.join(name)).unwrap())
}

#[test]
fn every_experiment_is_listed_with_what_it_costs() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&dualprop(folder.path(), &["reproduce", "--list"]));
    for (name, rest) in [
        ("mnist ", ["mnist ", "no ", "39 "]),
        ("flavours", ["mnist ", "no ", "35 "]),
        ("imagenet32", ["imagenet32", "no ", "6 "]),
    ] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(rest.iter().all(|part| line.contains(part)) && line.matches(" about ").count() == 2, "{line}");
    }
    let list: Value = serde_json::from_str(&stdout(&dualprop(folder.path(), &["reproduce", "--list", "--json"]))).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 11);
    for experiment in list.as_array().unwrap() {
        let seconds = |key: &str| experiment[key].as_f64().unwrap();
        assert!(seconds("quick_expected_seconds") < seconds("expected_seconds") / 3.0, "{experiment}");
    }
}

#[test]
fn all_arms_are_trained_and_an_experiment_is_resumed_as_such_or_as_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let trained = dualprop(folder.path(), &DIGITS);
    assert!(trained.status.success(), "{}", stderr(&trained));
    let told = stderr(&trained);
    for expected in [
        "MNIST: accuracy and norm of the network by rule and alpha, quick: it reproduces nothing, with data.dataset=digits, ",
        "  source    R. Høier and C. Zach",
        "  changed   training.epochs=3, data.limit_train=5000, ",
        "  data      digits\n",
        "  trainings 13: 13 arms of 1 seed\n",
        "  expected  about ",
        "  folder    runs/reproduce-mnist-quick\n",
        " 13/13  method=",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let text = stdout(&trained);
    let lines: Vec<&str> = text.lines().collect();
    let header: Vec<&str> = lines[1].split_whitespace().collect();
    let expected = "method alpha test accuracy product norm finished diverged collapsed published";
    assert_eq!(header, expected.split(' ').collect::<Vec<_>>());
    assert_eq!(lines[2..15].iter().filter(|line| line.contains(" % ") && line.ends_with("not available")).count(), 13, "{text}");
    let run = folder.path().join("runs/reproduce-mnist-quick");
    assert!(run.join("method=dp_mixed,alpha=0.5/model.safetensors").is_file());
    assert!(run.join("method=input_adversarial/model.safetensors").is_file());
    let expected = table(&run);
    assert!(expected[0].starts_with("method,alpha,seed,state,test_accuracy,"), "{}", expected[0]);
    assert_eq!(expected[0].lines().count(), 14);
    let description: Value = serde_json::from_str(&fs::read_to_string(run.join("sweep.json")).unwrap()).unwrap();
    assert_eq!((&description["experiment"]["name"], &description["experiment"]["quick"]), (&"mnist".into(), &true.into()));
    // What is missing is trained to the same bits, by either command.
    let path = "runs/reproduce-mnist-quick";
    for (command, header) in [("reproduce", "MNIST: accuracy"), ("sweep", "method ")] {
        fs::remove_dir_all(run.join("method=dp,alpha=1")).unwrap();
        fs::remove_file(run.join("method=backprop/summary.json")).unwrap();
        let resumed = dualprop(folder.path(), &[command, "--resume", path]);
        assert!(resumed.status.success() && stdout(&resumed).starts_with(header), "{command}: {}", stderr(&resumed));
        assert_eq!(stderr(&resumed).lines().filter(|line| line.contains("/13  ")).count(), 2, "{}", stderr(&resumed));
        assert!(table(&run) == expected, "{command}: another table");
    }
    let found: Value =
        serde_json::from_str(&stdout(&dualprop(folder.path(), &["reproduce", "--resume", path, "--quiet", "--json"]))).unwrap();
    assert_eq!((&found["experiment"], &found["quick"], &found["with"][5]), (&"mnist".into(), &true.into(), &DIGITS[14].into()));
    let cells = found["cells"].as_array().unwrap();
    assert_eq!((cells.len(), &cells[11]["values"]["alpha"], &cells[11]["published"]), (13, &Value::Null, &Value::Null));
    assert!(cells.iter().all(|cell| cell["product_norm"].is_number() && cell["finished"] == 1), "{found}");
    // Jobs change nothing, and a name that is taken is replaced by force alone.
    let again = [&DIGITS[..], &["--quiet", "--jobs", "3", "--name", "reproduce-mnist-quick"]].concat();
    assert_refused(&dualprop(folder.path(), &again), 2, "reproduce-mnist-quick: it exists already; choose another --name");
    let forced = dualprop(folder.path(), &[&again[..], &["--force"]].concat());
    assert!(forced.status.success() && stderr(&forced).is_empty(), "{}", stderr(&forced));
    assert!(table(&run) == expected, "jobs changed the table");
}

#[test]
fn what_is_published_stands_beside_what_came_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = DIGITS.to_vec();
    arguments[1] = "flavours";
    arguments.extend(["--set", "training.batch_size=50", "--quiet"]);
    let trained = dualprop(folder.path(), &arguments);
    assert!(trained.status.success(), "{}", stderr(&trained));
    let text = stdout(&trained);
    let line = |flavour: &str| text.lines().find(|line| line.starts_with(flavour)).unwrap();
    assert!(line("dual ").ends_with("98.4 %") && line("parallel ").ends_with("not available"), "{text}");
    assert!(line("published: 98.4 of dual is quoted of the paper").contains("SCFF"), "{text}");
}

#[test]
fn what_cannot_be_reproduced_is_refused_and_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["mnits"][..], "error: unknown experiment `mnits`; did you mean `mnist`?"),
        (&["mnist", "--data-dir", "empty"], "data.dataset = mnist: its files train-images-idx3-ubyte"),
        (&["mnist", "--set", "learning.alpha=0.3"], "error: --set = learning.alpha=0.3: the arms of the experiment have values"),
        (&["mnist", "--set", "seeds=[1]"], "--seeds N takes the first N of them"),
        (&["mnist", "--seeds", "4"], "error: --seeds = 4: the experiment has the seeds [0, 1, 2]; expected how many of them"),
        (&["mnist", "--set", "training.epochs=0"], "error: cell method=dp_transpose alpha=0: training.epochs = 0"),
        (&["mnist", "--force"], "--name <NAME>"),
        (&[], "<EXPERIMENT>"),
        (&["mnist", "--list"], "cannot be used with"),
        (&["--resume", "x", "--list"], "cannot be used with"),
        (&["--resume", "x", "mnist"], "cannot be used with"),
        (&["--resume", "x", "--quick"], "cannot be used with"),
        (&["--resume", "x", "--set", "training.epochs=1"], "cannot be used with"),
        (&["--resume", "x", "--seeds", "1"], "cannot be used with"),
        (&["--resume", "x", "--name", "y"], "cannot be used with"),
        (&["--resume", "x", "--force"], "cannot be used with"),
        (&["--resume", "x"], "error: x: it is no sweep: it has no sweep.json"),
    ] {
        assert_refused(&dualprop(folder.path(), &[&["reproduce"], arguments].concat()), 2, expected);
        assert!(!folder.path().join("runs").exists(), "{arguments:?}");
    }
    let sweep = ["sweep", "digits", "--grid", "learning.alpha=0", "--set", "training.epochs=1", "--name", "grid"];
    assert!(dualprop(folder.path(), &sweep).status.success());
    let expected = "runs/grid: it is a sweep over a grid, not an experiment; go on with it by `dualprop sweep --resume`";
    assert_refused(&dualprop(folder.path(), &["reproduce", "--resume", "runs/grid"]), 2, expected);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_everything_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = DIGITS.to_vec();
    arguments[12] = "training.epochs=100000";
    arguments.extend(["--jobs", "1"]);
    let child = command(folder.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    crate::wait_for_lines(&folder.path().join("runs/reproduce-mnist-quick/method=dp_transpose,alpha=0"), 2);
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let expected = "interrupted; everything is kept. Go on with: dualprop reproduce --resume runs/reproduce-mnist-quick\n";
    assert_refused(&output, 130, expected);
}

/// A folder with the files of MNIST.
fn mnist() -> Option<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let named = std::env::var_os("DUALPROP_DATA").map(PathBuf::from);
    named.into_iter().chain([shared]).find(|folder| folder.join("mnist").is_dir())
}

#[test]
fn the_experiment_with_mnist_runs_on_mnist() {
    let Some(data) = mnist() else { return println!("SKIPPED: no folder of data sets; set DUALPROP_DATA") };
    let folder = tempfile::tempdir().unwrap();
    let fewer = ["--set", "training.epochs=1", "--set", "data.limit_train=200", "--set", "data.validation=200"];
    let arguments = [&["reproduce", "mnist", "--quick", "--data-dir", data.to_str().unwrap()], &fewer[..]].concat();
    let trained = dualprop(folder.path(), &arguments);
    assert!(trained.status.success(), "{}", stderr(&trained));
    assert!(stderr(&trained).contains("  data      mnist\n"), "{}", stderr(&trained));
    assert_eq!(stdout(&trained).lines().filter(|line| line.ends_with("not available")).count(), 13, "{}", stdout(&trained));
}
