//! Every call that changes the disk. In tests any of them can be made to fail, one after the other.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Open,
    #[cfg(test)]
    Write,
    Sync,
    Rename,
    Truncate,
    CreateFolder,
}

/// Opens or makes a file by `open`.
pub(super) fn open(open: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
    faults::strike(Call::Open)?;
    open()
}

/// Carries what was written to a file, or the names in a folder, to the disk itself.
pub(super) fn sync(file: &File) -> io::Result<()> {
    faults::strike(Call::Sync)?;
    file.sync_all()
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    faults::strike(Call::Rename)?;
    fs::rename(from, to)
}

pub(super) fn truncate(file: &File, bytes: u64) -> io::Result<()> {
    faults::strike(Call::Truncate)?;
    file.set_len(bytes)
}

/// Makes one folder, which must not exist.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    faults::strike(Call::CreateFolder)?;
    fs::create_dir(path)
}

/// A file to be written to.
pub(super) struct Output<'a>(pub(super) &'a File);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = faults::write(bytes.len())?;
        self.0.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// No fault but those of the disk.
#[cfg(not(test))]
mod faults {
    use std::io;

    use super::Call;

    #[inline]
    pub(super) fn strike(_: Call) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    pub(super) fn write(bytes: usize) -> io::Result<usize> {
        Ok(bytes)
    }
}

/// Faults on request: calls are counted on each thread by itself, so that tests run at the same time.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io::{self, ErrorKind};

    use super::Call;
    use crate::base::{Error, Result};

    /// What a call may meet.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// Only a part is written; whoever writes goes on with the rest.
        ShortWrite,
        /// A signal came first; whoever writes tries again.
        Interrupted,
        /// The device does not answer, from here on.
        Broken,
        /// The disk is full, from here on.
        Full,
    }

    thread_local! {
        /// The fault, and how many calls go well before it.
        static PLANNED: Cell<Option<(Fault, usize)>> = const { Cell::new(None) };
        static STRUCK: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs `work` with a fault at the call of this number, counted from 0; says whether there was such a call.
    pub(crate) fn at<R>(fault: Fault, call: usize, work: impl FnOnce() -> R) -> (R, bool) {
        PLANNED.set(Some((fault, call)));
        STRUCK.set(false);
        let result = work();
        PLANNED.set(None);
        (result, STRUCK.get())
    }

    /// Runs `work` with each fault at each of its calls in turn, every time on what `prepare` makes anew. `check` is shown the
    /// fault and the call, for messages, and what came of it. Where nothing was struck, and where a fault was harmless, the work
    /// must have gone well; any other fault must have been told.
    pub(crate) fn everywhere<S, R>(
        prepare: impl Fn() -> S,
        work: impl Fn(&S) -> Result<R>,
        check: impl Fn(&str, &S, Option<Error>),
    ) {
        for fault in [Fault::ShortWrite, Fault::Interrupted, Fault::Broken, Fault::Full] {
            let harmless = matches!(fault, Fault::ShortWrite | Fault::Interrupted);
            for call in 0.. {
                let (place, met) = (prepare(), format!("{fault:?} at call {call}"));
                let (result, struck) = at(fault, call, || work(&place));
                let error = result.err();
                assert_eq!(error.is_some(), struck && !harmless, "{met}: {error:?}");
                check(&met, &place, error);
                if !struck {
                    // Every call has failed once.
                    assert!(call > 0, "{fault:?}: there is no call that it could strike");
                    break;
                }
            }
        }
    }

    /// The fault that this call meets.
    fn met(call: Call) -> Option<Fault> {
        let (fault, left) = PLANNED.get()?;
        let writes_only = matches!(fault, Fault::ShortWrite | Fault::Interrupted);
        if writes_only && call != Call::Write {
            return None;
        }
        if left > 0 {
            PLANNED.set(Some((fault, left - 1)));
            return None;
        }
        // What is broken or full stays so, but on a full disk names can be changed and files cut.
        let spared = fault == Fault::Full && matches!(call, Call::Rename | Call::Truncate) && STRUCK.get();
        STRUCK.set(true);
        if writes_only {
            PLANNED.set(None);
        }
        (!spared).then_some(fault)
    }

    pub(super) fn strike(call: Call) -> io::Result<()> {
        match met(call) {
            None => Ok(()),
            Some(Fault::Full) => Err(ErrorKind::StorageFull.into()),
            Some(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }

    pub(super) fn write(bytes: usize) -> io::Result<usize> {
        match met(Call::Write) {
            None => Ok(bytes),
            Some(Fault::ShortWrite) => Ok(bytes.div_ceil(2)),
            Some(Fault::Interrupted) => Err(ErrorKind::Interrupted.into()),
            Some(Fault::Full) => Err(ErrorKind::StorageFull.into()),
            Some(Fault::Broken) => Err(io::Error::from_raw_os_error(5)),
        }
    }
}
