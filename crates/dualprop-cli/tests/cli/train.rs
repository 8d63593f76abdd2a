//! `dualprop` and `dualprop train`

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{assert_refused, command, dualprop, full, stderr, stdout, wait_for_lines};

const SHORT: [&str; 4] = ["--set", "training.epochs=2", "--set", "training.alignment_every=5"];

fn short(folder: &Path, arguments: &[&str]) -> std::process::Output {
    dualprop(folder, &[&["train"], &SHORT[..], arguments].concat())
}

fn last_json_line(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn the_main_job_learns_the_digits_and_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let output = dualprop(folder.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for expected in ["test accuracy", "angle to backprop", "runs/digits", "Next:", "dualprop plan"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // One line per epoch where there is no terminal.
    assert_eq!(stderr(&output).lines().filter(|line| line.starts_with("epoch")).count(), 60);
    let run = folder.path().join("runs/digits");
    let lines = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let metrics: Vec<Value> = lines.filter(|line| line["kind"] == "epoch").collect();
    assert_eq!(metrics.len(), 60);
    for file in ["environment.json", "checkpoints/last.safetensors", "checkpoints/best.safetensors", "summary.json"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    assert!(metrics[59]["train_loss"].as_f64().unwrap() < 0.1 * metrics[0]["train_loss"].as_f64().unwrap());
    assert!(run.join("model.safetensors").is_file());
    // The recipe that a run leaves trains the same network to the bit.
    let recipe = run.join("recipe.toml");
    let again = dualprop(folder.path(), &["train", recipe.to_str().unwrap(), "--quiet", "--threads", "1"]);
    assert!(again.status.success(), "{}", stderr(&again));
    let model = |name: &str| fs::read(folder.path().join("runs").join(name).join("model.safetensors")).unwrap();
    assert_eq!(model("digits"), model("digits-2"));
}

#[test]
fn the_default_seeds_reach_what_the_readme_promises() {
    let folder = tempfile::tempdir().unwrap();
    let output = dualprop(folder.path(), &["train", "--set", "seeds=[0,1,2,3,4]", "--quiet", "--json"]);
    let summary = last_json_line(&stdout(&output));
    let number = |key: &str| summary[key].as_f64().unwrap();
    assert!(number("test_accuracy") >= 97.0, "{summary}");
    assert!(number("test_accuracy_std") > 0.0, "{summary}");
    assert_eq!(summary["seeds"], serde_json::json!([0, 1, 2, 3, 4]));
    let seed_0 = dualprop(folder.path(), &["--quiet", "--json"]);
    assert!(last_json_line(&stdout(&seed_0))["test_accuracy"].as_f64().unwrap() >= 97.0);
    for seed in 0..5 {
        assert!(folder.path().join(format!("runs/digits/seed-{seed}/model.safetensors")).is_file(), "seed {seed}");
    }
}

#[test]
fn json_is_one_line_with_everything_and_quiet_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let output = short(folder.path(), &["--json"]);
    assert_eq!(stdout(&output).lines().count(), 1);
    let summary = last_json_line(&stdout(&output));
    assert_eq!((summary["name"].as_str(), summary["run_directory"].as_str()), (Some("digits"), Some("runs/digits")));
    for key in ["test_accuracy", "test_accuracy_std", "validation_accuracy", "seconds"] {
        assert!(summary[key].is_f64(), "{key}: {summary}");
    }
    let angles: Vec<f64> = summary["angles_deg"].as_array().unwrap().iter().map(|angle| angle.as_f64().unwrap()).collect();
    assert_eq!(angles.len(), 3);
    assert!(angles.iter().all(|angle| (0.0..30.0).contains(angle)), "{angles:?}");
    let quiet = short(folder.path(), &["--quiet"]);
    assert_eq!(stderr(&quiet), "");
    let silent = short(folder.path(), &["--json", "--quiet"]);
    assert_eq!((stderr(&silent).as_str(), stdout(&silent).lines().count()), ("", 1));
    assert!(stdout(&quiet).contains("test accuracy") && !stdout(&quiet).contains("Next:"), "{}", stdout(&quiet));
}

#[test]
fn a_second_run_never_overwrites_the_first() {
    let folder = tempfile::tempdir().unwrap();
    for expected in ["runs/digits", "runs/digits-2"] {
        assert!(stdout(&short(folder.path(), &["--quiet"])).contains(&format!("{expected}\n")));
    }
    assert!(short(folder.path(), &["--name", "mine"]).status.success());
    let metrics = || fs::read(folder.path().join("runs/mine/metrics.jsonl")).unwrap();
    let before = metrics();
    assert_refused(&short(folder.path(), &["--name", "mine"]), 2, "runs/mine exists already");
    assert_eq!(metrics(), before);
    assert!(short(folder.path(), &["--name", "mine", "--force", "--set", "training.epochs=1"]).status.success());
    assert_ne!(metrics(), before);
}

#[test]
fn every_rule_trains_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for settings in [
        &["learning.rule=backprop"][..],
        &["learning.rule=dp", "learning.alpha=0.5", "learning.nudge=proximal"],
        &["learning.rule=dp_damped", "learning.alpha=1.0", "learning.power_iterations=3", "learning.passes=5"],
        &["learning.rule=general", "learning.alpha=0.5", "learning.alpha_feedback=0.4"],
        &["learning.alpha=0.5", "learning.schedule=parallel", "learning.passes=6", "learning.nudge_from_pass=2"],
        &["learning.schedule=random", "learning.passes=6", "learning.start=previous", "learning.nudge=linearised_live"],
        &["optimizer={kind='adam',learning_rate=1e-3}", "learning.loss=half_squared_error"],
    ] {
        let overrides: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let output = short(folder.path(), &[&["--quiet", "--json"], &overrides[..]].concat());
        assert!(output.status.success(), "{settings:?}: {}", stderr(&output));
        let accuracy = last_json_line(&stdout(&output))["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > 60.0, "{settings:?}: {accuracy} % after two epochs");
    }
}

#[test]
fn wrong_input_is_refused_with_exit_code_2_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.toml"), "name = \"x\"\n[data\n").unwrap();
    fs::write(folder.path().join("empty.toml"), "").unwrap();
    for (arguments, message) in [
        (&["train", "digit"][..], "unknown recipe `digit`; did you mean `digits`?"),
        (&["train", "missing.toml"], "missing.toml: cannot be read"),
        (&["train", "broken.toml"], "broken.toml: no valid TOML"),
        (&["train", "empty.toml"], "missing field `name`"),
        (&["train", "--set", "learning.alhpa=1"], "did you mean `alpha`?"),
        (&["train", "--set", "learning.alpha=2"], "learning.alpha = 2: expected a number from 0 to 1"),
        (&["train", "--set", "network.layers=['dense 8']"], "must be \"dense 10\""),
        (&["train", "--set", "training.batch_size=5000"], "there are only 1078 training samples"),
        (&["train", "--set", "data.test=0.0001"], "data.test"),
        (&["train", "--set", "network.layers=['dense 999999999', 'dense 10']"], "MiB of memory"),
        (&["train", "--set", "learning.passes=999999999"], "expected at most"),
        (&["train", "--set", "learning.start=continued"], "use `previous`"),
        (&["train", "--name", "a/b"], "expected a plain folder name"),
        (&["train", "--force"], "--name"),
        (&["--nonsense"], "--nonsense"),
        (&["trian"], "trian"),
    ] {
        assert_refused(&dualprop(folder.path(), arguments), 2, message);
    }
    let left: Vec<String> = walk(folder.path()).into_iter().filter(|path| !path.ends_with(".toml")).collect();
    assert!(left.is_empty() && !folder.path().join("runs/digits").exists(), "{left:?}");
}

