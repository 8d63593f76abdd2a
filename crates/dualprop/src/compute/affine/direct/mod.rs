//! Convolutions of f32 without transforms: of few channels, small images, any odd kernel.
//!
//! The pixels above are the rows of a product whose terms are the channels below at every place of the kernel; places that
//! see nothing but the border of the image are left out where whole tiles of rows agree on them: the rows of a small image
//! are the same pixel of many samples.

mod patches;
mod product;

use crate::compute::gemm::kernel::{Base, COLUMNS, Left, Operands, ROWS};
use crate::compute::gemm::{DEPTH, Shared, Stack, tile_of, transpose};
use crate::compute::pool::Team;

use super::Convolution;
use patches::{Pixels, Taps};
pub(super) use product::weight_product;

/// Rows that one task computes.
const TASK: usize = 8 * ROWS;

/// Pixels of an image that count as few: the rows are then samples.
const FEW_PIXELS: usize = 16;

/// Room for a block of the left operand of a task.
type Block = Stack<{ TASK * DEPTH }>;

/// How many numbers any of the three products needs to work with.
pub(super) fn workspace(c: Convolution) -> usize {
    let panels = |channels: usize| channels.div_ceil(COLUMNS) * COLUMNS;
    let kernels = c.size * c.size * (c.inputs * panels(c.outputs)).max(c.outputs * panels(c.inputs));
    kernels.max(product::parts(c) * c.patch() * c.outputs)
}

/// output = W input + b, or without b; `turned` for the kernel of the other direction, [k, k, out, in], of which this is the
/// adjoint.
pub(super) fn convolve(
    team: &Team,
    c: Convolution,
    (kernel, turned): (&[f32], bool),
    bias: Option<&[f32]>,
    (input, output): (&[f32], &mut [f32]),
    workspace: &mut [f32],
) {
    let panels = c.outputs.div_ceil(COLUMNS);
    let weights = &mut workspace[..panels * c.patch() * COLUMNS];
    pack(team, c, (kernel, turned), weights);
    let (weights, samples) = (&*weights, output.len() / (c.pixels() * c.outputs));
    // SAFETY: every pixel is in one task.
    let output = unsafe { Shared::new(output) };
    let few = c.pixels() <= FEW_PIXELS && !c.is_thin();
    let (positions, rows, step) = if few { (c.pixels(), samples, c.pixels()) } else { (1, samples * c.pixels(), 1) };
    team.tasks(positions * rows.div_ceil(TASK), |task| {
        let (position, first) = (task % positions, task / positions * TASK);
        let pixels = Pixels { first: first * step + position, step, count: TASK.min(rows - first) };
        let taps = if few { c.seen_from(position) } else { Taps::all(c) };
        // SAFETY: every pixel is in one task.
        unsafe { c.task(team, (pixels, taps), weights, bias, input, &output) };
    });
}

/// weights[panel][tap · in][COLUMNS], as the convolution in this direction sees them; channels that there are not are 0.
fn pack(team: &Team, c: Convolution, (kernel, turned): (&[f32], bool), weights: &mut [f32]) {
    let (taps, plane) = (c.size * c.size, c.inputs * c.outputs);
    team.pieces(weights, c.patch() * COLUMNS, |start, panel| {
        let first = start / c.patch();
        let columns = COLUMNS.min(c.outputs - first);
        panel.fill(0.0);
        for (tap, panel) in panel.chunks_exact_mut(c.inputs * COLUMNS).enumerate() {
            if turned {
                let plane = &kernel[(taps - 1 - tap) * plane..][..plane];
                transpose(columns, |column| &plane[(first + column) * c.inputs..][..c.inputs], panel, COLUMNS);
            } else {
                let rows = kernel[tap * plane..][..plane].chunks_exact(c.outputs);
                panel.chunks_exact_mut(COLUMNS).zip(rows).for_each(|(to, from)| {
                    to[..columns].copy_from_slice(&from[first..first + columns]);
                });
            }
        }
    });
}

impl Convolution {
    /// Computes the numbers above of these pixels.
    ///
    /// # Safety
    /// Nobody else reads or writes them meanwhile.
    unsafe fn task(
        self,
        team: &Team,
        (pixels, taps): (Pixels, Taps),
        weights: &[f32],
        bias: Option<&[f32]>,
        input: &[f32],
        output: &Shared,
    ) {
        let mut block = Block::new();
        if self.is_thin() && self.patch() <= DEPTH {
            let block = block.zeros(pixels.count * self.patch());
            self.patches(input, pixels, block);
            for (panel, weights) in weights.chunks_exact(self.patch() * COLUMNS).enumerate() {
                for row in (0..pixels.count).step_by(ROWS) {
                    let part = pixels.part(row);
                    let left = (&block[row * self.patch()..][..part.count * self.patch()], Left::Rows(self.patch()));
                    // SAFETY: the caller's guarantee.
                    unsafe { self.add_tile(team, part, (left, weights), (panel, false, bias), output) };
                }
            }
            return;
        }
        let (block, mut begun) = (block.zeros(pixels.count * DEPTH.min(self.patch())), false);
        for run in taps.runs(self.size) {
            let terms = run.start * self.inputs..run.end * self.inputs;
            for k in terms.clone().step_by(DEPTH) {
                let depth = DEPTH.min(terms.end - k);
                for row in (0..pixels.count).step_by(ROWS) {
                    let part = pixels.part(row);
                    self.gather_terms(input, part, k..k + depth, &mut block[row * depth..][..part.count * depth]);
                }
                for (panel, weights) in weights.chunks_exact(self.patch() * COLUMNS).enumerate() {
                    let right = &weights[k * COLUMNS..][..depth * COLUMNS];
                    for row in (0..pixels.count).step_by(ROWS) {
                        let part = pixels.part(row);
                        let left = (&block[row * depth..][..part.count * depth], Left::Columns(part.count));
                        let bias = bias.filter(|_| !begun);
                        // SAFETY: the caller's guarantee.
                        unsafe { self.add_tile(team, part, (left, right), (panel, begun, bias), output) };
                    }
                }
                begun = true;
            }
        }
    }

    /// Adds a block of terms to the numbers above of these pixels and this panel; the first block overwrites them.
    ///
    /// # Safety
    /// Nobody else reads or writes them meanwhile.
    unsafe fn add_tile(
        self,
        team: &Team,
        pixels: Pixels,
        (left, right): ((&[f32], Left), &[f32]),
        (panel, begun, bias): (usize, bool, Option<&[f32]>),
        output: &Shared,
    ) {
        let first = panel * COLUMNS;
        let columns = COLUMNS.min(self.outputs - first);
        let (stride, (left, left_layout)) = (pixels.step * self.outputs, left);
        let operands = Operands {
            rows: pixels.count,
            depth: right.len() / COLUMNS,
            left: left.as_ptr(),
            left_layout,
            right: right.as_ptr(),
            right_stride: COLUMNS,
            scale: 1.0,
            base: match bias {
                _ if begun => Base::Tile,
                Some(bias) => Base::Row(bias[first..first + columns].as_ptr()),
                None => Base::Nothing,
            },
            tile: output.at(pixels.first * self.outputs + first, (pixels.count - 1) * stride + columns),
            tile_stride: stride,
        };
        // SAFETY: `left` and `right` have as many numbers as their layouts reach, the tile is that of these pixels, which the
        // caller lends to this call; a team has the instructions.
        unsafe { tile_of(team.isa(), columns, operands) };
    }
}
