//! A training that is killed at any instant, again and again, ends with the same bits as one that never was.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dualprop::base::random::{Purpose, Random};
use serde_json::Value;

use crate::{command, dualprop, stderr};

/// How often a training is killed; `make soak` asks for more.
fn kills() -> usize {
    std::env::var("DUALPROP_KILLS").ok().map_or(20, |text| text.parse().unwrap())
}

/// Half a second of epochs, with measured steps, and checkpoints also within an epoch.
const RECIPE: [&str; 8] = [
    "--set",
    "training.epochs=40",
    "--set",
    "training.checkpoint_every=7",
    "--set",
    "training.alignment_every=5",
    "--set",
    "network.layers=['dense 48', 'dense 10']",
];

fn start(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The model, and all lines without what depends on the time.
fn result(run: &Path) -> (Vec<u8>, Vec<Value>) {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(|line| line.as_object_mut()) {
        line.retain(|key, _| key != "seconds" && key != "samples_per_second");
    }
    (fs::read(run.join("model.safetensors")).unwrap(), lines)
}

#[test]
fn a_training_that_is_killed_at_random_instants_and_resumed_is_the_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let whole = dualprop(folder.path(), &[&["train", "--quiet", "--name", "whole"], &RECIPE[..]].concat());
    assert!(whole.status.success(), "{}", stderr(&whole));
    let took = began.elapsed().as_millis() as usize;
    let expected = result(&folder.path().join("runs/whole"));
    let epochs = expected.1.iter().filter(|line| line["kind"] == "epoch").map(|line| line["epoch"].as_u64().unwrap());
    assert!(epochs.eq(1..=40), "every epoch exactly once");

    let mut random = Random::new(6, Purpose::Synthetic, 0, 0);
    let (mut killed, mut trainings) = (0, 0);
    while killed < kills() {
        trainings += 1;
        let name = format!("killed-{trainings}");
        let run = folder.path().join("runs").join(&name);
        let path = format!("runs/{name}");
        // From the first instant on, when there is no folder yet, to the last.
        loop {
            let begins = !run.join("recipe.toml").exists();
            let mut child = match begins {
                true => start(folder.path(), &[&["train", "--quiet", "--name", &name], &RECIPE[..]].concat()),
                false => start(folder.path(), &["train", "--quiet", "--resume", &path]),
            };
            sleep(Duration::from_millis(random.below(took + took / 4) as u64));
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.code().is_some() {
                assert!(output.status.success(), "{}", stderr(&output));
                break;
            }
            killed += 1;
        }
        assert!(result(&run) == expected, "after {killed} kills: other bits");
        assert!(run.join("summary.json").is_file());
        let hidden =
            fs::read_dir(&run).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0, "what was never finished is removed");
    }
    println!("{killed} kills of {trainings} trainings of {took} ms");
}
