//! Sweeps that fail, stop and go on: every call that changes the disk fails once, and the table ends with the same bytes.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::disk::faults;
use crate::base::{Error, Result};
use crate::data::Folders;
use crate::training::{Destination, Event, Outcome};

use super::{Arm, Arms, CellOutcome, Description, Origin, Sweep, SweepDirectory, SweepEvent, SweepListener, Workers};

const ALONE: Workers = Workers { jobs: 1, threads: 1 };

fn sweep(grid: &[&str], seeds: usize) -> Sweep {
    sweep_of(grid, &(0..seeds as u64).collect::<Vec<_>>())
}

/// What makes a training of the digits small.
const SMALL: [&str; 7] = [
    "training.epochs=2",
    "training.batch_size=16",
    "training.checkpoint_every=3",
    "training.alignment_every=4",
    "data.limit_train=48",
    "data.validation=20",
    "network.layers=['dense 4', 'dense 10']",
];

fn sweep_of(grid: &[&str], seeds: &[u64]) -> Sweep {
    let mut sets = SMALL.map(String::from).to_vec();
    sets.push(format!("seeds={seeds:?}"));
    let grid: Vec<String> = grid.iter().map(|text| text.to_string()).collect();
    Sweep::new("digits", &sets, &grid, None).unwrap()
}

/// An experiment with an arm that has no alpha.
fn experiment() -> Sweep {
    let arm = |values: [&str; 2], set: &[&str]| Arm {
        values: values.map(String::from).into(),
        recipe: "digits".into(),
        set: set.iter().map(|set| set.to_string()).collect(),
    };
    let arms =
        vec![arm(["backprop", ""], &["learning.rule=backprop"]), arm(["dp", "0"], &["learning.rule=dp", "learning.alpha=0"])];
    let origin = Origin { name: "small".into(), quick: true, with: vec!["learning.beta=0.2".into()] };
    let columns = ["method", "alpha"].map(String::from).to_vec();
    Sweep::of(Description::Arms(Arms::new(origin, columns, SMALL.map(String::from).to_vec(), arms, vec![3]).unwrap())).unwrap()
}

/// A learning rate at which one seed diverges and another does not, as an axis of a grid, and those seeds: sought by halves, since it
/// is another one with every change of what is trained.
fn divisive() -> (String, [u64; 2]) {
    let (mut low, mut high) = (0.0, 38.0);
    for _ in 0..40 {
        let exponent = (low + high) / 2.0;
        let axis = format!("optimizer.learning_rate={:e}", 10f64.powf(exponent));
        let root = folder();
        let outcomes = go(root.path(), &sweep(&[&axis], 4), ALONE, &silent).unwrap().finished().unwrap();
        match (outcomes[0].diverged.first(), outcomes[0].results.first()) {
            (Some(diverged), Some(finished)) => return (axis, [diverged.seed, finished.seed]),
            (Some(_), None) => high = exponent,
            (None, _) => low = exponent,
        }
    }
    panic!("all seeds diverge from 10^{low} on");
}

fn no_folders() -> Folders {
    Folders::new(vec![])
}

fn destination(root: &Path) -> Destination {
    Destination { root: root.into(), name: Some("sweep".into()), force: false }
}

