//! Sweeps that fail, stop and go on: every call that changes the disk fails once, and the table ends with the same bytes.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::disk::faults;
use crate::base::{Error, Result};
use crate::data::Folders;
use crate::training::{Destination, Event, Outcome};

use super::{CellOutcome, Sweep, SweepDirectory, SweepEvent, SweepListener, Workers};

const ALONE: Workers = Workers { jobs: 1, threads: 1 };

fn sweep(grid: &[&str], seeds: usize) -> Sweep {
    let sets = [
        "training.epochs=2",
        "training.batch_size=16",
        "training.checkpoint_every=3",
        "training.alignment_every=4",
        "data.limit_train=48",
        "data.validation=20",
        "network.layers=['dense 4', 'dense 10']",
    ];
    let grid: Vec<String> = grid.iter().map(|text| text.to_string()).collect();
    Sweep::new("digits", &sets.map(String::from), &grid, Some(seeds)).unwrap()
}

fn no_folders() -> Folders {
    Folders::new(vec![])
}

fn destination(root: &Path) -> Destination {
    Destination { root: root.into(), name: Some("sweep".into()), force: false }
}

fn silent(_: SweepEvent) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Begins the sweep, or goes on with it.
fn go(root: &Path, sweep: &Sweep, workers: Workers, listen: &SweepListener) -> Result<Outcome<Vec<CellOutcome>>> {
    let path = root.join("sweep");
    let directory = match path.join("sweep.json").exists() {
        true => SweepDirectory::open(&path)?,
        false => SweepDirectory::create(&destination(root), sweep.clone())?,
    };
    directory.run(&no_folders(), workers, listen)
}

fn table(root: &Path) -> [String; 2] {
    ["results.csv", "results.jsonl"].map(|name| fs::read_to_string(root.join("sweep").join(name)).unwrap())
}

/// Where files cost nothing to be carried to the disk, if there is such a place.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The sweep, undisturbed and alone.
fn expected(sweep: &Sweep) -> [String; 2] {
    let root = folder();
    go(root.path(), sweep, ALONE, &silent).unwrap().finished().unwrap();
    table(root.path())
}

#[test]
fn whatever_call_fails_the_sweep_goes_on_to_the_same_table() {
    let sweep = sweep(&["learning.alpha=0,1"], 1);
    let expected = expected(&sweep);
    assert_eq!(expected[0].lines().count(), 3);
    faults::everywhere(
        folder,
        |root| go(root.path(), &sweep, ALONE, &silent).map(drop),
        |met, root, error| {
            assert!(error.is_none_or(|error| error.to_string().contains("cannot be written")), "{met}");
            go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
            assert!(table(root.path()) == expected, "{met}: another table");
        },
    );
}

#[test]
fn cells_side_by_side_with_other_threads_give_the_same_table() {
    let sweep = sweep(&["learning.alpha=0,0.5,1", "learning.beta=0.1,0.2"], 2);
    let expected = expected(&sweep);
    assert_eq!(expected[0].lines().count(), 13);
    for (jobs, threads) in [(3, 1), (2, 2), (0, 1), (100, 1), (0, 0)] {
        let root = folder();
        go(root.path(), &sweep, Workers { jobs, threads }, &silent).unwrap().finished().unwrap();
        assert!(table(root.path()) == expected, "{jobs} jobs of {threads} threads: another table");
    }
}

