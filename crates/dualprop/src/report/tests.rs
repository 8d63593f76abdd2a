//! Reports as files.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::*;
use crate::base::disk::faults::{self, Fault};
use crate::base::{Error, file};
use crate::training::{Destination, Recipe, Sweep, SweepDirectory, Workers, check_report_folder, run};

const SMALL: [&str; 5] = [
    "training.epochs=3",
    "training.threads=1",
    "data.limit_train=64",
    "network.layers=['dense 6', 'dense 10']",
    "analysis.first_batches=4",
];

fn folders() -> Folders {
    Folders::new(vec![])
}

/// A run of the digits with two seeds.
fn train(root: &Path, name: &str, set: &[&str]) -> PathBuf {
    let sets: Vec<String> = SMALL.iter().chain(set).map(ToString::to_string).collect();
    let recipe = Recipe::load("digits", &sets).unwrap();
    let destination = Destination { root: root.into(), name: Some(name.into()), force: false };
    run(&recipe, &folders(), &destination, &mut |_| ControlFlow::Continue(())).unwrap().finished().unwrap();
    root.join(name)
}

fn report(paths: &[PathBuf]) -> Result<Report> {
    let (folders, pool) = (folders(), Pool::new(1).unwrap());
    Report::of(paths, Some(&Models { folders: &folders, pool: &pool }))
}

/// The names of a report's figures, sorted; each has both files.
fn figures(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = file::entries(&folder.join("figures"))
        .unwrap()
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut stems: Vec<String> = names.iter().filter_map(|name| name.strip_suffix(".svg").map(String::from)).collect();
    let both: Vec<String> = stems.iter().flat_map(|stem| [format!("{stem}.png"), format!("{stem}.svg")]).collect();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(names, sorted(both));
    stems.sort();
    stems
}

#[test]
fn a_run_has_its_figures_and_its_page_needs_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let run = train(root.path(), "a <run>", &["seeds=[0,1]"]);
    let folder = run.join("report");
    report(std::slice::from_ref(&run)).unwrap().write(&folder).unwrap();
    let expected = [
        "angles",
        "angles-by-batch",
        "angles-by-epoch",
        "confusion",
        "first-layer",
        "learning-curves",
        "norms",
        "states-differences",
        "states-means",
    ];
    assert_eq!(figures(&folder), expected);
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    for name in expected {
        let svg = fs::read_to_string(folder.join(format!("figures/{name}.svg"))).unwrap();
        figure::parsed(&svg);
        assert!(page.contains(&svg), "{name}: the page has the figure of the file");
    }
    assert!(page.contains("a &lt;run&gt;") && !page.contains("<run>"));
    for outside in ["http:", "https:", "src=", "@import"] {
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
    }
    let markdown = fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(
        markdown.contains("![Confusion matrix](figures/confusion.svg)") && markdown.contains("| mean ± std | "),
        "{markdown}"
    );
    // Every test sample of both seeds is in the matrix: what the summary counts.
    let summary: crate::training::Summary = serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    let confused = crate::training::confusion(&run, crate::training::Part::Test, &folders(), &Pool::new(1).unwrap()).unwrap();
    let right: u64 = (0..10).map(|class| confused.counts[class][class]).sum();
    let all: u64 = confused.counts.iter().flatten().sum();
    let samples: usize = summary.results.iter().map(|result| result.test.samples).sum();
    assert_eq!(all, samples as u64);
    assert!((100.0 * right as f64 / all as f64 - summary.test_accuracy).abs() < 1e-9);
}

#[test]
fn rows_are_true_classes_and_columns_what_they_are_taken_for() {
    let root = tempfile::tempdir().unwrap();
    let run = train(root.path(), "a", &[]);
    // A network that says three whatever it sees.
    let path = run.join("model.safetensors");
    let mut model = crate::network::Model::load(&path).unwrap();
    model.parameters.tensors_mut().iter_mut().for_each(|tensor| tensor.data_mut().fill(0.0));
    model.parameters.tensors_mut().last_mut().unwrap().data_mut()[3] = 1.0;
    model.save(&path).unwrap();
    let counts =
        crate::training::confusion(&run, crate::training::Part::Test, &folders(), &Pool::new(1).unwrap()).unwrap().counts;
    for (class, row) in counts.iter().enumerate() {
        assert!((0..10).all(|taken| (row[taken] > 0) == (taken == 3)), "{class}: {row:?}");
    }
}

#[test]
fn a_report_is_replaced_by_one_of_other_figures_and_nothing_else_is() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = [("a", &[][..]), ("b", &["learning.rule=backprop"])].map(|(name, set)| train(root.path(), name, set));
    let folder = root.path().join("out");
    report(std::slice::from_ref(&a)).unwrap().write(&folder).unwrap();
    report(&[a.clone(), b]).unwrap().write(&folder).unwrap();
    let names = figures(&folder);
    for name in ["results", "validation-accuracy", "training-loss", "product-norms", "learning-curves", "learning-curves-2"] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    report(std::slice::from_ref(&a)).unwrap().write(&folder).unwrap();
    assert!(!figures(&folder).iter().any(|name| name == "results"), "what is no more is removed");
    for (place, content) in [("out/mine.txt", "precious"), ("out/figures/thesis.pdf", "precious")] {
        fs::write(root.path().join(place), content).unwrap();
        let error = report(std::slice::from_ref(&a)).unwrap().write(&folder).unwrap_err().to_string();
        assert!(error.contains("replaces nothing but reports"), "{error}");
        assert_eq!(fs::read_to_string(root.path().join(place)).unwrap(), content);
        fs::remove_file(root.path().join(place)).unwrap();
    }
    let held = file::lock(&folder.join("lock"), &folder).unwrap();
    let error = report(std::slice::from_ref(&a)).unwrap().write(&folder).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    drop(held);
    fs::write(root.path().join("file"), "").unwrap();
    assert!(check_report_folder(&root.path().join("file")).is_err());
    #[cfg(unix)]
    {
        fs::remove_dir_all(folder.join("figures")).unwrap();
        std::os::unix::fs::symlink(root.path(), folder.join("figures")).unwrap();
        assert!(check_report_folder(&folder).is_err(), "nothing is written through a link");
    }
}

