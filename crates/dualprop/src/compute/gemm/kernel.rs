//! The micro-kernel: a tile of a product, held in registers over one block of k.
//!
//! ```text
//! tile[r][c] = base[r][c] + scale · Σ_k left[k][r] · right[k][c]
//! ```
//!
//! The sum is one chain of fused multiply-adds in the order of k, starting at 0; a number of the tile is the same whatever
//! else is in the tile, so that neither its extents nor the instructions change a bit.

use super::Isa;

/// Columns of a tile, whatever the instructions.
pub(in crate::compute) const COLUMNS: usize = 32;

/// The most rows of a tile.
pub(in crate::compute) const ROWS: usize = 12;

/// What a sum is added to.
#[derive(Clone, Copy)]
pub(in crate::compute) enum Base {
    /// Nothing: the tile is overwritten.
    Nothing,
    /// What stands in the tile.
    Tile,
    /// The same numbers in every row, [`COLUMNS`] of them.
    Row(*const f32),
}

/// Where the left operand stands.
#[derive(Clone, Copy)]
pub(in crate::compute) enum Left {
    /// `[depth][rows]`: rows side by side, each k so many numbers after the one before.
    Columns(usize),
    /// `[rows][depth]`: k side by side, each row so many numbers after the one before.
    Rows(usize),
}

/// The operands of a tile.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Operands {
    /// Rows of the tile, 1 to [`ROWS`].
    pub(in crate::compute) rows: usize,
    /// Length of the sums.
    pub(in crate::compute) depth: usize,
    pub(in crate::compute) left: *const f32,
    pub(in crate::compute) left_layout: Left,
    /// `[depth][COLUMNS]`, each row so many numbers after the one before.
    pub(in crate::compute) right: *const f32,
    pub(in crate::compute) right_stride: usize,
    pub(in crate::compute) scale: f32,
    pub(in crate::compute) base: Base,
    /// `[rows][COLUMNS]`, each row so many numbers after the one before.
    pub(in crate::compute) tile: *mut f32,
    pub(in crate::compute) tile_stride: usize,
}

/// Computes one tile.
///
/// # Safety
/// The processor has the instructions. `left`, `right` and a `Base::Row` are readable and `tile` is writable, over all the
/// extents and strides that [`Operands`] states; nobody else writes them or reads the tile meanwhile.
pub(in crate::compute) unsafe fn tile(isa: Isa, operands: Operands) {
    // SAFETY: what is demanded is what the caller guarantees.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::tile(operands),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::tile(operands),
            _ => portable(operands),
        }
    }
}

/// Calls `$kernel::<H>` with the number of rows as a constant.
macro_rules! with_rows {
    ($rows:expr, $kernel:ident, $($argument:expr),*) => {
        match $rows {
            1 => $kernel::<1>($($argument),*),
            2 => $kernel::<2>($($argument),*),
            3 => $kernel::<3>($($argument),*),
            4 => $kernel::<4>($($argument),*),
            5 => $kernel::<5>($($argument),*),
            6 => $kernel::<6>($($argument),*),
            7 => $kernel::<7>($($argument),*),
            8 => $kernel::<8>($($argument),*),
            9 => $kernel::<9>($($argument),*),
            10 => $kernel::<10>($($argument),*),
            11 => $kernel::<11>($($argument),*),
            _ => $kernel::<12>($($argument),*),
        }
    };
}

