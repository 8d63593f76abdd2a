//! Memory that is asked for before its turn comes. Only a hint: it changes no number, and reads none.

/// Numbers in a line of a cache.
const LINE: usize = 16;

/// Rows of a matrix, so many numbers apart.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Ahead {
    start: *const f32,
    rows: usize,
    columns: usize,
    stride: usize,
}

impl Ahead {
    /// Nothing is asked for.
    pub(in crate::compute) const NOTHING: Ahead = Ahead { start: std::ptr::null(), rows: 0, columns: 0, stride: 0 };

    /// So many rows and columns from this place; it need not be one of a matrix.
    pub(in crate::compute) fn new(start: *const f32, (rows, columns): (usize, usize), stride: usize) -> Self {
        Ahead { start, rows, columns, stride }
    }

    /// Asks for one of so many shares of it.
    #[inline]
    pub(in crate::compute) fn fetch(&self, share: usize, shares: usize) {
        for row in self.rows * share / shares..self.rows * (share + 1) / shares {
            for column in (0..self.columns).step_by(LINE) {
                prefetch(self.start.wrapping_add(row * self.stride + column));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn prefetch(number: *const f32) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint reads nothing and cannot fail, whatever the address, and every x86-64 processor has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(number.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_: *const f32) {}
