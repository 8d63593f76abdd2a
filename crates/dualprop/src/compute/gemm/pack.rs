//! Operands in the order in which the micro-kernel reads them.

use super::kernel::COLUMNS;
use super::{DEPTH, Matrix};

/// packed[k][r] = left[first + r][k] for the rows of a tile and all k.
pub(super) fn left(matrix: Matrix<f32>, first: usize, rows: usize, packed: &mut [f32]) {
    debug_assert_eq!(packed.len(), rows * matrix.columns);
    if matrix.row_stride == 1 {
        for (k, packed) in packed.chunks_exact_mut(rows).enumerate() {
            let start = first + k * matrix.column_stride;
            packed.copy_from_slice(&matrix.data[start..start + rows]);
        }
    } else {
        let row = |r: usize| &matrix.data[(first + r) * matrix.row_stride..][..matrix.columns];
        transpose(rows, row, packed, rows);
    }
}

/// packed[i][c] = right[k + i][first + c] for the columns of a tile, as many k as fit; columns that the matrix lacks are 0.
pub(super) fn right(matrix: Matrix<f32>, k: usize, first: usize, packed: &mut [f32]) {
    let depth = packed.len() / COLUMNS;
    let columns = COLUMNS.min(matrix.columns - first);
    if columns < COLUMNS {
        packed.fill(0.0);
    }
    if matrix.column_stride == 1 {
        for (i, packed) in packed.chunks_exact_mut(COLUMNS).enumerate() {
            let start = (k + i) * matrix.row_stride + first;
            packed[..columns].copy_from_slice(&matrix.data[start..start + columns]);
        }
    } else {
        let column = |c: usize| &matrix.data[(first + c) * matrix.column_stride + k..][..depth];
        transpose(columns, column, packed, COLUMNS);
    }
}

/// Asks for one of `shares` of the block that [`right`] would pack from this place, or beyond the last k from the first k of
/// the next columns. Only a hint: it changes no number.
pub(super) fn fetch_ahead(matrix: Matrix<f32>, (k, first): (usize, usize), share: usize, shares: usize) {
    let (k, first) = if k < matrix.rows { (k, first) } else { (0, first + COLUMNS) };
    if first >= matrix.columns {
        return;
    }
    let (depth, columns) = (DEPTH.min(matrix.rows - k), COLUMNS.min(matrix.columns - first));
    // Lines of numbers that lie side by side, and how many of them there are.
    let (lines, length) = if matrix.column_stride == 1 { (depth, columns) } else { (columns, depth) };
    let (start, stride) = match matrix.column_stride {
        1 => (k * matrix.row_stride + first, matrix.row_stride),
        _ => (first * matrix.column_stride + k, matrix.column_stride),
    };
    for line in lines * share / shares..lines * (share + 1) / shares {
        let line = &matrix.data[start + line * stride..][..length];
        line.chunks(CACHE_LINE).for_each(|numbers| prefetch(&numbers[0]));
    }
}

/// Numbers in a line of a cache.
const CACHE_LINE: usize = 16;

#[cfg(target_arch = "x86_64")]
fn prefetch(number: &f32) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint reads nothing and cannot fail, and every x86-64 processor has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(number).cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_: &f32) {}

/// output[k][r] = row(r)[k], the rows of the output so many numbers apart.
pub(in crate::compute) fn transpose<'a>(rows: usize, row: impl Fn(usize) -> &'a [f32], output: &mut [f32], stride: usize) {
    const SIDE: usize = 4;
    let mut first = 0;
    while first + SIDE <= rows {
        let block: [&[f32]; SIDE] = std::array::from_fn(|r| row(first + r));
        let quads: [_; SIDE] = block.map(|row| row.as_chunks::<SIDE>().0);
        let depth = block[0].len();
        for (quad, output) in output.chunks_exact_mut(SIDE * stride).take(depth / SIDE).enumerate() {
            let square = quads.map(|row| row[quad]);
            for k in 0..SIDE {
                output[k * stride + first..][..SIDE].copy_from_slice(&square.map(|row| row[k]));
            }
        }
        for k in depth / SIDE * SIDE..depth {
            output[k * stride + first..][..SIDE].copy_from_slice(&block.map(|row| row[k]));
        }
        first += SIDE;
    }
    for r in first..rows {
        for (k, &x) in row(r).iter().enumerate() {
            output[k * stride + r] = x;
        }
    }
}
