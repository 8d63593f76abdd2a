//! Files that are either whole or absent.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::disk::{self, Output};
use super::{Error, Result};

/// Reads a whole file.
///
/// # Errors
/// [`Error::Read`] with the path; [`Error::Malformed`] for something that is no regular file, such as a device without end.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::Read { path: path.into(), source };
    let mut file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Error::malformed(path, "it is not a regular file"));
    }
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The size of a file in bytes.
///
/// # Errors
/// [`Error::Read`] with the path.
pub fn size(path: &Path) -> Result<u64> {
    path.metadata().map(|metadata| metadata.len()).map_err(|source| Error::Read { path: path.into(), source })
}

/// What a folder holds.
///
/// # Errors
/// [`Error::Read`] with the folder.
pub fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    entries.map_err(|source| Error::Read { path: folder.into(), source })
}

/// Reads a whole text file of at most `most` bytes.
///
/// # Errors
/// As [`read`]; [`Error::Malformed`] if it is larger, or not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    // Before it is read: a file of gigabytes is refused at once.
    if path.metadata().is_ok_and(|metadata| metadata.len() > most) {
        return Err(Error::malformed(path, format!("it is larger than {most} bytes, and so not what it should be")));
    }
    String::from_utf8(read(path)?).map_err(|_| Error::malformed(path, "it is not text in UTF-8"))
}

/// Writes a file so that `path` holds either its old content or all of the new; see [`NewFile`].
///
/// # Errors
/// As [`NewFile::create`] and [`NewFile::commit`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut new = NewFile::create(path)?;
    new.write_all(bytes).map_err(|source| Error::Write { path: path.into(), source })?;
    new.commit()
}

/// A file that is being written under a temporary name beside its own; it takes its own only as a whole, by
/// [`NewFile::commit`], and is removed if that is never called. A link is followed, and stays.
pub struct NewFile {
    path: PathBuf,
    /// What the path leads to.
    target: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    /// Begins a file.
    ///
    /// # Errors
    /// [`Error::Write`] with the path, also for what is no regular file, such as a device: it is never replaced.
    pub fn create(path: &Path) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let fail = |source| Error::Write { path: path.into(), source };
        // Only a path that leads to something can be resolved; any other is new.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        // Asked once: what vanishes between two questions would be taken for a device.
        if target.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(fail(std::io::Error::other("it exists and is not a regular file")));
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = target.with_file_name(format!(".dualprop-{}-{count}.tmp", std::process::id()));
        // A new file: never one that somebody else put there, nor what a link of that name leads to.
        let file = disk::open(|| OpenOptions::new().write(true).create_new(true).open(&temporary)).map_err(fail)?;
        Ok(NewFile { path: path.into(), target, temporary, file })
    }

    /// Flushes the file to the disk and gives it its name.
    ///
    /// # Errors
    /// [`Error::Write`] with the path; what stood there before stays.
    pub fn commit(self) -> Result<()> {
        let done = disk::sync(&self.file).and_then(|()| disk::rename(&self.temporary, &self.target));
        let done = done.and_then(|()| sync_folder(&self.target));
        done.map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Output(&self.file).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already if it has its name; and one that cannot be removed is only litter.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Carries the new name itself to the disk, which a lost supply of power would else undo.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    // A plain file name has the present folder as its own.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk::sync(&disk::open(|| File::open(folder))?)
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Gives a file that is whole another name, and carries that to the disk; a file of that name is replaced.
///
/// # Errors
/// [`Error::Write`] with the new path.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let renamed = disk::rename(from, to).and_then(|()| sync_folder(to));
    renamed.map_err(|source| Error::Write { path: to.into(), source })
}

/// Creates a folder and those above it, and carries their names to the disk.
///
/// # Errors
/// [`Error::Write`] with the path.
pub fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_folder(above)?;
    }
    match claim_folder(path) {
        // Somebody else was faster.
        Ok(false) if !path.is_dir() => {
            Err(Error::Write { path: path.into(), source: std::io::Error::other("it exists and is not a folder") })
        }
        other => other.map(drop),
    }
}

/// Creates a folder whose parent exists; false if there is something of that name already.
///
/// # Errors
/// [`Error::Write`] with the path.
pub fn claim_folder(path: &Path) -> Result<bool> {
    match disk::create_folder(path).and_then(|()| sync_folder(path)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(Error::Write { path: path.into(), source }),
    }
}

/// Appends to a file, which is made if it does not exist, and returns its length. What was written is on the disk only after
/// [`sync`].
///
/// # Errors
/// [`Error::Write`] with the path; a part may have been appended.
pub fn append(path: &Path, bytes: &[u8]) -> Result<u64> {
    let opened = disk::open(|| OpenOptions::new().create(true).append(true).open(path));
    let appended = opened.and_then(|file| {
        Output(&file).write_all(bytes)?;
        Ok(file.metadata()?.len())
    });
    appended.map_err(|source| Error::Write { path: path.into(), source })
}

/// A file that grows under a name which promises nothing, such as that of a download which is not whole yet.
pub struct Growing {
    path: PathBuf,
    file: File,
}

impl Growing {
    /// Opens or makes a file; what is in it is kept, or dropped.
    ///
    /// # Errors
    /// [`Error::Write`] with the path.
    pub fn open(path: &Path, keep: bool) -> Result<Self> {
        let file = disk::open(|| OpenOptions::new().create(true).write(true).append(keep).truncate(!keep).open(path));
        let file = file.map_err(|source| Error::Write { path: path.into(), source })?;
        Ok(Growing { path: path.into(), file })
    }

