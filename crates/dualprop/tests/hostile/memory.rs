//! How much memory a piece of work asks for, counted by the allocator on the thread that asks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts what each thread holds.
pub(crate) struct Counting;

thread_local! {
    /// Bytes that are held, since the count began, and the most that ever were.
    static HELD: Cell<[isize; 2]> = const { Cell::new([0, 0]) };
}

fn count(bytes: isize) {
    // A thread that ends has no counters any more.
    let _ = HELD.try_with(|held| {
        let [now, most] = held.get();
        held.set([now + bytes, most.max(now + bytes)]);
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's guarantee.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's guarantee.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's guarantee.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's guarantee.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// The most bytes that were held at once by this thread during the work, beyond those before.
pub(crate) fn most_held<R>(work: impl FnOnce() -> R) -> (R, usize) {
    HELD.set([0, 0]);
    let result = work();
    (result, HELD.get()[1].max(0) as usize)
}
