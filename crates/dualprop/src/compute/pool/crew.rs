//! Threads that wait for loops.
//!
//! A step is hundreds of loops of some ten microseconds each. Handing one to sleeping threads, or waking them, would take as
//! long as the loop; so they stay awake for a while after each loop, take tasks from a counter, and allocate nothing.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::{hint, io, thread};

/// How often a thread without a task looks for one before it lets others run, and then before it sleeps: some 50 and 100
/// microseconds.
const SPINS: u32 = 2_000;
const YIELDS: u32 = 200;

/// Threads beside the caller's, which run the tasks of one loop at a time.
pub(super) struct Crew {
    common: Arc<Common>,
    handles: Vec<JoinHandle<()>>,
}

/// A loop, alive until all of its tasks are done.
struct Loop<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    count: u32,
}

/// One thread's share of a loop: the number of the loop in the upper half, the tasks of the share that nobody has taken yet in
/// the lower half.
#[derive(Default)]
#[repr(align(128))]
struct Share(AtomicU64);

/// What the caller and the threads share.
struct Common {
    /// One share for the caller and each thread: neighbouring tasks, so that from loop to loop a thread finds what it has in its
    /// cache. Whoever is done with its own goes on with the others'.
    shares: Vec<Share>,
    /// The loop. It is only looked at by who has taken a task of it, since then it is alive.
    present: AtomicPtr<Loop<'static>>,
    /// Tasks that are done.
    done: AtomicU32,
    /// Whether a caller has a loop under way.
    busy: AtomicBool,
    /// What the first task that panicked left.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Threads that sleep, or are about to.
    asleep: AtomicU32,
    sleep: Mutex<()>,
    wake: Condvar,
    stop: AtomicBool,
}

impl Crew {
    /// Starts so many threads.
    ///
    /// # Errors
    /// Those of the operating system; threads that were started are stopped.
    pub(super) fn new(threads: usize) -> io::Result<Self> {
        let mut crew = Crew { common: Arc::new(Common::new(threads + 1)), handles: Vec::with_capacity(threads) };
        for own in 1..=threads {
            let common = crew.common.clone();
            let serve = move || common.serve(own);
            crew.handles.push(thread::Builder::new().name(format!("dualprop-{own}")).spawn(serve)?);
        }
        Ok(crew)
    }

    /// Calls `work(task)` for every task 0..count, on the calling thread and all others. A call within a task, or from
    /// another thread meanwhile, does all of its work by itself.
    ///
    /// # Panics
    /// If a task does, after all others are done.
    pub(super) fn run(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let common = &*self.common;
        let few = u32::try_from(count).ok();
        let free = || !common.busy.swap(true, Ordering::Acquire);
        match few {
            Some(count) if count > 1 && free() => common.lead(&Loop { work, count }),
            _ => (0..count).for_each(work),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.common.stop.store(true, Ordering::SeqCst);
        drop(lock(&self.common.sleep));
        self.common.wake.notify_all();
        for handle in self.handles.drain(..) {
            // A thread returns nothing, and panics of its tasks are the caller's.
            drop(handle.join());
        }
    }
}

impl Common {
    fn new(shares: usize) -> Self {
        Common {
            shares: (0..shares).map(|_| Share::default()).collect(),
            present: AtomicPtr::default(),
            done: AtomicU32::new(0),
            busy: AtomicBool::new(false),
            panic: Mutex::default(),
            asleep: AtomicU32::new(0),
            sleep: Mutex::default(),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
        }
    }

    /// The first task of a share, or of none behind the last.
    fn first(&self, share: usize, count: u32) -> u32 {
        (u64::from(count) * share as u64 / self.shares.len() as u64) as u32
    }

