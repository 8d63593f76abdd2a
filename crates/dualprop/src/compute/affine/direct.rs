//! Convolutions of f32 without transforms: of few channels, small images, any odd kernel.
//!
//! The pixels above are the rows of a product whose terms are the channels below at every place of the kernel; places that
//! see nothing but the border of the image are left out where whole tiles of rows agree on them: the rows of a small image
//! are the same pixel of many samples.

use std::ops::Range;

use crate::compute::gemm::kernel::{Base, COLUMNS, Left, Operands, ROWS, tile};
use crate::compute::gemm::{DEPTH, Shared, transpose};
use crate::compute::pool::Team;

use super::Convolution;

/// Rows that one task computes.
const TASK: usize = 8 * ROWS;

/// Pixels of an image that count as few: the rows are then samples.
const FEW_PIXELS: usize = 16;

/// Numbers of a kernel up to which its weight product is a sum over parts of the batch.
const SMALL_KERNEL: usize = 1 << 16;

/// Parts of a batch with sums of their own.
const PARTS: usize = 8;

/// A block of the left operand of a task.
#[repr(align(64))]
struct Block([f32; TASK * DEPTH]);

/// How many numbers any of the three products needs to work with.
pub(super) fn workspace(c: Convolution) -> usize {
    let panels = |channels: usize| channels.div_ceil(COLUMNS) * COLUMNS;
    let kernels = c.size * c.size * (c.inputs * panels(c.outputs)).max(c.outputs * panels(c.inputs));
    kernels.max(parts(c) * c.patch() * c.outputs)
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
    let output = Shared::new(output);
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

/// Pixels that are rows of a product, counted over all samples, at equal distances.
#[derive(Clone, Copy)]
struct Pixels {
    first: usize,
    step: usize,
    count: usize,
}

/// The places of a kernel that see the image: a rectangle.
#[derive(Clone)]
struct Taps {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Taps {
    fn all(c: Convolution) -> Self {
        Taps { rows: 0..c.size, columns: 0..c.size }
    }

    /// Places that follow each other, as ranges.
    fn runs(self, size: usize) -> impl Iterator<Item = Range<usize>> {
        let whole = self.columns.len() == size;
        let (rows, columns) = (self.rows.clone(), self.columns.clone());
        let parts = if whole { 0..1 } else { 0..rows.len() };
        parts.map(move |part| match whole {
            true => rows.start * size..rows.end * size,
            false => (rows.start + part) * size + columns.start..(rows.start + part) * size + columns.end,
        })
    }
}

/// The places of a kernel with this many in a row that see a line of so many pixels from this one.
fn seen(size: usize, extent: usize, place: usize) -> Range<usize> {
    let reach = size / 2;
    reach.saturating_sub(place)..size.min(extent + reach - place)
}

impl Convolution {
    fn seen_from(self, position: usize) -> Taps {
        let (y, x) = (position / self.width, position % self.width);
        Taps { rows: seen(self.size, self.height, y), columns: seen(self.size, self.width, x) }
    }

    /// The numbers below a pixel above at a place of the kernel, if they are within the image.
    fn patch_part(self, input: &[f32], pixel: usize, tap: usize) -> Option<&[f32]> {
        let Convolution { height, width, inputs, size, .. } = self;
        let (sample, y, x) = (pixel / self.pixels(), pixel / width % height, pixel % width);
        let (y, x) = ((y + tap / size).wrapping_sub(size / 2), (x + tap % size).wrapping_sub(size / 2));
        (y < height && x < width).then(|| &input[((sample * height + y) * width + x) * inputs..][..inputs])
    }

    /// Whether a place of the kernel has too few channels to make a tile of.
    fn is_thin(self) -> bool {
        self.inputs < ROWS
    }

    /// The patches of these pixels, one row for each.
    fn patches(self, input: &[f32], pixels: Pixels, rows: &mut [f32]) {
        let Convolution { height, width, inputs, size, .. } = self;
        let reach = size / 2;
        for (index, row) in rows.chunks_exact_mut(self.patch()).enumerate() {
            let pixel = pixels.first + index * pixels.step;
            let (sample, y, x) = (pixel / self.pixels(), pixel / width % height, pixel % width);
            let across = seen(size, width, x);
            let inside = seen(size, height, y);
            for (dy, line) in row.chunks_exact_mut(size * inputs).enumerate() {
                if across.len() < size || !inside.contains(&dy) {
                    line.fill(0.0);
                }
                if inside.contains(&dy) && !across.is_empty() {
                    let start = ((sample * height + y + dy - reach) * width + x + across.start - reach) * inputs;
                    let count = across.len() * inputs;
                    // Few numbers: a loop, since to call a function for them would take longer.
                    let from = &input[start..start + count];
                    line[across.start * inputs..][..count].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    /// left[k][row] for the terms `terms`, counted from the first place of the kernel.
    fn gather_terms(self, input: &[f32], pixels: Pixels, terms: Range<usize>, left: &mut [f32]) {
        for tap in terms.start / self.inputs..terms.end.div_ceil(self.inputs) {
            let channels = terms.start.max(tap * self.inputs)..terms.end.min((tap + 1) * self.inputs);
            let (first, channels) =
                (channels.start - terms.start, channels.start - tap * self.inputs..channels.end - tap * self.inputs);
            let left = &mut left[first * pixels.count..][..channels.len() * pixels.count];
            let zeros = [0.0; DEPTH];
            let row = |row: usize| {
                let part = self.patch_part(input, pixels.first + row * pixels.step, tap);
                part.map_or(&zeros[..channels.len()], |part| &part[channels.clone()])
            };
            transpose(pixels.count, row, left, pixels.count);
        }
    }

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
        let mut block = Block([0.0; _]);
        if self.is_thin() && self.patch() <= DEPTH {
            self.patches(input, pixels, &mut block.0[..pixels.count * self.patch()]);
            for (panel, weights) in weights.chunks_exact(self.patch() * COLUMNS).enumerate() {
                for row in (0..pixels.count).step_by(ROWS) {
                    let part = pixels.part(row);
                    let left = (&block.0[row * self.patch()..][..part.count * self.patch()], Left::Rows(self.patch()));
                    // SAFETY: the caller's guarantee.
                    unsafe { self.add_tile(team, part, (left, weights), (panel, false, bias), output) };
                }
            }
            return;
        }
        let mut begun = false;
        for run in taps.runs(self.size) {
            let terms = run.start * self.inputs..run.end * self.inputs;
            for k in terms.clone().step_by(DEPTH) {
                let depth = DEPTH.min(terms.end - k);
                for row in (0..pixels.count).step_by(ROWS) {
                    let part = pixels.part(row);
                    self.gather_terms(input, part, k..k + depth, &mut block.0[row * depth..][..part.count * depth]);
                }
                for (panel, weights) in weights.chunks_exact(self.patch() * COLUMNS).enumerate() {
                    let right = &weights[k * COLUMNS..][..depth * COLUMNS];
                    for row in (0..pixels.count).step_by(ROWS) {
                        let part = pixels.part(row);
                        let left = (&block.0[row * depth..][..part.count * depth], Left::Columns(part.count));
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
        let (stride, mut row) = (pixels.step * self.outputs, [0.0; COLUMNS]);
        if let Some(bias) = bias {
            row[..columns].copy_from_slice(&bias[first..first + columns]);
        }
        let base = match bias {
            _ if begun => Base::Tile,
            Some(_) => Base::Row(row.as_ptr()),
            None => Base::Nothing,
        };
        let place = output.at(pixels.first * self.outputs + first, (pixels.count - 1) * stride + columns);
        // SAFETY: `left` and `right` have as many numbers as their layouts reach, `place` leads to the numbers above of these
        // pixels, which the caller lends to this call; a team has the instructions.
        unsafe { whole_or_edge(team, pixels.count, (left, right), base, (place, stride, columns)) };
    }
}

/// Computes a tile in place where it is whole, else in memory of its own.
///
/// # Safety
/// As [`tile`]; `place` leads to rows of `columns` numbers at distances of `stride`.
unsafe fn whole_or_edge(
    team: &Team,
    rows: usize,
    ((left, left_layout), right): ((&[f32], Left), &[f32]),
    base: Base,
    (place, stride, columns): (*mut f32, usize, usize),
) {
    let mut edge = [0.0f32; ROWS * COLUMNS];
    let whole = columns == COLUMNS;
    let (target, target_stride) = if whole { (place, stride) } else { (edge.as_mut_ptr(), COLUMNS) };
    let operands = Operands {
        rows,
        depth: right.len() / COLUMNS,
        left: left.as_ptr(),
        left_layout,
        right: right.as_ptr(),
        right_stride: COLUMNS,
        scale: 1.0,
        base,
        tile: target,
        tile_stride: target_stride,
    };
    // SAFETY: the caller's guarantee; `edge` has room for a whole tile.
    unsafe {
        if !whole && matches!(base, Base::Tile) {
            (0..rows).for_each(|row| edge[row * COLUMNS..][..columns].copy_from_slice(numbers(place.add(row * stride), columns)));
        }
        tile(team.isa(), operands);
        if !whole {
            (0..rows).for_each(|row| place.add(row * stride).copy_from_nonoverlapping(edge.as_ptr().add(row * COLUMNS), columns));
        }
    }
}

/// # Safety
/// There are so many numbers, and nobody writes them while the slice lives.
unsafe fn numbers<'a>(start: *mut f32, count: usize) -> &'a [f32] {
    // SAFETY: the caller's guarantee.
    unsafe { std::slice::from_raw_parts(start, count) }
}

impl Pixels {
    /// Up to [`ROWS`] of them, from this one.
    fn part(self, row: usize) -> Pixels {
        Pixels { first: self.first + row * self.step, count: ROWS.min(self.count - row), ..self }
    }
}

fn parts(c: Convolution) -> usize {
    if c.patch() * c.outputs <= SMALL_KERNEL { PARTS } else { 1 }
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
    let mut block = Block([0.0; _]);
    let first = sample * c.pixels();
    for pixel in (first..first + c.pixels()).step_by(DEPTH) {
        let count = DEPTH.min(first + c.pixels() - pixel);
        c.patches(mean, Pixels { first: pixel, step: 1, count }, &mut block.0[..count * c.patch()]);
        let right = &difference[pixel * c.outputs..][..count * c.outputs];
        add_outer(team, (c.patch(), c.outputs, count), (&block.0, c.patch()), (right, c.outputs), sums);
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
    let sums = Shared::new(sum);
    for k in (0..depth).step_by(DEPTH) {
        let length = DEPTH.min(depth - k);
        for column in (0..columns).step_by(COLUMNS) {
            let width = COLUMNS.min(columns - column);
            let mut packed = [0.0f32; DEPTH * COLUMNS];
            let right = &right[k * right_stride + column..][..(length - 1) * right_stride + width];
            let (right, right_stride) = if width == COLUMNS {
                (right, right_stride)
            } else {
                for (to, from) in packed.chunks_exact_mut(COLUMNS).zip(right.chunks(right_stride)) {
                    to[..width].copy_from_slice(&from[..width]);
                }
                (&packed[..length * COLUMNS], COLUMNS)
            };
            for row in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - row);
                let left = &left[k * left_stride + row..][..(length - 1) * left_stride + count];
                let mut edge = [0.0f32; ROWS * COLUMNS];
                let place = sums.at(row * columns + column, (count - 1) * columns + width);
                let whole = width == COLUMNS;
                let operands = Operands {
                    rows: count,
                    depth: length,
                    left: left.as_ptr(),
                    left_layout: Left::Columns(left_stride),
                    right: right.as_ptr(),
                    right_stride,
                    scale: 1.0,
                    base: if whole { Base::Tile } else { Base::Nothing },
                    tile: if whole { place } else { edge.as_mut_ptr() },
                    tile_stride: if whole { columns } else { COLUMNS },
                };
                // SAFETY: the slices have the numbers that their layouts reach, `place` leads to a tile of `sum`, which is
                // borrowed mutably, and `edge` has room for one; a team has the instructions.
                unsafe {
                    tile(team.isa(), operands);
                    for (r, c) in (0..if whole { 0 } else { count }).flat_map(|r| (0..width).map(move |c| (r, c))) {
                        *place.add(r * columns + c) += edge[r * COLUMNS + c];
                    }
                }
            }
        }
    }
}