#[test]
fn a_sweep_has_lines_and_a_map_over_its_numbers() {
    let root = tempfile::tempdir().unwrap();
    let set: Vec<String> = SMALL.iter().filter(|set| !set.starts_with("training.threads")).map(ToString::to_string).collect();
    let grid = ["learning.alpha=0,1".to_string(), "learning.beta=0.01,0.1,1".to_string()];
    let sweep = Sweep::new("digits", &set, &grid, Some(2)).unwrap();
    let destination = Destination { root: root.path().into(), name: Some("sweep".into()), force: false };
    let directory = SweepDirectory::create(&destination, sweep).unwrap();
    let workers = Workers { jobs: 1, threads: 1 };
    // Half of it first: a report may be made while it is at work.
    let ended = std::sync::atomic::AtomicUsize::new(0);
    let stop = |event: crate::training::SweepEvent| match event {
        crate::training::SweepEvent::Ended { .. } if ended.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2 => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    directory.run(&folders(), workers, &stop).unwrap();
    let folder = root.path().join("sweep");
    let half = root.path().join("half");
    report(std::slice::from_ref(&folder)).unwrap().write(&half).unwrap();
    assert!(fs::read_to_string(half.join("report.md")).unwrap().contains("Not complete: 3 of 6"));
    directory.run(&folders(), workers, &|_| ControlFlow::Continue(())).unwrap().finished().unwrap();
    report(std::slice::from_ref(&folder)).unwrap().write(&folder.join("report")).unwrap();
    let names = figures(&folder.join("report"));
    assert!(
        ["sweep", "sweep-map", "validation-accuracy"].iter().all(|name| names.iter().any(|found| found == name)),
        "{names:?}"
    );
    let map = fs::read_to_string(folder.join("report/figures/sweep-map.svg")).unwrap();
    assert_eq!(map.matches("<title>alpha ").count() + map.matches("<title>beta ").count(), 6, "{map}");
}

#[test]
fn what_is_no_subject_is_told() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        fs::write(root.path().join(name), text).unwrap();
        root.path().join(name)
    };
    for (subject, expected) in [
        (root.path().join("nothing"), "expected a run directory"),
        (root.path().into(), "expected a run directory"),
        (path("a.csv", "x,y\n1,2\n"), "expected a table that `dualprop stability`"),
        (
            path("b.csv", "batch,layer,cosine,angle_deg,norm_ratio,sign_agreement\n1,x,1,2,3,4\n"),
            "row 1 is no row of such a table",
        ),
        (path("c.csv", "batch,layer,cosine,angle_deg,norm_ratio,sign_agreement\n"), "it has no rows"),
    ] {
        let error = Report::of(&[subject], None).err().map(|error| (error.is_input(), error.to_string()));
        let (is_input, error) = error.expect("it is refused");
        assert!(error.contains(expected) && is_input, "{expected}: {error}");
    }
}

#[test]
fn whatever_call_fails_no_file_is_half_and_the_next_report_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let table = root.path().join("table.csv");
    fs::write(&table, "batch,layer,cosine,angle_deg,norm_ratio,sign_agreement\n1,1,0.5,60,1,1\n2,1,1,0,1,1\n").unwrap();
    let made = report(&[table]).unwrap();
    let whole = root.path().join("whole");
    made.write(&whole).unwrap();
    let contents = |folder: &Path| {
        let mut files: Vec<(PathBuf, Vec<u8>)> = vec![];
        for entry in file::entries(folder).unwrap().into_iter().chain(file::entries(&folder.join("figures")).unwrap_or_default())
        {
            // The lock has the number of its process, and is no part of what is read.
            if entry.path().is_file() && entry.file_name() != "lock" {
                files.push((entry.path().strip_prefix(folder).unwrap().into(), fs::read(entry.path()).unwrap()));
            }
        }
        files.sort();
        files
    };
    let expected = contents(&whole);
    for fault in [Fault::ShortWrite, Fault::Interrupted, Fault::Broken, Fault::Full] {
        for call in 0.. {
            let folder = root.path().join("faulty");
            let (outcome, struck) = faults::at(fault, call, || made.write(&folder));
            if folder.exists() {
                for (path, bytes) in contents(&folder)
                    .into_iter()
                    .filter(|(path, _)| !file::is_unfinished(&path.file_name().unwrap().to_string_lossy()))
                {
                    assert!(expected.contains(&(path.clone(), bytes)), "{fault:?} at call {call}: {}", path.display());
                }
            }
            match outcome {
                Ok(()) => {}
                Err(error) => assert!(matches!(error, Error::Write { .. }), "{fault:?} at call {call}: {error}"),
            }
            made.write(&folder).unwrap();
            assert_eq!(contents(&folder), expected, "{fault:?} at call {call}");
            fs::remove_dir_all(&folder).unwrap();
            if !struck {
                // Two files of the figure, the Markdown, the page.
                assert!(call >= 4, "{fault:?}: {call} calls");
                break;
            }
        }
    }
}
