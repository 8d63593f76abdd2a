//! A product whose numbers are used as soon as they are known, and kept nowhere.

use std::ops::Range;

use super::block::{Block, ROWS, Right, multiply_block};
use super::kernel::{Base, STRIP};
use super::{Ahead, DEPTH, Matrix, PANEL, Stack, pack};
use crate::compute::pool::Team;

/// A part of a product.
#[derive(Clone)]
pub(in crate::compute) struct Part {
    pub(in crate::compute) rows: Range<usize>,
    pub(in crate::compute) columns: Range<usize>,
}

/// Rows of a part, over all of whose columns one task goes: so few that what belongs to them, wherever it stands, is on few pages
/// of memory.
const GROUP: usize = 2 * ROWS;

/// How many numbers [`stream`] needs to work with, for sums of up to so many terms.
pub(in crate::compute) fn stream_workspace(depth: usize, columns: usize) -> usize {
    columns.next_multiple_of(STRIP) * depth.min(DEPTH)
}

/// Calls `take(part, numbers)` for parts that make up scale · left · right, with the numbers that [`super::matmul`] gives, row by
/// row; while a part is computed, what `ahead` names for the next is fetched. The sums must be of one block.
pub(in crate::compute) fn stream(
    team: &Team,
    (left, right): (Matrix<f32>, Matrix<f32>),
    scale: f32,
    workspace: &mut [f32],
    ahead: impl Fn(Part) -> [Ahead; 3] + Sync,
    take: impl Fn(Part, &[f32]) + Sync,
) {
    let (rows, depth, columns) = (left.rows, left.columns, right.columns);
    assert_eq!(depth, right.rows, "inner extents of a product");
    assert!((1..=DEPTH).contains(&depth), "sums of one block");
    let packed = &mut workspace[..stream_workspace(depth, columns)];
    team.pieces(packed, STRIP * depth, |start, strip| pack::right(team.isa(), right, 0, start / depth, strip, depth));
    let packed = &*packed;
    team.tasks(rows.div_ceil(GROUP), |task| {
        let rows = task * GROUP..rows.min((task + 1) * GROUP);
        let part = |first: usize| Part { rows: rows.clone(), columns: first.min(columns)..columns.min(first + PANEL) };
        let (left, left_layout) = left.operand(rows.clone(), 0..depth);
        let mut numbers = Stack::<{ GROUP * PANEL }>::new();
        let numbers = numbers.zeros(GROUP * PANEL.min(columns));
        ahead(part(0)).iter().for_each(|ahead| ahead.fetch(0, 1));
        for first in (0..columns).step_by(PANEL) {
            let present = part(first);
            let width = present.columns.len();
            let numbers = &mut numbers[..rows.len() * width];
            let block = Block {
                rows: rows.len(),
                columns: width,
                depth,
                left,
                left_layout,
                right: packed[first * depth..].as_ptr(),
                right_layout: Right::packed(STRIP * depth),
                scale,
                base: Base::Nothing,
                output: numbers.as_mut_ptr(),
                output_stride: width,
                ahead: &ahead(part(first + PANEL)),
            };
            // SAFETY: `left` stands in its matrix, `packed` has `depth` rows of all strips, and `numbers` is the whole part; a
            // team's processor has the instructions.
            unsafe { multiply_block(team.isa(), &block) };
            take(present, numbers);
        }
    });
}
