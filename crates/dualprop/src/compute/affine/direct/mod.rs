//! Convolutions of f32 without transforms: of few channels, small images, any odd kernel.
//!
//! The pixels above are the rows of a product whose terms are the channels below at every place of the kernel; places that
//! see nothing but the border of the image are left out where whole tiles of rows agree on them: the rows of a small image
//! are the same pixel of many samples.

mod patches;
mod product;

use std::ops::Range;

use crate::compute::gemm::{Base, Block, DEPTH, Left, ROWS, Right, STRIP, Shared, Stack, multiply_block, transpose};
use crate::compute::pool::Team;
use crate::compute::pooling::{Pooling, forward_row};

use super::Convolution;
use super::above::Above;
use patches::{Pixels, Taps};
pub(super) use product::weight_product;

/// Rows that one task computes.
const TASK: usize = 8 * ROWS;

/// Room for the left operand of a block of a task.
type Room = Stack<{ TASK * DEPTH }>;

/// How many numbers any of the three products needs to work with.
pub(super) fn workspace(c: Convolution) -> usize {
    let whole = |channels: usize| channels.next_multiple_of(STRIP);
    let kernels = c.size * c.size * (c.inputs * whole(c.outputs)).max(c.outputs * whole(c.inputs));
    kernels.max(product::parts(c) * c.patch() * c.outputs)
}

/// Numbers of two rows of an image up to which they are pooled while they are computed.
const BAND: usize = 1 << 15;

/// Whether an image above can be pooled while it is computed.
pub(super) fn pools(c: Convolution) -> bool {
    !c.is_of_few_pixels() && 2 * c.width * c.outputs <= BAND
}

/// output = W input + b, or without b; `turned` for the kernel of the other direction, [k, k, out, in], of which this is the
/// adjoint.
pub(super) fn convolve(
    team: &Team,
    c: Convolution,
    (kernel, turned): (&[f32], bool),
    bias: Option<&[f32]>,
    input: &[f32],
    above: Above,
    workspace: &mut [f32],
) {
    let weights = &mut workspace[..c.outputs.next_multiple_of(STRIP) * c.patch()];
    pack(team, c, (kernel, turned), weights);
    let (weights, samples) = (&*weights, input.len() / (c.pixels() * c.inputs));
    let output = match above {
        Above::Image(output) => output,
        Above::Pooled(output, routing) => return pooled(team, c, (weights, bias), input, (output, routing)),
    };
    // SAFETY: every pixel is in one task.
    let output = unsafe { Shared::new(output) };
    let few = c.is_of_few_pixels();
    let (positions, rows, step) = if few { (c.pixels(), samples, c.pixels()) } else { (1, samples * c.pixels(), 1) };
    team.tasks(positions * rows.div_ceil(TASK), |task| {
        let (position, first) = (task % positions, task / positions * TASK);
        let pixels = Pixels { first: first * step + position, step, count: TASK.min(rows - first) };
        let taps = if few { c.seen_from(position) } else { Taps::all(c) };
        // SAFETY: every pixel is in one task.
        unsafe { c.task(team, (pixels, taps), weights, bias, input, (0, &output)) };
    });
}

/// The same for an image that is pooled: two rows at a time, which stay in a cache.
fn pooled(team: &Team, c: Convolution, (weights, bias): (&[f32], Option<&[f32]>), input: &[f32], above: (&mut [f32], &mut [u8])) {
    let pooling = Pooling { height: c.height, width: c.width, channels: c.outputs };
    let (rows, (before, after)) = (c.height / 2, pooling.rows());
    if after == 0 {
        return;
    }
    team.zipped((above.0, after), (above.1, after), |row, output, routing| {
        let first = (row / rows * c.height + row % rows * 2) * c.width;
        let mut band = Stack::<BAND>::new();
        let band = band.zeros(before);
        // SAFETY: the band is this task's.
        let image = unsafe { Shared::new(band) };
        for start in (0..2 * c.width).step_by(TASK) {
            let pixels = Pixels { first: first + start, step: 1, count: TASK.min(2 * c.width - start) };
            // SAFETY: the same.
            unsafe { c.task(team, (pixels, Taps::all(c)), weights, bias, input, (first, &image)) };
        }
        forward_row(team.isa(), pooling, band, output, routing);
    });
}

