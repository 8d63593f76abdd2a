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
    setrlimit(Resource::As, limit).with_context(|| format!("--memory-limit {mebibytes}: cannot be set"))?;
    give_back();
    Ok(())
}

/// From here on large pieces of memory leave the address space as soon as they are free. The allocator of the GNU C library else keeps
/// pieces of up to 32 MiB for later, and the next seed or cell, of just the size of the last, would be refused for want of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    use std::ffi::c_int;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    /// `M_MMAP_THRESHOLD` of malloc.h.
    const SIZE_WITH_A_MAP_OF_ITS_OWN: c_int = -3;
    // SAFETY: the function is that of the C library, whose allocator this program uses; it takes numbers only, and any of them at any time.
    // Where it refuses, memory is kept as before.
    let _ = unsafe { mallopt(SIZE_WITH_A_MAP_OF_ITS_OWN, 1 << 20) };
}

/// Other allocators are left as they are.
#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
fn give_back() {}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn limit(_: u64) -> Result<()> {
    anyhow::bail!("--memory-limit: this system cannot limit the memory of a process")
}
