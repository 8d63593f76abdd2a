//! Operands in the order in which the micro-kernel reads them.

use super::kernel::STRIP;
use super::{Ahead, DEPTH, Isa, Matrix, panel_of, transpose};
use crate::compute::compiled::compiled;

/// packed[s][i][c] = right[k + i][first + STRIP s + c] for as many strips as fit, of so many rows each; columns that the matrix
/// lacks are 0.
pub(super) fn right(isa: Isa, matrix: Matrix<f32>, k: usize, first: usize, packed: &mut [f32], depth: usize) {
    for (strip, packed) in packed.chunks_exact_mut(depth * STRIP).enumerate() {
        let first = first + strip * STRIP;
        let columns = STRIP.min(matrix.columns - first);
        if matrix.column_stride != 1 {
            if columns < STRIP {
                packed.fill(0.0);
            }
            let column = |c: usize| &matrix.data[(first + c) * matrix.column_stride + k..][..depth];
            transpose(columns, column, packed, STRIP);
        } else {
            copy_rows(isa, &matrix.data[k * matrix.row_stride + first..], matrix.row_stride, columns, packed);
        }
    }
}

compiled! {
    /// Copies the first columns of rows that are so many numbers apart, and zeros behind them: in registers, for a call would
    /// take as long.
    fn copy_rows(rows: &[f32], stride: usize, columns: usize, packed: &mut [f32]) {
        let packed = packed.as_chunks_mut::<STRIP>().0;
        if columns == STRIP {
            for (i, packed) in packed.iter_mut().enumerate() {
                packed.copy_from_slice(&rows[i * stride..][..STRIP]);
            }
            return;
        }
        for (i, packed) in packed.iter_mut().enumerate() {
            let row = &rows[i * stride..];
            match row.first_chunk::<STRIP>() {
                // What stands behind the row is the next one's, and left out.
                Some(row) => {
                    for (c, packed) in packed.iter_mut().enumerate() {
                        *packed = if c < columns { row[c] } else { 0.0 };
                    }
                }
                None => {
                    packed.fill(0.0);
                    packed[..columns].copy_from_slice(&row[..columns]);
                }
            }
        }
    }
}

/// The block that [`right`] would pack from this place, or beyond the last k from the first k of the next panel.
pub(super) fn next(matrix: Matrix<f32>, k: usize, first: usize) -> Ahead {
    let width = panel_of(matrix.columns);
    let (k, first) = if k < matrix.rows { (k, first) } else { (0, first + width) };
    if first >= matrix.columns {
        return Ahead::NOTHING;
    }
    let (depth, columns) = (DEPTH.min(matrix.rows - k), width.min(matrix.columns - first));
    let start = matrix.data[k * matrix.row_stride + first * matrix.column_stride..].as_ptr();
    match matrix.column_stride {
        1 => Ahead::new(start, (depth, columns), matrix.row_stride),
        stride => Ahead::new(start, (columns, depth), stride),
    }
}
