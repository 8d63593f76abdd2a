//! Whether numbers are finite: what is asked of every gradient before it changes a weight.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::Real;

use super::Pool;
use super::compiled::compiled;
use super::pool::Team;

/// Numbers that one thread looks at without an end in between.
const PIECE: usize = 1 << 15;

/// Whether all of these numbers are finite, looked at on the threads of the pool.
pub fn all_finite<T: Real>(pool: &Pool, numbers: &[T]) -> bool {
    pool.enter(|team| finite_on(team, numbers))
}

/// As [`all_finite`], on a team.
pub(super) fn finite_on<T: Real>(team: &Team, numbers: &[T]) -> bool {
    let finite = AtomicBool::new(true);
    team.tasks(numbers.len().div_ceil(PIECE), |piece| {
        let numbers = &numbers[piece * PIECE..];
        if !finite_piece(team.isa(), &numbers[..PIECE.min(numbers.len())]) {
            finite.store(false, Ordering::Relaxed);
        }
    });
    finite.into_inner()
}

compiled! {
    /// Whether all of these numbers are finite.
    pub(super) fn finite_piece<T: Real>(numbers: &[T]) -> bool {
        // Without an early end many are compared at a time.
        let mut finite = true;
        for x in numbers {
            finite &= x.is_finite();
        }
        finite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_anywhere_is_seen() {
        for threads in [1, 3] {
            let pool = Pool::new(threads).unwrap();
            let mut numbers = vec![f32::MAX; 2 * PIECE + 5];
            assert!(all_finite(&pool, &numbers) && all_finite::<f64>(&pool, &[]));
            for place in [0, PIECE - 1, PIECE, 2 * PIECE + 4] {
                for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    numbers[place] = broken;
                    assert!(!all_finite(&pool, &numbers), "{broken} at {place}");
                }
                numbers[place] = f32::MIN_POSITIVE / 2.0;
            }
        }
    }
}