fn replacing(root: &Path) -> Destination {
    Destination { force: true, ..destination(root) }
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

/// Every call that changes the disk fails once during this sweep, which then goes on to the same table.
fn survives_all_faults(sweep: &Sweep) {
    let expected = expected(sweep);
    assert_eq!(expected[0].lines().count(), 3);
    faults::everywhere(
        folder,
        |root| go(root.path(), sweep, ALONE, &silent).map(drop),
        |met, root, error| {
            assert!(error.is_none_or(|error| error.to_string().contains("cannot be written")), "{met}");
            go(root.path(), sweep, ALONE, &silent).unwrap().finished().unwrap();
            assert!(table(root.path()) == expected, "{met}: another table");
        },
    );
}

#[test]
fn whatever_call_fails_the_sweep_goes_on_to_the_same_table() {
    survives_all_faults(&sweep(&["learning.alpha=0,1"], 1));
}

#[test]
fn whatever_call_fails_an_experiment_goes_on_to_the_same_table() {
    let table = expected(&experiment());
    assert!(table[0].contains("\nbackprop,,3,finished,") && table[0].contains("\ndp,0,3,finished,"), "{}", table[0]);
    assert!(table[1].starts_with("{\"method\":\"backprop\",\"alpha\":null,"), "{}", table[1]);
    survives_all_faults(&experiment());
}

#[test]
fn the_folder_of_an_experiment_holds_all_that_it_is_made_from() {
    let (root, sweep) = (folder(), experiment());
    let unnamed = Destination::below(root.path());
    let directory = SweepDirectory::create(&unnamed, sweep.clone()).unwrap();
    assert_eq!(directory.path(), root.path().join("reproduce-small-quick"));
    let text = fs::read_to_string(directory.path().join("sweep.json")).unwrap();
    drop(directory);
    let kept = SweepDirectory::open(&root.path().join("reproduce-small-quick")).unwrap();
    assert_eq!((kept.sweep().columns(), kept.sweep().seeds()), (sweep.columns(), sweep.seeds()));
    for (kept, cell) in kept.sweep().cells().iter().zip(sweep.cells()) {
        assert_eq!((&kept.name, kept.params()), (&cell.name, cell.params()));
    }
    assert_eq!(kept.sweep().origin(), sweep.origin());
    let path = kept.path().to_path_buf();
    drop(kept);
    for (from, to, expected) in [
        ("\"method\",", "\"../method\",", "columns = \"../method\": expected letters, digits and _"),
        ("\"backprop\",", "\"\",", "expected a value for each of [\"method\", \"alpha\"], the first not empty"),
        ("\"method\",", "", "arms = [\"backprop\", \"\"]: expected a value for each"),
        ("\"recipe\": \"digits\"", "\"recipe\": \"digit\"", "unknown recipe of an arm `digit`; did you mean `digits`?"),
        ("learning.beta=0.2", "learning.rule=dp", "values of their own for this key"),
        ("learning.rule=dp", "learning.rule=dpp", "cell method=dp alpha=0: unknown learning.rule `dpp`"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(path.join("sweep.json"), text.replacen(from, to, 1)).unwrap();
        let error = SweepDirectory::open(&path).unwrap_err();
        assert!(error.to_string().contains(expected) && error.is_input(), "{to}: {error}");
    }
}

#[test]
fn whatever_call_fails_seeds_that_diverged_and_those_after_them_are_the_same() {
    let (axis, seeds) = divisive();
    let sweep = sweep_of(&[&axis], &seeds);
    assert_eq!(states(&expected(&sweep)), ["diverged", "finished"]);
    survives_all_faults(&sweep);
}

/// The column `state` of a table.
fn states(table: &[String; 2]) -> Vec<String> {
    let rows = table[1].lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    rows.map(|row| row["state"].as_str().unwrap().to_string()).collect()
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
fn a_seed_that_diverges_is_a_result_of_it_alone_and_is_not_trained_again() {
    let (axis, [diverges, finishes]) = divisive();
    // Before and after the one that finishes; and a rate that leaves the range of f32 at once, by which no seed finishes.
    let last = (0..4).filter(|seed| ![diverges, finishes].contains(seed)).max().unwrap_or(9);
    let sweep = sweep_of(&[&format!("{axis},1e38")], &[diverges, finishes, last]);
    let root = folder();
    let outcomes = go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    let seeds = |outcome: &CellOutcome| -> [Vec<u64>; 2] {
        [outcome.diverged.iter().map(|of| of.seed).collect(), outcome.results.iter().map(|of| of.seed).collect()]
    };
    let [diverged, finished] = seeds(&outcomes[0]);
    assert!(diverged.contains(&diverges) && finished.contains(&finishes), "{outcomes:?}");
    assert_eq!(diverged.len() + finished.len(), 3);
    assert_eq!(seeds(&outcomes[1]), [vec![diverges, finishes, last], vec![]]);
    assert_eq!(outcomes[1].test_accuracy(), None);
    let expected = table(root.path());
    assert_eq!(states(&expected)[..2], ["diverged", "finished"]);
    assert_eq!(states(&expected)[3..], ["diverged", "diverged", "diverged"]);
    // What finishes is to the bit what it is without the others.
    let alone = folder();
    go(alone.path(), &sweep_of(&[&axis], &[finishes]), ALONE, &silent).unwrap().finished().unwrap();
    let row = |table: &[String; 2], line: usize| table[0].lines().nth(line).unwrap().to_string();
    assert_eq!(row(&expected, 2), row(&table(alone.path()), 1));
    let again = |event: SweepEvent| -> ControlFlow<()> { panic!("nothing is left to do: {event:?}") };
    go(root.path(), &sweep, ALONE, &again).unwrap().finished().unwrap();
    assert!(table(root.path()) == expected);
    // Kills before all of it was written down: what is missing diverges once more, at the same step.
    let kept = root.path().join("sweep").join(&sweep.cells()[1].name).join("diverged.json");
    let text = fs::read_to_string(&kept).unwrap();
    let first = text.find("},").unwrap();
    for remains in [None, Some(format!("{}}}]}}", &text[..first]))] {
        fs::remove_file(&kept).unwrap();
        if let Some(remains) = remains {
            fs::write(&kept, remains).unwrap();
        }
        go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), text);
        assert!(table(root.path()) == expected);
    }
    fs::write(&kept, text.replace(&format!("\"seed\":{last}"), "\"seed\":77")).unwrap();
    let error = go(root.path(), &sweep, ALONE, &silent).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("it has seed 77, which is none of the run's"), "{error}");
}

