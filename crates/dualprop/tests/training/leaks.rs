//! Nothing is learnt from the samples that judge.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use dualprop::Error;
use dualprop::base::random::{Purpose, Random};
use dualprop::data::Folders;
use dualprop::training::{Destination, run};

use crate::{metrics, recipe};

/// Writes a little MNIST: 120 training and 30 test images, whose label is where they are bright.
fn write_mnist(root: &Path, test_noise: bool) {
    let folder = root.join("mnist");
    fs::create_dir_all(&folder).unwrap();
    for (part, count, noise) in [("train", 120u32, false), ("t10k", 30, test_noise)] {
        let mut random = Random::new(1, Purpose::Synthetic, 0, count);
        let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
        let image = |label: u8, random: &mut Random| -> Vec<u8> {
            (0..784).map(|p| if noise || p / 79 == usize::from(label) { (random.bits() % 256) as u8 } else { 0 }).collect()
        };
        let pixels: Vec<u8> = labels.iter().flat_map(|&label| image(label, &mut random)).collect();
        let header = |axes: u8, extents: &[u32]| -> Vec<u8> {
            [0, 0, 8, axes].into_iter().chain(extents.iter().flat_map(|n| n.to_be_bytes())).collect()
        };
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), [header(3, &[count, 28, 28]), pixels].concat()).unwrap();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), [header(1, &[count]), labels].concat()).unwrap();
    }
}

fn train(root: &Path, name: &str) -> dualprop::Result<()> {
    let sets = ["data.validation=20", "data.limit_train=100", "training.batch_size=10", "training.epochs=4"];
    let destination = Destination { root: root.join("runs"), name: Some(name.into()), force: false };
    let folders = Folders::new(vec![root.into()]);
    run(&recipe("mnist", &sets), &folders, &destination, &mut |_| ControlFlow::Continue(())).map(drop)
}

#[test]
fn the_test_set_is_read_once_and_at_the_end() {
    let root = tempfile::tempdir().unwrap();
    write_mnist(root.path(), false);
    train(root.path(), "whole").unwrap();
    // A test set that cannot be read ends the run, but only after every epoch, and the model is kept.
    for file in ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        write_mnist(root.path(), false);
        fs::write(root.path().join("mnist").join(file), "not a data set").unwrap();
        let error = train(root.path(), file).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains(file), "{error}");
        let run = root.path().join("runs").join(file);
        assert_eq!(metrics(&run), metrics(&root.path().join("runs/whole")));
        assert!(run.join("model.safetensors").is_file() && !run.join("summary.json").exists());
        // Once it is mended the run can be completed.
        write_mnist(root.path(), false);
        let folders = Folders::new(vec![root.path().into()]);
        let summary = dualprop::training::resume(&run, &folders, None, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(summary.finished().unwrap().results[0].test.samples, 30);
    }
    // One that is missing is told before anything is trained.
    fs::remove_file(root.path().join("mnist/t10k-images-idx3-ubyte")).unwrap();
    assert!(train(root.path(), "missing").unwrap_err().to_string().starts_with("built-in recipe mnist:"));
    assert!(!root.path().join("runs/missing").exists());
}

#[test]
fn what_the_test_images_show_changes_no_epoch() {
    let root = tempfile::tempdir().unwrap();
    for (name, noise) in [("clean", false), ("noise", true)] {
        write_mnist(root.path(), noise);
        train(root.path(), name).unwrap();
    }
    let run = |name: &str| root.path().join("runs").join(name);
    let model = |name: &str| fs::read(run(name).join("model.safetensors")).unwrap();
    assert_eq!(metrics(&run("clean")), metrics(&run("noise")));
    assert_eq!(model("clean"), model("noise"));
    let accuracy = |name: &str| {
        let text = fs::read_to_string(run(name).join("summary.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["test_accuracy"].as_f64().unwrap()
    };
    assert!(accuracy("clean") > accuracy("noise"), "the test images are what is tested");
}
