//! Notes the commit that the library is built from, which a run's environment.json tells; a package outside its repository has
//! none.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Every commit is a line of this log; where there is none, there is nothing to wait for.
    let log = Path::new("../../.git/logs/HEAD");
    if !log.is_file() {
        return;
    }
    println!("cargo::rerun-if-changed={}", log.display());
    let commit = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let commit = commit.ok().filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    if let Some(commit) = commit {
        println!("cargo::rustc-env=DUALPROP_COMMIT={}", commit.trim());
    }
}
