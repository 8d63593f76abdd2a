//! The program as a person uses it: one binary of tests, a temporary folder each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod data;
mod help;
mod kills;
mod models;
mod plan;
mod readme;
mod trace;
mod train;
mod verify;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

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