#[test]
fn a_sweep_that_is_stopped_goes_on_and_trains_nothing_twice() {
    let sweep = sweep(&["learning.alpha=0,0.5,1"], 2);
    let expected = expected(&sweep);
    for jobs in [1, 3] {
        let root = folder();
        let (mut sessions, epochs) = (0, AtomicUsize::new(0));
        loop {
            let steps = AtomicUsize::new(0);
            let outcome = go(root.path(), &sweep, Workers { jobs, threads: 1 }, &|event| {
                if let SweepEvent::Training(_, Event::Epoch(_)) = event {
                    epochs.fetch_add(1, Ordering::Relaxed);
                }
                let is_step = matches!(event, SweepEvent::Training(_, Event::Step(_)));
                match is_step && steps.fetch_add(1, Ordering::Relaxed) == 4 {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            sessions += 1;
            if let Outcome::Finished(outcomes) = outcome.unwrap() {
                assert_eq!(outcomes.len(), 3);
                break;
            }
        }
        assert!(sessions > 2, "{jobs} jobs: {sessions} sessions");
        assert_eq!(epochs.into_inner(), 3 * 2 * 2, "{jobs} jobs: an epoch was trained twice, or not at all");
        assert!(table(root.path()) == expected, "{jobs} jobs: another table");
        let begun = |event: SweepEvent| -> ControlFlow<()> { panic!("nothing is left to do: {event:?}") };
        go(root.path(), &sweep, ALONE, &begun).unwrap().finished().unwrap();
        assert!(table(root.path()) == expected);
    }
}

#[test]
fn a_cell_that_diverges_is_a_result_and_is_not_trained_again() {
    // Such a rate leaves the range of f32 at once.
    let sweep = sweep(&["optimizer.learning_rate=0.05,1e38", "learning.alpha=0,1"], 2);
    let root = folder();
    let outcomes = go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    let diverged: Vec<bool> = outcomes.iter().map(|outcome| outcome.divergence().is_some()).collect();
    assert_eq!(diverged, [false, false, true, true]);
    let expected = table(root.path());
    let states: Vec<String> =
        expected[0].lines().skip(1).map(|row| row.split(',').nth(3).unwrap_or_default().to_string()).collect();
    assert_eq!(states, ["finished", "finished", "finished", "finished", "diverged", "not_run", "diverged", "not_run"]);
    let again = |event: SweepEvent| -> ControlFlow<()> { panic!("nothing is left to do: {event:?}") };
    go(root.path(), &sweep, ALONE, &again).unwrap().finished().unwrap();
    assert!(table(root.path()) == expected);
    // A kill before it was written down: the cell diverges once more, at the same step.
    fs::remove_file(root.path().join("sweep").join(&sweep.cells()[2].name).join("diverged.json")).unwrap();
    go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    assert!(table(root.path()) == expected);
}

#[test]
fn an_error_names_its_cell_and_the_others_are_kept() {
    let sweep = sweep(&["learning.alpha=0,0.5,1"], 1);
    let root = folder();
    let cell = root.path().join("sweep/alpha=0.5");
    // Somebody else's folder in the way.
    let directory = SweepDirectory::create(&destination(root.path()), sweep.clone()).unwrap();
    fs::create_dir(&cell).unwrap();
    fs::write(cell.join("mine"), "").unwrap();
    let error = directory.run(&no_folders(), ALONE, &silent).unwrap_err();
    assert!(error.to_string().starts_with("cell learning.alpha=0.5: ") && error.to_string().contains("exists"), "{error}");
    let error = SweepDirectory::open(directory.path()).unwrap_err();
    assert!(matches!(&error, Error::Busy { .. }), "{error}");
    drop(directory);
    assert_eq!(table(root.path())[0].lines().count(), 2, "what was finished before it is in the table");
    let error = SweepDirectory::create(&destination(root.path()), sweep.clone()).unwrap_err().to_string();
    assert!(error.contains("exists already; choose another --name, or go on with a sweep by --resume"), "{error}");
    fs::remove_dir_all(&cell).unwrap();
    go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    assert!(table(root.path()) == expected(&sweep));
}

#[test]
fn a_folder_that_is_no_sweep_or_another_one_is_refused() {
    let sweep = sweep(&["learning.alpha=0,1"], 1);
    let root = folder();
    let path = root.path().join("sweep");
    let stop = |event: SweepEvent| match event {
        SweepEvent::Training(_, Event::Step(_)) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(go(root.path(), &sweep, ALONE, &stop).unwrap(), Outcome::Interrupted);
    let description = fs::read_to_string(path.join("sweep.json")).unwrap();
    let error = SweepDirectory::open(&path.join("alpha=0")).unwrap_err().to_string();
    assert!(error.contains("it is no sweep: it has no sweep.json"), "{error}");
    for (from, to, expected) in [
        ("\"format\": 1", "\"format\": 2", "its format is 2, expected 1"),
        ("{", "", "no description of a sweep"),
        ("learning.alpha", "learning.alhpa", "did you mean `alpha`?"),
        ("\"0\"", "\"0,1\"", "learning.alpha"),
        ("training.epochs=2", "training.epochs=3", "it is not the recipe that the sweep has for this cell"),
    ] {
        fs::write(path.join("sweep.json"), description.replacen(from, to, 1)).unwrap();
        let error = go(root.path(), &sweep, ALONE, &silent).unwrap_err();
        assert!(error.to_string().contains(expected) && error.is_input(), "{to}: {error}");
    }
    fs::write(path.join("sweep.json"), description).unwrap();
    #[cfg(unix)]
    {
        let elsewhere = root.path().join("elsewhere");
        fs::write(&elsewhere, "as it was").unwrap();
        fs::remove_file(path.join("results.csv")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, path.join("results.csv")).unwrap();
        assert!(go(root.path(), &sweep, ALONE, &silent).unwrap_err().to_string().contains("it is a link"));
        fs::remove_file(path.join("results.csv")).unwrap();
        fs::create_dir(root.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(root.path().join("folder"), path.join("alpha=1")).unwrap();
        assert!(go(root.path(), &sweep, ALONE, &silent).unwrap_err().to_string().contains("it is a link"));
        fs::remove_file(path.join("alpha=1")).unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"as it was");
    }
    go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    assert!(table(root.path()) == expected(&sweep));
}

#[test]
fn a_folder_that_vanishes_ends_the_sweep_and_is_not_made_again() {
    let sweep = sweep(&["learning.alpha=0,0.5,1"], 1);
    let root = folder();
    let (path, away) = (root.path().join("sweep"), root.path().join("away"));
    let vanish = |event: SweepEvent| {
        if let SweepEvent::Ended { done: 1, .. } = event {
            fs::rename(&path, &away).unwrap();
        }
        ControlFlow::Continue(())
    };
    let error = go(root.path(), &sweep, ALONE, &vanish).unwrap_err().to_string();
    assert!(error.starts_with("cell learning.alpha=0.5: ") && error.contains("sweep.json: cannot be read"), "{error}");
    assert!(!path.exists());
    fs::rename(&away, &path).unwrap();
    go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    assert!(table(root.path()) == expected(&sweep));
}
