//! Convolutions of 3 × 3 by the transforms of F(4 × 4, 3 × 3), which need a quarter of the products of the direct way.
//!
//! The images are cut into tiles of 4 × 4 pixels. At each of the 36 points of the transformed domain the tiles are a matrix,
//! and the convolution is one product for each point:
//!
//! ```text
//! forward, adjoint   M[p] = V[p] U[p]       [tiles, in] [in, out]
//! weight product     U[p] = V[p]ᵀ E[p]      [in, tiles] [tiles, out]
//! ```
//!
//! Tiles are handled in blocks, whose transforms stay in a cache; how they are cut depends on the extents alone.

mod blocks;
mod transform;

use crate::compute::gemm::kernel::{Base, COLUMNS, Left, Operands, ROWS, tile};
use crate::compute::gemm::{DEPTH, Shared, transpose};
use crate::compute::pool::Team;

use super::Convolution;
use blocks::{Blocks, padded};
use transform::{LANES, Lanes, POINTS, inverse_kernel, transform_kernel};

/// Whether the transforms are used: the table of algorithms. Small images would be mostly border; channels must fill whole
/// vectors and tiles.
pub(super) fn suits(c: Convolution) -> bool {
    c.size == 3 && c.height >= 4 && c.width >= 4 && c.inputs.is_multiple_of(COLUMNS) && c.outputs.is_multiple_of(COLUMNS)
}

/// How many numbers any of the three products needs to work with.
pub(super) fn workspace(c: Convolution, samples: usize, threads: usize) -> usize {
    let kernel = POINTS * c.inputs * c.outputs;
    let convolutions = kernel + Blocks::of(c, samples).scratch(threads);
    let products = Blocks::of_product(c, samples);
    convolutions.max(products.parts() * (kernel + products.scratch(1)))
}

/// output = W input + b, or without b; `turned` for the kernel of the other direction, [3, 3, out, in], of which this is the
/// adjoint.
pub(super) fn convolve(
    team: &Team,
    c: Convolution,
    (kernel, turned): (&[f32], bool),
    bias: Option<&[f32]>,
    (input, output): (&[f32], &mut [f32]),
    workspace: &mut [f32],
) {
    let blocks = Blocks::of(c, input.len() / c.height / c.width / c.inputs);
    let (weights, scratch) = workspace.split_at_mut(POINTS * c.inputs * c.outputs);
    transform_weights(team, c, (kernel, turned), weights);
    let (weights, output) = (&*weights, Shared::new(output));
    blocks.each(team, scratch, |team, tiles, scratch| {
        let (v, m) = scratch.split_at_mut(POINTS * tiles.len() * padded(c.inputs));
        blocks.below(team, c.inputs, input, tiles.clone(), v);
        multiply(team, c, tiles.len(), v, weights, m);
        // SAFETY: the pixels of a tile are those of no other, and every tile is in one block.
        unsafe { blocks.to_pixels(team, c.outputs, bias, tiles, m, &output) };
    });
}

/// U[p][panel][in][COLUMNS] = G g Gᵀ of every pair of channels.
fn transform_weights(team: &Team, c: Convolution, (kernel, turned): (&[f32], bool), weights: &mut [f32]) {
    let (panels, chunks) = (c.outputs / COLUMNS, c.inputs / LANES);
    let (plane, weights) = (c.inputs * c.outputs, Shared::new(weights));
    team.tasks(panels * chunks, |task| {
        let (panel, first) = (task / chunks, task % chunks * LANES);
        team.compiled(|| {
            // The weights of these channels, [9][LANES][COLUMNS], as the convolution in this direction sees them.
            let mut taken = [0.0f32; 9 * LANES * COLUMNS];
            for (tap, taken) in taken.chunks_exact_mut(LANES * COLUMNS).enumerate() {
                if turned {
                    let plane = &kernel[(8 - tap) * plane..][..plane];
                    let row = |column: usize| &plane[(panel * COLUMNS + column) * c.inputs + first..][..LANES];
                    transpose(COLUMNS, row, taken, COLUMNS);
                } else {
                    let plane = &kernel[tap * plane..][..plane];
                    for (row, taken) in taken.chunks_exact_mut(COLUMNS).enumerate() {
                        taken.copy_from_slice(&plane[(first + row) * c.outputs + panel * COLUMNS..][..COLUMNS]);
                    }
                }
            }
            for (row, half) in (0..LANES).flat_map(|row| [(row, 0), (row, LANES)]) {
                let load = |i: usize, j: usize| Lanes::load(&taken[((3 * i + j) * LANES + row) * COLUMNS + half..]);
                let place = (panel * c.inputs + first + row) * COLUMNS + half;
                // SAFETY: these channels are those of no other task, and point < POINTS.
                transform_kernel(load, |point, lanes| unsafe { lanes.write(&weights, point * plane + place) });
            }
        });
    });
}

