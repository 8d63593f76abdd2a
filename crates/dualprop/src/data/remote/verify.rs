//! Whether the files that are here are the published ones.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::base::{Error, Result, file};
use crate::data::Folders;

use super::manifest::Manifest;
use super::sum::{Sum, of_file};
use super::{Remote, RemoteFile, Unpack};

/// What is the matter with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It has the published sum, or was unpacked from an archive that had it and is unchanged.
    Right,
    /// It is another file.
    Wrong {
        /// Its sum, or its size where that is wrong already.
        found: String,
        /// What was published.
        expected: String,
    },
    /// It is not there.
    Missing,
    /// It is there, and there is nothing to hold it against.
    Unpublished {
        /// Its sum.
        sha256: String,
    },
}

/// One file and its condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it is or should be.
    pub path: PathBuf,
    /// What is the matter with it.
    pub condition: Condition,
}

/// Checks every file of a data set, in the first folder that holds all of them; else in the first that there is.
///
/// # Errors
/// [`Error::Read`] for a file that is there and cannot be read.
pub fn verify(remote: &Remote, folders: &Folders) -> Result<Vec<Finding>> {
    let folder = remote.locate(folders).or_else(|| remote.candidates(folders).find(|folder| folder.is_dir()));
    let Some(folder) = folder.or_else(|| remote.candidates(folders).next()) else {
        // No folder at all: everything is missing.
        return examine(remote, Path::new(remote.name));
    };
    examine(remote, &folder)
}

/// Checks every file of a data set in its own folder.
pub(super) fn examine(remote: &Remote, folder: &Path) -> Result<Vec<Finding>> {
    let mut findings = vec![];
    for file in remote.files {
        findings.extend(file.examine(folder)?);
    }
    Ok(findings)
}

impl RemoteFile {
    /// Checks what there is of it in the data set's folder.
    pub(super) fn examine(&self, folder: &Path) -> Result<Vec<Finding>> {
        if let Some(unpack) = &self.unpack {
            return unpack.examine(folder, self.sha256);
        }
        let packed = folder.join(self.name);
        let plain = self.plain(folder).filter(|plain| plain.is_file());
        let condition = self.condition(&packed)?;
        match plain {
            None => Ok(vec![Finding { path: packed, condition }]),
            Some(plain) => {
                let content = compare(&plain, (condition == Condition::Right).then_some(&packed))?;
                let packed = (condition != Condition::Missing).then_some(Finding { path: packed, condition });
                Ok(packed.into_iter().chain([Finding { path: plain, condition: content }]).collect())
            }
        }
    }

    /// Checks one file against what was published of it.
    pub(super) fn condition(&self, path: &Path) -> Result<Condition> {
        if !path.is_file() {
            return Ok(Condition::Missing);
        }
        // The size first: it tells a cut-off file without reading it.
        if let Some(wrong) = wrong_size(path, self.bytes)? {
            return Ok(wrong);
        }
        let found = of_file(path)?;
        Ok(match self.sha256 {
            None => Condition::Unpublished { sha256: found },
            Some(expected) => judge(found, expected),
        })
    }
}

impl Unpack {
    /// Checks the members against the sums that were noted when they were unpacked from an archive with this sum.
    fn examine(&self, folder: &Path, archive: Option<&str>) -> Result<Vec<Finding>> {
        let manifest = Manifest::read(&folder.join(self.folder));
        // An archive whose sum was accepted by hand shows that nothing has changed since, but not that it was right.
        let published = manifest.as_ref().is_some_and(|manifest| Some(manifest.archive.as_str()) == archive);
        let condition = |path: &Path, name: &str, bytes: u64| -> Result<Condition> {
            if !path.is_file() {
                return Ok(Condition::Missing);
            }
            if let Some(wrong) = wrong_size(path, Some(bytes))? {
                return Ok(wrong);
            }
            let found = of_file(path)?;
            Ok(match manifest.as_ref().and_then(|manifest| manifest.sums.get(name)) {
                None => Condition::Unpublished { sha256: found },
                Some(noted) if *noted == found && !published => Condition::Unpublished { sha256: found },
                Some(noted) => judge(found, noted),
            })
        };
        let finding = |(path, member): (PathBuf, &super::Member)| {
            Ok(Finding { condition: condition(&path, member.name, member.bytes)?, path })
        };
        self.paths(folder).map(finding).collect()
    }
}

/// A sum held against the expected one.
fn judge(found: String, expected: &str) -> Condition {
    if found == expected { Condition::Right } else { Condition::Wrong { found, expected: expected.into() } }
}

fn wrong_size(path: &Path, expected: Option<u64>) -> Result<Option<Condition>> {
    let found = file::size(path)?;
    let wrong = expected.filter(|expected| *expected != found);
    Ok(wrong.map(|expected| Condition::Wrong { found: format!("{found} bytes"), expected: format!("{expected} bytes") }))
}