/// The metrics are those of the network's own prediction, whatever states an inference starts from: here its first update is
/// that of the output above a layer still at zero, whose own prediction never leaves the bias.
#[test]
fn training_metrics_are_those_of_the_forward_pass() {
    let folder = tempfile::tempdir().unwrap();
    let output = short(folder.path(), &["--quiet", "--set", "learning.start=zero", "--set", "optimizer.learning_rate=0.005"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let metrics = fs::read_to_string(folder.path().join("runs/digits/metrics.jsonl")).unwrap();
    let last: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert!(last["train_accuracy"].as_f64().unwrap() > 30.0, "{last}");
}

#[test]
fn a_divergence_is_named_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let output = short(folder.path(), &["--quiet", "--set", "optimizer.learning_rate=1e9"]);
    assert_refused(&output, 1, "is not finite at step");
    assert!(folder.path().join("runs/digits/recipe.toml").is_file());
}

#[test]
fn what_nobody_can_read_does_not_end_a_training() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let status =
            command(folder.path(), &[&["train"], &SHORT[..], arguments].concat()).stderr(full()?).output().unwrap().status;
        Some(status.code())
    };
    let Some(code) = run(&["--json"]) else { return };
    assert_eq!(code, Some(0));
    assert!(folder.path().join("runs/digits/model.safetensors").is_file());
    assert_eq!(run(&["--set", "learning.alpha=2"]), Some(Some(2)));
}