/// M[p] = V[p] U[p]
fn multiply(team: &Team, c: Convolution, tiles: usize, v: &[f32], weights: &[f32], m: &mut [f32]) {
    let (below, above, panels) = (padded(c.inputs), padded(c.outputs), c.outputs / COLUMNS);
    let m = Shared::new(m);
    team.tasks(POINTS * panels, |task| {
        let (point, panel) = (task / panels, task % panels);
        for k in (0..c.inputs).step_by(DEPTH) {
            let depth = DEPTH.min(c.inputs - k);
            let right = &weights[(task * c.inputs + k) * COLUMNS..][..depth * COLUMNS];
            for row in (0..tiles).step_by(ROWS) {
                let rows = ROWS.min(tiles - row);
                let left = &v[(point * tiles + row) * below + k..][..(rows - 1) * below + depth];
                let place = (point * tiles + row) * above + panel * COLUMNS;
                let operands = Operands {
                    rows,
                    depth,
                    left: left.as_ptr(),
                    left_layout: Left::Rows(below),
                    right: right.as_ptr(),
                    right_stride: COLUMNS,
                    scale: 1.0,
                    base: if k == 0 { Base::Nothing } else { Base::Tile },
                    tile: m.at(place, (rows - 1) * above + COLUMNS),
                    tile_stride: above,
                };
                // SAFETY: the slices have the numbers that their layouts reach; a task writes the columns of its panel at its
                // point, which are those of no other; a team has the instructions.
                unsafe { tile(team.isa(), operands) };
            }
        }
    });
}

/// kernel = scale · Σ over all pixels of the difference times the patch below it.
pub(super) fn weight_product(
    team: &Team,
    c: Convolution,
    (mean, difference): (&[f32], &[f32]),
    scale: f32,
    kernel: &mut [f32],
    workspace: &mut [f32],
) {
    let blocks = Blocks::of_product(c, mean.len() / c.height / c.width / c.inputs);
    let plane = c.inputs * c.outputs;
    let (sums, scratch) = workspace.split_at_mut(blocks.parts() * POINTS * plane);
    blocks.each_part(team, (sums, POINTS * plane), scratch, |team, tiles, first, sums, scratch| {
        let (v, e) = scratch.split_at_mut(POINTS * tiles.len() * padded(c.inputs));
        blocks.below(team, c.inputs, mean, tiles.clone(), v);
        blocks.above(team, c.outputs, difference, tiles.clone(), e);
        add_products(team, c, (tiles.len(), first), v, e, sums);
    });
    let (first, others) = sums.split_at_mut(POINTS * plane);
    team.pieces(first, LANES * LANES, |start, sum| {
        for other in others.chunks_exact(POINTS * plane) {
            sum.iter_mut().zip(&other[start..]).for_each(|(sum, x)| *sum += x);
        }
    });
    let (sums, kernel) = (&*first, Shared::new(kernel));
    team.tasks(c.inputs, |row| {
        team.compiled(|| {
            for column in (0..c.outputs).step_by(LANES) {
                let place = row * c.outputs + column;
                let load = |point: usize| Lanes::load(&sums[point * plane + place..]);
                // SAFETY: these channels are those of no other task, and 3i + j < 9.
                inverse_kernel(load, |i, j, lanes| unsafe { (scale * lanes).write(&kernel, (3 * i + j) * plane + place) });
            }
        });
    });
}

/// U[p] += V[p]ᵀ E[p], or U[p] = V[p]ᵀ E[p] for the first tiles.
fn add_products(team: &Team, c: Convolution, (tiles, first): (usize, bool), v: &[f32], e: &[f32], sums: &mut [f32]) {
    let (below, above, panels) = (padded(c.inputs), padded(c.outputs), c.outputs / COLUMNS);
    let sums = Shared::new(sums);
    team.tasks(POINTS * panels, |task| {
        let (point, panel) = (task / panels, task % panels);
        let right = &e[point * tiles * above + panel * COLUMNS..][..(tiles - 1) * above + COLUMNS];
        for row in (0..c.inputs).step_by(ROWS) {
            let rows = ROWS.min(c.inputs - row);
            let left = &v[point * tiles * below + row..][..(tiles - 1) * below + rows];
            let place = (point * c.inputs + row) * c.outputs + panel * COLUMNS;
            let operands = Operands {
                rows,
                depth: tiles,
                left: left.as_ptr(),
                left_layout: Left::Columns(below),
                right: right.as_ptr(),
                right_stride: above,
                scale: 1.0,
                base: if first { Base::Nothing } else { Base::Tile },
                tile: sums.at(place, (rows - 1) * c.outputs + COLUMNS),
                tile_stride: c.outputs,
            };
            // SAFETY: as in `multiply`.
            unsafe { tile(team.isa(), operands) };
        }
    });
}
