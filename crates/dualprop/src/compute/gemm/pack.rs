//! Operands in the order in which the micro-kernel reads them.

use super::kernel::COLUMNS;
use super::{DEPTH, Isa, Matrix, transpose};
use crate::compute::compiled::compiled;

/// packed[i][c] = right[k + i][first + c] for the columns of a tile, as many k as fit; columns that the matrix lacks are 0.
pub(super) fn right(isa: Isa, matrix: Matrix<f32>, k: usize, first: usize, packed: &mut [f32]) {
    let depth = packed.len() / COLUMNS;
    let columns = COLUMNS.min(matrix.columns - first);
    if columns < COLUMNS {
        packed.fill(0.0);
    }
    if matrix.column_stride != 1 {
        let column = |c: usize| &matrix.data[(first + c) * matrix.column_stride + k..][..depth];
        return transpose(columns, column, packed, COLUMNS);
    }
    let rows = &matrix.data[k * matrix.row_stride + first..];
    if columns == COLUMNS {
        return whole_rows(isa, rows, matrix.row_stride, packed);
    }
    for (i, packed) in packed.chunks_exact_mut(COLUMNS).enumerate() {
        packed[..columns].copy_from_slice(&rows[i * matrix.row_stride..][..columns]);
    }
}

compiled! {
    /// Copies rows of [`COLUMNS`] numbers, so many numbers apart: in registers, for a call would take as long.
    fn whole_rows(rows: &[f32], stride: usize, packed: &mut [f32]) {
        for (i, packed) in packed.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
            packed.copy_from_slice(&rows[i * stride..][..COLUMNS]);
        }
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
