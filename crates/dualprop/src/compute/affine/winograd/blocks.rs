//! Tiles of images, handled a block at a time.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::compute::affine::Convolution;
use crate::compute::gemm::Shared;
use crate::compute::pool::Team;

use super::transform::{ABOVE, BELOW, LANES, Lanes, POINTS, inverse_above, transform_above, transform_below};

/// Numbers from one row of channels to the next in a transformed block: never a power of two, whose rows would fall upon
/// each other in a cache.
pub(super) fn padded(channels: usize) -> usize {
    channels + LANES
}

/// Tiles of a block that one thread handles, such that it stays in a second-level cache.
const SMALL: usize = 24;
/// The same for a weight product, whose sums are over the tiles of a block.
const SMALL_PRODUCT: usize = 48;
/// Tiles of a block that all threads handle together.
const LARGE: usize = 192;
/// Parts of a batch with sums of their own.
const PARTS: usize = 8;
/// Products of channels up to which every thread has a block, or every part a sum, of its own: with more of them the
/// transformed kernel would be read too often, or too large to have many of.
const FEW_CHANNELS: usize = 128 * 128;

/// How the tiles of a batch are handled.
pub(super) struct Blocks {
    c: Convolution,
    samples: usize,
    /// Tiles of a block.
    size: usize,
    /// Whether each block is one thread's.
    separate: bool,
}

impl Blocks {
    fn new(c: Convolution, samples: usize, small: usize) -> Self {
        let blocks = Blocks { c, samples, size: small, separate: true };
        let separate = c.inputs * c.outputs <= FEW_CHANNELS && blocks.count() >= 2 * PARTS * small;
        let size = if separate { small } else { LARGE.min(blocks.count()) };
        Blocks { size, separate, ..blocks }
    }

    /// For a convolution.
    pub(super) fn of(c: Convolution, samples: usize) -> Self {
        Blocks::new(c, samples, SMALL)
    }

    /// For a weight product.
    pub(super) fn of_product(c: Convolution, samples: usize) -> Self {
        Blocks::new(c, samples, SMALL_PRODUCT)
    }

    /// Tiles of an image, downwards and across.
    fn extents(&self) -> (usize, usize) {
        (self.c.height.div_ceil(ABOVE), self.c.width.div_ceil(ABOVE))
    }

    /// Tiles of the batch.
    fn count(&self) -> usize {
        let (rows, columns) = self.extents();
        self.samples * rows * columns
    }

    /// Numbers of a transformed block below and above.
    fn block(&self) -> usize {
        POINTS * self.size * (padded(self.c.inputs) + padded(self.c.outputs))
    }

    /// Numbers that blocks need at once.
    pub(super) fn scratch(&self, threads: usize) -> usize {
        self.block() * if self.separate { threads } else { 1 }
    }

    /// Parts of the batch with sums of their own.
    pub(super) fn parts(&self) -> usize {
        if self.separate { PARTS } else { 1 }
    }

