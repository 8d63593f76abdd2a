//! The program as a person uses it: one binary of tests, a temporary folder each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod plan;
mod readme;
mod trace;
mod train;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `dualprop` with these arguments in this folder.
fn dualprop(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dualprop"));
    // Set by `cargo test`; it would change the suggested commands.
    command.env_remove("CARGO").current_dir(folder).args(arguments).output().unwrap()
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
