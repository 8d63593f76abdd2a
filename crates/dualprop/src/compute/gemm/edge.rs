//! Tiles of which only the first columns are there.

use super::kernel::{Base, COLUMNS, Operands, ROWS, tile};
use super::{Isa, Stack};

/// As [`tile`], but only so many columns of the tile, and of the row that a `Base::Row` is, are there and computed; the right
/// operand still has [`COLUMNS`].
///
/// # Safety
/// As [`tile`], with these columns for all of the tile.
pub(in crate::compute) unsafe fn tile_of(isa: Isa, columns: usize, operands: Operands) {
    if columns == COLUMNS {
        // SAFETY: the caller's guarantee.
        return unsafe { tile(isa, operands) };
    }
    let (mut numbers, mut row) = (Stack::<{ ROWS * COLUMNS }>::new(), Stack::<COLUMNS>::new());
    let edge = numbers.zeros(operands.rows * COLUMNS).as_mut_ptr();
    let Operands { rows, tile: place, tile_stride: stride, .. } = operands;
    // SAFETY: the caller's guarantee, for the columns that are there; `edge` has room for all of the tile's rows, and `row` for
    // one.
    unsafe {
        let base = match operands.base {
            Base::Tile => {
                copy((rows, columns), (place, stride), (edge, COLUMNS));
                Base::Tile
            }
            Base::Row(base) => {
                let row = row.zeros(COLUMNS).as_mut_ptr();
                base.copy_to_nonoverlapping(row, columns);
                Base::Row(row)
            }
            Base::Nothing => Base::Nothing,
        };
        tile(isa, Operands { base, tile: edge, tile_stride: COLUMNS, ..operands });
        copy((rows, columns), (edge, COLUMNS), (place, stride));
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
