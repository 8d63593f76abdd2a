//! The weight product of a direct convolution: at every place of the kernel the product of what it sees below with the
//! differences above.

use std::ops::Range;

use crate::compute::affine::Convolution;
use crate::compute::gemm::{Base, Block, DEPTH, Left, Right, STRIP, Stack, multiply_block};
use crate::compute::pool::Team;

use super::patches::Pixels;
use super::{Room, TASK};

/// Numbers of a kernel up to which its weight product is a sum over parts of the batch.
const SMALL_KERNEL: usize = 1 << 16;

/// Parts of a batch with sums of their own.
const PARTS: usize = 8;

/// Sums over parts of the batch that there are.
pub(super) fn parts(c: Convolution) -> usize {
    if c.patch() * c.outputs <= SMALL_KERNEL { PARTS } else { 1 }
}

/// kernel = scale · Σ over all pixels of the difference times the patch below it.
pub(in crate::compute::affine) fn weight_product(
    team: &Team,
    c: Convolution,
    (mean, difference): (&[f32], &[f32]),
    scale: f32,
    kernel: &mut [f32],
    workspace: &mut [f32],
) {
    let samples = mean.len() / (c.pixels() * c.inputs);
    let (taps, plane) = (c.size * c.size, c.inputs * c.outputs);
    if parts(c) == 1 {
        team.pieces(kernel, plane, |start, sum| {
            sum.fill(0.0);
            add_products(team, c, start / plane, (mean, difference), 0..samples, sum);
            sum.iter_mut().for_each(|x| *x *= scale);
        });
        return;
    }
    let (size, sums) = (samples.div_ceil(PARTS), &mut workspace[..PARTS * taps * plane]);
    team.pieces(sums, taps * plane, |start, sums| {
        let part = start / (taps * plane);
        sums.fill(0.0);
        for sample in part * size..samples.min((part + 1) * size) {
            if c.is_thin() && c.patch() <= TASK {
                add_patches(team, c, (mean, difference), sample, sums);
                continue;
            }
            for (tap, sum) in sums.chunks_exact_mut(plane).enumerate() {
                add_products(team, c, tap, (mean, difference), sample..sample + 1, sum);
            }
        }
    });
    kernel.fill(0.0);
    for part in sums.chunks_exact(taps * plane) {
        kernel.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    kernel.iter_mut().for_each(|sum| *sum *= scale);
}

/// sums[tap · in][out] += Σ over the pixels of a sample of the difference times the patch below it.
fn add_patches(team: &Team, c: Convolution, (mean, difference): (&[f32], &[f32]), sample: usize, sums: &mut [f32]) {
    let mut room = Room::new();
    let patches = room.zeros(DEPTH.min(c.pixels()) * c.patch());
    let first = sample * c.pixels();
    for pixel in (first..first + c.pixels()).step_by(DEPTH) {
        let count = DEPTH.min(first + c.pixels() - pixel);
        c.patches(mean, Pixels { first: pixel, step: 1, count }, &mut patches[..count * c.patch()]);
        let right = &difference[pixel * c.outputs..][..count * c.outputs];
        add_outer(team, (c.patch(), c.outputs, count), (&*patches, c.patch()), (right, c.outputs), sums);
    }
}

/// sum[in][out] += Σ over the pixels of these samples of the difference times what this place of the kernel sees below it.
fn add_products(
    team: &Team,
    c: Convolution,
    tap: usize,
    (mean, difference): (&[f32], &[f32]),
    samples: Range<usize>,
    sum: &mut [f32],
) {
    let reach = c.size / 2;
    // The pixels above from which the place sees the image, of a line of so many.
    let above = |extent: usize, place: usize| reach.saturating_sub(place)..extent.min((extent + reach).saturating_sub(place));
    let (rows, columns) = (above(c.height, tap / c.size), above(c.width, tap % c.size));
    if rows.is_empty() || columns.is_empty() {
        return;
    }
    let below = |sample: usize, y: usize, x: usize| {
        ((sample * c.height + y + tap / c.size - reach) * c.width + x + tap % c.size - reach) * c.inputs
    };
    let place = |sample: usize, y: usize, x: usize| ((sample * c.height + y) * c.width + x) * c.outputs;
    let mut add = |left: &[f32], right: &[f32], step: usize, depth: usize| {
        add_outer(team, (c.inputs, c.outputs, depth), (left, step * c.inputs), (right, step * c.outputs), sum);
    };
    for y in rows {
        if samples.len() > columns.len() {
            for x in columns.clone() {
                let (left, right) = (&mean[below(samples.start, y, x)..], &difference[place(samples.start, y, x)..]);
                add(left, right, c.pixels(), samples.len());
            }
        } else {
            for sample in samples.clone() {
                let (left, right) = (&mean[below(sample, y, columns.start)..], &difference[place(sample, y, columns.start)..]);
                add(left, right, 1, columns.len());
            }
        }
    }
}

/// sum[i][j] += Σ_k left[k][i] right[k][j], the rows of both at these distances.
fn add_outer(
    team: &Team,
    (rows, columns, depth): (usize, usize, usize),
    (left, left_stride): (&[f32], usize),
    (right, right_stride): (&[f32], usize),
    sum: &mut [f32],
) {
    assert_eq!(sum.len(), rows * columns, "sums of a product");
    let output_stride = columns;
    // The last columns, where they do not fill a strip, are copied.
    let whole = columns / STRIP * STRIP;
    let mut room = Stack::<{ DEPTH * STRIP }>::new();
    for k in (0..depth).step_by(DEPTH) {
        let length = DEPTH.min(depth - k);
        let left = &left[k * left_stride..][..(length - 1) * left_stride + rows];
        let right = &right[k * right_stride..][..(length - 1) * right_stride + columns];
        let edge = room.zeros(if whole < columns { length * STRIP } else { 0 });
        for (to, from) in edge.chunks_exact_mut(STRIP).zip(right.chunks(right_stride)) {
            to[..columns - whole].copy_from_slice(&from[whole..columns]);
        }
        let parts = [(0..whole, right, Right::rows(right_stride)), (whole..columns, &*edge, Right::packed(length * STRIP))];
        for (columns, right, right_layout) in parts {
            let block = Block {
                rows,
                columns: columns.len(),
                depth: length,
                left: left.as_ptr(),
                left_layout: Left::Columns(left_stride),
                right: right.as_ptr(),
                right_layout,
                scale: 1.0,
                base: Base::Output,
                output: sum[columns.start..].as_mut_ptr(),
                output_stride,
                ahead: &[],
            };
            // SAFETY: the slices have the numbers that their layouts reach, and the sums, of `rows` rows, are borrowed mutably;
            // a team has the instructions.
            unsafe { multiply_block(team.isa(), &block) };
        }
    }
}
