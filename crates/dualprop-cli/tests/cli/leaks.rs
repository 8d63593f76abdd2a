//! A training that goes on for long holds no more memory and no more files than one that has just begun.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::{command, wait_for_lines};

/// KiB in memory, and open files, of a process.
fn held(process: u32) -> [u64; 2] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    [resident.trim_end_matches("kB").trim().parse().unwrap(), fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as u64]
}

#[test]
fn ten_thousand_updates_leave_memory_and_open_files_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let sets =
        ["training.epochs=100000", "training.alignment_every=0", "training.threads=2", "network.layers=['dense 24', 'dense 10']"];
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let arguments: Vec<&str> = ["train", "--quiet", "--name", "run"].into_iter().chain(sets).collect();
    let mut child = command(folder.path(), &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let run = folder.path().join("runs/run");
    let updates = || -> u64 {
        let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        // The last line may be half written.
        let line: Value = serde_json::from_str(text.lines().rev().nth(1).unwrap()).unwrap();
        line["step"].as_u64().unwrap()
    };
    wait_for_lines(&run, 30);
    let (first, [memory, files]) = (updates(), held(child.id()));
    let mut lines = 30;
    while updates() < first + 10_000 {
        lines += 50;
        wait_for_lines(&run, lines);
    }
    let [memory_then, files_then] = held(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    println!("{memory} KiB and {files} files at update {first}, {memory_then} KiB and {files_then} files at {}", updates());
    // The allocator may keep some pages; one number leaked in each update would be 40 KiB, one vector of a layer megabytes.
    assert!(memory_then <= memory + 256, "{memory} KiB grew to {memory_then} KiB");
    // A checkpoint, its folder or the metrics may be open at that instant; one file leaked in each epoch would be some hundred.
    assert!(files_then <= files + 4, "{files} open files grew to {files_then}");
}
