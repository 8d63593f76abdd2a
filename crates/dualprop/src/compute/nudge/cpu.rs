//! The output nudge on the CPU.

use std::cell::RefCell;

use crate::base::Real;
use crate::compute::Loss;
use crate::compute::compiled::compiled;
use crate::compute::pool::{ELEMENTS, Team};

use super::{NudgeWeights, Room};

/// Rows that one task nudges.
const ROWS: usize = 32;

/// s̄ = a + shift·g and Δ = −(u+d)βg, element by element.
pub(crate) fn linearised<T: Real>(team: &Team, weights: NudgeWeights, a: &[T], g: &[T], mean: &mut [T], difference: &mut [T]) {
    let (shift, pull) = (T::from_f64(weights.shift()), T::from_f64(weights.pull()));
    team.pairs(mean, difference, ELEMENTS, |start, mean, difference| {
        linearised_piece(team.isa(), (shift, pull), &a[start..], &g[start..], mean, difference);
    });
}

compiled! {
    fn linearised_piece<T: Real>(weights: (T, T), a: &[T], g: &[T], mean: &mut [T], difference: &mut [T]) {
        let (shift, pull) = weights;
        for ((mean, difference), (&a, &g)) in mean.iter_mut().zip(difference).zip(a.iter().zip(g)) {
            *mean = a + shift * g;
            *difference = (-(pull * g)).or_zero();
        }
    }
}

/// The proximal nudge, sample by sample; rows of `outputs` elements.
pub(crate) fn proximal<T: Real>(
    team: &Team,
    (loss, weights): (Loss, NudgeWeights),
    outputs: usize,
    (a, y): (&[T], &[T]),
    mean: &mut [T],
    difference: &mut [T],
) {
    team.pairs(mean, difference, ROWS * outputs, |start, mean, difference| {
        let inputs = a[start..].chunks(outputs).zip(y[start..].chunks(outputs));
        let samples = mean.chunks_mut(outputs).zip(difference.chunks_mut(outputs)).zip(inputs);
        ROOM.with_borrow_mut(|room| {
            samples.for_each(|((mean, difference), (a, y))| weights.proximal(loss, a, y, mean, difference, room));
        });
    });
}

thread_local! {
    /// Every thread keeps its own, so that a step allocates nothing once it has been made.
    static ROOM: RefCell<Room> = RefCell::default();
}