/// weights[strip][tap · in][STRIP], as the convolution in this direction sees them; channels that there are not are 0.
fn pack(team: &Team, c: Convolution, (kernel, turned): (&[f32], bool), weights: &mut [f32]) {
    let (taps, plane) = (c.size * c.size, c.inputs * c.outputs);
    team.pieces(weights, c.patch() * STRIP, |start, strip| {
        let first = start / c.patch();
        let columns = STRIP.min(c.outputs - first);
        strip.fill(0.0);
        for (tap, strip) in strip.chunks_exact_mut(c.inputs * STRIP).enumerate() {
            if turned {
                let plane = &kernel[(taps - 1 - tap) * plane..][..plane];
                transpose(columns, |column| &plane[(first + column) * c.inputs..][..c.inputs], strip, STRIP);
            } else {
                let rows = kernel[tap * plane..][..plane].chunks_exact(c.outputs);
                strip.chunks_exact_mut(STRIP).zip(rows).for_each(|(to, from)| {
                    to[..columns].copy_from_slice(&from[first..first + columns]);
                });
            }
        }
    });
}

impl Convolution {
    /// Computes the numbers above of these pixels; the output begins with pixel `origin`.
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
        (origin, output): (usize, &Shared),
    ) {
        let above = pixels.first - origin;
        let mut room = Room::new();
        if self.is_thin() && self.patch() <= DEPTH {
            let left = room.zeros(pixels.count * self.patch());
            self.patches(input, pixels, left);
            // SAFETY: the caller's guarantee.
            unsafe {
                self.add_block(
                    team,
                    (pixels, above),
                    (left, Left::Rows(self.patch())),
                    (weights, 0..self.patch()),
                    (false, bias),
                    output,
                )
            };
            return;
        }
        let (left, mut begun) = (room.zeros(pixels.count * DEPTH.min(self.patch())), false);
        for run in taps.runs(self.size) {
            let terms = run.start * self.inputs..run.end * self.inputs;
            for k in terms.clone().step_by(DEPTH) {
                let depth = DEPTH.min(terms.end - k);
                for row in (0..pixels.count).step_by(ROWS) {
                    let part = pixels.part(row);
                    self.gather_terms(input, part, k..k + depth, &mut left[row * depth..][..part.count * depth]);
                }
                let left = (&left[..pixels.count * depth], Left::Tiles);
                // SAFETY: the caller's guarantee.
                unsafe { self.add_block(team, (pixels, above), left, (weights, k..k + depth), (begun, bias), output) };
                begun = true;
            }
        }
    }

    /// Adds a block of terms to the numbers above of these pixels, which begin with pixel `above` of the output; the first block
    /// overwrites them.
    ///
    /// # Safety
    /// Nobody else reads or writes them meanwhile.
    unsafe fn add_block(
        self,
        team: &Team,
        (pixels, above): (Pixels, usize),
        (left, left_layout): (&[f32], Left),
        (weights, terms): (&[f32], Range<usize>),
        (begun, bias): (bool, Option<&[f32]>),
        output: &Shared,
    ) {
        let output_stride = pixels.step * self.outputs;
        let block = Block {
            rows: pixels.count,
            columns: self.outputs,
            depth: terms.len(),
            left: left.as_ptr(),
            left_layout,
            right: weights[terms.start * STRIP..].as_ptr(),
            right_layout: Right::packed(self.patch() * STRIP),
            scale: 1.0,
            base: match bias {
                _ if begun => Base::Output,
                Some(bias) => Base::Row(bias.as_ptr()),
                None => Base::Nothing,
            },
            output: output.at(above * self.outputs, (pixels.count - 1) * output_stride + self.outputs),
            output_stride,
            ahead: &[],
        };
        // SAFETY: `left` has all pixels and terms, `weights` every strip of all terms, the bias all channels, and the output is
        // that of these pixels, which the caller lends to this call; a team has the instructions.
        unsafe { multiply_block(team.isa(), &block) };
    }
}
