//! `dualprop sweep`: refused before it begins, killed and resumed, and the same bytes in the end.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dualprop::base::random::{Purpose, Random};
use serde_json::Value;

use crate::{assert_refused, command, dualprop, stderr, stdout};

/// Six cells of two seeds, of some tenths of a second together.
const SWEEP: [&str; 15] = [
    "sweep",
    "digits",
    "--grid",
    "learning.alpha=0,0.5,1",
    "--grid",
    "learning.beta=0.1,0.2",
    "--seeds",
    "2",
    "--set",
    "training.epochs=4",
    "--set",
    "training.checkpoint_every=7",
    "--set",
    "network.layers=['dense 16', 'dense 10']",
    "--quiet",
];

fn sweep(more: &[&'static str]) -> Vec<&'static str> {
    [&SWEEP[..], more].concat()
}

fn table(sweep: &Path) -> [String; 2] {
    ["results.csv", "results.jsonl"].map(|name| fs::read_to_string(sweep.join(name)).unwrap())
}

#[test]
fn every_cell_is_a_run_and_the_table_has_every_seed_whatever_the_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let one = dualprop(folder.path(), &sweep(&["--jobs", "1", "--name", "one"]));
    assert!(one.status.success(), "{}", stderr(&one));
    assert_eq!(stderr(&one), "");
    let text = stdout(&one);
    let header = "learning.alpha  learning.beta  test accuracy   finished  diverged\n0               0.1            ";
    assert!(text.starts_with(header), "{text}");
    let is_row = |line: &&str| line.contains(" % ± ") && line.ends_with("  2         0");
    assert_eq!(text.lines().filter(is_row).count(), 6, "{text}");
    let three = dualprop(folder.path(), &[&SWEEP[..14], &["--jobs", "3", "--name", "three", "--json"]].concat());
    assert!(three.status.success(), "{}", stderr(&three));
    assert_eq!(stderr(&three).lines().filter(|line| line.contains("/6  alpha=")).count(), 6, "{}", stderr(&three));
    let [one, three] = ["one", "three"].map(|name| folder.path().join("runs").join(name));
    assert!(table(&one) == table(&three), "jobs changed the table");
    assert_eq!(table(&one)[0].lines().count(), 1 + 12);
    let found: Value =
        serde_json::from_str(&stdout(&dualprop(folder.path(), &["sweep", "--resume", "runs/three", "--quiet", "--json"])))
            .unwrap();
    assert_eq!(found["cells"].as_array().unwrap().len(), 6);
    assert_eq!(found["cells"][1]["values"]["learning.beta"], "0.2");
    // A cell is a run like any other, and the same one as by itself.
    let alone = [
        "--set",
        "training.epochs=4",
        "--set",
        "training.checkpoint_every=7",
        "--set",
        "network.layers=['dense 16', 'dense 10']",
    ];
    let own = ["--set", "learning.alpha=0.5", "--set", "learning.beta=0.2", "--set", "seeds=[0,1]", "--name", "alone", "--quiet"];
    let trained = dualprop(folder.path(), &[&["train", "digits"], &alone[..], &own].concat());
    assert!(trained.status.success(), "{}", stderr(&trained));
    for seed in ["seed-0", "seed-1"] {
        let model = |run: &str| fs::read(folder.path().join("runs").join(run).join(seed).join("model.safetensors")).unwrap();
        assert!(model("alone") == model("one/alpha=0.5,beta=0.2"), "{seed}");
    }
    let verified = dualprop(folder.path(), &["verify", "runs/three/alpha=1,beta=0.1"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    let description: Value = serde_json::from_str(&fs::read_to_string(one.join("sweep.json")).unwrap()).unwrap();
    assert_eq!(description["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(description["grid"][1]["values"], serde_json::json!(["0.1", "0.2"]));
    assert!(description["recipe"].as_str().unwrap().starts_with("name = \"digits\""));
}

#[test]
fn what_cannot_be_swept_is_refused_and_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let before = ["sweep", "digits", "--name", "new"];
    for (arguments, expected) in [
        (
            &["--grid", "learning.alhpa=0,1"][..],
            "error: cell learning.alhpa=0: unknown key of [learning] `alhpa`; did you mean `alpha`?",
        ),
        (&["--grid", "learning.alpha=0,2"], "error: cell learning.alpha=2: learning.alpha = 2: expected a number from 0 to 1"),
        (&["--grid", "learning.alpha="], "error: --grid = learning.alpha=: it has no values"),
        (&["--grid", "learning.alpha"], "error: --grid = learning.alpha: expected key=v1,v2"),
        (&["--grid", "learning.alpha=0,1,0"], "the value 0 comes twice"),
        (&["--grid", "learning.alpha=0,0.0"], "it is the same training as learning.alpha=0"),
        (&["--grid", "learning.alpha=0,1", "--seeds", "0"], "error: --seeds = 0: "),
        (&["--grid", "data.dataset=mnist,digits"], "error: cell data.dataset=mnist: "),
        (&["--grid", "training.batch_size=100000"], "training.batch_size = 100000"),
        (&["--grid", "learning.alpha=0,1", "--resume", "x"], "cannot be used with"),
        (&["--resume", "x", "--force"], "cannot be used with"),
        (
            &["--grid", "learning.alpha=0,1", "--jobs", "2000"],
            "error: --jobs = 2000: expected 0 (as many as cores allow) to 1024",
        ),
        (&[], "--grid <KEY=V1,V2,…>"),
    ] {
        assert_refused(&dualprop(folder.path(), &[&before, arguments].concat()), 2, expected);
        assert!(!folder.path().join("runs/new").exists(), "{arguments:?}");
    }
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/file"), "").unwrap();
    assert_refused(&dualprop(folder.path(), &["sweep", "--resume", "other"]), 2, "other: it is no sweep: it has no sweep.json");
    assert_refused(&dualprop(folder.path(), &["sweep", "--resume", "none"]), 2, "none: it is no sweep");
    let taken = ["sweep", "digits", "--grid", "learning.alpha=0", "--runs-dir", ".", "--name", "other"];
    assert_refused(&dualprop(folder.path(), &taken), 2, "exists already; choose another --name");
    let forced = [&taken[..], &["--force"]].concat();
    assert_refused(
        &dualprop(folder.path(), &forced),
        2,
        "other: it has no sweep.json and no recipe.toml; --force replaces nothing",
    );
    assert!(folder.path().join("other/file").is_file());
    let unnamed = ["sweep", "digits", "--grid", "learning.alpha=0", "--force"];
    assert_refused(&dualprop(folder.path(), &unnamed), 2, "--name <NAME>");
    let file = ["sweep", "digits", "--grid", "learning.alpha=0", "--runs-dir", "other/file"];
    assert_refused(&dualprop(folder.path(), &file), 2, "other/file: it is a file; expected a folder");
}

#[test]
fn seeds_that_diverge_are_counted_and_the_others_are_tested() {
    let folder = tempfile::tempdir().unwrap();
    // At the largest rate all seeds leave the range of numbers at once, at the smallest none does, and in between some do.
    let rates: Vec<String> = (0..24).map(|k| format!("{:e}", 0.1 * 1.5f64.powi(k * 2))).chain(["1e38".into()]).collect();
    let grid = format!("optimizer.learning_rate={}", rates.join(","));
    let sets = ["--set", "training.epochs=1", "--set", "network.layers=['dense 8', 'dense 8', 'dense 10']"];
    let begun = ["sweep", "digits", "--grid", &grid, "--seeds", "4", "--name", "rates"];
    let output = dualprop(folder.path(), &[&begun[..], &sets].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("  all 4 seeds diverged\n"), "{}", stderr(&output));
    let text = stdout(&output);
    let last = text.lines().nth(25).unwrap();
    assert_eq!(last.split_whitespace().collect::<Vec<_>>(), ["1e38", "-", "0", "4"], "{text}");
    let resumed = dualprop(folder.path(), &["sweep", "--resume", "runs/rates", "--quiet", "--json"]);
    let found: Value = serde_json::from_str(&stdout(&resumed)).unwrap();
    let cells = found["cells"].as_array().unwrap();
    let (mut mixed, rows) = (0, fs::read_to_string(folder.path().join("runs/rates/results.jsonl")).unwrap());
    assert_eq!(rows.lines().count(), 25 * 4, "every seed has a row");
    assert!(!rows.contains("not_run"));
    for (number, cell) in cells.iter().enumerate() {
        let diverged: Vec<u64> = cell["diverged"].as_array().unwrap().iter().map(|of| of["seed"].as_u64().unwrap()).collect();
        let finished = cell["finished"].as_u64().unwrap() as usize;
        assert_eq!(finished + diverged.len(), 4, "{cell}");
        assert_eq!(cell["test_accuracy"].is_null(), finished == 0, "{cell}");
        let of_cell: Vec<Value> = rows.lines().skip(4 * number).take(4).map(|row| serde_json::from_str(row).unwrap()).collect();
        let accuracies: Vec<f64> = of_cell.iter().filter_map(|row| row["test_accuracy"].as_f64()).collect();
        assert_eq!(accuracies.len(), finished);
        if !accuracies.is_empty() {
            let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
            assert!((cell["test_accuracy"].as_f64().unwrap() - mean).abs() < 1e-9, "{cell}");
        }
        for row in &of_cell {
            let expected = if diverged.contains(&row["seed"].as_u64().unwrap()) { "diverged" } else { "finished" };
            assert_eq!(row["state"], expected, "{row}");
        }
        if !diverged.is_empty() && finished > 0 {
            mixed += 1;
            let path = format!("runs/rates/{}", cell["cell"].as_str().unwrap());
            let what = "it is a cell of a sweep, whose seed";
            assert_refused(&dualprop(folder.path(), &["eval", &path]), 2, what);
            assert_refused(&dualprop(folder.path(), &["train", "--resume", &path]), 2, what);
            let trained = of_cell.iter().find(|row| row["state"] == "finished").unwrap()["seed"].as_u64().unwrap();
            let evaluated = dualprop(folder.path(), &["eval", &format!("{path}/seed-{trained}")]);
            assert!(stdout(&evaluated).starts_with(&format!("seed {trained}: accuracy ")), "{}", stderr(&evaluated));
        }
    }
    assert!(mixed > 0, "at no rate some seeds diverged and others did not; try others: {found}");
}

/// Two cells of 119 MiB each.
#[cfg(target_os = "linux")]
const LARGE: [&str; 8] = [
    "sweep",
    "digits",
    "--grid",
    "learning.alpha=0,1",
    "--set",
    "training.epochs=1",
    "--set",
    "network.layers=['dense 1400', 'dense 1400', 'dense 10']",
];

#[cfg(target_os = "linux")]
#[test]
fn cells_that_do_not_fit_side_by_side_are_refused_or_trained_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let limited = |more: &[&'static str]| dualprop(folder.path(), &[&LARGE[..], more].concat());
    let refused = limited(&["--jobs", "2", "--memory-limit", "260", "--name", "two"]);
    assert_refused(&refused, 2, "error: --jobs = 2: the 2 largest cells would need ");
    assert!(stderr(&refused).contains("into which 1 would fit; give --jobs 1, or 0 for as many as fit"), "{}", stderr(&refused));
    assert!(!folder.path().join("runs/two").exists());
    assert_refused(&limited(&["--jobs", "1", "--memory-limit", "120", "--name", "none"]), 2, "error: cell learning.alpha=0: ");
    assert!(!folder.path().join("runs/none").exists());
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return println!("SKIPPED: there is one core, for which one cell is begun anyway");
    }
    let lowered = limited(&["--set", "data.limit_train=200", "--memory-limit", "260", "--name", "lowered"]);
    assert!(lowered.status.success(), "{}", stderr(&lowered));
    let told = stderr(&lowered);
    assert!(told.lines().any(|line| line.starts_with("1 cell at a time: 2 side by side would need ")), "{told}");
    let roomy = limited(&["--set", "data.limit_train=200", "--memory-limit", "3000", "--name", "roomy"]);
    assert!(roomy.status.success() && !stderr(&roomy).contains("side by side"), "{}", stderr(&roomy));
    let tables = ["lowered", "roomy"].map(|name| table(&folder.path().join("runs").join(name)));
    assert!(tables[0] == tables[1], "memory changed the table");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn memory_that_a_cell_or_a_seed_no_longer_needs_is_there_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let limited =
        ["--set", LARGE[7], "--set", "training.epochs=1", "--set", "data.limit_train=200", "--memory-limit", "240", "--quiet"];
    for begun in [
        &["sweep", "digits", "--grid", "learning.alpha=0,0.5,1", "--jobs", "1"][..],
        &["train", "digits", "--set", "seeds=[0,1,2]", "--threads", "1"],
    ] {
        let output = dualprop(folder.path(), &[begun, &limited].concat());
        assert!(output.status.success(), "{begun:?}: {}", stderr(&output));
    }
}

#[test]
fn with_force_a_sweep_takes_the_place_of_another_once_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let begin = |alphas: &str, more: &[&str]| {
        let grid = format!("learning.alpha={alphas}");
        let sweep = ["sweep", "digits", "--grid", &grid, "--set", "training.epochs=1", "--name", "a", "--quiet"];
        dualprop(folder.path(), &[&sweep[..], more].concat())
    };
    assert!(begin("0", &[]).status.success());
    assert_refused(
        &begin("1", &[]),
        2,
        "runs/a: it exists already; choose another --name, go on with a sweep by --resume, or give --force",
    );
    let output = begin("1", &["--force"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    };
    assert_eq!(names(&folder.path().join("runs")), ["a"]);
    assert_eq!(names(&folder.path().join("runs/a")), ["alpha=1", "lock", "results.csv", "results.jsonl", "sweep.json"]);
}

/// A sweep that takes much longer than any test lets it.
const LONG: [&str; 8] =
    ["sweep", "digits", "--grid", "learning.alpha=0,0.5,1", "--set", "training.epochs=100000", "--name", "long"];

/// Begins [`LONG`] and waits until two cells are at work.
fn long(folder: &Path, jobs: &str) -> std::process::Child {
    let child = command(folder, &[&LONG[..], &["--jobs", jobs]].concat()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    crate::wait_for_lines(&folder.join("runs/long/alpha=0"), 2);
    child.unwrap()
}

#[test]
fn two_processes_never_share_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = long(folder.path(), "2");
    let refused = dualprop(folder.path(), &["sweep", "--resume", "runs/long"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_refused(&refused, 2, "runs/long is in use by process");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_every_cell_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let child = long(folder.path(), "2");
    crate::wait_for_lines(&folder.path().join("runs/long/alpha=0.5"), 2);
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let expected = "interrupted; everything is kept. Go on with: dualprop sweep --resume runs/long\n";
    assert_refused(&output, 130, expected);
    for cell in ["alpha=0", "alpha=0.5"] {
        assert!(folder.path().join("runs/long").join(cell).join("checkpoints/last.safetensors").is_file(), "{cell}");
    }
    assert!(!folder.path().join("runs/long/alpha=1").exists(), "it had not begun");
}

/// How often a sweep is killed; `make soak` asks for more.
fn kills() -> usize {
    std::env::var("DUALPROP_KILLS").ok().map_or(12, |text| text.parse().unwrap())
}

#[test]
fn a_sweep_that_is_killed_at_random_instants_and_resumed_is_the_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    // By the second rate the first seed diverges in the fourth epoch, and the seed after it does not.
    let rates = |argument| if argument == "learning.beta=0.1,0.2" { "optimizer.learning_rate=0.1,4" } else { argument };
    let sweep = |more: &[&'static str]| [&SWEEP.map(rates)[..], more].concat();
    let began = Instant::now();
    let whole = dualprop(folder.path(), &sweep(&["--jobs", "2", "--name", "whole"]));
    assert!(whole.status.success(), "{}", stderr(&whole));
    let took = began.elapsed().as_millis() as usize;
    let expected = table(&folder.path().join("runs/whole"));
    for state in ["finished", "diverged"] {
        assert!(expected[1].contains(&format!(",\"state\":\"{state}\"")), "no seed {state}: {}", expected[1]);
    }
    let mut random = Random::new(7, Purpose::Synthetic, 0, 0);
    let (mut killed, mut sweeps) = (0, 0);
    while killed < kills() {
        sweeps += 1;
        let name = format!("killed-{sweeps}");
        let (run, path) = (folder.path().join("runs").join(&name), format!("runs/{name}"));
        loop {
            let jobs = ["1", "2", "3"][random.below(3)];
            let arguments = match run.join("sweep.json").exists() {
                true => vec!["sweep", "--resume", &path, "--quiet", "--jobs", jobs],
                false => [&SWEEP.map(rates)[..], &["--name", &name, "--jobs", jobs]].concat(),
            };
            let mut child = command(folder.path(), &arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            sleep(Duration::from_millis(random.below(took / 2) as u64));
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            if output.status.code().is_some() {
                assert!(output.status.success(), "{}", stderr(&output));
                break;
            }
            killed += 1;
            // What is under its own name is whole: every row has as many columns as the first.
            if let Ok(text) = fs::read_to_string(run.join("results.csv")) {
                // Commas in quotes are part of what diverged.
                let columns = |line: &str| line.split('"').step_by(2).map(|plain| plain.matches(',').count()).sum::<usize>();
                assert!(text.ends_with('\n') && text.lines().all(|line| columns(line) == columns(text.lines().next().unwrap())));
            }
        }
        assert!(table(&run) == expected, "after {killed} kills: another table");
    }
    println!("{killed} kills of {sweeps} sweeps of {took} ms");
}
