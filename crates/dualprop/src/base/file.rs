//! Files that are either whole or absent.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::{Error, Result};

/// Reads a whole file.
///
/// # Errors
/// [`Error::Read`] with the path.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read { path: path.into(), source })
}

/// Reads a whole text file.
///
/// # Errors
/// [`Error::Read`] with the path; also where the file is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })
}

/// Writes a file so that `path` holds either its old content or all of the new: into a sibling temporary file, which is
/// flushed to the disk and then renamed.
///
/// # Errors
/// [`Error::Write`] with the path; the temporary file is removed and the old content stays.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |source| Error::Write { path: path.into(), source };
    let name = path.file_name().ok_or_else(|| fail(std::io::Error::other("it names no file")))?;
    let temporary = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // The error being reported is the one that matters; a temporary file that cannot be removed is only litter.
        let _ = fs::remove_file(&temporary);
        fail(source)
    })
}

/// Creates a folder and those above it.
///
/// # Errors
/// [`Error::Write`] with the path.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap(), b"new");
        let occupied = folder.path().join("folder");
        fs::create_dir(&occupied).unwrap();
        assert!(matches!(write_atomic(&occupied, b"x"), Err(Error::Write { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
