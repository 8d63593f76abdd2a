//! Matrix products, by the `gemm` crate: the one place of this floor with `unsafe` code.

use crate::base::Real;

/// A matrix in memory that it borrows: rows and columns may each have any stride.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// A row-major matrix; the data must have exactly its elements.
    pub(super) fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a {rows} x {columns} matrix");
        Matrix { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transposed matrix over the same memory.
    pub(super) fn transposed(self) -> Self {
        Matrix {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// The rows first..first+count over the same memory.
    pub(super) fn rows(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.rows, "rows {first}..{} of {}", first + count, self.rows);
        Matrix { data: &self.data[first * self.row_stride..], rows: count, ..self }
    }
}

/// What a product does with what stands in its output.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sum {
    /// Replaces it.
    Overwrite,
    /// Adds to it.
    Add,
}

/// output = scale · a · b, or output += scale · a · b; the output is row-major. Runs on the calling thread.
pub(super) fn product<T: Real>(sum: Sum, scale: T, a: Matrix<T>, b: Matrix<T>, output: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(k, b.rows, "inner extents of a product");
    assert_eq!(output.len(), m * n, "output of a product");
    for matrix in [&a, &b] {
        let last = matrix.rows.saturating_sub(1) * matrix.row_stride + matrix.columns.saturating_sub(1) * matrix.column_stride;
        assert!(matrix.rows * matrix.columns == 0 || last < matrix.data.len(), "a matrix reaches beyond its data");
    }
    // SAFETY: the assertions above show that every element i·row_stride + j·column_stride of a and b with i, j within the
    // extents lies within their slices, and that the output has m·n elements with strides (n, 1). The output is borrowed
    // mutably, so it overlaps neither input. `gemm` needs nothing else; it accepts extents of 0.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.as_mut_ptr(),
            1,
            n as isize,
            sum == Sum::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::ONE,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};

    fn random_matrix(elements: usize, sample: u32) -> Vec<f64> {
        let mut random = Random::new(1, Purpose::Synthetic, 0, sample);
        (0..elements).map(|_| random.normal()).collect()
    }

    #[test]
    fn products_of_all_layouts_are_sums_of_products() {
        for (m, k, n) in [(1, 1, 1), (1, 7, 3), (5, 1, 4), (17, 33, 9), (64, 20, 1), (3, 0, 2)] {
            let (a, b) = (random_matrix(m * k, 0), random_matrix(k * n, 1));
            let a_transposed: Vec<f64> = (0..k).flat_map(|j| (0..m).map(move |i| (i, j))).map(|(i, j)| a[i * k + j]).collect();
            let b_transposed: Vec<f64> = (0..n).flat_map(|j| (0..k).map(move |i| (i, j))).map(|(i, j)| b[i * n + j]).collect();
            let lefts = [Matrix::new(&a, m, k), Matrix::new(&a_transposed, k, m).transposed()];
            let rights = [Matrix::new(&b, k, n), Matrix::new(&b_transposed, n, k).transposed()];
            for left in lefts {
                for right in rights {
                    for sum in [Sum::Overwrite, Sum::Add] {
                        let mut c = vec![10.0; m * n];
                        product(sum, 0.5, left, right, &mut c);
                        for i in 0..m {
                            for j in 0..n {
                                let dot: f64 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                                let expected = 0.5 * dot + if sum == Sum::Add { 10.0 } else { 0.0 };
                                assert!((c[i * n + j] - expected).abs() < 1e-13, "{m} {k} {n}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows 2..5 of 4")]
    fn rows_beyond_the_matrix_are_refused() {
        Matrix::new(&[0.0f32; 8], 4, 2).rows(2, 3);
    }
}