#[test]
fn a_cause_is_named_once_and_so_is_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let output = dualprop(folder.path(), &["train", "missing.toml"]);
    assert_refused(&output, 2, "error: missing.toml: cannot be read: ");
    assert_eq!(stderr(&output).matches("os error").count(), 1, "{}", stderr(&output));
    let Some(full) = full() else { return };
    let output = command(folder.path(), &["plan"]).stdout(full).output().unwrap();
    assert_refused(&output, 1, "error: standard output: cannot be written: ");
    assert_eq!(stderr(&output).matches("os error").count(), 1, "{}", stderr(&output));
}

#[test]
fn the_hint_leads_to_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seeds, files, metrics) in [
        ("one", "seeds=[3]", "runs/one/metrics.jsonl has", "runs/one/metrics.jsonl"),
        ("two", "seeds=[3,4]", "runs/two/seed-*/metrics.jsonl have", "runs/two/seed-4/metrics.jsonl"),
    ] {
        let output = short(folder.path(), &["--set", seeds, "--name", name]);
        assert!(stdout(&output).contains(&format!("  {files} every epoch in figures\n")), "{}", stdout(&output));
        assert!(folder.path().join(metrics).is_file(), "{metrics}");
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_everything_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    // Wide enough that it is not over before it is interrupted.
    let long = ["train", "--set", "training.epochs=12", "--set", "network.layers=['dense 600', 'dense 600', 'dense 10']"];
    let whole = dualprop(folder.path(), &[&long[..], &["--name", "whole", "--quiet"]].concat());
    assert!(whole.status.success(), "{}", stderr(&whole));
    let arguments = [&long[..], &["--name", "split"]].concat();
    let child = command(folder.path(), &arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let run = folder.path().join("runs/split");
    wait_for_lines(&run, 6);
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("Go on with: dualprop train --resume runs/split"), "{}", stderr(&output));
    assert!(!run.join("summary.json").exists());
    let resumed = dualprop(folder.path(), &["train", "--resume", "runs/split", "--threads", "1"]);
    assert!(resumed.status.success() && stderr(&resumed).contains("going on after step"), "{}", stderr(&resumed));
    let model = |name: &str| fs::read(folder.path().join("runs").join(name).join("model.safetensors")).unwrap();
    assert!(model("split") == model("whole"));
    // Once more: it says that nothing is left to do.
    let finished = dualprop(folder.path(), &["train", "--resume", "runs/split"]);
    assert!(finished.status.success() && stderr(&finished).contains("finished already"), "{}", stderr(&finished));
    assert!(stdout(&finished).contains("test accuracy"));
}

