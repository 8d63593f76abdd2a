//! The engine against the golden files: numbers printed by the paper's authors' own program.
//!
//! `cargo test --test golden -- --nocapture` prints the largest error of every tensor.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dualprop::base::Real;
use dualprop::compute::Pool;
use dualprop::training::case::{Case, Trace, TraceOptions, trace};
use safetensors::SafeTensors;

/// So that an empty folder cannot pass.
const INFERENCES: usize = 15;
const TRAININGS: usize = 2;

/// What the authors' f64 and ours may differ by, in numbers of order 1. Found: 2e-15 in states and gradients; 7e-14 in the
/// contrastive objective, which is a sum over all parameters.
const F64: f64 = 1e-10;

/// The largest error of a tensor in f32, relative to its largest number. Found: 5e-7 in states, from sums of up to 72 terms
/// rounded to 6e-8; and 4e-6 in gradients, since a dyad that straddles a kink of f has Δ = a + w fb, with the error of the
/// pre-activation a, and is divided by β, here 0.1.
const F32: f64 = 1e-5;

/// name → (shape, numbers)
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// Paths of the golden files in a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    paths.sort();
    paths
}

/// What a trace of this file should find: every tensor that is not part of the case.
fn expected(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let given =
        |name: &str| ["x", "labels", "damping"].contains(&name) || name.starts_with("kernel.") || name.starts_with("bias.");
    let numbers = |data: &[u8]| data.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect();
    let tensors = file.tensors().into_iter().filter(|(name, _)| !given(name));
    tensors.map(|(name, view)| (name, (view.shape().to_vec(), numbers(view.data())))).collect()
}

fn run<T: Real>(path: &Path, options: TraceOptions) -> Trace {
    trace::<T>(&Case::read(path).unwrap(), options, &Pool::new(2).unwrap()).unwrap()
}

/// The worst errors of all tensors of one kind (`s_plus`, `grad_kernel` …), and where they are.
#[derive(Default)]
struct Worst(BTreeMap<String, (f64, String)>);

impl Worst {
    /// Compares names, shapes and numbers; `relative` errors are relative to a tensor's largest number.
    fn compare(&mut self, path: &Path, relative: bool, trace: &Trace) {
        let case = path.file_stem().unwrap().to_str().unwrap();
        let expected = expected(path);
        let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(trace.tensors().keys().collect()), names(expected.keys().collect()), "{case}");
        for (name, (shape, numbers)) in expected {
            let found = &trace.tensors()[&name];
            assert_eq!(found.shape(), shape, "{case}: {name}");
            let largest = numbers.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
            let scale = if relative { largest } else { 1.0 };
            let errors = found.data().iter().zip(&numbers).map(|(found, expected)| (found - expected).abs() / scale);
            // Not f64::max, which would pass over a NaN.
            let error = errors.fold(0.0, |worst: f64, error| if worst.is_nan() || error <= worst { worst } else { error });
            let kind = name.split('.').next().unwrap().to_string();
            let worst = self.0.entry(kind).or_default();
            if error.is_nan() || error > worst.0 {
                *worst = (error, format!("{name} of {case}"));
            }
        }
    }

    fn assert_within(&self, what: &str, tolerance: f64) {
        for (kind, (error, place)) in &self.0 {
            println!("{what}  {kind:<22} {error:9.2e}  {place}");
        }
        let failures: Vec<_> = self.0.values().filter(|(error, _)| error.is_nan() || *error > tolerance).collect();
        assert!(failures.is_empty(), "{what}: beyond {tolerance:e}: {failures:#?}");
    }
}

/// Every golden file in T, optimised and naive.
fn compare_all<T: Real>(tolerance: f64, relative: bool) {
    for naive in [false, true] {
        let mut worst = Worst::default();
        for (folder, count) in [("", INFERENCES), ("training", TRAININGS)] {
            let paths = files(folder);
            assert_eq!(paths.len(), count, "golden files in `{folder}`");
            for path in paths {
                worst.compare(&path, relative, &run::<T>(&path, TraceOptions { naive, ..TraceOptions::default() }));
            }
        }
        worst.assert_within(&format!("{} {}", T::NAME, if naive { "naive    " } else { "optimised" }), tolerance);
    }
}

#[test]
fn in_f64_every_case_is_the_authors_numbers() {
    compare_all::<f64>(F64, false);
}

#[test]
fn in_f32_every_case_is_the_authors_numbers_to_single_precision() {
    compare_all::<f32>(F32, true);
}

#[test]
fn leaving_out_what_is_redundant_changes_no_bit() {
    for path in ["", "training"].map(files).concat() {
        let [optimised, naive] = [false, true].map(|naive| run::<f32>(&path, TraceOptions { naive, ..TraceOptions::default() }));
        assert_eq!(optimised.tensors(), naive.tensors(), "{}", path.display());
    }
}

