//! Where data sets are looked for.

use std::env;
use std::path::{Path, PathBuf};

/// The folders that may hold data sets, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders(Vec<PathBuf>);

/// The environment variable that names a folder of data sets.
const VARIABLE: &str = "DUALPROP_DATA";

impl Folders {
    /// These folders.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Folders(folders)
    }

    /// Only the folder that the user names, if there is one; else `$DUALPROP_DATA`, then the cache folder of this program:
    /// `$XDG_CACHE_HOME/dualprop`, or `~/.cache/dualprop`.
    pub fn standard(named: Option<PathBuf>) -> Self {
        if let Some(folder) = named {
            return Folders(vec![folder]);
        }
        // An empty variable names no folder.
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
        Folders(variable(VARIABLE).into_iter().chain(cache.map(|cache| cache.join("dualprop"))).collect())
    }

    /// The folders.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(PathBuf::as_path)
    }
}