#[test]
fn a_cell_with_seeds_that_diverged_says_what_it_is() {
    let (axis, [diverges, finishes]) = divisive();
    let root = folder();
    let sweep = sweep_of(&[&axis], &[diverges, finishes]);
    go(root.path(), &sweep, ALONE, &silent).unwrap().finished().unwrap();
    let cell = root.path().join("sweep").join(&sweep.cells()[0].name);
    let pool = crate::compute::Pool::new(1).unwrap();
    let evaluate = |run: &Path| crate::training::evaluate_run(run, crate::training::Part::Test, &no_folders(), &pool);
    let resume = |run: &Path| crate::training::resume(run, &no_folders(), None, &mut |_| ControlFlow::Continue(()));
    let expected = format!("it is a cell of a sweep, whose seed {diverges} diverged, as diverged.json in it says; ");
    for error in [evaluate(&cell).map(drop).unwrap_err(), resume(&cell).map(drop).unwrap_err()] {
        assert!(error.is_input() && error.to_string().contains(&expected), "{error}");
    }
    let seed = |seed: u64| cell.join(format!("seed-{seed}"));
    for error in [evaluate(&seed(diverges)).map(drop).unwrap_err(), resume(&seed(diverges)).map(drop).unwrap_err()] {
        assert!(error.is_input() && error.to_string().contains("it is a seed of a sweep's cell, which diverged: "), "{error}");
    }
    assert_eq!(evaluate(&seed(finishes)).unwrap()[0].0, finishes);
    assert!(matches!(resume(&seed(finishes)).unwrap(), Outcome::Finished(_)));
}