#[test]
fn what_cannot_be_resumed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert_refused(&dualprop(folder.path(), &["train", "--resume", "nowhere"]), 2, "nowhere: it is no run directory");
    assert_refused(&dualprop(folder.path(), &["train", "digits", "--resume", "runs/x"]), 2, "cannot be used with");
    assert_refused(&dualprop(folder.path(), &["train", "--resume", "runs/x", "--set", "seeds=[1]"]), 2, "cannot be used with");
}

#[test]
fn recipes_are_listed_printed_and_tried_out() {
    let folder = tempfile::tempdir().unwrap();
    let list = stdout(&dualprop(folder.path(), &["recipes"]));
    for name in ["digits", "mnist", "fashion-mnist", "mnist-mixed", "mnist-damped", "mnist-adversarial", "mnist-devices"] {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {list}");
        let printed = dualprop(folder.path(), &["train", name, "--print-recipe", "--set", "seeds=[9]"]);
        let text = stdout(&printed);
        assert!(text.contains("seeds = [9]") && text.contains(&format!("name = \"{name}\"")), "{text}");
        fs::write(folder.path().join("again.toml"), &text).unwrap();
        assert_eq!(stdout(&dualprop(folder.path(), &["train", "again.toml", "--print-recipe"])), text);
    }
    let dry = dualprop(folder.path(), &["train", "--dry-run"]);
    assert!(stdout(&dry).contains("one batch went through everything"), "{}", stderr(&dry));
    assert!(!folder.path().join("runs").exists());
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let missing = dualprop(folder.path(), &["train", "mnist", "--data-dir", "empty"]);
    assert_refused(&missing, 2, "built-in recipe mnist:6: data.dataset = mnist: its files train-images-idx3-ubyte");
    assert!(stderr(&missing).contains("empty/mnist"), "{}", stderr(&missing));
}

#[test]
fn a_training_may_be_shortened_and_started_from_a_model() {
    let folder = tempfile::tempdir().unwrap();
    assert!(short(folder.path(), &["--limit-train", "200", "--name", "first", "--quiet"]).status.success());
    let from = short(folder.path(), &["--from", "runs/first/model.safetensors", "--name", "second"]);
    assert!(from.status.success() && stderr(&from).contains("1078 + 359 + 360 samples"), "{}", stderr(&from));
    let recipe = |name: &str| fs::read_to_string(folder.path().join("runs").join(name).join("recipe.toml")).unwrap();
    assert!(recipe("first").contains("limit_train = 200"));
    assert!(recipe("second").contains("from = \"/") && recipe("second").contains("runs/first/model.safetensors\""));
    assert_refused(&short(folder.path(), &["--from", "nothing.safetensors"]), 2, "nothing.safetensors: cannot be read");
}

#[cfg(unix)]
#[test]
fn a_limit_of_memory_is_respected_and_what_needs_more_is_refused_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let large = ["train", "--set", "network.layers=['dense 8000', 'dense 8000', 'dense 10']"];
    let refused = dualprop(folder.path(), &[&large[..], &["--memory-limit", "300"]].concat());
    assert_refused(&refused, 2, "this training would need");
    assert!(!folder.path().join("runs").exists());
    let small = short(folder.path(), &["--quiet", "--memory-limit", "300"]);
    assert!(small.status.success(), "{}", stderr(&small));
}

#[test]
fn the_chain_of_causes_is_shown_on_request_only() {
    let folder = tempfile::tempdir().unwrap();
    let fail = |arguments: &[&str], variable: &str| {
        let output =
            command(folder.path(), &[&["eval", "no-such-run"], arguments].concat()).env("RUST_LOG", variable).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        stderr(&output)
    };
    let short = fail(&[], "");
    assert!(short.starts_with("error: ") && short.lines().count() == 1, "{short}");
    for long in [fail(&["--verbose"], ""), fail(&[], "debug")] {
        assert!(long.starts_with(&short) && long.contains("chain of causes:\n  0: "), "{long}");
    }
}
