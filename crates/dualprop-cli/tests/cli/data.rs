//! `dualprop data`

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;

use crate::{assert_refused, command, dualprop, stderr, stdout};

/// An NPY file of bytes.
fn write_npy(path: &Path, shape: &str, bytes: &[u8]) {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
    let start = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    fs::write(path, [&start, bytes].concat()).unwrap();
}

/// Sixty images of 6 x 6 in three classes: bright in the rows of their label.
pub(crate) fn arrays(folder: &Path) {
    let label = |i: usize| i % 3;
    let pixel = |i: usize, p: usize| if p / 12 == label(i) { 200 } else { (i * 7 % 20) as u8 };
    let images: Vec<u8> = (0..60).flat_map(|i| (0..36).map(move |p| pixel(i, p))).collect();
    write_npy(&folder.join("x.npy"), "(60, 6, 6)", &images);
    write_npy(&folder.join("y.npy"), "(60,)", &(0..60).map(|i| label(i) as u8).collect::<Vec<_>>());
}

pub(crate) const IMPORT: [&str; 9] =
    ["data", "import", "mine", "--train-images", "x.npy", "--train-labels", "y.npy", "--classes", "3"];

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

/// A server that answers every request with these bytes; gives its address.
pub(crate) fn server(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let _ = stream.write_all(&[head.as_bytes(), bytes].concat());
        }
    });
    url
}

#[test]
fn data_sets_are_listed_with_their_licences_and_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let listed = stdout(&dualprop(folder.path(), &["data", "list"]));
    for expected in ["mnist", "60000 + 10000", "MIT (Zalando SE)", "in the program", "no, by hand", "162.2 MiB"] {
        assert!(listed.contains(expected), "{expected}: {listed}");
    }
    arrays(folder.path());
    dualprop(folder.path(), &[&IMPORT[..], &["--out", "data/mnist"]].concat());
    let json = stdout(&dualprop(folder.path(), &["data", "list", "--json", "--data-dir", "data"]));
    let list: serde_json::Value = serde_json::from_str(&json).unwrap();
    let mnist = list.as_array().unwrap().iter().find(|entry| entry["name"] == "mnist").unwrap();
    assert_eq!((&mnist["bytes"], &mnist["here"]), (&serde_json::json!(11_594_722), &serde_json::Value::Null), "{mnist}");
}

#[test]
fn a_file_that_is_not_the_published_one_is_not_kept_and_one_that_is_here_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(b"not the labels");
    let fetch = ["data", "fetch", "svhn", "--mirror", &url, "--only-mirrors", "--data-dir", "data"];
    let output = dualprop(folder.path(), &fetch);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(
        text.contains("train_32x32.mat cannot be fetched") && text.contains("it announces 14 bytes, expected 182040794"),
        "{text}"
    );
    assert_eq!(fs::read_dir(folder.path().join("data/svhn")).unwrap().count(), 0);
    let refused = |arguments: &[&str], message: &str| assert_refused(&dualprop(folder.path(), arguments), 2, message);
    refused(&["data", "fetch", "mnits"], "did you mean `mnist`?");
    refused(&["data", "fetch"], "<NAMES>...");
    let mut homeless = command(folder.path(), &["data", "fetch", "mnist"]);
    homeless.env_remove("XDG_CACHE_HOME").env_remove("HOME").env_remove("LOCALAPPDATA");
    assert_refused(&homeless.output().unwrap(), 2, "--data-dir = none: there is no folder for data sets");
    let by_hand = dualprop(folder.path(), &["data", "fetch", "imagenet32"]);
    assert!(by_hand.status.code() == Some(1) && stderr(&by_hand).contains("register at"), "{}", stderr(&by_hand));
    // Missing is no failure, another file is.
    let verify = |name: &str| dualprop(folder.path(), &["data", "verify", name, "--data-dir", "data"]);
    assert!(verify("svhn").status.success() && stdout(&verify("svhn")).contains("missing  "));
    fs::write(folder.path().join("data/svhn/test_32x32.mat"), "other").unwrap();
    let wrong = verify("svhn");
    assert!(
        wrong.status.code() == Some(1) && stdout(&wrong).contains("WRONG    data/svhn/test_32x32.mat: 5 bytes"),
        "{}",
        stdout(&wrong)
    );
    assert!(stderr(&wrong).starts_with("error: one file is not what it should be"), "{}", stderr(&wrong));
}
