//! Matrix products.
//!
//! Products of f32 are our own: a tile of the output is held in registers ([`kernel`]) over blocks of [`DEPTH`] terms, whose
//! operands are packed in the order in which they are read ([`pack`], [`block`]). Every number of the output is
//!
//! ```text
//! base + s·(…fma(a₁, b₁, fma(a₀, b₀, 0))…) + s·(next block) + …
//! ```
//!
//! with blocks of a fixed length, whichever instructions compute it and however it is cut: the bits are the same on every
//! processor and for any number of threads. Products of f64 come from the `gemm` crate ([`oracle`]), which is also what those
//! of f32 are tested against.

mod ahead;
mod block;
mod isa;
mod kernel;
mod matrix;
mod oracle;
mod pack;
mod peak;
mod shared;
mod stack;
mod stream;
mod transpose;

pub(super) use ahead::Ahead;
pub(super) use block::{Block, Left, ROWS, Right, multiply_block};
pub use isa::Isa;
pub(super) use kernel::{Base, STRIP};
pub(super) use matrix::Matrix;
pub(super) use oracle::product;
pub use peak::fma_peak;
pub(super) use shared::Shared;
pub(super) use stack::Stack;
pub(super) use stream::{Part, stream, stream_workspace};
pub(super) use transpose::transpose;

use super::pool::Team;
use crate::base::Real;

/// Terms of a block of the sums: two strips of the right operand are then as large as a first-level cache.
pub(super) const DEPTH: usize = 256;

/// The most columns that one task computes.
const PANEL: usize = 8 * STRIP;

/// Up to so many rows of the output the right operand is read where it stands: too few to make packing it worth while.
const FEW_ROWS: usize = 2 * ROWS;

/// A product with fewer panels than these is also cut by rows, so that there is work for many threads.
const FEW_PANELS: usize = 8;

/// output = scale · left · right, plus `bias` in every row; the output is row-major.
pub(super) fn matmul<T: Real>(
    team: &Team,
    (left, right): (Matrix<T>, Matrix<T>),
    scale: T,
    bias: Option<&[T]>,
    output: &mut [T],
) {
    if let (Some(left), Some(right), Some(output)) = (left.as_f32(), right.as_f32(), T::as_f32_mut(output)) {
        let bias = bias.and_then(T::as_f32);
        multiply(team, (left, right), scale.to_f64() as f32, bias, output);
    } else {
        oracle::matmul(team, (left, right), scale, bias, output);
    }
}

fn multiply(team: &Team, (left, right): (Matrix<f32>, Matrix<f32>), scale: f32, bias: Option<&[f32]>, output: &mut [f32]) {
    let (rows, depth, columns) = (left.rows, left.columns, right.columns);
    assert_eq!(depth, right.rows, "inner extents of a product");
    assert_eq!(output.len(), rows * columns, "output of a product");
    assert!(bias.is_none_or(|bias| bias.len() == columns), "bias of a product");
    if depth == 0 {
        return output.chunks_exact_mut(columns.max(1)).for_each(|row| match bias {
            Some(bias) => row.copy_from_slice(bias),
            None => row.fill(0.0),
        });
    }
    let grid = grid(rows, columns);
    // SAFETY: no two tasks have a row and a column in common.
    let target = unsafe { Shared::new(output) };
    team.tasks(grid.tasks(), |task| {
        let part = grid.part(task);
        let bias = bias.map(|bias| &bias[part.columns.clone()]);
        // SAFETY: rows and columns are within the output, whose length was checked above, and this task's alone.
        unsafe { panel(team, (left, right), part, (scale, bias), &target) };
    });
}

/// How many columns of so many one task computes: few enough for work for many threads, and otherwise as many as may be, for the
/// longer its rows are the faster memory gives them.
fn panel_of(columns: usize) -> usize {
    if columns < FEW_PANELS * PANEL { PANEL / 2 } else { PANEL }
}

/// How a product of so many rows and columns is cut into tasks.
fn grid(rows: usize, columns: usize) -> Grid {
    let width = panel_of(columns);
    let (panels, tiles) = (columns.div_ceil(width), rows.div_ceil(ROWS));
    let groups = FEW_PANELS.div_ceil(panels.max(1)).min(tiles);
    let height = tiles.div_ceil(groups.max(1)) * ROWS;
    Grid { rows, columns, width, height, panels, groups: if height == 0 { 0 } else { rows.div_ceil(height) } }
}

/// Panels of columns, and groups of rows in each.
struct Grid {
    rows: usize,
    columns: usize,
    width: usize,
    height: usize,
    panels: usize,
    groups: usize,
}

impl Grid {
    fn tasks(&self) -> usize {
        self.panels * self.groups
    }

    fn part(&self, task: usize) -> Part {
        let (first, row) = (task % self.panels * self.width, task / self.panels * self.height);
        Part { rows: row..self.rows.min(row + self.height), columns: first..self.columns.min(first + self.width) }
    }
}

