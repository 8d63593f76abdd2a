//! Threads: a pool of them, and the team that splits loops by shape, never by thread count.

mod crew;
mod team;

use std::sync::Arc;

use crate::base::{Error, Result, memory};

use super::Isa;
use crew::Crew;
pub(super) use team::Team;

/// Elements that one task of an element-wise loop handles: 16 KiB of f32, a small part of a first-level cache.
pub(super) const ELEMENTS: usize = 4096;

/// The most threads that a pool starts: more is a slip of the pen, and would only exhaust the machine.
const MOST_THREADS: usize = 1024;

/// Bytes of address space that a thread takes: its stack, as the standard library makes it, and what guards that.
const STACK: u64 = (2 << 20) + (64 << 10);

/// Threads of its own, of which the caller's is one; cloning it shares them. What runs on them at the same time as another loop
/// runs on the caller alone.
#[derive(Clone)]
pub struct Pool {
    isa: Isa,
    exact: bool,
    threads: usize,
    crew: Option<Arc<Crew>>,
}

impl Pool {
    /// A pool of this many threads; 0 means one per available core.
    ///
    /// # Errors
    /// [`Error::Setting`] for more than 1024, before any is started; [`Error::Threads`] if the operating system refuses them,
    /// or a limited address space has no room for them; as [`Isa::present`].
    pub fn new(threads: usize) -> Result<Self> {
        Pool::with_isa(threads, Isa::present()?)
    }

    /// A pool whose products use these instructions, which changes no bit.
    ///
    /// # Errors
    /// As [`Pool::new`]; [`Error::Setting`] for instructions that this processor lacks.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self> {
        if !isa.is_available() {
            return Err(Error::setting("instructions", isa.name(), "this processor lacks them"));
        }
        if threads > MOST_THREADS {
            return Err(Error::setting("threads", threads, format!("expected 0 (one per core) to {MOST_THREADS}")));
        }
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        if threads == 1 {
            return Ok(Pool { isa, exact: false, threads, crew: None });
        }
        // Threads that took the last of a limited address space would leave nothing to whoever allocates next, and the process would
        // be aborted without a word.
        if let Some(room) = memory::address_space().filter(|room| threads as u64 * STACK > room / 2) {
            let problem =
                format!("their stacks would take more than half of the {} MiB of address space that are left", room >> 20);
            return Err(Error::Threads { threads, problem });
        }
        let crew = Crew::new(threads - 1).map_err(|error| Error::Threads { threads, problem: error.to_string() })?;
        Ok(Pool { isa, exact: false, threads, crew: Some(Arc::new(crew)) })
    }

    /// The same threads, which compute convolutions of f32 term by term if `exact`, without transforms that round otherwise.
    #[must_use]
    pub fn with_exact_convolutions(self, exact: bool) -> Self {
        Pool { exact, ..self }
    }

    /// Whether convolutions of f32 are computed term by term.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// What the products of f32 are made of.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work(start, piece)` for every piece of `size` elements of `data`, in the pool; `start` is the index of its first
    /// element.
    pub(crate) fn pieces<T: Send>(&self, data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
        self.enter(|team| team.pieces(data, size, work));
    }

    /// Runs `work` on the calling thread.
    pub(super) fn alone<R>(work: impl FnOnce(&Team) -> R) -> R {
        work(&Team { isa: Isa::fastest(), exact: false, crew: None })
    }

    /// Runs `work` with the threads of the pool.
    pub(super) fn enter<R>(&self, work: impl FnOnce(&Team) -> R) -> R {
        work(&Team { isa: self.isa, exact: self.exact, crew: self.crew.as_deref() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_than_any_machine_has_are_refused() {
        for threads in [MOST_THREADS + 1, usize::MAX] {
            let error = Pool::new(threads).err().map(|error| error.to_string());
            assert_eq!(error, Some(format!("threads = {threads}: expected 0 (one per core) to 1024")));
        }
    }
}
