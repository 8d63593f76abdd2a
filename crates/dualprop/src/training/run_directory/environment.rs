//! What a run ran on.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::compute::Isa;

/// What a run runs on: it explains differences in speed, and none in results.
#[derive(Debug, Serialize)]
pub(super) struct Environment {
    /// Of this program.
    version: &'static str,
    /// The commit that it was built from, where that was known.
    commit: Option<&'static str>,
    device: &'static str,
    /// Worker threads.
    threads: usize,
    cpu: Option<String>,
    /// What the products can use.
    instructions: Vec<&'static str>,
    system: String,
    /// Which kernel computes what; nothing is chosen by timing.
    algorithms: Algorithms,
    /// Seconds since 1970-01-01 UTC.
    started: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Algorithms {
    /// The instructions of the products of f32; they change no bit.
    products: &'static str,
    /// Of f32.
    convolutions: &'static str,
}

impl Environment {
    /// This machine, now.
    pub(super) fn present(threads: usize, exact_conv: bool) -> Self {
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        Environment {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("DUALPROP_COMMIT"),
            device: "cpu",
            threads,
            cpu: cpu(),
            instructions: instructions(),
            system,
            algorithms: Algorithms {
                products: Isa::present().map_or("portable", Isa::name),
                convolutions: if exact_conv { "direct" } else { "winograd 4x4 3x3, direct" },
            },
            started: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
        }
    }
}

/// The processor's name, as Linux tells it.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_string())
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Vec<&'static str> {
    let known = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    known.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> Vec<&'static str> {
    vec![]
}
