//! `dualprop bench`, and the instructions that it and every other command computes with.

use std::fs;

use serde_json::Value;

use super::{assert_refused, command, dualprop, stderr, stdout};

const SHORT: [&str; 7] = ["bench", "--case", "mlp512", "--samples", "2", "--seconds", "0"];

#[test]
fn every_algorithm_has_an_object_with_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let algorithms = ["bp", "dp", "dp_16_alpha0", "dp_16_alpha_half"];
    let options = algorithms.iter().flat_map(|name| ["--algorithm", name]);
    let arguments: Vec<&str> = SHORT.into_iter().chain(["--json", "--threads", "2"]).chain(options).collect();
    let output = dualprop(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let objects: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.iter().map(|object| object["algorithm"].as_str().unwrap()).collect::<Vec<_>>(), algorithms);
    for object in &objects {
        assert_eq!((&object["case"], &object["threads"], &object["steps"]), (&"mlp512".into(), &2.into(), &20.into()));
        for key in ["ms_per_step", "min_ms", "gflops", "share_of_peak"] {
            assert!(object[key].as_f64().unwrap() > 0.0, "{key}: {object}");
        }
    }
    let table = stdout(&dualprop(folder.path(), &SHORT));
    assert!(table.contains("of peak") && table.lines().filter(|line| line.starts_with("mlp512")).count() == 2, "{table}");
}

#[test]
fn wrong_cases_and_a_peer_that_is_not_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], code, message| assert_refused(&dualprop(folder.path(), arguments), code, message);
    refused(&["bench", "--case", "mlp51"], 2, "unknown --case `mlp51`; did you mean `mlp512`?");
    refused(&["bench", "--algorithm", "pb"], 2, "unknown --algorithm `pb`; known: bp, dp,");
    refused(&["bench", "--samples", "0"], 2, "samples");
    refused(&["bench", "--seconds", "nan"], 2, "expected a number of seconds");
    refused(&["bench", "--against", "torch", "--python", "./no-such-python"], 1, "./no-such-python has no PyTorch");
}

/// A program in PyTorch's place, which reads what it is given and tells a time and a size.
#[cfg(unix)]
#[test]
fn a_peer_is_timed_in_the_same_call() {
    let folder = tempfile::tempdir().unwrap();
    let against = |said: &str| {
        // Written by another process: what this one has open for writing could not be started while another test forks.
        let script = format!("printf '#!/bin/sh\\ncat > /dev/null\\necho {said}\\n' > python && chmod +x python");
        let written = std::process::Command::new("sh").args(["-c", &script]).current_dir(folder.path()).status();
        assert!(written.unwrap().success());
        let peer = ["--against", "torch", "--python", "./python", "--algorithm", "dp", "--json"];
        dualprop(folder.path(), &SHORT.into_iter().chain(peer).collect::<Vec<_>>())
    };
    let output = against("1000.0 640.5");
    let object: Value = serde_json::from_str(stdout(&output).trim()).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!((&object["torch_ms_per_step"], &object["torch_peak_mib"]), (&1e6.into(), &640.5.into()));
    let ratio = object["ratio_to_torch"].as_f64().unwrap();
    assert!(ratio > 0.0 && ratio < 1.0, "{object}");
    assert!(against("7").status.success(), "where the system tells no memory");
    assert_refused(&against("fast"), 1, "printed `fast`, expected seconds and MiB");
}

#[test]
fn a_new_table_of_algorithms_has_rows_of_rust() {
    let folder = tempfile::tempdir().unwrap();
    let output = dualprop(folder.path(), &["bench", "--tune", "--samples", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let row = text.lines().find(|line| line.starts_with("    row(2, 2, 512, 512, 3, [")).unwrap();
    assert!(row.contains("]), //  forward ") && row.contains("  weight product "), "{row}");
    let conflict = dualprop(folder.path(), &["bench", "--tune", "--case", "vgg16"]);
    assert_refused(&conflict, 2, "cannot be used with");
}

/// The whole program: the same model whatever it computes with, and no other names.
#[test]
fn instructions_can_be_forced_and_change_no_bit() {
    let folder = tempfile::tempdir().unwrap();
    let train = |isa: &str| {
        let mut command = command(folder.path(), &["train", "--set", "training.epochs=1", "--name", isa, "--quiet"]);
        command.env("DUALPROP_ISA", isa).output().unwrap()
    };
    let output = train("portable");
    assert!(output.status.success(), "{}", stderr(&output));
    let model = |isa: &str| fs::read(folder.path().join("runs").join(isa).join("model.safetensors")).unwrap();
    for isa in ["avx2", "avx512"] {
        let output = train(isa);
        match output.status.code() {
            Some(0) => assert!(model(isa) == model("portable"), "{isa}"),
            _ => assert_refused(&output, 2, "this processor lacks these instructions"),
        }
    }
    assert_refused(&train("avx"), 2, "unknown DUALPROP_ISA `avx`; did you mean `avx2`?");
}
