//! The sums of what was unpacked from an archive, kept beside it in the format of `sha256sum`.
//!
//! Only the sum of the archive is published. What is unpacked from an archive with the right sum is right; its own sums are
//! noted then, so that it can be checked for as long as it lies there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::file;

use super::sum::is_sum;

/// What the file is called.
const NAME: &str = "SHA256SUMS";
/// How the line begins that names the archive; a remark to `sha256sum`.
const ARCHIVE: &str = "# unpacked from an archive of SHA-256 ";
/// More than any list of members needs.
const MOST_BYTES: u64 = 64 << 10;

/// Sums of the files in one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The sum of the archive from which they came.
    pub(super) archive: String,
    /// By file name.
    pub(super) sums: BTreeMap<String, String>,
}

impl Manifest {
    /// What was noted in this folder; none if nothing was, or if it is not in our format: then nothing is known.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        Self::parse(&file::read_text(&folder.join(NAME), MOST_BYTES).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut manifest = Manifest::default();
        for line in text.lines() {
            if let Some(archive) = line.strip_prefix(ARCHIVE) {
                manifest.archive = archive.into();
            } else {
                let (sum, name) = line.split_once("  ")?;
                manifest.sums.insert(name.into(), is_sum(sum).then(|| sum.to_string())?);
            }
        }
        is_sum(&manifest.archive).then_some(manifest)
    }

    /// Notes the sums in their folder.
    ///
    /// # Errors
    /// [`crate::Error::Write`] with the path.
    #[cfg_attr(not(feature = "fetch"), cfg(test))]
    pub(super) fn write(&self, folder: &Path) -> crate::base::Result<()> {
        let lines: String = self.sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        file::write_atomic(&folder.join(NAME), format!("{ARCHIVE}{}\n{lines}", self.archive).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()), None);
        let sums = [("a b.bin", "1"), ("c.bin", "2")].map(|(name, digit)| (name.to_string(), digit.repeat(64)));
        let manifest = Manifest { archive: "f".repeat(64), sums: sums.into() };
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()), Some(manifest));
        let archive = format!("{ARCHIVE}{}", "f".repeat(64));
        for bad in ["", "nonsense", &format!("{}  a", "1".repeat(64)), &format!("{archive}\n123  a"), &archive[1..]] {
            assert_eq!(Manifest::parse(bad), None, "{bad}");
        }
    }
}