/// The norm of all numbers of a tensor.
fn norm(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

/// The last pass against the golden states; the passes before it only have to lead there.
#[test]
fn every_pass_is_measured_and_the_last_is_that_of_the_golden_states() {
    let every_pass = |naive| TraceOptions { naive, every_pass: true, ..TraceOptions::default() };
    for path in files("") {
        let case = Case::read(&path).unwrap();
        let (depth, name) = (case.topology().depth(), case.name());
        let trace = run::<f64>(&path, every_pass(false));
        let passes: usize = case.settings()["passes"].parse().unwrap();
        for kind in ["pass_residual", "pass_difference_ratio", "pass_straddling"] {
            assert_eq!(trace.tensors()[kind].shape(), [passes, depth], "{name}: {kind}");
        }
        for (name, tensor) in run::<f64>(&path, TraceOptions::default()).tensors() {
            assert_eq!(&trace.tensors()[name], tensor, "{name}");
        }
        assert_eq!(run::<f64>(&path, every_pass(true)).tensors(), trace.tensors(), "{name}, naive");

        let alpha: f64 = case.settings()["alpha"].parse().unwrap();
        let golden = expected(&path);
        for k in 1..=depth {
            let last = |kind: &str| trace.tensors()[kind].data()[(passes - 1) * depth + k - 1];
            let dyads = || golden[&format!("s_plus.{k}")].1.iter().zip(&golden[&format!("s_minus.{k}")].1);
            let ratio = norm(dyads().map(|(p, m)| p - m)) / norm(dyads().map(|(p, m)| alpha * p + (1.0 - alpha) * m));
            assert!((last("pass_difference_ratio") - ratio).abs() < 1e-12, "{name}, layer {k}");
            if case.settings()["activation"] == "relu" {
                let straddles = dyads().filter(|(p, m)| (**p > 1e-12) != (**m > 1e-12)).count();
                let share = if k < depth { straddles as f64 / dyads().count() as f64 } else { 0.0 };
                assert_eq!(last("pass_straddling"), share, "{name}, layer {k}");
            }
        }
    }
}

/// DP⊤ at α = 0 from a forward pass has s̄ at rest; after L bottom-to-top sweeps the differences are too, and not before.
#[test]
fn the_residual_says_when_states_are_settled() {
    let path = files("").into_iter().find(|path| path.to_str().unwrap().contains("dp_transpose_a0.0_b0.1_fwK4")).unwrap();
    let trace = run::<f64>(&path, TraceOptions { every_pass: true, ..TraceOptions::default() });
    let residuals: Vec<&[f64]> = trace.tensors()["pass_residual"].data().chunks(3).collect();
    for (pass, unsettled) in [(0, [false, true, false]), (1, [true, false, false]), (2, [false; 3]), (3, [false; 3])] {
        for (residual, unsettled) in residuals[pass].iter().zip(unsettled) {
            assert!(if unsettled { *residual > 1e-3 } else { *residual < 1e-15 }, "{residuals:?}");
        }
    }
}

#[test]
fn other_programs_read_the_file_and_one_or_three_threads_write_the_same() {
    let path = &files("")[0];
    let case = Case::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = [1, 2, 3].map(|threads| {
        let out = folder.path().join(threads.to_string());
        trace::<f32>(&case, TraceOptions::default(), &Pool::new(threads).unwrap()).unwrap().write(&out).unwrap();
        std::fs::read(out).unwrap()
    });
    assert!(written[0] == written[1] && written[0] == written[2]);
    let (header, metadata) = SafeTensors::read_metadata(&written[0]).unwrap();
    assert_eq!(header % 8, 0, "the data are not aligned");
    let mut metadata: BTreeMap<_, _> = metadata.metadata().clone().unwrap().into_iter().collect();
    for (key, value) in [("format", "1"), ("dtype", "f32"), ("pool_routing", "plus")] {
        assert_eq!(metadata.remove(key).as_deref(), Some(value));
    }
    assert_eq!(&metadata, case.settings());
    let file = SafeTensors::deserialize(&written[0]).unwrap();
    let trace = run::<f32>(path, TraceOptions::default());
    assert_eq!(file.len(), trace.tensors().len());
    for (name, tensor) in trace.tensors() {
        let view = file.tensor(name).unwrap();
        assert_eq!((view.dtype(), view.shape()), (safetensors::Dtype::F32, tensor.shape()), "{name}");
        let numbers: Vec<f64> = view.data().as_chunks().0.iter().map(|chunk| f64::from(f32::from_le_bytes(*chunk))).collect();
        assert_eq!(numbers, tensor.data(), "{name}");
    }
}
