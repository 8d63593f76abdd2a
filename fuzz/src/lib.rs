//! What the fuzz targets share: the parsers, and the bound of memory, are those that `cargo test` replays the seeds with.

#![allow(missing_docs, reason = "the modules are those of a test")]

#[path = "../../crates/dualprop/tests/hostile/memory.rs"]
mod memory;
#[path = "../../crates/dualprop/tests/hostile/targets.rs"]
mod targets;

pub use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Gives the bytes to the parser of this name.
///
/// # Panics
/// If the parser does, or asks for more memory than a file of this size allows.
pub fn check(name: &str, bytes: &[u8]) {
    let target = targets::target(name);
    let (_, most) = memory::most_held(|| (target.accepts)(bytes));
    assert!(most <= targets::CONSTANT + target.per_byte * bytes.len(), "{most} bytes of memory for a file of {}", bytes.len());
}

/// Defines the fuzz target of a parser.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::fuzz_target!(|bytes: &[u8]| $crate::check($name, bytes));
    };
}
