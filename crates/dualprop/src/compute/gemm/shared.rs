//! Memory that several threads write.

use std::marker::PhantomData;

/// Numbers that several threads write, each its own.
pub(in crate::compute) struct Shared<'a> {
    start: *mut f32,
    length: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: whoever made it guarantees that no two threads touch the same number.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// # Safety
    /// As long as it is in use, no number that one thread writes through it is read or written by another.
    pub(in crate::compute) unsafe fn new(numbers: &'a mut [f32]) -> Self {
        Shared { start: numbers.as_mut_ptr(), length: numbers.len(), borrowed: PhantomData }
    }

    /// Where so many numbers from this place stand; they are there.
    pub(in crate::compute) fn at(&self, place: usize, count: usize) -> *mut f32 {
        assert!(place + count <= self.length, "numbers {place}..{} of {}", place + count, self.length);
        self.start.wrapping_add(place)
    }
}
