//! Products of blocks: their tiles, in an order in which what is read again is still in the first-level cache.

use std::ops::Range;

use super::kernel::{Base, STRIP, Tiles, tiles};
use super::{Ahead, Isa, Stack};

/// The most rows of a tile, whatever the instructions, and how many stand side by side in [`Left::Tiles`].
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
pub(in crate::compute) struct Block<'a> {
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
    pub(in crate::compute) ahead: &'a [Ahead],
}

/// Computes a block. The rows of a tile stay in the first-level cache while all strips pass by from the second.
///
/// # Safety
/// The processor has the instructions. `left`, `right` and a `Base::Row` are readable and `output` is writable, over all the
/// extents and strides that [`Block`] states; nobody else writes them or reads the output meanwhile.
pub(in crate::compute) unsafe fn multiply_block(isa: Isa, block: &Block) {
    const { assert!(Isa::Avx512.rows() <= ROWS && Isa::Avx2.rows() <= ROWS && Isa::Portable.rows() <= ROWS) };
    let whole = block.columns / STRIP;
    for row in (0..block.rows).step_by(isa.rows()) {
        let rows = isa.rows().min(block.rows - row);
        // SAFETY: the caller's guarantee; the rows and strips are within the block.
        unsafe {
            if whole > 0 {
                tiles(isa, &block.tiles(isa, (row, rows), 0..whole));
            }
            if whole * STRIP < block.columns {
                edge(isa, block.columns - whole * STRIP, &block.tiles(isa, (row, rows), whole..whole + 1));
            }
        }
    }
}

impl Block<'_> {
    /// The tiles of so many rows from this one and of these strips.
    ///
    /// # Safety
    /// They are within the block, which is as [`multiply_block`] demands.
    unsafe fn tiles(&self, isa: Isa, (row, rows): (usize, usize), strips: Range<usize>) -> Tiles<'_> {
        let (place, row_stride, depth_stride) = match self.left_layout {
            Left::Columns(stride) => (row, 1, stride),
            Left::Rows(stride) => (row * stride, stride, 1),
            Left::Tiles => {
                let first = row / ROWS * ROWS;
                (first * self.depth + row % ROWS, 1, ROWS.min(self.rows - first))
            }
        };
        let (column, strips_of_row) = (strips.start * STRIP, self.columns.div_ceil(STRIP));
        // SAFETY: all of these places are within the operands, by the caller's guarantee.
        unsafe {
            Tiles {
                rows,
                strips: strips.len(),
                depth: self.depth,
                left: self.left.add(place),
                row_stride,
                depth_stride,
                right: self.right.add(strips.start * self.right_layout.strip),
                right_stride: self.right_layout.stride,
                right_strip: self.right_layout.strip,
                scale: self.scale,
                base: match self.base {
                    Base::Row(base) => Base::Row(base.add(column)),
                    base => base,
                },
                output: self.output.add(row * self.output_stride + column),
                output_stride: self.output_stride,
                ahead: self.ahead,
                share: row / isa.rows() * strips_of_row + strips.start,
                shares: self.rows.div_ceil(isa.rows()) * strips_of_row,
            }
        }
    }
}

/// As [`tiles`] of one strip, of which only so many columns of the output, and of a `Base::Row`, are there and computed.
///
/// # Safety
/// As [`tiles`], with these columns for all of the strip's in output and base.
unsafe fn edge(isa: Isa, columns: usize, whole: &Tiles) {
    let (mut numbers, mut row) = (Stack::<{ ROWS * STRIP }>::new(), Stack::<STRIP>::new());
    let edge = numbers.zeros(whole.rows * STRIP).as_mut_ptr();
    let (place, stride) = (whole.output, whole.output_stride);
    // SAFETY: the caller's guarantee, for the columns that are there; `edge` has room for all of the tile's rows, and `row` for
    // one.
    unsafe {
        let base = match whole.base {
            Base::Output => {
                copy((whole.rows, columns), (place, stride), (edge, STRIP));
                Base::Output
            }
            Base::Row(base) => {
                let row = row.zeros(STRIP).as_mut_ptr();
                base.copy_to_nonoverlapping(row, columns);
                Base::Row(row)
            }
            Base::Nothing => Base::Nothing,
        };
        tiles(isa, &Tiles { base, output: edge, output_stride: STRIP, ..*whole });
        copy((whole.rows, columns), (edge, STRIP), (place, stride));
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