/// Both for processors that have no kernel of their own, and as what the others are tested against.
///
/// # Safety
/// As [`tile`], without the first sentence.
unsafe fn portable(o: Operands) {
    for row in 0..o.rows {
        let mut sums = [0.0f32; COLUMNS];
        for k in 0..o.depth {
            let place = match o.left_layout {
                Left::Columns(stride) => k * stride + row,
                Left::Rows(stride) => row * stride + k,
            };
            // SAFETY: k < depth and row < rows, within which the caller guarantees the operands.
            let (left, right) = unsafe { (*o.left.add(place), o.right.add(k * o.right_stride)) };
            for (column, sum) in sums.iter_mut().enumerate() {
                // SAFETY: column < COLUMNS.
                *sum = left.mul_add(unsafe { *right.add(column) }, *sum);
            }
        }
        for (column, sum) in sums.into_iter().enumerate() {
            // SAFETY: row < rows and column < COLUMNS.
            unsafe {
                let place = o.tile.add(row * o.tile_stride + column);
                *place = match o.base {
                    Base::Nothing => o.scale * sum,
                    Base::Tile => *place + o.scale * sum,
                    Base::Row(base) => *base.add(column) + o.scale * sum,
                };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{Base, Left, Operands, ROWS};

    /// # Safety
    /// As [`super::tile`].
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn tile(o: Operands) {
        const { assert!(ROWS == 12) };
        // SAFETY: the caller's guarantee.
        unsafe {
            match o.left_layout {
                Left::Columns(stride) if stride == o.rows => with_rows!(o.rows, packed, &o),
                Left::Columns(stride) => with_rows!(o.rows, columns, &o, stride),
                Left::Rows(stride) => with_rows!(o.rows, rows, &o, stride),
            }
        }
    }

    /// [`columns`] with a stride that is known, which is faster.
    ///
    /// # Safety
    /// As [`super::tile`], and `o.rows` is H.
    #[target_feature(enable = "avx512f")]
    unsafe fn packed<const H: usize>(o: &Operands) {
        // SAFETY: the caller's guarantee.
        unsafe { columns::<H>(o, H) }
    }

    /// # Safety
    /// As [`super::tile`], and `o.rows` is H.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn columns<const H: usize>(o: &Operands, stride: usize) {
        // SAFETY: every address is within the extents that the caller guarantees: k < depth, r < rows, 32 columns.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; H];
            let (mut left, mut right) = (o.left, o.right);
            for _ in 0..o.depth {
                let b = [_mm512_loadu_ps(right), _mm512_loadu_ps(right.add(16))];
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*left.add(r));
                    sums[0] = _mm512_fmadd_ps(a, b[0], sums[0]);
                    sums[1] = _mm512_fmadd_ps(a, b[1], sums[1]);
                }
                left = left.add(stride);
                right = right.add(o.right_stride);
            }
            finish(o, sums);
        }
    }

    /// # Safety
    /// As [`super::tile`], and `o.rows` is H.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows<const H: usize>(o: &Operands, stride: usize) {
        // SAFETY: as in `columns`; pointers to rows that the tile lacks are never read through.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; H];
            // Every third row has a pointer: with the stride once and twice as an index they reach all of them.
            let mut left: [*const f32; ROWS / 3] = std::array::from_fn(|i| o.left.wrapping_add(3 * i * stride));
            let mut right = o.right;
            for _ in 0..o.depth {
                let b = [_mm512_loadu_ps(right), _mm512_loadu_ps(right.add(16))];
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm512_set1_ps(*left[r / 3].add(r % 3 * stride));
                    sums[0] = _mm512_fmadd_ps(a, b[0], sums[0]);
                    sums[1] = _mm512_fmadd_ps(a, b[1], sums[1]);
                }
                left = left.map(|left| left.wrapping_add(1));
                right = right.add(o.right_stride);
            }
            finish(o, sums);
        }
    }

    /// By value, so that the sums have no address before, and stay in registers.
    ///
    /// # Safety
    /// As [`super::tile`], and `o.rows` is H.
    #[target_feature(enable = "avx512f")]
    unsafe fn finish<const H: usize>(o: &Operands, sums: [[__m512; 2]; H]) {
        // SAFETY: every address is within the tile: r < rows, 32 columns.
        unsafe {
            let scale = _mm512_set1_ps(o.scale);
            for (r, sums) in sums.iter().enumerate() {
                for (half, &sum) in sums.iter().enumerate() {
                    let place = o.tile.add(r * o.tile_stride + 16 * half);
                    let sum = _mm512_mul_ps(scale, sum);
                    let sum = match o.base {
                        Base::Nothing => sum,
                        Base::Tile => _mm512_add_ps(_mm512_loadu_ps(place), sum),
                        Base::Row(base) => _mm512_add_ps(_mm512_loadu_ps(base.add(16 * half)), sum),
                    };
                    _mm512_storeu_ps(place, sum);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Base, COLUMNS, Left, Operands};

    /// Rows that 16 registers hold beside the operands, with two registers each.
    const HELD: usize = 6;

    /// # Safety
    /// As [`super::tile`].
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn tile(o: Operands) {
        for first in (0..o.rows).step_by(HELD) {
            for column in (0..COLUMNS).step_by(16) {
                // SAFETY: the caller's guarantee; first < rows and column + 16 ≤ COLUMNS.
                unsafe { with_rows!(HELD.min(o.rows - first), part, &o, first, column) }
            }
        }
    }

    /// Rows first..first+H and 16 columns from `column`.
    ///
    /// # Safety
    /// As [`super::tile`], and these rows and columns are within the tile.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn part<const H: usize>(o: &Operands, first: usize, column: usize) {
        // SAFETY: every address is within the extents that the caller guarantees: k < depth, first + r < rows, 16 columns.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); 2]; H];
            let (row_stride, depth_stride) = match o.left_layout {
                Left::Columns(stride) => (1, stride),
                Left::Rows(stride) => (stride, 1),
            };
            let (mut left, mut right) = (o.left.add(first * row_stride), o.right.add(column));
            for _ in 0..o.depth {
                let b = [_mm256_loadu_ps(right), _mm256_loadu_ps(right.add(8))];
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = _mm256_set1_ps(*left.add(r * row_stride));
                    sums[0] = _mm256_fmadd_ps(a, b[0], sums[0]);
                    sums[1] = _mm256_fmadd_ps(a, b[1], sums[1]);
                }
                left = left.wrapping_add(depth_stride);
                right = right.add(o.right_stride);
            }
            let scale = _mm256_set1_ps(o.scale);
            for (r, sums) in sums.iter().enumerate() {
                for (half, &sum) in sums.iter().enumerate() {
                    let place = o.tile.add((first + r) * o.tile_stride + column + 8 * half);
                    let sum = _mm256_mul_ps(scale, sum);
                    let sum = match o.base {
                        Base::Nothing => sum,
                        Base::Tile => _mm256_add_ps(_mm256_loadu_ps(place), sum),
                        Base::Row(base) => _mm256_add_ps(_mm256_loadu_ps(base.add(column + 8 * half)), sum),
                    };
                    _mm256_storeu_ps(place, sum);
                }
            }
        }
    }
}
