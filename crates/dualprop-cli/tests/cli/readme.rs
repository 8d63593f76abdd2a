//! The commands and recipes of the README and of the guide work as they stand there.

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

/// The lines of the fenced blocks in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let starts = text.split(&fence).skip(1);
    starts.map(|rest| rest.split("```").next().unwrap().to_string()).collect()
}

/// Runs every command of a document, from top to bottom, in one folder, beside the recipes that it prints.
fn run_all(document: &str, least: usize) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for recipe in blocks(&text, "toml") {
        let name = recipe.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"').to_string();
        fs::write(folder.path().join(format!("{name}.toml")), recipe).unwrap();
    }
    let blocks = blocks(&text, "sh");
    let commands: Vec<&str> = blocks.iter().flat_map(|block| block.lines()).filter(|l| l.starts_with("dualprop ")).collect();
    assert!(commands.len() >= least, "{document}: {commands:?}");
    for command in commands {
        let words = words(command);
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let output = dualprop(folder.path(), &arguments);
        assert!(output.status.success(), "{document}: {command}: {}", stderr(&output));
    }
}

#[test]
fn the_commands_of_the_readme_work() {
    run_all("README.md", 7);
}

#[test]
fn the_commands_of_the_guide_work() {
    run_all("docs/first-steps.md", 10);
    run_all("docs/recipes.md", 10);
    run_all("docs/run-directory.md", 10);
    run_all("docs/export.md", 4);
    run_all("docs/sweeps.md", 4);
    run_all("docs/experiments.md", 4);
    run_all("docs/reports.md", 6);
    run_all("docs/devices.md", 5);
    run_all("docs/feedback.md", 6);
    run_all("docs/data.md", 2);
    run_all("docs/objectives.md", 3);
    run_all("docs/reliability.md", 2);
    run_all("docs/adding-a-rule.md", 4);
    run_all("docs/adding-a-layer.md", 3);
    run_all("docs/adding-a-data-set.md", 2);
}

/// Every key of a recipe that is printed stands in the table of keys.
#[test]
fn the_guide_knows_every_key() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["digits", "mnist", "mnist-damped", "mnist-sgd", "mnist-adversarial", "mnist-mixed"] {
        let output = dualprop(folder.path(), &["train", name, "--print-recipe"]);
        let text = String::from_utf8(output.stdout).unwrap();
        for line in text.lines() {
            let known = match line.split_once(" = ") {
                Some((key, _)) => guide.contains(&format!("`{key}`")),
                None => line.is_empty() || guide.contains(&format!("**`{line}`**")),
            };
            assert!(known, "{name}: {line}");
        }
    }
}
