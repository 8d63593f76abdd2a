//! The commands of the README run as they stand there.

use std::fs;
use std::path::Path;

use crate::{dualprop, stderr};

/// Splits a command line as a shell would, for words with single quotes and without escapes.
fn words(line: &str) -> Vec<String> {
    let command = line.split(" #").next().unwrap();
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_commands_of_the_readme_work() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("dualprop ")).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let words = words(command);
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let output = dualprop(folder.path(), &arguments);
        assert!(output.status.success(), "{command}: {}", stderr(&output));
    }
}