/// Holds a plain file against the packed one, if that is right: loaders prefer the plain one, whose sum nobody published.
fn compare(plain: &Path, packed: Option<&PathBuf>) -> Result<Condition> {
    let found = of_file(plain)?;
    let Some(packed) = packed else { return Ok(Condition::Unpublished { sha256: found }) };
    let mut sum = Sum::default();
    let read = File::open(packed).and_then(|file| sum.read(MultiGzDecoder::new(BufReader::new(file))));
    read.map_err(|source| Error::Read { path: packed.clone(), source })?;
    Ok(judge(found, &sum.digits()))
}

#[cfg(test)]
mod tests {
    use super::super::{Member, REMOTES};
    use super::*;
    use std::fs;
    use std::io::Write;

    /// The sum of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn conditions(file: &RemoteFile, folder: &Path) -> Vec<Condition> {
        file.examine(folder).unwrap().into_iter().map(|finding| finding.condition).collect()
    }

    #[test]
    fn a_file_is_right_by_its_sum_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = RemoteFile { name: "a", bytes: Some(3), sha256: Some(ABC), mirrors: &[], unpack: None };
        assert_eq!(conditions(&file, folder.path()), [Condition::Missing]);
        for (content, expected) in
            [("abc", Condition::Right), ("abcd", Condition::Wrong { found: "4 bytes".into(), expected: "3 bytes".into() })]
        {
            fs::write(folder.path().join("a"), content).unwrap();
            assert_eq!(conditions(&file, folder.path()), [expected]);
        }
        fs::write(folder.path().join("a"), "abd").unwrap();
        assert!(matches!(&conditions(&file, folder.path())[..], [Condition::Wrong { expected, .. }] if expected == ABC));
        fs::write(folder.path().join("a"), "abc").unwrap();
        file.sha256 = None;
        assert_eq!(conditions(&file, folder.path()), [Condition::Unpublished { sha256: ABC.into() }]);
    }

    #[test]
    fn a_plain_file_is_held_against_the_packed_one() {
        let folder = tempfile::tempdir().unwrap();
        let [packed, plain] = ["a.gz", "a"].map(|name| folder.path().join(name));
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(b"abc").unwrap();
        fs::write(&packed, encoder.finish().unwrap()).unwrap();
        let sum: &'static str = of_file(&packed).unwrap().leak();
        let file = RemoteFile { name: "a.gz", bytes: None, sha256: Some(sum), mirrors: &[], unpack: None };
        fs::write(&plain, "abc").unwrap();
        assert_eq!(conditions(&file, folder.path()), [Condition::Right, Condition::Right]);
        fs::write(&plain, "abd").unwrap();
        assert!(matches!(&conditions(&file, folder.path())[..], [Condition::Right, Condition::Wrong { .. }]));
        fs::remove_file(&packed).unwrap();
        assert!(matches!(&conditions(&file, folder.path())[..], [Condition::Unpublished { .. }]), "nothing to hold it against");
    }

    #[test]
    fn members_are_held_against_what_was_noted_of_them() {
        let root = tempfile::tempdir().unwrap();
        let unpack = Unpack { folder: "f", members: &[Member { name: "a", bytes: 3 }] };
        let archive: &'static str = "1".repeat(64).leak();
        let file = RemoteFile { name: "a.tar.gz", bytes: None, sha256: Some(archive), mirrors: &[], unpack: Some(unpack) };
        let folder = root.path().join("f");
        fs::create_dir(&folder).unwrap();
        assert_eq!(conditions(&file, root.path()), [Condition::Missing]);
        fs::write(folder.join("a"), "abc").unwrap();
        assert!(matches!(&conditions(&file, root.path())[..], [Condition::Unpublished { .. }]), "nobody noted anything");
        for (from, right) in [(archive.to_string(), true), ("2".repeat(64), false)] {
            let manifest = Manifest { archive: from, sums: [("a".to_string(), ABC.to_string())].into() };
            manifest.write(&folder).unwrap();
            fs::write(folder.join("a"), "abc").unwrap();
            assert_eq!(conditions(&file, root.path())[0] == Condition::Right, right);
            for changed in ["abd", "ab"] {
                fs::write(folder.join("a"), changed).unwrap();
                assert!(matches!(&conditions(&file, root.path())[..], [Condition::Wrong { .. }]));
            }
        }
    }

    #[test]
    fn the_real_files_have_the_published_sums() {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let named = std::env::var_os("DUALPROP_DATA").map(PathBuf::from);
        let Some(folder) = named.or_else(|| shared.is_dir().then_some(shared)) else {
            return println!("SKIPPED: no folder of data sets; set DUALPROP_DATA");
        };
        let folders = Folders::new(vec![folder]);
        for remote in REMOTES.iter().filter(|remote| ["mnist", "fashion-mnist"].contains(&remote.name)) {
            let findings = verify(remote, &folders).unwrap();
            assert_eq!(findings.len(), 4);
            assert!(findings.iter().all(|finding| finding.condition == Condition::Right), "{findings:?}");
        }
    }
}
