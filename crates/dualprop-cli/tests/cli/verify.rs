//! `dualprop verify`

use std::fs;

use crate::{assert_refused, dualprop, stderr, stdout};

const SHORT: [&str; 6] =
    ["--set", "training.epochs=2", "--set", "training.alignment_every=5", "--set", "network.layers=['dense 16', 'dense 10']"];

#[test]
fn a_run_gives_the_same_bits_again_and_says_what_differs_if_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let train =
        |more: &[&str]| dualprop(folder.path(), &[&["train", "--quiet", "--name", "a", "--force"], &SHORT[..], more].concat());
    assert!(train(&["--threads", "2"]).status.success());
    for threads in ["1", "3"] {
        let same = dualprop(folder.path(), &["verify", "runs/a", "--threads", threads]);
        assert!(same.status.success(), "{}", stderr(&same));
        assert!(stdout(&same).starts_with("seed 0: the same bits ("), "{}", stdout(&same));
    }
    assert_eq!(fs::read_dir(folder.path().join("runs")).unwrap().count(), 1, "nothing is left behind");
    // Another learning rate, as if something had changed since.
    let path = folder.path().join("runs/a/recipe.toml");
    let text = fs::read_to_string(&path).unwrap();
    let rate = text.lines().find(|line| line.starts_with("learning_rate")).unwrap().to_string();
    fs::write(&path, text.replace(&rate, "learning_rate = 0.011")).unwrap();
    let other = dualprop(folder.path(), &["verify", "runs/a"]);
    assert_eq!(other.status.code(), Some(1));
    for expected in ["parameters_sha256", "train_loss", "kept", "repeated"] {
        assert!(stdout(&other).contains(expected), "{expected}: {}", stdout(&other));
    }
    assert!(stderr(&other).contains("does not give the same bits again"), "{}", stderr(&other));
}

#[test]
fn several_seeds_are_verified_one_by_one_and_what_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let trained = dualprop(folder.path(), &[&["train", "--quiet", "--set", "seeds=[3,4]"], &SHORT[..]].concat());
    assert!(trained.status.success(), "{}", stderr(&trained));
    let same = dualprop(folder.path(), &["verify", "runs/digits"]);
    assert!(same.status.success(), "{}", stderr(&same));
    assert_eq!(stdout(&same).lines().count(), 2);
    assert_refused(&dualprop(folder.path(), &["verify", "runs"]), 2, "it has no recipe.toml");
    fs::write(folder.path().join("runs/digits/seed-3/metrics.jsonl"), "").unwrap();
    assert_refused(&dualprop(folder.path(), &["verify", "runs/digits"]), 2, "no complete epoch yet");
    fs::write(folder.path().join("runs/digits/seed-3/metrics.jsonl"), "{").unwrap();
    assert_refused(&dualprop(folder.path(), &["verify", "runs/digits"]), 2, "line 1 is no line of metrics");
}
