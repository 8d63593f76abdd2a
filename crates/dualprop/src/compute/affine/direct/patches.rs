//! Which pixels below a pixel above sees, and how they become rows of a product.

use std::ops::Range;

use crate::compute::affine::Convolution;
use crate::compute::gemm::{DEPTH, ROWS, transpose};

/// Pixels of an image that count as few: the rows are then samples.
const FEW_PIXELS: usize = 16;

/// Pixels that are rows of a product, counted over all samples, at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Pixels {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
}

/// The places of a kernel that see the image: a rectangle.
#[derive(Clone)]
pub(super) struct Taps {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Taps {
    pub(super) fn all(c: Convolution) -> Self {
        Taps { rows: 0..c.size, columns: 0..c.size }
    }

    /// Places that follow each other, as ranges.
    pub(super) fn runs(self, size: usize) -> impl Iterator<Item = Range<usize>> {
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
pub(super) fn seen(size: usize, extent: usize, place: usize) -> Range<usize> {
    let reach = size / 2;
    reach.saturating_sub(place)..size.min(extent + reach - place)
}

impl Convolution {
    pub(super) fn seen_from(self, position: usize) -> Taps {
        let (y, x) = (position / self.width, position % self.width);
        Taps { rows: seen(self.size, self.height, y), columns: seen(self.size, self.width, x) }
    }

    /// The numbers below a pixel above at a place of the kernel, if they are within the image.
    pub(super) fn patch_part(self, input: &[f32], pixel: usize, tap: usize) -> Option<&[f32]> {
        let Convolution { height, width, inputs, size, .. } = self;
        let (sample, y, x) = (pixel / self.pixels(), pixel / width % height, pixel % width);
        let (y, x) = ((y + tap / size).wrapping_sub(size / 2), (x + tap % size).wrapping_sub(size / 2));
        (y < height && x < width).then(|| &input[((sample * height + y) * width + x) * inputs..][..inputs])
    }

    /// Whether a place of the kernel has too few channels to make a tile of.
    pub(super) fn is_thin(self) -> bool {
        self.inputs < ROWS
    }

    /// Whether the rows of a product are samples, each position of the image by itself.
    pub(super) fn is_of_few_pixels(self) -> bool {
        self.pixels() <= FEW_PIXELS && !self.is_thin()
    }

    /// The patches of these pixels, one row for each.
    pub(super) fn patches(self, input: &[f32], pixels: Pixels, rows: &mut [f32]) {
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
    pub(super) fn gather_terms(self, input: &[f32], pixels: Pixels, terms: Range<usize>, left: &mut [f32]) {
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
}

impl Pixels {
    /// Up to [`ROWS`] of them, from this one.
    pub(super) fn part(self, row: usize) -> Pixels {
        Pixels { first: self.first + row * self.step, count: ROWS.min(self.count - row), ..self }
    }
}
