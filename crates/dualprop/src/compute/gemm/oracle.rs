//! Products by the `gemm` crate, of f64 and of f32.

use crate::base::Real;

use super::Matrix;
use crate::compute::pool::Team;

/// output += scale · a · b; the output is row-major. Runs on the calling thread.
pub(in crate::compute) fn product<T: Real>(scale: T, a: Matrix<T>, b: Matrix<T>, output: &mut [T]) {
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
            true,
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

/// Rows of the output that one task computes.
const TASK: usize = 32;

/// output = scale · left · right, plus `bias` in every row.
pub(super) fn matmul<T: Real>(
    team: &Team,
    (left, right): (Matrix<T>, Matrix<T>),
    scale: T,
    bias: Option<&[T]>,
    output: &mut [T],
) {
    let columns = right.columns;
    team.pieces(output, TASK * columns, |start, output| {
        match bias {
            Some(bias) => output.chunks_exact_mut(columns).for_each(|row| row.copy_from_slice(bias)),
            None => output.fill(T::ZERO),
        }
        product(scale, left.rows(start / columns, output.len() / columns), right, output);
    });
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
                    let mut c = vec![10.0; m * n];
                    product(0.5, left, right, &mut c);
                    for i in 0..m {
                        for j in 0..n {
                            let dot: f64 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                            assert!((c[i * n + j] - (10.0 + 0.5 * dot)).abs() < 1e-13, "{m} {k} {n}");
                        }
                    }
                }
            }
        }
    }
}
