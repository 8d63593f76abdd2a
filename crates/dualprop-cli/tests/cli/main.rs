//! The program as a person uses it: one binary of tests, a temporary folder each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod bench;
mod compare;
mod data;
mod exit_codes;
mod exports;
mod folders;
mod help;
mod kills;
#[cfg(target_os = "linux")]
mod leaks;
mod models;
#[cfg(target_os = "linux")]
mod no_network;
mod plan;
mod readme;
mod report;
mod reproduce;
mod stability;
mod sweep;
mod trace;
mod train;
mod verify;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs `dualprop` with these arguments in this folder.
fn dualprop(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualprop"));
    // Set by `cargo test`; it would change the suggested commands.
    command
        .env_remove("CARGO")
        .env_remove("DUALPROP_DATA")
        .env_remove("DUALPROP_ISA")
        .env("XDG_CACHE_HOME", folder)
        .current_dir(folder)
        .args(arguments);
    command
}

/// A file that takes no byte; without one there is nothing to test.
fn full() -> Option<File> {
    let file = File::options().write(true).open("/dev/full").ok();
    if file.is_none() {
        println!("SKIPPED: there is no /dev/full");
    }
    file
}

/// Waits until a run has this many lines of metrics.
fn wait_for_lines(run: &Path, lines: usize) {
    let began = Instant::now();
    while fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default().lines().count() < lines {
        assert!(began.elapsed().as_secs() < 120, "the training does not get on");
        sleep(Duration::from_millis(5));
    }
}

/// A training that takes much longer than any test lets it, and keeps a checkpoint after every third batch.
const LONG: [&str; 8] = [
    "train",
    "--quiet",
    "--set",
    "training.epochs=100000",
    "--set",
    "training.checkpoint_every=3",
    "--set",
    "network.layers=['dense 48', 'dense 10']",
];

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Asserts that the command failed with this exit code, said this, and printed no result.
fn assert_refused(output: &Output, code: i32, message: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(stderr(output).contains(message), "expected {message:?} in {}", stderr(output));
    assert_eq!(stdout(output), "");
    assert!(!stderr(output).contains("panicked"), "{}", stderr(output));
}