/// Computes a part of a product.
///
/// # Safety
/// The part lies within the matrix that `target` leads to, and nobody else reads or writes it meanwhile; the team's processor
/// has the instructions.
unsafe fn panel(
    team: &Team,
    (left, right): (Matrix<f32>, Matrix<f32>),
    Part { rows, columns }: Part,
    (scale, bias): (f32, Option<&[f32]>),
    target: &Shared,
) {
    let (depth, stride) = (right.rows, right.columns);
    let (first, columns) = (columns.start, columns.len());
    let strips = columns.div_ceil(STRIP);
    let in_place = rows.len() <= FEW_ROWS && right.column_stride == 1 && columns.is_multiple_of(STRIP);
    let mut packed = Stack::<{ DEPTH * PANEL }>::new();
    let packed = packed.zeros(if in_place { 0 } else { strips * STRIP * DEPTH.min(depth) });
    for k in (0..depth).step_by(DEPTH) {
        let length = DEPTH.min(depth - k);
        let ahead = &[pack::next(right, k + length, first)];
        let (right, right_layout) = if in_place {
            (right.data[k * right.row_stride + first..].as_ptr(), Right::rows(right.row_stride))
        } else {
            pack::right(team.isa(), right, k, first, &mut packed[..strips * STRIP * length], length);
            (packed.as_ptr(), Right::packed(STRIP * length))
        };
        let (left, left_layout) = left.operand(rows.clone(), k..k + length);
        let base = match bias {
            _ if k > 0 => Base::Output,
            Some(bias) => Base::Row(bias.as_ptr()),
            None => Base::Nothing,
        };
        let output = target.at(rows.start * stride + first, (rows.len() - 1) * stride + columns);
        let (rows, depth, output_stride) = (rows.len(), length, stride);
        let block =
            Block { rows, columns, depth, left, left_layout, right, right_layout, scale, base, output, output_stride, ahead };
        // SAFETY: `left` stands in its matrix, `right` has `length` rows of all strips (in place these are within the matrix,
        // since the columns fill them), the bias has `columns`, and the output is within the target, which the caller lends to
        // this call alone.
        unsafe { multiply_block(team.isa(), &block) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::Pool;
    use proptest::prelude::*;

    fn random_matrix(elements: usize, sample: u32) -> Vec<f32> {
        let mut random = Random::new(1, Purpose::Synthetic, 0, sample);
        (0..elements).map(|_| random.normal() as f32).collect()
    }

    /// The definition of the bits: one chain for each number and block.
    fn by_definition(a: Matrix<f32>, b: Matrix<f32>, scale: f32, bias: Option<&[f32]>) -> Vec<f32> {
        let mut output = vec![];
        for i in 0..a.rows {
            for j in 0..b.columns {
                let block = |k: usize| {
                    let terms = k..a.columns.min(k + DEPTH);
                    scale * terms.fold(0.0, |sum, l| a.at(i, l).mul_add(b.at(l, j), sum))
                };
                let first = if a.columns > 0 { block(0) } else { 0.0 };
                let first = bias.map_or(first, |bias| bias[j] + first);
                output.push((DEPTH..a.columns).step_by(DEPTH).fold(first, |sum, k| sum + block(k)));
            }
        }
        output
    }

    /// Both operands in both layouts, with and without a bias, by every set of instructions and several numbers of threads.
    fn check(m: usize, k: usize, n: usize) {
        let (a, b, bias) = (random_matrix(m * k, 0), random_matrix(k * n, 1), random_matrix(n, 2));
        let lefts = [Matrix::new(&a, m, k), Matrix::new(&a, k, m).transposed()];
        let rights = [Matrix::new(&b, k, n), Matrix::new(&b, n, k).transposed()];
        for (left, right) in lefts.into_iter().flat_map(|left| rights.map(|right| (left, right))) {
            for bias in [None, Some(&bias[..])] {
                let expected = by_definition(left, right, 0.7, bias);
                for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                    for threads in [1, 3] {
                        let mut output = vec![f32::NAN; m * n];
                        let pool = Pool::with_isa(threads, isa).unwrap();
                        pool.enter(|team| multiply(team, (left, right), 0.7, bias, &mut output));
                        assert!(output == expected, "{m} x {k} x {n}, {isa:?}, {threads} threads");
                    }
                }
            }
        }
    }

    #[test]
    fn every_layout_and_every_set_of_instructions_gives_the_bits_of_the_definition() {
        for (m, k, n) in
            [(1, 1, 1), (12, 256, 32), (13, 257, 33), (25, 600, 64), (100, 40, 10), (3, 0, 2), (40, 7, 300), (25, 40, 1030)]
        {
            check(m, k, n);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn random_extents_give_the_bits_of_the_definition(m in 1usize..60, k in 1usize..70, n in 1usize..80) {
            check(m, k, n);
        }
    }

    #[test]
    fn the_oracle_agrees() {
        let (m, k, n) = (37, 1000, 45);
        let (a, b) = (random_matrix(m * k, 0), random_matrix(k * n, 1));
        let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| f64::from(x)).collect() };
        let (wide_a, wide_b, mut exact) = (wide(&a), wide(&b), vec![0.0; m * n]);
        product(1.0, Matrix::new(&wide_a, m, k), Matrix::new(&wide_b, k, n), &mut exact);
        let mut output = vec![0.0; m * n];
        let operands = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
        Pool::alone(|team| multiply(team, operands, 1.0, None, &mut output));
        for (x, exact) in output.iter().zip(exact) {
            // Sums of 1000 terms of order 1, of size √1000 = 32, in blocks of 256: a rounding of 6e-8 of up to 32 each.
            assert!((f64::from(*x) - exact).abs() < 1e-4, "{x} instead of {exact}");
        }
    }
}
