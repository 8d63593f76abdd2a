//! The seeds of the fuzz targets and their mutations: no parser panics, hangs, or asks for more memory than a file's size allows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod memory;
mod mutations;
mod seeds;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use memory::most_held;
use mutations::mutations;
use targets::{CONSTANT, TARGETS, Target};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The seeds of a target, by name. What begins with `valid` is such a file; all others once were a defect.
fn seeds(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/seeds").join(target.name);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Whether the target takes these bytes, within its bound of memory.
fn accepts(target: &Target, bytes: &[u8], what: &dyn Fn() -> String) -> bool {
    let (accepted, most) = most_held(|| (target.accepts)(bytes));
    let bound = CONSTANT + target.per_byte * bytes.len();
    assert!(most <= bound, "{}: {most} bytes of memory for a file of {}, {}", target.name, bytes.len(), what());
    accepted
}

fn replay(name: &str, most: usize) {
    let target = targets::target(name);
    let (mut valid, mut refused) = (0, 0);
    for (path, seed) in seeds(target) {
        let is_valid = path.file_name().unwrap().to_string_lossy().starts_with("valid");
        let accepted = accepts(target, &seed, &|| path.display().to_string());
        assert!(accepted || !is_valid, "{} is refused", path.display());
        valid += usize::from(is_valid);
        for (what, bytes) in mutations(&seed, most) {
            refused += usize::from(!accepts(target, &bytes, &|| format!("{} {what}", path.display())));
        }
    }
    assert!(valid > 0 && refused > most / 2, "{name}: {valid} valid files, {refused} mutations refused");
}

/// One test for each target, so that they run at the same time.
macro_rules! replays {
    ($($name:ident $most:literal),+) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name), $most);
            }
        )+

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),+]);
        }
    };
}

replays!(
    case 3000, model 3000, idx 3000, cifar 1500, mat 1500, npy 3000, npz 1500, imported 3000, recipe 3000, checkpoint 400,
    run_directory 150, sweep 150, tables 1500
);
