//! `dualprop trace`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use crate::{assert_refused, dualprop, stderr, stdout};

const CASE: &str = "mlp_b_dp_transpose_a0.5_b0.1_oddeven8_sigmoid_ce";
const TRAINING: &str = "training/train_mlp_a_dp_transpose_a0.5_fwK3_sgd";

/// A golden file of the library.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../dualprop/tests/golden/{name}.safetensors"))
}

/// A folder with a golden file in it as `case.safetensors`.
fn folder_with(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(golden(name), folder.path().join("case.safetensors")).unwrap();
    folder
}

/// Replaces a text of the case's header by one that is no longer; blanks fill the gap, which JSON does not mind.
fn change(folder: &Path, from: &str, to: &str) {
    let to = format!("{to:width$}", width = from.len());
    assert_eq!(from.len(), to.len());
    let path = folder.join("case.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    bytes[place..][..to.len()].copy_from_slice(to.as_bytes());
    std::fs::write(path, bytes).unwrap();
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Traces the folder's case to `out` and gives what was written.
fn traced(folder: &Path, options: &[&str]) -> Vec<u8> {
    let output = dualprop(folder, &[&["trace", "case.safetensors", "--out", "out"], options].concat());
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "");
    std::fs::read(folder.join("out")).unwrap()
}

/// The F64 tensors of a file.
fn tensors(bytes: &[u8]) -> BTreeMap<String, Vec<f64>> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let tensors = file.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F64);
    tensors.map(|(k, v)| (k, v.data().as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())).collect()
}

fn assert_golden(name: &str, count: usize) {
    let folder = folder_with(name);
    let golden = tensors(&std::fs::read(golden(name)).unwrap());
    let found = tensors(&traced(folder.path(), &[]));
    assert_eq!(found.len(), count);
    for (name, found) in found {
        assert_eq!(found.len(), golden[&name].len(), "{name}");
        assert!(found.iter().zip(&golden[&name]).all(|(a, b)| (a - b).abs() < 1e-10), "{name}");
    }
}

#[test]
fn a_golden_inference_and_a_golden_training_come_out_as_the_authors_numbers() {
    assert_golden(CASE, 35);
    assert_golden(TRAINING, 8);
}

