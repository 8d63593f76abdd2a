//! How much memory there is, so that what cannot fit is refused before it is tried.

use std::fs::read_to_string;

use super::{Error, Result};

/// That `needed` bytes can be had, as far as the operating system tells (on Linux).
///
/// # Errors
/// [`Error::Memory`], with what would need them and what to make smaller.
pub fn require(what: &str, needed: u64, remedy: &'static str) -> Result<()> {
    match available() {
        Some(available) if needed > available => {
            Err(Error::Memory { what: what.into(), needed: needed >> 20, available: available >> 20, remedy })
        }
        _ => Ok(()),
    }
}

/// Bytes that this process could still get: what the machine has, its control group allows, and its own limit leaves.
pub fn available() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemAvailable:"));
    let number = |path: &str| read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let (most, now) = (number("/sys/fs/cgroup/memory.max"), number("/sys/fs/cgroup/memory.current"));
    let group = most.map(|most| most.saturating_sub(now.unwrap_or(0)));
    [machine, group, address_space()].into_iter().flatten().min()
}

/// Bytes that this process's own limit leaves of its address space; none where it has no limit.
pub fn address_space() -> Option<u64> {
    let limit = read_to_string("/proc/self/limits").ok().and_then(|text| soft_limit(&text))?;
    let size = read_to_string("/proc/self/status").ok().and_then(|text| field(&text, "VmSize:"));
    Some(limit.saturating_sub(size.unwrap_or(0)))
}

/// `NAME   24512 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// `Max address space   SOFT   HARD   bytes`; none where it is unlimited.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read_in_bytes() {
        let text = "MemTotal:  9 kB\nMemAvailable:   24512 kB\n";
        assert_eq!(field(text, "MemAvailable:"), Some(24512 * 1024));
        assert_eq!(field(text, "VmSize:"), None);
        assert_eq!(field("VmSize: many kB\n", "VmSize:"), None);
        assert_eq!(soft_limit("Max address space     3072000000   unlimited   bytes"), Some(3_072_000_000));
        assert_eq!(soft_limit("Max address space     unlimited    unlimited   bytes"), None);
    }

    #[test]
    fn what_nobody_has_is_refused() {
        assert!(require("this", 1, "less").is_ok());
        if available().is_some() {
            assert!(require("this", u64::MAX, "less").unwrap_err().to_string().starts_with("this would need"));
        }
    }
}
