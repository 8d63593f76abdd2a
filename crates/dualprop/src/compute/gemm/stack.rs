//! Working memory on the stack.

use std::mem::MaybeUninit;

/// Room for N numbers, of which only those that are used are cleared.
#[repr(align(64))]
pub(in crate::compute) struct Stack<const N: usize>([MaybeUninit<f32>; N]);

impl<const N: usize> Stack<N> {
    #[inline(always)]
    pub(in crate::compute) fn new() -> Self {
        Stack([MaybeUninit::uninit(); N])
    }

    /// The first so many numbers, all 0.
    pub(in crate::compute) fn zeros(&mut self, count: usize) -> &mut [f32] {
        let part = &mut self.0[..count];
        part.fill(MaybeUninit::new(0.0));
        // SAFETY: these numbers were just written, and are borrowed as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(part.as_mut_ptr().cast(), count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cleared_whatever_stood_there() {
        let mut stack = Stack::<8>::new();
        stack.zeros(8).fill(1.0);
        assert_eq!(stack.zeros(3), [0.0; 3]);
        assert!(stack.zeros(0).is_empty());
    }
}