    /// Publishes the loop, takes part in it, and waits for its last task.
    fn lead(&self, present: &Loop) {
        self.done.store(0, Ordering::Relaxed);
        self.present.store(std::ptr::from_ref(present).cast_mut().cast(), Ordering::Relaxed);
        for (i, Share(state)) in self.shares.iter().enumerate() {
            let number = (state.load(Ordering::Relaxed) >> 32).wrapping_add(1);
            let left = self.first(i + 1, present.count) - self.first(i, present.count);
            state.store(number << 32 | u64::from(left), Ordering::SeqCst);
        }
        // Whoever goes to sleep says so before it looks at the shares for the last time: one of the two sees the other.
        if self.asleep.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.sleep));
            self.wake.notify_all();
        }
        while self.take(0) {}
        let mut waited = 0;
        while self.done.load(Ordering::Acquire) < present.count {
            pause(&mut waited);
        }
        let panic = lock(&self.panic).take();
        self.busy.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Takes a task and does it, if there is one: of the own share, or else of the next that has any.
    fn take(&self, own: usize) -> bool {
        let shares = (own..self.shares.len()).chain(0..own);
        shares.into_iter().any(|share| self.take_of(share))
    }

    fn take_of(&self, share: usize) -> bool {
        let Share(state) = &self.shares[share];
        let mut seen = state.load(Ordering::Acquire);
        let (present, left) = loop {
            let left = seen as u32;
            if left == 0 {
                return false;
            }
            let present = self.present.load(Ordering::Relaxed);
            match state.compare_exchange(seen, seen - 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break (present, left),
                Err(now) => seen = now,
            }
        };
        // SAFETY: the task was left of the loop whose number the share had when the pointer was read and still had when the
        // task was taken; numbers come again after 2^32 loops only. The next loop is not published, and this one not dropped,
        // before all of its tasks are done, this one too.
        let present = unsafe { &*present };
        let task = (self.first(share + 1, present.count) - left) as usize;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (present.work)(task))) {
            lock(&self.panic).get_or_insert(panic);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }

    /// What a thread does until it is stopped.
    fn serve(&self, own: usize) {
        let mut waited = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if self.take(own) {
                waited = 0;
            } else if waited < SPINS + YIELDS {
                pause(&mut waited);
            } else {
                self.sleep();
                waited = 0;
            }
        }
    }

    fn sleep(&self) {
        let mut guard = lock(&self.sleep);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let nothing = || self.shares.iter().all(|Share(state)| state.load(Ordering::SeqCst) as u32 == 0);
        while nothing() && !self.stop.load(Ordering::SeqCst) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits a moment; from the [`SPINS`]th on it lets others run, of which there may be more than cores.
fn pause(waited: &mut u32) {
    if *waited < SPINS {
        hint::spin_loop();
    } else {
        thread::yield_now();
    }
    *waited = waited.saturating_add(1);
}

/// No code panics while it holds one of these locks, so that what they guard is whole in any case.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    /// Every task of every loop exactly once; a pause between loops lets the threads fall asleep.
    #[test]
    fn every_task_is_done_once_by_any_number_of_threads() {
        for threads in [0, 1, 2, 7] {
            let crew = Crew::new(threads).unwrap();
            for (round, count) in [0, 1, 2, 3, 64, 1000].into_iter().cycle().take(2000).enumerate() {
                if round % 500 == 0 {
                    thread::sleep(Duration::from_millis(5));
                }
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                crew.run(count, &|task| _ = done[task].fetch_add(1, Ordering::Relaxed));
                assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == 1), "{threads} threads, {count} tasks");
            }
        }
    }

    /// Both threads are in the loop at once, or it would never end.
    #[test]
    fn tasks_run_at_the_same_time() {
        let crew = Crew::new(1).unwrap();
        let arrived = AtomicUsize::new(0);
        crew.run(2, &|_| {
            arrived.fetch_add(1, Ordering::SeqCst);
            while arrived.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
        });
    }

    #[test]
    fn loops_within_tasks_and_of_other_threads_do_their_own_work() {
        let crew = Crew::new(2).unwrap();
        let sum = AtomicUsize::new(0);
        let add = |task: usize| _ = sum.fetch_add(task, Ordering::Relaxed);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| crew.run(10, &|_| crew.run(10, &add)));
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 4 * 10 * 45);
    }

    #[test]
    fn a_panic_of_a_task_is_the_callers_and_the_crew_goes_on() {
        let crew = Crew::new(2).unwrap();
        let done = AtomicUsize::new(0);
        let work = |task: usize| {
            assert!(task != 3, "task three");
            done.fetch_add(1, Ordering::Relaxed);
        };
        let panic = catch_unwind(AssertUnwindSafe(|| crew.run(10, &work))).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"task three"));
        assert_eq!(done.load(Ordering::Relaxed), 9);
        crew.run(3, &work);
        assert_eq!(done.load(Ordering::Relaxed), 12);
    }
}
