//! Trainings as a whole: what they leave behind, that they can be interrupted anywhere, and that they learn from nothing but
//! their training samples.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analysis;
mod digest;
mod disturbed;
mod feedback;
mod leaks;
mod numbers;
mod resume;
mod semantics;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use dualprop::data::Folders;
use dualprop::training::{Destination, Event, Outcome, Recipe, Summary, resume, run};
use serde_json::Value;

/// Settings that make the digits a training of three epochs of eleven small batches.
const SMALL: [&str; 5] = [
    "training.epochs=3",
    "training.batch_size=32",
    "data.limit_train=352",
    "training.alignment_every=4",
    "network.layers=['dense 24', 'dense 16', 'dense 10']",
];

fn recipe(name: &str, sets: &[&str]) -> Recipe {
    let sets: Vec<String> = SMALL.iter().chain(sets).map(|set| set.to_string()).collect();
    Recipe::load(name, &sets).unwrap()
}

fn no_folders() -> Folders {
    Folders::new(vec![])
}

fn whole(recipe: &Recipe, root: &Path, name: &str) -> Summary {
    let destination = Destination { root: root.into(), name: Some(name.into()), force: false };
    run(recipe, &no_folders(), &destination, &mut |_| ControlFlow::Continue(())).unwrap().finished().unwrap()
}

/// Trains until this many weight updates are done.
fn until(recipe: &Recipe, root: &Path, name: &str, step: u64) -> Outcome<Summary> {
    let destination = Destination { root: root.into(), name: Some(name.into()), force: false };
    run(recipe, &no_folders(), &destination, &mut stop_at(step)).unwrap()
}

fn stop_at(step: u64) -> impl FnMut(Event) -> ControlFlow<()> {
    move |event| match event {
        Event::Step(done) if done >= step => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

fn go_on(run: &Path, threads: usize) -> Summary {
    resume(run, &no_folders(), Some(threads), &mut |_| ControlFlow::Continue(())).unwrap().finished().unwrap()
}

/// The lines of a run, without what depends on the time.
fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(Value::as_object_mut) {
        line.remove("seconds");
        line.remove("samples_per_second");
    }
    lines
}

/// What must be the same to the bit, whatever happened on the way.
fn result(run: &Path) -> (Vec<Value>, Vec<u8>) {
    (metrics(run), fs::read(run.join("model.safetensors")).unwrap())
}

fn folder(root: &Path, name: &str) -> PathBuf {
    root.join(name)
}
