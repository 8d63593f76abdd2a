//! Data sets as they are published: licence, size, sum and mirrors, and whether the files that are here are those files.
//!
//! A file is what it is called only if its SHA-256 is the published one. Mirrors, redirects and interrupted downloads are
//! therefore harmless: whatever they bring, a wrong sum is never trusted. With the feature `fetch` the files can be downloaded;
//! what is known of them, and `verify`, need no network.

mod manifest;
mod sum;
mod table;
mod verify;

#[cfg(feature = "fetch")]
mod download;
#[cfg(test)]
#[cfg(feature = "fetch")]
mod faults;
#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "fetch")]
mod unpack;

use std::path::{Path, PathBuf};

use crate::base::{Error, Result};

use super::Folders;

#[cfg(feature = "fetch")]
pub use download::Patience;
#[cfg(feature = "fetch")]
pub use fetch::{FetchEvent, FetchListener, FetchOptions, Fetched, fetch};
pub use table::REMOTES;
pub use verify::{Condition, Finding, verify};

/// A data set as it is published.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    /// What recipes call it.
    pub name: &'static str,
    /// Under which terms it may be used, as far as they are stated.
    pub licence: &'static str,
    /// What to cite.
    pub citation: &'static str,
    /// Why it cannot be had without a person's consent; none: it can.
    pub by_hand: Option<&'static str>,
    /// The folders below a data folder that may hold it; it is fetched into the first.
    pub folders: &'static [&'static str],
    /// Its files.
    pub files: &'static [RemoteFile],
}

/// One published file.
#[derive(Debug, Clone, Copy)]
pub struct RemoteFile {
    /// Its name, which is the last part of its address on every mirror.
    pub name: &'static str,
    /// Its size in bytes, if that was published.
    pub bytes: Option<u64>,
    /// Its SHA-256 in lower-case hexadecimal digits, if that was published.
    pub sha256: Option<&'static str>,
    /// Where it can be had, in the order in which they are tried.
    pub mirrors: &'static [Mirror],
    /// What is kept of an archive; none: the file itself is kept.
    pub unpack: Option<Unpack>,
}

/// A place that has a file.
#[derive(Debug, Clone, Copy)]
pub struct Mirror {
    /// The address up to the file's name, with the slash.
    pub prefix: &'static str,
    /// Whether the file was once fetched from there, with the right sum; else the address is only what others wrote.
    pub verified: bool,
}

/// What is kept of a tar archive packed by gzip; the archive itself is removed.
#[derive(Debug, Clone, Copy)]
pub struct Unpack {
    /// The folder within the archive, and within the data set's folder.
    pub folder: &'static str,
    /// The files in that folder that are kept.
    pub members: &'static [Member],
}

/// A file within an archive.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name within the folder.
    pub name: &'static str,
    /// Its size in bytes, which the format and the number of samples fix.
    pub bytes: u64,
}

impl Remote {
    /// Finds a published data set by its name.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is not in the table.
    pub fn find(name: &str) -> Result<&'static Self> {
        let found = REMOTES.iter().find(|remote| remote.name == name);
        found.ok_or_else(|| Error::unknown("data set to fetch", name, REMOTES.iter().map(|remote| remote.name)))
    }

    /// How many bytes are to be downloaded, if all sizes were published.
    pub fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The first folder that holds all its files, whatever is in them.
    pub fn locate(&self, folders: &Folders) -> Option<PathBuf> {
        self.candidates(folders).find(|folder| self.files.iter().all(|file| file.is_in(folder)))
    }

    /// Every folder that may hold it, the one into which it is fetched first.
    fn candidates<'a>(&'a self, folders: &'a Folders) -> impl Iterator<Item = PathBuf> + 'a {
        folders.iter().flat_map(|folder| self.folders.iter().map(|name| folder.join(name)))
    }
}

impl RemoteFile {
    /// Whether it is in the folder: as it was published, unpacked, or, of a file packed by gzip, plain.
    fn is_in(&self, folder: &Path) -> bool {
        match self.unpack {
            Some(unpack) => unpack.paths(folder).all(|(path, _)| path.is_file()),
            None => folder.join(self.name).is_file() || self.plain(folder).is_some_and(|plain| plain.is_file()),
        }
    }

    /// Where it would be without its packing by gzip.
    fn plain(&self, folder: &Path) -> Option<PathBuf> {
        Some(folder.join(self.name.strip_suffix(".gz")?))
    }
}

impl Unpack {
    /// Where the members are, below the data set's folder.
    fn paths(&self, folder: &Path) -> impl Iterator<Item = (PathBuf, &'static Member)> {
        let folder = folder.join(self.folder);
        self.members.iter().map(move |member| (folder.join(member.name), member))
    }
}
