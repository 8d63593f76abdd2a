//! Convolutions of 3 × 3 by the transforms of F(4 × 4, 3 × 3) or F(2 × 2, 3 × 3), which need a quarter or four ninths of the
//! products of the direct way.
//!
//! The images are cut into tiles. At each of the points of the transformed domain the tiles are a matrix, and the convolution
//! is one product for each point:
//!
//! ```text
//! forward, adjoint   M[p] = V[p] U[p]       [tiles, in] [in, out]
//! weight product     U[p] = V[p]ᵀ E[p]      [in, tiles] [tiles, out]
//! ```
//!
//! Tiles are handled in blocks, whose transforms stay in a cache; how they are cut depends on the extents alone.

mod blocks;
mod four;
mod transform;
mod two;

use crate::compute::gemm::{Base, Block, DEPTH, Left, Right, STRIP, Shared, multiply_block, transpose};
use crate::compute::pool::Team;

use super::Convolution;
use super::above::Above;
use crate::compute::compiled::compiled;
use blocks::{Blocks, Image, padded};
pub(super) use four::Four;
use transform::{LANES, Lanes, Transform};
pub(super) use two::Two;

/// Channels come in multiples of these, so that there are no edges.
const CHANNELS: usize = 2 * STRIP;

/// Columns that one task computes.
const PANEL: usize = CHANNELS;

/// Whether the transforms can be used.
pub(super) fn suits(c: Convolution) -> bool {
    c.size == 3 && c.inputs.is_multiple_of(CHANNELS) && c.outputs.is_multiple_of(CHANNELS)
}

/// How many numbers any of the three products needs to work with.
pub(super) fn workspace<F: Transform>(c: Convolution, samples: usize, threads: usize) -> usize {
    let kernel = F::POINTS * c.inputs * c.outputs;
    let convolutions = kernel + Blocks::<F>::of(c, samples).scratch(threads);
    let products = Blocks::<F>::of_product(c, samples);
    convolutions.max(products.parts() * (kernel + products.scratch(1)))
}

/// output = W input + b, or without b; `turned` for the kernel of the other direction, [3, 3, out, in], of which this is the
/// adjoint.
pub(super) fn convolve<F: Transform>(
    team: &Team,
    c: Convolution,
    (kernel, turned): (&[f32], bool),
    bias: Option<&[f32]>,
    input: &[f32],
    above: Above,
    workspace: &mut [f32],
) {
    let blocks = Blocks::<F>::of(c, input.len() / c.height / c.width / c.inputs);
    let (weights, scratch) = workspace.split_at_mut(F::POINTS * c.inputs * c.outputs);
    transform_weights::<F>(team, c, (kernel, turned), weights);
    let weights = &*weights;
    // SAFETY: the pixels and windows of a tile are those of no other, and every tile is in one block.
    let image = unsafe {
        match above {
            Above::Image(output) => Image::Pixels(Shared::new(output)),
            Above::Pooled(output, routing) => Image::Windows(Shared::new(output), Shared::new(routing)),
        }
    };
    blocks.each(team, scratch, |team, tiles, scratch| {
        let (v, m) = scratch.split_at_mut(F::POINTS * tiles.len() * padded(c.inputs));
        blocks.below(team, c.inputs, input, tiles.clone(), v);
        multiply::<F>(team, c, tiles.len(), v, weights, m);
        blocks.to_image(team, c.outputs, bias, tiles, m, &image);
    });
}

/// U[p][strip][in][STRIP] = G g Gᵀ of every pair of channels.
fn transform_weights<F: Transform>(team: &Team, c: Convolution, (kernel, turned): (&[f32], bool), weights: &mut [f32]) {
    let (strips, chunks) = (c.outputs / STRIP, c.inputs / LANES);
    // SAFETY: the channels of a task are those of no other.
    let weights = unsafe { Shared::new(weights) };
    team.tasks(strips * chunks, |task| {
        let (strip, first) = (task / chunks, task % chunks * LANES);
        let mut taken = [0.0; TAKEN];
        take(c, (kernel, turned), (strip * STRIP, first), &mut taken);
        kernel_channels::<F>(team.isa(), &taken, &weights, (strip * c.inputs + first) * STRIP, c.inputs * c.outputs);
    });
}

/// The weights of so many channels below and above, [9][LANES][STRIP].
const TAKEN: usize = 9 * LANES * STRIP;

/// taken[tap][row][column]: the weights of the channels from these above and below, as the convolution in this direction sees
/// them.
fn take(c: Convolution, (kernel, turned): (&[f32], bool), (above, below): (usize, usize), taken: &mut [f32; TAKEN]) {
    let plane = c.inputs * c.outputs;
    for (tap, taken) in taken.chunks_exact_mut(LANES * STRIP).enumerate() {
        if turned {
            let plane = &kernel[(8 - tap) * plane..][..plane];
            transpose(STRIP, |column| &plane[(above + column) * c.inputs + below..][..LANES], taken, STRIP);
        } else {
            let plane = &kernel[tap * plane..][..plane];
            for (row, taken) in taken.chunks_exact_mut(STRIP).enumerate() {
                taken.copy_from_slice(&plane[(below + row) * c.outputs + above..][..STRIP]);
            }
        }
    }
}