    /// Appends bytes; on the disk they are only after [`Growing::sync`].
    ///
    /// # Errors
    /// [`Error::Write`] with the path; a part may have been appended.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        Output(&self.file).write_all(bytes).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Carries all of it to the disk.
    ///
    /// # Errors
    /// [`Error::Write`] with the path.
    pub fn sync(&self) -> Result<()> {
        disk::sync(&self.file).map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

/// Carries a file to the disk and returns its length; one that does not exist has none.
///
/// # Errors
/// [`Error::Write`] with the path.
pub fn sync(path: &Path) -> Result<u64> {
    let synced = match disk::open(|| File::open(path)) {
        Ok(file) => disk::sync(&file).and_then(|()| sync_folder(path)).and_then(|()| Ok(file.metadata()?.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    };
    synced.map_err(|source| Error::Write { path: path.into(), source })
}

/// Cuts a file off after so many bytes.
///
/// # Errors
/// [`Error::Write`] with the path.
pub fn truncate(path: &Path, bytes: u64) -> Result<()> {
    let cut = disk::open(|| OpenOptions::new().write(true).open(path)).and_then(|file| {
        disk::truncate(&file, bytes)?;
        disk::sync(&file)
    });
    cut.map_err(|source| Error::Write { path: path.into(), source })
}

/// Locks a file for this process, as long as what is returned is open, and writes into it who holds it.
///
/// # Errors
/// [`Error::Busy`] with `what` it stands for, if another process holds it; [`Error::Write`] with the path.
pub fn lock(path: &Path, what: &Path) -> Result<File> {
    let failed = |source| Error::Write { path: path.into(), source };
    let open = || OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path);
    let file = disk::open(open).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(Error::Busy { path: what.into(), holder: holder(&file) }),
        Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
    }
    let written = disk::truncate(&file, 0).and_then(|()| writeln!(Output(&file), "process {}", std::process::id()));
    written.map_err(failed)?;
    Ok(file)
}

/// Who holds a lock, as the file says; whoever has only just taken it writes that in a moment.
fn holder(mut file: &File) -> String {
    for _ in 0..10 {
        let mut name = String::new();
        // It is only a help.
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(64).read_to_string(&mut name));
        if read.is_ok() && name.ends_with('\n') {
            return name.trim().into();
        }
        sleep(Duration::from_millis(5));
    }
    "another process".into()
}

/// Lends `work` a folder for its own use below the system's temporary one, which is removed afterwards.
///
/// # Errors
/// Whatever `work` reports; [`Error::Write`] if the folder cannot be made or removed.
pub fn in_temporary_folder<R>(purpose: &str, work: impl FnOnce(&Path) -> Result<R>) -> Result<R> {
    let numbered = |number: u64| std::env::temp_dir().join(format!("dualprop-{purpose}-{}-{number}", std::process::id()));
    let mut number = 0;
    // One that is there already is somebody else's.
    while !claim_folder(&numbered(number))? {
        number += 1;
    }
    let path = numbered(number);
    let done = work(&path);
    let removed = fs::remove_dir_all(&path).map_err(|source| Error::Write { path, source });
    done.and_then(|done| removed.map(|()| done))
}

/// Whether this is the temporary name of a file that was never finished.
pub fn is_unfinished(name: &str) -> bool {
    name.strip_prefix(".dualprop-").is_some_and(|rest| rest.ends_with(".tmp"))
}

/// Removes the files of a folder that were never finished: what a process left that was killed. Only for a folder that nobody
/// else writes to.
pub fn remove_unfinished(folder: &Path) {
    // Litter that cannot be removed harms nobody.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| is_unfinished(&entry.file_name().to_string_lossy())) {
        let _ = fs::remove_file(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_holder_even_before_that_has_written_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, what) = (folder.path().join("lock"), Path::new("runs/a"));
        let held = lock(&path, what).unwrap();
        let message = || lock(&path, what).unwrap_err().to_string();
        assert!(message().starts_with(&format!("runs/a is in use by process {}; ", std::process::id())), "{}", message());
        held.set_len(0).unwrap();
        assert!(message().starts_with("runs/a is in use by another process; "), "{}", message());
        let text = std::thread::scope(|scope| {
            let late = scope.spawn(message);
            sleep(Duration::from_millis(10));
            (&held).seek(SeekFrom::Start(0)).unwrap();
            (&held).write_all(b"process 7\n").unwrap();
            late.join().unwrap()
        });
        // However late this thread wrote it.
        assert!(text.contains("process 7") || text.contains("another process"), "{text}");
        drop(held);
        assert!(lock(&path, what).is_ok());
    }

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

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [target, link, device] = ["target", "link", "device"].map(|name| folder.path().join(name));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomic(&link, b"new").unwrap();
        assert!(link.is_symlink() && fs::read(&target).unwrap() == b"new");
        std::os::unix::fs::symlink("/dev/null", &device).unwrap();
        assert!(write_atomic(&device, b"x").unwrap_err().to_string().contains("not a regular file"));
        assert!(matches!(read(&device), Err(Error::Malformed { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn texts_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_atomic(&path, b"four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert!(read_text(&path, 3).unwrap_err().to_string().contains("larger than 3 bytes"));
        write_atomic(&path, &[0xff]).unwrap();
        assert!(read_text(&path, 4).unwrap_err().to_string().contains("UTF-8"));
    }
}