#[test]
fn with_force_an_earlier_sweep_is_kept_until_the_new_one_is_complete() {
    let (old, new) = (sweep(&["learning.alpha=0,1"], 2), sweep(&["learning.beta=0.1,0.2"], 1));
    let root = folder();
    let aside = root.path().join("sweep.replaced");
    go(root.path(), &old, ALONE, &silent).unwrap().finished().unwrap();
    let before = table(root.path());
    let kept = || ["results.csv", "results.jsonl"].map(|name| fs::read_to_string(aside.join(name)).unwrap());
    // Interrupted, failed or killed before it is complete, it leaves the old one for whoever wants it.
    let directory = SweepDirectory::create(&replacing(root.path()), new.clone()).unwrap();
    let stop = |event: SweepEvent| match event {
        SweepEvent::Ended { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(directory.run(&no_folders(), ALONE, &stop).unwrap(), Outcome::Interrupted);
    assert!(kept() == before);
    // In the same process it goes on, and once it is complete the old one goes.
    let busy = SweepDirectory::create(&replacing(root.path()), old.clone()).unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    directory.run(&no_folders(), ALONE, &silent).unwrap().finished().unwrap();
    assert!(!aside.exists());
    drop(directory);
    assert!(table(root.path()) == expected(&new));
    // Nor is one replaced in a cell of which somebody is at work.
    let at_work = crate::training::RunDirectory::open(&root.path().join("sweep/beta=0.1")).unwrap();
    let busy = SweepDirectory::create(&replacing(root.path()), old.clone()).unwrap_err();
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    drop(at_work);
    // One that goes on in another process does not know of it.
    let stopped = SweepDirectory::create(&replacing(root.path()), old.clone()).unwrap();
    assert_eq!(stopped.run(&no_folders(), ALONE, &stop).unwrap(), Outcome::Interrupted);
    drop(stopped);
    go(root.path(), &old, ALONE, &silent).unwrap().finished().unwrap();
    assert!(aside.exists() && table(root.path()) == before);
}

#[test]
fn whatever_call_fails_what_is_to_be_replaced_is_not_lost() {
    let [old, new] = ["learning.alpha=0,1", "learning.beta=0.1,0.2"].map(|grid| sweep(&[grid], 1));
    let kept = |root: &Path, name: &str| fs::read_to_string(root.join(name).join("sweep.json")).unwrap_or_default();
    faults::everywhere(
        || {
            let root = folder();
            drop(SweepDirectory::create(&destination(root.path()), old.clone()).unwrap());
            root
        },
        |root| SweepDirectory::create(&replacing(root.path()), new.clone()).map(drop),
        |met, root, error| {
            let [here, aside] = ["sweep", "sweep.replaced"].map(|name| kept(root.path(), name));
            assert!(here.contains("learning.alpha") || aside.contains("learning.alpha"), "{met}");
            assert!(error.is_some() || here.contains("learning.beta"), "{met}");
        },
    );
}

#[test]
fn force_replaces_nothing_but_sweeps_and_runs() {
    let new = sweep(&["learning.alpha=0,1"], 1);
    let root = folder();
    let path = root.path().join("sweep");
    let refused = |expected: &str| {
        let error = SweepDirectory::create(&replacing(root.path()), new.clone()).map(drop).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(expected), "{expected}: {error}");
        assert!(!root.path().join("sweep.replaced").exists() && path.exists());
    };
    fs::create_dir(&path).unwrap();
    fs::write(path.join("cat"), "").unwrap();
    refused("it has no sweep.json and no recipe.toml; --force replaces nothing but sweeps and runs");
    fs::write(path.join("sweep.json"), "{}").unwrap();
    refused("no description of a sweep");
    fs::remove_dir_all(&path).unwrap();
    go(root.path(), &new, ALONE, &silent).unwrap().finished().unwrap();
    fs::write(path.join("cat"), "").unwrap();
    refused("`cat` in it is no part of its sweep");
    fs::rename(path.join("cat"), path.join("alpha=1/cat")).unwrap();
    refused("`cat` in it is no part of a run");
    fs::remove_file(path.join("alpha=1/cat")).unwrap();
    #[cfg(unix)]
    {
        fs::rename(path.join("alpha=1"), root.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), path.join("alpha=1")).unwrap();
        refused("it is a link");
        fs::remove_file(path.join("alpha=1")).unwrap();
    }
    // A cell that a kill left without a recipe is part of it all the same.
    fs::create_dir_all(path.join("alpha=1")).unwrap();
    fs::write(path.join("alpha=1/environment.json"), "").unwrap();
    // A model in what is replaced would be gone for the cells after the first.
    let from = format!("network.from='{}'", path.join("alpha=0/model.safetensors").display());
    let starting =
        Sweep::new("digits", &[from, "network.layers=['dense 4', 'dense 10']".into()], &["learning.alpha=0,1".into()], None);
    let error = SweepDirectory::create(&replacing(root.path()), starting.unwrap()).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("cell learning.alpha=0: network.from = ") && error.contains("--force would replace"), "{error}");
    drop(SweepDirectory::create(&replacing(root.path()), new.clone()).unwrap());
    assert!(root.path().join("sweep.replaced/sweep.json").exists());
    // A run is replaced like a sweep.
    fs::remove_dir_all(&path).unwrap();
    fs::rename(root.path().join("sweep.replaced/alpha=0"), &path).unwrap();
    fs::remove_dir_all(root.path().join("sweep.replaced")).unwrap();
    SweepDirectory::create(&replacing(root.path()), new.clone()).unwrap().run(&no_folders(), ALONE, &silent).unwrap();
    assert!(table(root.path()) == expected(&new) && !root.path().join("sweep.replaced").exists());
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
    assert!(
        error.contains("exists already; choose another --name, go on with a sweep by --resume, or give --force to replace it"),
        "{error}"
    );
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
        ("\"format\": 1", "\"format\": 3", "its format is 3, expected 1 or 2"),
        ("\"format\": 1", "\"format\": 2", "no description of a sweep: missing field `experiment`"),
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
