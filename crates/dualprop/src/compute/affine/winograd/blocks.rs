//! Tiles of images, handled a block at a time.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::compute::affine::Convolution;
use crate::compute::compiled::compiled;
use crate::compute::gemm::Shared;
use crate::compute::pool::Team;

use super::transform::{LANES, Lanes, Transform};

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
pub(super) struct Blocks<F> {
    c: Convolution,
    samples: usize,
    /// Tiles of a block.
    size: usize,
    /// Whether each block is one thread's.
    separate: bool,
    transform: PhantomData<F>,
}

impl<F: Transform> Blocks<F> {
    fn new(c: Convolution, samples: usize, small: usize) -> Self {
        let blocks = Blocks { c, samples, size: small, separate: true, transform: PhantomData };
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
        (self.c.height.div_ceil(F::ABOVE), self.c.width.div_ceil(F::ABOVE))
    }

    /// Tiles of the batch.
    fn count(&self) -> usize {
        let (rows, columns) = self.extents();
        self.samples * rows * columns
    }

    /// Numbers of a transformed block below and above.
    fn block(&self) -> usize {
        F::POINTS * self.size * (padded(self.c.inputs) + padded(self.c.outputs))
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
        (tile / (rows * columns), tile / columns % rows * F::ABOVE, tile % columns * F::ABOVE)
    }

    /// A tile of the batch.
    fn tile(&self, tile: usize, channels: usize) -> Tile {
        let (sample, top, left) = self.place(tile);
        Tile { height: self.c.height, width: self.c.width, channels, sample, top, left }
    }

    /// V[p][tile] = Bᵀ d B of these tiles.
    pub(super) fn below(&self, team: &Team, channels: usize, image: &[f32], tiles: Range<usize>, v: &mut [f32]) {
        let (first, row) = (tiles.start, padded(channels));
        // SAFETY: the numbers of a tile are written by its task alone.
        let v = unsafe { Shared::new(v) };
        team.tasks(tiles.len(), |index| {
            below::<F>(team.isa(), self.tile(first + index, channels), image, &v, index * row, tiles.len() * row);
        });
    }

    /// E[p][tile] = A e Aᵀ of these tiles.
    pub(super) fn above(&self, team: &Team, channels: usize, image: &[f32], tiles: Range<usize>, e: &mut [f32]) {
        let (first, row) = (tiles.start, padded(channels));
        // SAFETY: the numbers of a tile are written by its task alone.
        let e = unsafe { Shared::new(e) };
        team.tasks(tiles.len(), |index| {
            above::<F>(team.isa(), self.tile(first + index, channels), image, &e, index * row, tiles.len() * row);
        });
    }

    /// Writes Aᵀ m A, plus the bias, to the pixels of these tiles, which no other tile has, or the largest numbers of their
    /// windows.
    pub(super) fn to_image(
        &self,
        team: &Team,
        channels: usize,
        bias: Option<&[f32]>,
        tiles: Range<usize>,
        m: &[f32],
        image: &Image,
    ) {
        let (first, row) = (tiles.start, padded(channels));
        team.tasks(tiles.len(), |index| {
            let (tile, m, plane) = (self.tile(first + index, channels), &m[index * row..], tiles.len() * row);
            match image {
                Image::Pixels(image) => to_pixels::<F>(team.isa(), tile, bias, m, plane, image),
                Image::Windows(output, routing) => to_windows::<F>(team.isa(), tile, bias, m, plane, output, routing),
            }
        });
    }
}

/// Where the numbers above go.
pub(super) enum Image<'a> {
    Pixels(Shared<'a>),
    /// Of windows of 2 × 2 pixels the largest numbers, and their places.
    Windows(Shared<'a>, Shared<'a, u8>),
}

/// A tile of an image of a batch, by its first pixel above.
#[derive(Clone, Copy)]
struct Tile {
    height: usize,
    width: usize,
    channels: usize,
    sample: usize,
    top: usize,
    left: usize,
}

impl Tile {
    /// Where the channels of a pixel of the image begin, if it has such a pixel.
    #[inline(always)]
    fn pixel(self, row: usize, column: usize) -> Option<usize> {
        let inside = row < self.height && column < self.width;
        inside.then(|| ((self.sample * self.height + row) * self.width + column) * self.channels)
    }

    /// Where the channels of a window of the pooled image begin, by its place in the tile, if there is one.
    #[inline(always)]
    fn window(self, row: usize, column: usize) -> Option<usize> {
        let (row, column, height, width) = (self.top / 2 + row, self.left / 2 + column, self.height / 2, self.width / 2);
        (row < height && column < width).then(|| ((self.sample * height + row) * width + column) * self.channels)
    }

