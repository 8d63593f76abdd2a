//! Which updates of a batch take place, and in which order.

use crate::base::random::{Purpose, Random, subseed};
use crate::inference::{Inference, Pass, PerLayer};

use super::Disturbance;

impl Inference {
    /// The passes of this batch for a network of `depth` layers: those of the schedule, in an order that is drawn anew where that is
    /// asked for, without the updates that do not take place.
    pub fn passes_of_batch(&self, depth: usize, batch: u64) -> Vec<Pass> {
        let drawn = Draws { seed: self.seed, batch };
        let order_seed = if self.disturbance.redraw_order { drawn.order() } else { self.seed };
        let mut passes = self.schedule.passes(self.passes, depth, order_seed);
        for (pass, groups) in passes.iter_mut().enumerate() {
            let mut random = drawn.updates(pass);
            groups.iter_mut().for_each(|group| group.retain(|&k| random.uniform() < self.disturbance.probability(k)));
        }
        passes
    }
}

impl Disturbance {
    /// The probability of an update of layer k = 1..L.
    fn probability(&self, k: usize) -> f64 {
        match &self.update_probability {
            PerLayer::Uniform(p) => *p,
            PerLayer::Each(each) => each[k - 1],
        }
    }
}

/// What is drawn for a batch.
struct Draws {
    seed: u64,
    batch: u64,
}

impl Draws {
    /// The seed of the order.
    fn order(&self) -> u64 {
        subseed(self.seed, Purpose::Asynchrony, self.batch, 0)
    }

    /// A number for every update of a pass.
    fn updates(&self, pass: usize) -> Random {
        // There are at most 2¹⁶ passes.
        Random::new(subseed(self.seed, Purpose::Asynchrony, self.batch, 1), Purpose::Asynchrony, pass as u32, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Loss;
    use crate::inference::{Rule, Schedule};

    fn inference(schedule: Schedule, update_probability: PerLayer, redraw_order: bool) -> Inference {
        let disturbance = Disturbance { update_probability, redraw_order, ..Disturbance::default() };
        let plain = Inference::new(Rule::dp(0.5), 0.1, Loss::CrossEntropy);
        Inference { schedule, passes: 200, seed: 5, disturbance, ..plain }
    }

    #[test]
    fn every_layer_is_updated_with_its_own_probability() {
        let inference = inference(Schedule::Parallel, PerLayer::Each(vec![1.0, 0.5, 0.1]), false);
        let passes: Vec<Pass> = (0..10).flat_map(|batch| inference.passes_of_batch(3, batch)).collect();
        let count = |k| passes.iter().flatten().flatten().filter(|&&layer| layer == k).count();
        // Standard deviations of 2000 draws: 22 and 13; four of them.
        assert!(count(1) == 2000 && count(2).abs_diff(1000) < 90 && count(3).abs_diff(200) < 54, "{} {}", count(2), count(3));
        assert_ne!(inference.passes_of_batch(3, 0), inference.passes_of_batch(3, 1));
        assert_eq!(inference.passes_of_batch(3, 7), inference.passes_of_batch(3, 7));
    }

    #[test]
    fn certain_updates_are_those_of_the_schedule() {
        for (_, schedule) in <Schedule as crate::base::Named>::ALL {
            let inference = inference(*schedule, PerLayer::Uniform(1.0), false);
            assert_eq!(inference.passes_of_batch(4, 3), schedule.passes(200, 4, 5));
        }
    }

    #[test]
    fn a_redrawn_order_is_another_one_for_every_batch() {
        let inference = inference(Schedule::Random, PerLayer::Uniform(1.0), true);
        let orders: Vec<Vec<Pass>> = (0..3).map(|batch| inference.passes_of_batch(4, batch)).collect();
        assert!(orders[0] != orders[1] && orders[1] != orders[2] && orders[0] != orders[2]);
        assert!(orders.iter().flatten().all(|pass| pass.len() == 4));
    }
}
