//! Memory that several threads write.

use std::marker::PhantomData;

/// Numbers that several threads write, each its own.
pub(in crate::compute) struct Shared<'a, T = f32> {
    start: *mut T,
    length: usize,
    borrowed: PhantomData<&'a mut [T]>,
}

// SAFETY: whoever made it guarantees that no two threads touch the same number.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// # Safety
    /// As long as it is in use, no number that one thread writes through it is read or written by another.
    pub(in crate::compute) unsafe fn new(numbers: &'a mut [T]) -> Self {
        Shared { start: numbers.as_mut_ptr(), length: numbers.len(), borrowed: PhantomData }
    }

    /// Whether there are none.
    pub(in crate::compute) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where so many numbers from this place stand; they are there.
    pub(in crate::compute) fn at(&self, place: usize, count: usize) -> *mut T {
        assert!(place + count <= self.length, "numbers {place}..{} of {}", place + count, self.length);
        self.start.wrapping_add(place)
    }
}