    /// The channels of a square of pixels whose first one is so many above and left of the tile's.
    #[inline(always)]
    fn square(self, image: &[f32], before: usize, side: usize) -> Square<'_> {
        let mut pixels: Square = [(&ZEROS, 0); MOST_POINTS];
        for row in 0..side {
            for column in 0..side {
                let place = ((self.top + row).wrapping_sub(before), (self.left + column).wrapping_sub(before));
                if let Some(start) = self.pixel(place.0, place.1) {
                    pixels[row * side + column] = (&image[start..start + self.channels], usize::MAX);
                }
            }
        }
        pixels
    }
}

/// Pixels of the largest tile above, in either direction.
const MOST_ABOVE: usize = 4;

/// Points of the largest tile.
const MOST_POINTS: usize = 36;

/// What stands outside an image.
static ZEROS: [f32; LANES] = [0.0; LANES];

/// Pixels by their channels, with a mask for the index of a channel: outside the image all channels are the same zeros. It is
/// made once for all channels of a tile, so that they are read without a branch.
type Square<'a> = [(&'a [f32], usize); MOST_POINTS];

#[inline(always)]
fn load(square: &Square, pixel: usize, channel: usize) -> Lanes {
    let (channels, mask) = square[pixel];
    Lanes::load(&channels[channel & mask..])
}

/// The largest of four numbers and its place, lane by lane as [`crate::compute::pooling`] has it. Places are as wide as numbers
/// while they are compared, so that vectors are.
#[inline(always)]
fn largest_lanes(window: [Lanes; 4]) -> (Lanes, [u8; LANES]) {
    let [mut best, others @ ..] = window;
    let (mut places, mut winner) = ([0u32; LANES], [0u8; LANES]);
    for (place, numbers) in (1..).zip(others) {
        for ((best, winner), x) in best.0.iter_mut().zip(&mut places).zip(numbers.0) {
            let wins = (x > *best) | (x.is_nan() & !best.is_nan());
            *best = if wins { x } else { *best };
            *winner = if wins { place } else { *winner };
        }
    }
    for (winner, place) in winner.iter_mut().zip(places) {
        *winner = place as u8;
    }
    (best, winner)
}

compiled! {
    fn below<F: Transform>(tile: Tile, image: &[f32], v: &Shared, place: usize, plane: usize) {
        // The pixels below reach one further than those above.
        let square = tile.square(image, 1, F::BELOW);
        for channel in (0..tile.channels).step_by(LANES) {
            let load = |row: usize, column: usize| load(&square, row * F::BELOW + column, channel);
            F::below(load, |i, j, lanes| lanes.write(v, (i * F::BELOW + j) * plane + place + channel));
        }
    }

    fn above<F: Transform>(tile: Tile, image: &[f32], e: &Shared, place: usize, plane: usize) {
        let square = tile.square(image, 0, F::ABOVE);
        for channel in (0..tile.channels).step_by(LANES) {
            let load = |row: usize, column: usize| load(&square, row * F::ABOVE + column, channel);
            F::above(load, |i, j, lanes| lanes.write(e, (i * F::BELOW + j) * plane + place + channel));
        }
    }

    fn to_pixels<F: Transform>(tile: Tile, bias: Option<&[f32]>, m: &[f32], plane: usize, image: &Shared) {
        for channel in (0..tile.channels).step_by(LANES) {
            let bias = match bias {
                Some(bias) => Lanes::load(&bias[channel..]),
                None => Lanes::ZERO,
            };
            let load = |i: usize, j: usize| Lanes::load(&m[(i * F::BELOW + j) * plane + channel..]);
            F::to_above(load, |row, column, lanes| {
                if let Some(start) = tile.pixel(tile.top + row, tile.left + column) {
                    (bias + lanes).write(image, start + channel);
                }
            });
        }
    }

    fn to_windows<F: Transform>(
        tile: Tile, bias: Option<&[f32]>, m: &[f32], plane: usize, output: &Shared, routing: &Shared<u8>
    ) {
        for channel in (0..tile.channels).step_by(LANES) {
            let bias = match bias {
                Some(bias) => Lanes::load(&bias[channel..]),
                None => Lanes::ZERO,
            };
            let load = |i: usize, j: usize| Lanes::load(&m[(i * F::BELOW + j) * plane + channel..]);
            let mut pixels = [[Lanes::ZERO; MOST_ABOVE]; MOST_ABOVE];
            F::to_above(load, |row, column, lanes| pixels[row][column] = bias + lanes);
            for row in 0..F::ABOVE / 2 {
                for column in 0..F::ABOVE / 2 {
                    let Some(start) = tile.window(row, column) else { continue };
                    let (above, below) = (&pixels[2 * row], &pixels[2 * row + 1]);
                    let window = [above[2 * column], above[2 * column + 1], below[2 * column], below[2 * column + 1]];
                    let (best, winner) = largest_lanes(window);
                    best.write(output, start + channel);
                    // SAFETY: `at` has shown that they are there, and who made it guarantees that they are this thread's alone.
                    unsafe { routing.at(start + channel, LANES).cast::<[u8; LANES]>().write_unaligned(winner) };
                }
            }
        }
    }
}
