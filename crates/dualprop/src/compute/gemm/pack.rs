//! Operands in the order in which the micro-kernel reads them.

use super::Matrix;
use super::kernel::COLUMNS;

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
