//! Names and links that would lead out of the folder of a run.

use std::fs;
use std::ops::ControlFlow;
#[cfg(unix)]
use std::path::{Path, PathBuf};

use dualprop::Error;
use dualprop::data::{Folders, import};
#[cfg(unix)]
use dualprop::training::resume;
use dualprop::training::{Destination, Recipe, run};

#[cfg(unix)]
use crate::tensors::Kinds;

#[test]
fn names_that_would_lead_out_of_their_folder_are_refused_and_make_nothing() {
    let root = tempfile::tempdir().unwrap();
    let runs = root.path().join("runs");
    let recipe = |set: &str| Recipe::load("digits", &["training.epochs=1".to_string(), set.to_string()]);
    let good = recipe("name=good").unwrap();
    let absolute = root.path().join("evil").display().to_string();
    for name in ["../evil", "a/b", "..", ".", "a/../../evil", "..\\evil", "", &absolute] {
        let error = recipe(&format!("name={name:?}")).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("it names a folder"), "{name}: {error}");
        for force in [false, true] {
            let destination = Destination { root: runs.clone(), name: Some(name.into()), force };
            let error = run(&good, &Folders::new(vec![]), &destination, &mut |_| ControlFlow::Break(())).unwrap_err();
            assert!(matches!(&error, Error::Setting { .. }), "{name}: {error}");
            assert!(error.to_string().contains("expected a plain folder name"), "{name}: {error}");
        }
        // What is imported from its published files is named like them, and so is the folder that is written.
        let error = import(name, &Folders::new(vec![runs.clone()]), None).unwrap_err();
        assert!(error.is_input(), "{name}: {error}");
    }
    // A data set by a path is one that is only read, and must be there.
    let beside = recipe("data.dataset='../evil'").and_then(|recipe| {
        let destination = Destination { root: runs.clone(), name: None, force: false };
        run(&recipe, &Folders::new(vec![]), &destination, &mut |_| ControlFlow::Break(()))
    });
    assert!(beside.unwrap_err().to_string().contains("../evil/train.safetensors"));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "something was made");
}

#[cfg(unix)]
#[test]
fn going_on_with_a_run_changes_nothing_that_a_link_in_it_leads_to() {
    let kinds = Kinds::new();
    let (run, elsewhere) = (kinds.root.path().join("run"), kinds.root.path().join("elsewhere"));
    for part in ["metrics.jsonl", "model.safetensors", "checkpoints", "checkpoints/last.safetensors", "lock"] {
        let (link, aside) = (run.join(part), kinds.root.path().join("aside"));
        let was_there = fs::rename(&link, &aside).is_ok();
        // A copy of what was there, with which the training would go on.
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("file"), "precious ".repeat(1000)).unwrap();
        if part == "checkpoints" {
            fs::copy(aside.join("last.safetensors"), elsewhere.join("last.safetensors")).unwrap();
        } else if part.ends_with("last.safetensors") {
            fs::copy(&aside, elsewhere.join("file")).unwrap();
        }
        let before = all(&elsewhere);
        let target = if part == "checkpoints" { elsewhere.clone() } else { elsewhere.join("file") };
        std::os::unix::fs::symlink(target, &link).unwrap();
        let error = resume(&run, &Folders::new(vec![]), Some(1), &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(&error, Error::Malformed { path, .. } if *path == link), "{part}: {error}");
        assert_eq!(all(&elsewhere), before, "{part}");
        fs::remove_file(&link).unwrap();
        fs::remove_dir_all(&elsewhere).unwrap();
        if was_there {
            fs::rename(&aside, &link).unwrap();
        }
    }
    let outcome = resume(&run, &Folders::new(vec![]), Some(1), &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(outcome.finished().is_some(), "without them it goes on");
}

/// The files of a folder, with what they hold.
#[cfg(unix)]
fn all(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