#[test]
fn it_says_what_it_wrote_and_leaves_nothing_else() {
    let folder = folder_with(CASE);
    let output = dualprop(folder.path(), &["trace", "case.safetensors", "--out", "out.safetensors", "--every-pass"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("out.safetensors: 38 tensors of the inference {CASE}\n"));
    assert_eq!(files(folder.path()), ["case.safetensors", "out.safetensors"]);
    let bytes = std::fs::read(folder.path().join("out.safetensors")).unwrap();
    let measured = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(measured.tensor("pass_residual").unwrap().shape(), [8, 5]);
}

#[test]
fn neither_threads_nor_redundant_operations_change_a_byte() {
    let folder = folder_with(CASE);
    for dtype in ["f64", "f32"] {
        let bytes = traced(folder.path(), &["--dtype", dtype, "--threads", "1"]);
        for options in [&["--threads", "2"][..], &["--threads", "3"], &["--naive"], &["--pool-routing", "plus"]] {
            assert!(traced(folder.path(), &[&["--dtype", dtype], options].concat()) == bytes, "{options:?}");
        }
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let expected = if dtype == "f64" { Dtype::F64 } else { Dtype::F32 };
        assert!(file.tensors().iter().all(|(_, view)| view.dtype() == expected));
    }
}

#[test]
fn pool_routing_is_noted_and_a_dense_network_does_not_mind() {
    let folder = folder_with(CASE);
    let [plus, mean] = ["plus", "mean"].map(|routing| traced(folder.path(), &["--pool-routing", routing]));
    let noted = |bytes: &[u8]| SafeTensors::read_metadata(bytes).unwrap().1.metadata().clone().unwrap()["pool_routing"].clone();
    assert_eq!((noted(&plus).as_str(), noted(&mean).as_str()), ("plus", "mean"));
    assert_eq!(tensors(&plus), tensors(&mean));
}

#[test]
fn a_wrong_case_is_refused_with_exit_code_2_and_nothing_is_written() {
    for (from, to, message) in [
        (r#""alpha":"#, r#""alhpa":"#, "unknown metadata key in case.safetensors `alhpa`; did you mean `alpha`?"),
        (r#""beta":"0.1""#, r#""beta":"0,1""#, "case.safetensors: metadata `beta` is `0,1`: expected a finite number"),
        (r#""kernel.3""#, r#""kernel.9""#, "unknown tensor in case.safetensors `kernel.9`"),
        (r#"[6,6,6,2]"#, r#"[6,6,2,6]"#, "tensor `x` has shape [6, 6, 2, 6], but the metadata ask for [6, 6, 6, 2]"),
        (r#""F64""#, r#""F65""#, "case.safetensors: its header is malformed"),
    ] {
        let folder = folder_with(CASE);
        change(folder.path(), from, to);
        std::fs::write(folder.path().join("out"), "as it was").unwrap();
        assert_refused(&dualprop(folder.path(), &["trace", "case.safetensors", "--out", "out"]), 2, message);
        assert_eq!(files(folder.path()), ["case.safetensors", "out"]);
        assert_eq!(std::fs::read(folder.path().join("out")).unwrap(), b"as it was");
    }
}

#[test]
fn a_truncated_or_missing_case_is_refused_with_exit_code_2() {
    let folder = folder_with(CASE);
    let bytes = std::fs::read(golden(CASE)).unwrap();
    for length in [0, 7, 8, 1000, bytes.len() - 1] {
        std::fs::write(folder.path().join("case.safetensors"), &bytes[..length]).unwrap();
        assert_refused(&dualprop(folder.path(), &["trace", "case.safetensors", "--out", "out"]), 2, "case.safetensors: it");
    }
    assert_refused(&dualprop(folder.path(), &["trace", "none", "--out", "out"]), 2, "none: cannot be read");
    assert_refused(&dualprop(folder.path(), &["trace", ".", "--out", "out"]), 2, ".: it is not a regular file");
    assert_eq!(files(folder.path()), ["case.safetensors"]);
}

#[test]
fn wrong_usage_is_refused_with_exit_code_2_and_a_failed_write_with_1() {
    let folder = folder_with(TRAINING);
    let before = std::fs::read(folder.path().join("case.safetensors")).unwrap();
    for out in ["case.safetensors", "./case.safetensors"] {
        let message = format!("--out = {out}: it is the case itself");
        assert_refused(&dualprop(folder.path(), &["trace", "case.safetensors", "--out", out]), 2, &message);
    }
    let trace = ["trace", "case.safetensors", "--out", "out"];
    assert_refused(&dualprop(folder.path(), &trace[..2]), 2, "--out <OUT>");
    for (option, value, message) in [
        ("--dtype", "f16", "f64, f32"),
        ("--pool-routing", "max", "plus, mean"),
        ("--threads", "-1", "-1"),
        ("--threads", "1025", "threads = 1025: expected 0 (one per core) to 1024"),
    ] {
        assert_refused(&dualprop(folder.path(), &[&trace[..], &[option, value]].concat()), 2, message);
    }
    let message = "every_pass = true: it describes the passes of one inference, and this case is a training";
    assert_refused(&dualprop(folder.path(), &[&trace[..], &["--every-pass"]].concat()), 2, message);
    let message = "no/such/folder/out: cannot be written";
    assert_refused(&dualprop(folder.path(), &["trace", "case.safetensors", "--out", "no/such/folder/out"]), 1, message);
    assert_eq!(files(folder.path()), ["case.safetensors"]);
    assert!(std::fs::read(folder.path().join("case.safetensors")).unwrap() == before);
}

#[test]
fn what_is_rarely_meant_is_warned_of() {
    const NAME: &str = "mlp_a_dp_transpose_a0.0_b0.1_fwK4_relu_ce";
    let folder = folder_with(NAME);
    change(folder.path(), &format!(r#""name":"{NAME}""#), r#""nudge":"proximal""#);
    change(folder.path(), r#""rule":"dp_transpose""#, r#""rule":"dp""#);
    change(folder.path(), r#""beta":"0.1""#, r#""beta":"9.0""#);
    let output = dualprop(folder.path(), &["trace", "case.safetensors", "--out", "out"]);
    assert!(output.status.success());
    assert!(stderr(&output).starts_with("warning: beta = 9: beyond 2 the proximal nudge"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "out: 23 tensors of the inference case\n");
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let folder = folder_with(CASE);
    change(folder.path(), &format!(r#""name":"{CASE}""#), r#""name":"\u001b[31mred""#);
    let output = dualprop(folder.path(), &["trace", "case.safetensors", "--out", "out"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("inference \\u001b[31mred\n"), "{:?}", stdout(&output));
    change(folder.path(), r#""rule":"dp_transpose""#, r#""rule":"\u001b[31m""#);
    let output = dualprop(folder.path(), &["trace", "case.safetensors", "--out", "out"]);
    assert_refused(&output, 2, r"\u001b[31m");
    assert!(!stderr(&output).contains('\x1b'), "{:?}", stderr(&output));
}
