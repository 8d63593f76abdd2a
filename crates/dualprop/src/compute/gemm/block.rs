//! Products of blocks: their tiles, in an order in which what is read again is still in the first-level cache.

use super::kernel::{Base, STRIP, Tile, tile};
use super::{Ahead, Isa, Stack};

/// Rows that stand side by side in [`Left::Tiles`].
pub(in crate::compute) const ROWS: usize = 12;

/// How the left operand stands in memory.
#[derive(Clone, Copy)]
pub(in crate::compute) enum Left {
    /// `[depth][rows]`: rows side by side, each k so many numbers after the one before.
    Columns(usize),
    /// `[rows][depth]`: k side by side, each row so many numbers after the one before.
    Rows(usize),
    /// `[rows / ROWS][depth][ROWS]`, the last tile with the rows that are left.
    Tiles,
}

/// How the right operand stands in memory: in strips of [`STRIP`] columns, all of them there.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Right {
    /// Numbers from one k to the next.
    pub(in crate::compute) stride: usize,
    /// Numbers from one strip to the next.
    pub(in crate::compute) strip: usize,
}

impl Right {
    /// `[strips][depth][STRIP]`, of strips of so many numbers.
    pub(in crate::compute) fn packed(strip: usize) -> Self {
        Right { stride: STRIP, strip }
    }

    /// `[depth][columns]`, each row so many numbers after the one before.
    pub(in crate::compute) fn rows(stride: usize) -> Self {
        Right { stride, strip: STRIP }
    }
}

/// output = base + scale · left · right over one block of k.
#[derive(Clone, Copy)]
pub(in crate::compute) struct Block {
    pub(in crate::compute) rows: usize,
    /// Columns of the output, and of a `Base::Row`; the last strip of the right operand may reach beyond them.
    pub(in crate::compute) columns: usize,
    /// Length of the sums.
    pub(in crate::compute) depth: usize,
    pub(in crate::compute) left: *const f32,
    pub(in crate::compute) left_layout: Left,
    pub(in crate::compute) right: *const f32,
    pub(in crate::compute) right_layout: Right,
    pub(in crate::compute) scale: f32,
    pub(in crate::compute) base: Base,
    /// `[rows][columns]`, each row so many numbers after the one before.
    pub(in crate::compute) output: *mut f32,
    pub(in crate::compute) output_stride: usize,
    /// What is asked for meanwhile, a share with each tile.
    pub(in crate::compute) ahead: Ahead,
}

/// Computes a block. The rows of a tile stay in the first-level cache while all strips pass by from the second.
///
/// # Safety
/// The processor has the instructions. `left`, `right` and a `Base::Row` are readable and `output` is writable, over all the
/// extents and strides that [`Block`] states; nobody else writes them or reads the output meanwhile.
pub(in crate::compute) unsafe fn multiply_block(isa: Isa, block: &Block) {
    let (rows, strips) = isa.tile();
    let tiles = block.rows.div_ceil(rows) * block.columns.div_ceil(strips * STRIP);
    let mut done = 0;
    for row in (0..block.rows).step_by(rows) {
        for column in (0..block.columns).step_by(strips * STRIP) {
            let columns = (strips * STRIP).min(block.columns - column);
            block.ahead.fetch(done, tiles);
            done += 1;
            // SAFETY: the caller's guarantee; the row and the column are within the block.
            unsafe {
                let tile = block.tile((row, rows.min(block.rows - row)), (column, columns.div_ceil(STRIP)));
                tile_of(isa, columns, &tile);
            }
        }
    }
}

impl Block {
    /// The tile of so many rows and strips from these.
    ///
    /// # Safety
    /// They are within the block, which is as [`multiply_block`] demands.
    unsafe fn tile(&self, (row, rows): (usize, usize), (column, strips): (usize, usize)) -> Tile {
        let (place, row_stride, depth_stride) = match self.left_layout {
            Left::Columns(stride) => (row, 1, stride),
            Left::Rows(stride) => (row * stride, stride, 1),
            Left::Tiles => {
                let first = row / ROWS * ROWS;
                (first * self.depth + row % ROWS, 1, ROWS.min(self.rows - first))
            }
        };
        // SAFETY: all of these places are within the operands, by the caller's guarantee.
        unsafe {
            Tile {
                rows,
                strips,
                depth: self.depth,
                left: self.left.add(place),
                row_stride,
                depth_stride,
                right: self.right.add(column / STRIP * self.right_layout.strip),
                right_stride: self.right_layout.stride,
                right_strip: self.right_layout.strip,
                scale: self.scale,
                base: match self.base {
                    Base::Row(base) => Base::Row(base.add(column)),
                    base => base,
                },
                output: self.output.add(row * self.output_stride + column),
                output_stride: self.output_stride,
            }
        }
    }
}

/// The most rows and columns of a tile, whatever the instructions.
const MOST_ROWS: usize = 12;
const MOST_COLUMNS: usize = 2 * STRIP;

/// As [`tile`], but only so many columns of the output, and of a `Base::Row`, are there and computed.
///
/// # Safety
/// As [`tile`], with these columns for all of the tile's in output and base.
unsafe fn tile_of(isa: Isa, columns: usize, whole: &Tile) {
    if columns.is_multiple_of(STRIP) {
        // SAFETY: the caller's guarantee.
        return unsafe { tile(isa, whole) };
    }
    let (mut numbers, mut row) = (Stack::<{ MOST_ROWS * MOST_COLUMNS }>::new(), Stack::<MOST_COLUMNS>::new());
    let edge = numbers.zeros(whole.rows * MOST_COLUMNS).as_mut_ptr();
    let (place, stride) = (whole.output, whole.output_stride);
    // SAFETY: the caller's guarantee, for the columns that are there; `edge` has room for all of the tile's rows, and `row` for
    // one.
    unsafe {
        let base = match whole.base {
            Base::Output => {
                copy((whole.rows, columns), (place, stride), (edge, MOST_COLUMNS));
                Base::Output
            }
            Base::Row(base) => {
                let row = row.zeros(MOST_COLUMNS).as_mut_ptr();
                base.copy_to_nonoverlapping(row, columns);
                Base::Row(row)
            }
            Base::Nothing => Base::Nothing,
        };
        tile(isa, &Tile { base, output: edge, output_stride: MOST_COLUMNS, ..*whole });
        copy((whole.rows, columns), (edge, MOST_COLUMNS), (place, stride));
    }
}

/// Copies a part of a matrix to a part of another; both are given by their first number and the distance of their rows.
///
/// # Safety
/// Both have so many rows and columns, and do not overlap.
unsafe fn copy((rows, columns): (usize, usize), from: (*mut f32, usize), to: (*mut f32, usize)) {
    for row in 0..rows {
        // SAFETY: the row is within both.
        unsafe { std::ptr::copy_nonoverlapping(from.0.add(row * from.1), to.0.add(row * to.1), columns) };
    }
}
