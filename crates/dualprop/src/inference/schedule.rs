//! The schedule: the order in which layers 1..L are updated.

use crate::base::Named;
use crate::base::random::{Purpose, Random};

/// An order of layer updates; each update sees all earlier ones, except under `Parallel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// fwK: K bottom-to-top sweeps.
    Forward,
    /// bwK: one top-to-bottom sweep.
    Backward,
    /// fwbwK: down, then K−1 times up and down.
    ForwardBackward,
    /// The order of the paper's Julia program: L, then K times (L−1…1, 2…L), then L−1…1.
    BackwardForward,
    /// Odd layers, then even ones, K times.
    OddEven,
    /// Even layers, then odd ones, K times.
    EvenOdd,
    /// All layers at once from the old values (Jacobi), K times.
    Parallel,
    /// Single layers drawn with replacement, L draws a pass, the same order for every batch of a run.
    Random,
}

impl Named for Schedule {
    const WHAT: &'static str = "schedule";
    const ALL: &'static [(&'static str, Self)] = &[
        ("forward", Schedule::Forward),
        ("backward", Schedule::Backward),
        ("forward_backward", Schedule::ForwardBackward),
        ("backward_forward", Schedule::BackwardForward),
        ("odd_even", Schedule::OddEven),
        ("even_odd", Schedule::EvenOdd),
        ("parallel", Schedule::Parallel),
        ("random", Schedule::Random),
    ];
}

/// One pass: groups of layers; a group is updated at once from the values before it.
pub type Pass = Vec<Vec<usize>>;

impl Schedule {
    /// The passes for a network of `depth` layers, at least one; `seed` draws the order of `Random`.
    pub fn passes(self, passes: usize, depth: usize, seed: u64) -> Vec<Pass> {
        let passes = passes.max(1);
        let up = || (1..=depth).collect::<Vec<_>>();
        let down = |from: usize| (1..=from).rev().collect::<Vec<_>>();
        let parity = |first: usize| (first..=depth).step_by(2).chain((3 - first..=depth).step_by(2)).collect::<Vec<_>>();
        let repeat = |layers: Vec<usize>| vec![one_by_one(layers); passes];
        match self {
            Schedule::Forward => repeat(up()),
            Schedule::Backward => vec![one_by_one(down(depth))],
            Schedule::OddEven => repeat(parity(1)),
            Schedule::EvenOdd => repeat(parity(2)),
            Schedule::Parallel => vec![vec![up()]; passes],
            Schedule::ForwardBackward => {
                let first: Vec<usize> = (2..=depth).rev().collect();
                let later: Vec<usize> = (1..depth).chain(down(depth)).collect();
                let mut order = vec![first];
                order.extend(vec![later; passes - 1]);
                order[passes - 1].push(1);
                order.into_iter().map(one_by_one).collect()
            }
            Schedule::BackwardForward => {
                let round: Vec<usize> = down(depth - 1).into_iter().chain(2..=depth).collect();
                let mut order = vec![round; passes];
                order[0].insert(0, depth);
                order[passes - 1].extend(down(depth - 1));
                order.into_iter().map(one_by_one).collect()
            }
            Schedule::Random => {
                let draw = |pass: usize| {
                    let mut random = Random::new(seed, Purpose::Schedule, pass as u32, 0);
                    (0..depth).map(|_| 1 + random.below(depth)).collect()
                };
                (0..passes).map(|pass| one_by_one(draw(pass))).collect()
            }
        }
    }
}

fn one_by_one(layers: Vec<usize>) -> Pass {
    layers.into_iter().map(|layer| vec![layer]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(schedule: Schedule, passes: usize, depth: usize) -> Vec<usize> {
        schedule.passes(passes, depth, 0).into_iter().flatten().flatten().collect()
    }

    /// The orders that the executable specification lists for K = 2 and L = 4 (and the Julia program's for its own).
    #[test]
    fn orders_are_those_of_the_specification() {
        assert_eq!(flat(Schedule::Forward, 2, 4), [1, 2, 3, 4, 1, 2, 3, 4]);
        assert_eq!(flat(Schedule::Backward, 1, 4), [4, 3, 2, 1]);
        assert_eq!(flat(Schedule::ForwardBackward, 1, 4), [4, 3, 2, 1]);
        assert_eq!(flat(Schedule::ForwardBackward, 2, 4), [4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 1]);
        assert_eq!(flat(Schedule::BackwardForward, 2, 4), [4, 3, 2, 1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3, 2, 1]);
        assert_eq!(flat(Schedule::OddEven, 1, 5), [1, 3, 5, 2, 4]);
        assert_eq!(flat(Schedule::EvenOdd, 1, 5), [2, 4, 1, 3, 5]);
        assert_eq!(flat(Schedule::ForwardBackward, 2, 1), [1, 1]);
        assert_eq!(Schedule::Parallel.passes(2, 3, 0), vec![vec![vec![1, 2, 3]]; 2]);
    }

    #[test]
    fn a_single_layer_is_updated_under_every_schedule() {
        for (name, schedule) in Schedule::ALL {
            let order = flat(*schedule, 2, 1);
            assert!(!order.is_empty() && order.iter().all(|&layer| layer == 1), "{name}: {order:?}");
        }
    }

    #[test]
    fn random_orders_depend_on_the_seed_alone() {
        let order = |seed| Schedule::Random.passes(5, 4, seed);
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        assert!(order(1).iter().all(|pass| pass.len() == 4));
        // With replacement: some pass has a layer twice.
        let repeats = |pass: &Pass| (1..=4).any(|layer| pass.iter().flatten().filter(|&&drawn| drawn == layer).count() > 1);
        assert!(order(1).iter().any(repeats));
    }
}
