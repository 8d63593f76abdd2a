//! Nothing but `data fetch` needs a network, and nothing else can use one.

use std::path::Path;
use std::process::{Command, Output};

use crate::data::{IMPORT, arrays};
use crate::{command, stderr};

/// Runs `dualprop` where there is no network at all; none where the kernel allows no such place.
fn alone(folder: &Path, arguments: &[&str]) -> Output {
    let outside = command(folder, arguments);
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--map-root-user"]).arg(outside.get_program()).args(outside.get_args()).current_dir(folder);
    for (name, value) in outside.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    inside.output().unwrap()
}

#[test]
fn every_command_but_a_fetch_works_without_a_network() {
    let namespace = Command::new("unshare").args(["--net", "--map-root-user", "true"]).output();
    if !namespace.is_ok_and(|output| output.status.success()) {
        return println!("SKIPPED: unshare makes no namespace without a network here");
    }
    let folder = tempfile::tempdir().unwrap();
    arrays(folder.path());
    let golden = "../dualprop/tests/golden/mlp_a_dp_transpose_a0.0_b0.1_fwK4_relu_ce.safetensors";
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden).display().to_string();
    for arguments in [
        &["train", "digits", "--quiet", "--name", "a", "--set", "training.epochs=2"][..],
        &["train", "--resume", "runs/a"],
        &["train", "--dry-run"],
        &["train", "mnist", "--print-recipe"],
        &["sweep", "digits", "--grid", "learning.alpha=0,1", "--set", "training.epochs=1", "--name", "b"],
        &["sweep", "--resume", "runs/b"],
        &["eval", "runs/a"],
        &["predict", "runs/a/model.safetensors", "digits", "--out", "labels.csv"],
        &["export", "runs/a"],
        &["summary", "runs/a"],
        &["verify", "runs/a"],
        &["gradcheck", "digits", "--samples", "4"],
        &["alignment", "runs/a", "--batches", "2"],
        &["lipschitz", "runs/a", "--samples", "4"],
        &["objective", "runs/a", "--samples", "4"],
        &["robustness", "runs/a", "--samples", "4", "--steps", "2"],
        &["stability", "runs/a", "--samples", "2", "--alpha", "0", "--beta", "0.1", "--figure", "map.svg"],
        &["plan"],
        &["trace", &case, "--out", "out"],
        &["bench", "--case", "mlp512", "--samples", "2", "--seconds", "0"],
        &["recipes"],
        &["data", "list"],
        &["data", "verify"],
        &[&IMPORT[..], &["--out", "mine"]].concat(),
    ] {
        let output = alone(folder.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    let fetched = alone(folder.path(), &["data", "fetch", "mnist", "--data-dir", "data"]);
    let text = stderr(&fetched);
    assert_eq!(fetched.status.code(), Some(1), "{text}");
    let error = text.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains("train-images-idx3-ubyte.gz cannot be fetched: http"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path().join("data/mnist")).unwrap().count(), 0, "nothing is left of it");
}

/// Without the feature `fetch`, which is off unless it is asked for, the library has no client for a network.
#[test]
fn the_library_has_no_client_for_a_network_unless_it_is_asked_for() {
    let tree = |more: &[&str]| {
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        cargo.args(["tree", "-p", "dualprop", "-e", "normal", "--locked", "--offline", "--prefix", "none"]).args(more);
        let output = cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let (without, with) = (tree(&[]), tree(&["--features", "fetch"]));
    for client in ["ureq ", "ureq-proto ", "rustls ", "ring ", "tar "] {
        assert!(with.lines().any(|line| line.starts_with(client)), "{client}: {with}");
        assert!(!without.lines().any(|line| line.starts_with(client)), "{client}: {without}");
    }
}