compiled! {
    fn kernel_channels<F: Transform>(taken: &[f32; TAKEN], weights: &Shared, place: usize, plane: usize) {
        for lanes in (0..LANES * STRIP).step_by(LANES) {
            let load = |i: usize, j: usize| Lanes::load(&taken[(3 * i + j) * LANES * STRIP + lanes..]);
            F::kernel(load, |i, j, numbers| numbers.write(weights, (i * F::BELOW + j) * plane + place + lanes));
        }
    }

    fn sums_of_row<F: Transform>(sums: &[f32], scale: f32, kernel: &Shared, place: usize, plane: usize, outputs: usize) {
        for column in (0..outputs).step_by(LANES) {
            let load = |i: usize, j: usize| Lanes::load(&sums[(i * F::BELOW + j) * plane + place + column..]);
            F::to_kernel(load, |i, j, lanes| (scale * lanes).write(kernel, (3 * i + j) * plane + place + column));
        }
    }
}

/// M[p] = V[p] U[p]
fn multiply<F: Transform>(team: &Team, c: Convolution, tiles: usize, v: &[f32], weights: &[f32], m: &mut [f32]) {
    let (below, above, panels) = (padded(c.inputs), padded(c.outputs), c.outputs / PANEL);
    // SAFETY: a task writes the columns of its panel at its point.
    let m = unsafe { Shared::new(m) };
    team.tasks(F::POINTS * panels, |task| {
        let (point, panel) = (task / panels, task % panels);
        let weights = &weights[task * c.inputs * PANEL..][..c.inputs * PANEL];
        let v = &v[point * tiles * below..][..tiles * below];
        let m = m.at(point * tiles * above + panel * PANEL, (tiles - 1) * above + PANEL);
        for k in (0..c.inputs).step_by(DEPTH) {
            let block = Block {
                rows: tiles,
                columns: PANEL,
                depth: DEPTH.min(c.inputs - k),
                left: v[k..].as_ptr(),
                left_layout: Left::Rows(below),
                right: weights[k * STRIP..].as_ptr(),
                right_layout: Right::packed(c.inputs * STRIP),
                scale: 1.0,
                base: if k == 0 { Base::Nothing } else { Base::Output },
                output: m,
                output_stride: above,
                ahead: &[],
            };
            // SAFETY: the slices have the numbers that their layouts reach, and the output is this task's; a team has the
            // instructions.
            unsafe { multiply_block(team.isa(), &block) };
        }
    });
}

/// kernel = scale · Σ over all pixels of the difference times the patch below it.
pub(super) fn weight_product<F: Transform>(
    team: &Team,
    c: Convolution,
    (mean, difference): (&[f32], &[f32]),
    scale: f32,
    kernel: &mut [f32],
    workspace: &mut [f32],
) {
    let blocks = Blocks::<F>::of_product(c, mean.len() / c.height / c.width / c.inputs);
    let plane = c.inputs * c.outputs;
    let (sums, scratch) = workspace.split_at_mut(blocks.parts() * F::POINTS * plane);
    blocks.each_part(team, (sums, F::POINTS * plane), scratch, |team, tiles, first, sums, scratch| {
        let (v, e) = scratch.split_at_mut(F::POINTS * tiles.len() * padded(c.inputs));
        blocks.below(team, c.inputs, mean, tiles.clone(), v);
        blocks.above(team, c.outputs, difference, tiles.clone(), e);
        add_products::<F>(team, c, (tiles.len(), first), v, e, sums);
    });
    let (first, others) = sums.split_at_mut(F::POINTS * plane);
    team.pieces(first, LANES * LANES, |start, sum| {
        for other in others.chunks_exact(F::POINTS * plane) {
            sum.iter_mut().zip(&other[start..]).for_each(|(sum, x)| *sum += x);
        }
    });
    // SAFETY: a task writes the channels of its row.
    let (sums, kernel) = (&*first, unsafe { Shared::new(kernel) });
    team.tasks(c.inputs, |row| sums_of_row::<F>(team.isa(), sums, scale, &kernel, row * c.outputs, plane, c.outputs));
}

/// U[p] += V[p]ᵀ E[p], or U[p] = V[p]ᵀ E[p] for the first tiles.
fn add_products<F: Transform>(
    team: &Team,
    c: Convolution,
    (tiles, first): (usize, bool),
    v: &[f32],
    e: &[f32],
    sums: &mut [f32],
) {
    let (below, above, panels) = (padded(c.inputs), padded(c.outputs), c.outputs / PANEL);
    // SAFETY: a task writes the columns of its panel at its point.
    let sums = unsafe { Shared::new(sums) };
    team.tasks(F::POINTS * panels, |task| {
        let (point, panel) = (task / panels, task % panels);
        let right = &e[point * tiles * above + panel * PANEL..][..(tiles - 1) * above + PANEL];
        let left = &v[point * tiles * below..][..tiles * below];
        let block = Block {
            rows: c.inputs,
            columns: PANEL,
            depth: tiles,
            left: left.as_ptr(),
            left_layout: Left::Columns(below),
            right: right.as_ptr(),
            right_layout: Right::rows(above),
            scale: 1.0,
            base: if first { Base::Nothing } else { Base::Output },
            output: sums.at(point * c.inputs * c.outputs + panel * PANEL, (c.inputs - 1) * c.outputs + PANEL),
            output_stride: c.outputs,
            ahead: &[],
        };
        // SAFETY: as in `multiply`.
        unsafe { multiply_block(team.isa(), &block) };
    });
}
