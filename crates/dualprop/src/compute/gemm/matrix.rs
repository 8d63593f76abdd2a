//! Matrices that borrow their memory.

use std::ops::Range;

use crate::base::Real;

use super::Left;

/// A matrix in memory that it borrows: rows and columns may each have any stride.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix; the data must have exactly its elements.
    pub(in crate::compute) fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a {rows} x {columns} matrix");
        Matrix { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transposed matrix over the same memory.
    pub(in crate::compute) fn transposed(self) -> Self {
        Matrix {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// The rows first..first+count over the same memory.
    pub(in crate::compute) fn rows(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.rows, "rows {first}..{} of {}", first + count, self.rows);
        Matrix { data: &self.data[first * self.row_stride..], rows: count, ..self }
    }

    /// The same matrix, where its numbers are f32.
    pub(super) fn as_f32(self) -> Option<Matrix<'a, f32>>
    where
        T: Real,
    {
        let Matrix { data, rows, columns, row_stride, column_stride } = self;
        T::as_f32(data).map(|data| Matrix { data, rows, columns, row_stride, column_stride })
    }

    /// Where these rows and columns stand, all of them within the matrix.
    pub(super) fn operand(self, rows: Range<usize>, columns: Range<usize>) -> (*const T, Left) {
        let first = rows.start * self.row_stride + columns.start * self.column_stride;
        let last = (rows.end - 1) * self.row_stride + (columns.end - 1) * self.column_stride;
        let layout = if self.column_stride == 1 { Left::Rows(self.row_stride) } else { Left::Columns(self.column_stride) };
        (self.data[first..=last].as_ptr(), layout)
    }

    /// The element of this row and column.
    #[cfg(test)]
    pub(super) fn at(self, row: usize, column: usize) -> T
    where
        T: Copy,
    {
        self.data[row * self.row_stride + column * self.column_stride]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "rows 2..5 of 4")]
    fn rows_beyond_the_matrix_are_refused() {
        Matrix::new(&[0.0f32; 8], 4, 2).rows(2, 3);
    }
}
