//! `dualprop data`

use std::fs;
use std::path::Path;

use crate::{assert_refused, dualprop, stderr, stdout};

/// An NPY file of bytes.
fn write_npy(path: &Path, shape: &str, bytes: &[u8]) {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    let start = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    fs::write(path, [&start, bytes].concat()).unwrap();
}

/// Sixty images of 6 x 6 in three classes: bright in the rows of their label.
fn arrays(folder: &Path) {
    let label = |i: usize| i % 3;
    let pixel = |i: usize, p: usize| if p / 12 == label(i) { 200 } else { (i * 7 % 20) as u8 };
    let images: Vec<u8> = (0..60).flat_map(|i| (0..36).map(move |p| pixel(i, p))).collect();
    write_npy(&folder.join("x.npy"), "(60, 6, 6)", &images);
    write_npy(&folder.join("y.npy"), "(60,)", &(0..60).map(|i| label(i) as u8).collect::<Vec<_>>());
}

const IMPORT: [&str; 9] = ["data", "import", "mine", "--train-images", "x.npy", "--train-labels", "y.npy", "--classes", "3"];

#[test]
fn arrays_of_ones_own_are_imported_and_trained() {
    let folder = tempfile::tempdir().unwrap();
    arrays(folder.path());
    let imported = dualprop(folder.path(), &[&IMPORT[..], &["--out", "mine"]].concat());
    assert!(imported.status.success() && stdout(&imported).contains("60 samples"), "{}", stderr(&imported));
    fs::write(
        folder.path().join("own.toml"),
        "name = 'own'\n[data]\ndataset = './mine'\n[network]\nlayers = ['conv 4 pool', 'dense 3']\n\
         [optimizer]\nlearning_rate = 0.05\n[training]\nepochs = 20\nbatch_size = 6\n",
    )
    .unwrap();
    let trained = dualprop(folder.path(), &["train", "own.toml", "--json", "--quiet"]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    let summary: serde_json::Value = serde_json::from_str(&stdout(&trained)).unwrap();
    assert_eq!(summary["test_accuracy"], 100.0, "{summary}");
    // The run can be repeated from anywhere.
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let again = dualprop(&elsewhere, &["train", "../runs/own/recipe.toml", "--json", "--quiet"]);
    let repeated: serde_json::Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(repeated["results"][0]["test"], summary["results"][0]["test"]);
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    arrays(folder.path());
    let refused = |arguments: &[&str], message: &str| assert_refused(&dualprop(folder.path(), arguments), 2, message);
    refused(&["data", "import", "mnits"], "did you mean `mnist`?");
    refused(&["data", "import", "digits"], "it is part of the program and has no files");
    refused(&["data", "import", "cifar-10"], "data_batch_1.bin to data_batch_5.bin and test_batch.bin");
    refused(&["data", "import", "mine", "--train-images", "x.npy"], "--train-labels");
    refused(&IMPORT, "--out");
    let few = [&IMPORT[..8], &["2", "--out", "mine"]].concat();
    refused(&few, "y.npy: label 2 is 2, but there are 2 classes: expected 0 to 1");
    fs::write(folder.path().join("x.npy"), "no array").unwrap();
    refused(&[&IMPORT[..], &["--out", "mine"]].concat(), "x.npy");
    assert!(!folder.path().join("mine/train.safetensors").exists());
    let none = ["train", "--set", "data.dataset=./nowhere"];
    refused(&none, "nowhere/train.safetensors: cannot be read");
}
