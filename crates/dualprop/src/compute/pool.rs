//! Threads: a pool that is entered once per execution, and the team that splits loops by shape, never by thread count.

use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::base::{Error, Result};

use super::Isa;

/// Elements that one task of an element-wise loop handles: 16 KiB of f32, a small part of a first-level cache.
pub(super) const ELEMENTS: usize = 4096;

/// The most threads that a pool starts: more is a slip of the pen, and would only exhaust the machine.
const MOST_THREADS: usize = 1024;

/// A pool of threads of its own; cloning it shares the threads. With one thread everything runs on the caller.
#[derive(Clone)]
pub struct Pool {
    isa: Isa,
    exact: bool,
    threads: usize,
    pool: Option<Arc<ThreadPool>>,
}

impl Pool {
    /// A pool of this many threads; 0 means one per available core.
    ///
    /// # Errors
    /// [`Error::Setting`] for more than 1024, before any is started; [`Error::Threads`] if the operating system refuses them;
    /// as [`Isa::present`].
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
            return Ok(Pool { isa, exact: false, threads, pool: None });
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("dualprop-{i}")).build();
        let pool = pool.map_err(|error| Error::Threads { threads, problem: error.to_string() })?;
        Ok(Pool { isa, exact: false, threads, pool: Some(Arc::new(pool)) })
    }

    /// The same threads, which compute convolutions of f32 term by term if `exact`, without transforms that round otherwise.
    #[must_use]
    pub fn with_exact_convolutions(self, exact: bool) -> Self {
        Pool { exact, ..self }
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
        work(&Team { isa: Isa::fastest(), exact: false, parallel: false })
    }

    /// Runs `work` inside the pool: entering it costs as much as a small operation, so it is done once for many.
    pub(super) fn enter<R: Send>(&self, work: impl FnOnce(&Team) -> R + Send) -> R {
        match &self.pool {
            None => work(&Team { isa: self.isa, exact: self.exact, parallel: false }),
            Some(pool) => pool.install(|| work(&Team { isa: self.isa, exact: self.exact, parallel: true })),
        }
    }
}

/// The threads of an entered pool. Every loop is cut into the same pieces whatever their number, so that results are too.
pub(super) struct Team {
    isa: Isa,
    exact: bool,
    parallel: bool,
}

impl Team {
    /// What the products of f32 are made of: instructions that this processor has.
    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether convolutions are computed term by term.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// The calling thread alone, with the same instructions.
    pub(super) fn alone(&self) -> Team {
        Team { parallel: false, ..*self }
    }

    /// Runs `work` compiled for the team's instructions; they change no bit, for nothing is contracted or reordered.
    pub(super) fn compiled<R>(&self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        {
            /// # Safety
            /// The processor has AVX-512F.
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            /// # Safety
            /// The processor has AVX2 and FMA.
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            match self.isa {
                // SAFETY: a team has the instructions of its processor only.
                Isa::Avx512 => return unsafe { avx512(work) },
                // SAFETY: the same.
                Isa::Avx2 => return unsafe { avx2(work) },
                Isa::Portable => {}
            }
        }
        work()
    }

    /// Calls `work(i, a, b)` for the i-th pieces of two arrays, of so many elements each.
    pub(super) fn zipped<T: Send>(
        &self,
        (a, a_size): (&mut [T], usize),
        (b, b_size): (&mut [T], usize),
        work: impl Fn(usize, &mut [T], &mut [T]) + Sync + Send,
    ) {
        if self.parallel {
            let pieces = a.par_chunks_mut(a_size).zip(b.par_chunks_mut(b_size)).with_max_len(1);
            pieces.enumerate().for_each(|(i, (a, b))| work(i, a, b));
        } else {
            a.chunks_mut(a_size).zip(b.chunks_mut(b_size)).enumerate().for_each(|(i, (a, b))| work(i, a, b));
        }
    }

    /// Calls `work(task)` for every task 0..count.
    pub(super) fn tasks(&self, count: usize, work: impl Fn(usize) + Sync + Send) {
        if self.parallel {
            (0..count).into_par_iter().with_max_len(1).for_each(work);
        } else {
            (0..count).for_each(work);
        }
    }

    /// Calls `work(start, piece)` for every piece of `size` elements of `data`; `start` is the index of its first element.
    pub(super) fn pieces<T: Send>(&self, data: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        if self.parallel {
            data.par_chunks_mut(size).enumerate().for_each(|(i, piece)| work(i * size, piece));
        } else {
            data.chunks_mut(size).enumerate().for_each(|(i, piece)| work(i * size, piece));
        }
    }

    /// Calls `work(item)` for every item.
    pub(super) fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
        if self.parallel {
            items.par_iter_mut().for_each(work);
        } else {
            items.iter_mut().for_each(work);
        }
    }

    /// As [`Team::pieces`] for two arrays of the same length.
    pub(super) fn pairs<A: Send, B: Send>(
        &self,
        a: &mut [A],
        b: &mut [B],
        size: usize,
        work: impl Fn(usize, &mut [A], &mut [B]) + Sync,
    ) {
        if self.parallel {
            let pieces = a.par_chunks_mut(size).zip(b.par_chunks_mut(size));
            pieces.enumerate().for_each(|(i, (a, b))| work(i * size, a, b));
        } else {
            let pieces = a.chunks_mut(size).zip(b.chunks_mut(size));
            pieces.enumerate().for_each(|(i, (a, b))| work(i * size, a, b));
        }
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
