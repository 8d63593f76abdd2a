//! `--memory-limit`: the kernel holds the process to it, and what the library estimates before it begins knows of it.

use anyhow::Result;

/// Limits the address space of this process.
#[cfg(unix)]
pub(crate) fn limit(mebibytes: u64) -> Result<()> {
    use anyhow::Context;
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::As);
    let bytes = mebibytes << 20;
    // A limit that is lower already stays.
    limit.current = Some(limit.current.map_or(bytes, |present| present.min(bytes)));
    setrlimit(Resource::As, limit).with_context(|| format!("--memory-limit {mebibytes}: cannot be set"))
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn limit(_: u64) -> Result<()> {
    anyhow::bail!("--memory-limit: this system cannot limit the memory of a process")
}
