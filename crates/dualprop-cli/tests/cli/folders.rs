//! Folders that cannot be written to, and folders that vanish: an error that names the path, and nothing half-written.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::data::{IMPORT, arrays};
use crate::{LONG, assert_refused, command, dualprop, stderr, wait_for_lines};

/// A case for `trace`.
fn case() -> String {
    let golden = "../dualprop/tests/golden/mlp_a_dp_transpose_a0.0_b0.1_fwK4_relu_ce.safetensors";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(golden).display().to_string()
}

/// A folder with a short run, arrays of one's own, and a plain file.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let trained = dualprop(folder.path(), &["train", "--quiet", "--name", "a", "--set", "training.epochs=1"]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    arrays(folder.path());
    fs::write(folder.path().join("file"), "as it was").unwrap();
    folder
}

/// Every name in a folder and below it, with the content of files.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.display().to_string(), if path.is_file() { fs::read(&path).unwrap() } else { vec![] }));
        if path.is_dir() {
            found.extend(everything(&path));
        }
    }
    found.sort();
    found
}

/// Writes below `place`, which takes nothing, by every command that writes; each must name what it could not write. A plain file that
/// is given as a folder of runs is wrong input.
fn nothing_is_written_below(folder: &Path, place: &str) {
    let (out, case) = (format!("{place}/out"), case());
    let [rows, figure, network] = ["csv", "svg", "onnx"].map(|extension| format!("{out}.{extension}"));
    let model = "runs/a/model.safetensors";
    let import = [&IMPORT[..], &["--out", &out]].concat();
    let before = everything(folder);
    for arguments in [
        &["train", "--quiet", "--runs-dir", &out][..],
        &["train", "--quiet", "--runs-dir", place, "--name", "x"],
        &["train", "--quiet", "--runs-dir", place, "--set", "seeds=[1,2]"],
        &["sweep", "digits", "--runs-dir", place, "--grid", "learning.alpha=0,1", "--name", "x"],
        &["trace", &case, "--out", &out],
        &["predict", model, "digits", "--out", &out],
        &["export", model, "--out", &network],
        &["alignment", model, "--batches", "1", "--out", &rows],
        &["lipschitz", model, "--samples", "2", "--out", &rows],
        &["objective", model, "--samples", "2", "--out", &rows],
        &["robustness", model, "--samples", "2", "--steps", "1", "--out", &rows],
        &["stability", model, "--samples", "1", "--alpha", "0", "--beta", "0.1", "--out", &rows],
        &["stability", model, "--samples", "1", "--alpha", "0", "--beta", "0.1", "--figure", &figure],
        &import,
        &["data", "fetch", "mnist", "--data-dir", &out, "--mirror", "http://127.0.0.1:1", "--only-mirrors"],
    ] {
        let output = dualprop(folder, arguments);
        match arguments[3] == "file" {
            true => assert_refused(&output, 2, "error: file: it is a file; expected a folder"),
            false => assert_refused(&output, 1, "cannot be written: "),
        }
        let text = stderr(&output);
        assert!(text.starts_with(&format!("error: {place}")), "{arguments:?}: {text}");
        assert!(everything(folder) == before, "{arguments:?}: something was left");
    }
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_nothing() {
    let folder = prepared();
    nothing_is_written_below(folder.path(), "file");
    // No permission binds the superuser, but here nobody makes a file.
    #[cfg(target_os = "linux")]
    nothing_is_written_below(folder.path(), "/proc");
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"as it was");
}

/// As on a medium that is read-only, for whom permissions bind; where a namespace may be had, by such a mount.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_takes_nothing_and_can_be_read() {
    let folder = prepared();
    let program = env!("CARGO_BIN_EXE_dualprop");
    let inside = |arguments: &str| -> Output {
        let script = format!("mount --bind runs runs && mount -o remount,bind,ro runs || exit 77; exec {program} {arguments}");
        let mut shell = std::process::Command::new("unshare");
        shell.args(["--mount", "--map-root-user", "sh", "-c", &script]).current_dir(folder.path());
        shell.env_remove("CARGO").env_remove("DUALPROP_DATA").output().unwrap()
    };
    let before = everything(folder.path());
    let refused = inside("train --quiet --name b");
    if refused.status.code() == Some(77) || stderr(&refused).contains("unshare") {
        return println!("no mount of one's own here; the same holds below a file and in /proc");
    }
    assert_refused(&refused, 1, "error: runs");
    assert_refused(&inside(&format!("trace '{}' --out runs/out", case())), 1, "error: runs/out: cannot be written: Read-only");
    assert_refused(&inside("train --quiet --resume runs/a"), 1, "error: runs/a");
    assert!(everything(folder.path()) == before, "something was left");
    for reading in ["eval runs/a", "verify runs/a", "summary runs/a"] {
        let output = inside(reading);
        assert!(output.status.success(), "{reading}: {}", stderr(&output));
    }
}

/// Begins a training, takes `vanishing` away below its folder, and gives what came of the training.
fn taken_away(folder: &Path, vanishing: &str) -> Output {
    let arguments = [&LONG[..], &["--name", "long"]].concat();
    let mut child = command(folder, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_lines(&folder.join("runs/long"), 2);
    // Under another name first, which happens at once; and to another file system it would not go at all.
    fs::rename(folder.join(vanishing), folder.join("gone")).unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // If it has not noticed, that is what the caller sees.
    child.kill().unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_folder_that_vanishes_ends_a_training_which_goes_on_once_it_is_back() {
    for vanishing in ["runs", "runs/long", "runs/long/checkpoints"] {
        let folder = tempfile::tempdir().unwrap();
        let output = taken_away(folder.path(), vanishing);
        assert_refused(&output, 1, "cannot be written: ");
        let text = stderr(&output);
        assert!(text.starts_with("error: runs/long/"), "{vanishing}: {text}");
        assert!(text.contains("go on with: dualprop train --resume runs/long"), "{vanishing}: {text}");
        assert!(!folder.path().join(vanishing).exists(), "{vanishing}: something was written in its place");
        // It is put back.
        fs::rename(folder.path().join("gone"), folder.path().join(vanishing)).unwrap();
        let resumed = command(folder.path(), &["train", "--quiet", "--resume", "runs/long"]).stderr(Stdio::piped()).spawn();
        let (mut resumed, metrics) = (resumed.unwrap(), folder.path().join("runs/long/metrics.jsonl"));
        let lines = || fs::read_to_string(&metrics).unwrap().lines().count();
        let (before, began) = (lines(), Instant::now());
        while lines() < before + 2 {
            assert!(began.elapsed().as_secs() < 60, "{vanishing}: it does not go on");
            std::thread::sleep(Duration::from_millis(5));
        }
        resumed.kill().unwrap();
        resumed.wait().unwrap();
    }
}