    /// Calls `work(team, tiles, scratch)` for every block.
    pub(super) fn each(&self, team: &Team, scratch: &mut [f32], work: impl Fn(&Team, Range<usize>, &mut [f32]) + Sync) {
        let block = |index: usize| index * self.size..self.count().min((index + 1) * self.size);
        let blocks = self.count().div_ceil(self.size);
        if !self.separate {
            return (0..blocks).for_each(|index| work(team, block(index), scratch));
        }
        // Whoever is done takes the next one; which thread that is changes no bit.
        let next = AtomicUsize::new(0);
        let whole = scratch.len() / self.block() * self.block();
        team.pieces(&mut scratch[..whole], self.block(), |_, scratch| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= blocks {
                    return;
                }
                work(&team.alone(), block(index), scratch);
            }
        });
    }

    /// Calls `work(team, tiles, first, sums, scratch)` for every block, with the sums of its part and whether it is the first
    /// block of it.
    pub(super) fn each_part(
        &self,
        team: &Team,
        (sums, size): (&mut [f32], usize),
        scratch: &mut [f32],
        work: impl Fn(&Team, Range<usize>, bool, &mut [f32], &mut [f32]) + Sync,
    ) {
        let blocks = self.count().div_ceil(self.size);
        let per_part = blocks.div_ceil(self.parts());
        let part = |team: &Team, part: usize, sums: &mut [f32], scratch: &mut [f32]| {
            for index in part * per_part..blocks.min((part + 1) * per_part) {
                let tiles = index * self.size..self.count().min((index + 1) * self.size);
                work(team, tiles, index == part * per_part, sums, scratch);
            }
        };
        match self.separate {
            false => part(team, 0, sums, scratch),
            true => team.zipped((sums, size), (scratch, self.block()), |index, sums, scratch| {
                sums.fill(0.0);
                part(&team.alone(), index, sums, scratch);
            }),
        }
    }

    /// The sample of a tile, and the row and column of its first pixel above.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let (rows, columns) = self.extents();
        (tile / (rows * columns), tile / columns % rows * ABOVE, tile % columns * ABOVE)
    }

    /// V[p][tile] = Bᵀ d B of these tiles.
    pub(super) fn below(&self, team: &Team, channels: usize, image: &[f32], tiles: Range<usize>, v: &mut [f32]) {
        // The pixels below reach one further than those above.
        let load = |row: usize, column: usize| (row.wrapping_sub(1), column.wrapping_sub(1));
        let (first, count, v) = (tiles.start, tiles.len(), Shared::new(v));
        team.tasks(count, |index| {
            let (sample, top, left) = self.place(first + index);
            team.compiled(|| {
                for channel in (0..channels).step_by(LANES) {
                    let load = |row: usize, column: usize| {
                        let (row, column) = load(top + row, left + column);
                        self.pixel(image, channels, (sample, row, column), channel)
                    };
                    let place = index * padded(channels) + channel;
                    // SAFETY: the numbers of a tile and channel are written by its task alone.
                    transform_below(load, |p, lanes| unsafe { lanes.write(&v, p * count * padded(channels) + place) });
                }
            });
        });
        const { assert!(BELOW == ABOVE + 2) };
    }

    /// E[p][tile] = A e Aᵀ of these tiles.
    pub(super) fn above(&self, team: &Team, channels: usize, image: &[f32], tiles: Range<usize>, e: &mut [f32]) {
        let (first, count, e) = (tiles.start, tiles.len(), Shared::new(e));
        team.tasks(count, |index| {
            let (sample, top, left) = self.place(first + index);
            team.compiled(|| {
                for channel in (0..channels).step_by(LANES) {
                    let load = |row, column| self.pixel(image, channels, (sample, top + row, left + column), channel);
                    let place = index * padded(channels) + channel;
                    // SAFETY: the numbers of a tile and channel are written by its task alone.
                    transform_above(load, |p, lanes| unsafe { lanes.write(&e, p * count * padded(channels) + place) });
                }
            });
        });
    }

    /// Sixteen channels of a pixel; zeros outside the image.
    #[inline(always)]
    fn pixel(&self, image: &[f32], channels: usize, (sample, row, column): (usize, usize, usize), channel: usize) -> Lanes {
        let Convolution { height, width, .. } = self.c;
        match row < height && column < width {
            true => Lanes::load(&image[((sample * height + row) * width + column) * channels + channel..]),
            false => Lanes::ZERO,
        }
    }

    /// Writes Aᵀ m A, plus the bias, to the pixels of these tiles.
    ///
    /// # Safety
    /// Nobody else reads or writes these pixels meanwhile.
    pub(super) unsafe fn to_pixels(
        &self,
        team: &Team,
        channels: usize,
        bias: Option<&[f32]>,
        tiles: Range<usize>,
        m: &[f32],
        image: &Shared,
    ) {
        let Convolution { height, width, .. } = self.c;
        let (first, count) = (tiles.start, tiles.len());
        team.tasks(count, |index| {
            let (sample, top, left) = self.place(first + index);
            team.compiled(|| {
                for channel in (0..channels).step_by(LANES) {
                    let bias = bias.map_or(Lanes::ZERO, |bias| Lanes::load(&bias[channel..]));
                    let load = |p: usize| Lanes::load(&m[(p * count + index) * padded(channels) + channel..]);
                    inverse_above(load, |row, column, lanes| {
                        let (row, column) = (top + row, left + column);
                        if row < height && column < width {
                            let place = ((sample * height + row) * width + column) * channels + channel;
                            // SAFETY: the caller's guarantee, and every pixel is of one tile.
                            unsafe { (bias + lanes).write(image, place) };
                        }
                    });
                }
            });
        });
    }
}
