//! Counter-based random numbers: a draw is a pure function of (seed, purpose, epoch, sample, index), so that neither the
//! number of threads nor a resumed run can change it.
//!
//! Philox4x32-10 of J. Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011.

use std::f64::consts::TAU;

/// What a stream of random numbers is for; two purposes never share a draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial kernels and biases.
    Initialisation = 1,
    /// Assignment of samples to training, validation and test.
    Split = 2,
    /// Order of the samples within an epoch.
    Shuffle = 3,
    /// Order of the layers under the random schedule.
    Schedule = 4,
    /// Start vectors of power iterations.
    PowerIteration = 5,
    /// Data made up by tests and benchmarks.
    Synthetic = 6,
    /// Crops and flips of training samples.
    Augmentation = 7,
    /// Where attacks on inputs start.
    Attack = 8,
    /// Initial feedback kernels.
    Feedback = 10,
    /// The noise of feedback kernels that copy the forward ones.
    FeedbackNoise = 11,
    /// Noise of states.
    StateNoise = 16,
    /// Noise of the output's nudge.
    NudgeNoise = 17,
    /// Noise of messages.
    MessageNoise = 18,
    /// Rounding of states.
    StateRounding = 19,
    /// Rounding of messages.
    MessageRounding = 20,
    /// Rounding of weights.
    WeightRounding = 21,
    /// How far the α of a device is from what was meant.
    Mismatch = 22,
    /// Which compartments of a device are dead or stuck.
    Defects = 23,
    /// Which layers are updated, and in which order.
    Asynchrony = 24,
}

/// The seed of the streams that belong to one batch (or step) and one layer (or parameter) alone, for where a stream has more to be
/// keyed by than [`Random::new`] takes: two words of the generator's own output at a place that no stream reaches.
pub fn subseed(seed: u64, purpose: Purpose, batch: u64, layer: u32) -> u64 {
    let key = [seed as u32, (seed >> 32) as u32];
    // No purpose of a stream has its highest bit set.
    let counter = [batch as u32, (batch >> 32) as u32, layer, purpose as u32 | 1 << 31];
    let [low, high, ..] = philox(counter, key);
    u64::from(low) | u64::from(high) << 32
}

/// A stream of random numbers, keyed by seed, purpose, epoch and sample; the draw's index is the last word of the counter.
#[derive(Debug, Clone)]
pub struct Random {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Random {
    /// The stream for this purpose, epoch and sample (or layer, or whatever is counted) under this seed.
    pub fn new(seed: u64, purpose: Purpose, epoch: u32, sample: u32) -> Self {
        let key = [seed as u32, (seed >> 32) as u32];
        Random { key, counter: [0, sample, epoch, purpose as u32], block: [0; 4], used: 4 }
    }

    /// The same stream from a later place on, after `blocks` of four draws of [`Random::bits`] each.
    #[must_use]
    pub fn skipping(mut self, blocks: u32) -> Self {
        self.counter[0] = self.counter[0].wrapping_add(blocks);
        self.used = 4;
        self
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// Uniform in the open interval (0, 1), with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        let high = u64::from(self.bits() >> 5);
        let low = u64::from(self.bits() >> 6);
        ((high << 26 | low) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
    }

    /// A standard normal number, by the Box–Muller transform.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        radius * libm::cos(TAU * self.uniform())
    }

    /// Two independent standard normal numbers, of 32 random bits each and within ±6.8: for noise, of which there is much.
    pub fn normals(&mut self) -> (f64, f64) {
        let mut uniform = || (f64::from(self.bits()) + 0.5) * (1.0 / (1u64 << 32) as f64);
        let radius = (-2.0 * libm::log(uniform())).sqrt();
        let (sine, cosine) = libm::sincos(TAU * uniform());
        (radius * cosine, radius * sine)
    }

    /// A standard normal number, redrawn until it lies within ±2.
    pub fn truncated_normal(&mut self) -> f64 {
        loop {
            let draw = self.normal();
            if draw.abs() <= 2.0 {
                return draw;
            }
        }
    }

    /// Uniform in 0..n, without bias.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0 && n <= u32::MAX as usize, "a draw needs 1 to 2^32-1 possibilities, not {n}");
        let n = n as u32;
        // Values at or above the largest multiple of n would favour the small remainders.
        let limit = u32::MAX - (u32::MAX % n + 1) % n;
        loop {
            let draw = self.bits();
            if draw <= limit {
                return (draw % n) as usize;
            }
        }
    }

    /// Shuffles in place, every order equally likely (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// Philox4x32-10: ten rounds of two multiplications.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers published with the Random123 library (kat_vectors, philox4x32 10).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    /// A normal number takes one block, which is what lets several threads draw one stream.
    #[test]
    fn a_stream_can_be_drawn_from_any_of_its_normals_on() {
        let stream = || Random::new(7, Purpose::Synthetic, 1, 2);
        let whole: Vec<f64> = std::iter::repeat_with({
            let mut random = stream();
            move || random.normal()
        })
        .take(9)
        .collect();
        for start in 0..9 {
            let mut rest = stream().skipping(start);
            assert!(whole[start as usize..].iter().all(|normal| *normal == rest.normal()), "from {start}");
        }
    }

    #[test]
    fn subseeds_depend_on_everything_that_they_are_keyed_by() {
        let seeds = [
            subseed(1, Purpose::StateNoise, 2, 3),
            subseed(2, Purpose::StateNoise, 2, 3),
            subseed(1, Purpose::NudgeNoise, 2, 3),
            subseed(1, Purpose::StateNoise, 3, 3),
            subseed(1, Purpose::StateNoise, 2 + (1 << 32), 3),
            subseed(1, Purpose::StateNoise, 2, 4),
        ];
        assert!((0..6).all(|i| (0..i).all(|j| seeds[i] != seeds[j])), "{seeds:?}");
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut random = Random::new(7, Purpose::Synthetic, 0, 0);
        let draws: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        // Standard errors: 0.0032 of the mean, 0.0045 of the variance; four of them.
        assert!(mean.abs() < 0.013 && (variance - 1.0).abs() < 0.018, "mean {mean}, variance {variance}");
    }

    #[test]
    fn normals_in_pairs_have_mean_zero_and_variance_one_and_are_uncorrelated() {
        let mut random = Random::new(7, Purpose::Synthetic, 1, 0);
        let draws: Vec<(f64, f64)> = (0..100_000).map(|_| random.normals()).collect();
        let mean = |of: &dyn Fn(f64, f64) -> f64| draws.iter().map(|&(a, b)| of(a, b)).sum::<f64>() / 1e5;
        // Standard errors: 0.0032 of the means and the product, 0.0045 of the squares, 0.031 of the fourth powers; four of them.
        assert!([mean(&|a, _| a), mean(&|_, b| b), mean(&|a, b| a * b)].iter().all(|x| x.abs() < 0.013));
        assert!([mean(&|a, _| a * a), mean(&|_, b| b * b)].iter().all(|x| (x - 1.0).abs() < 0.018));
        assert!((mean(&|a, _| a.powi(4)) - 3.0).abs() < 0.125);
    }

    #[test]
    fn shuffling_keeps_every_item_and_streams_differ() {
        let orders: Vec<Vec<usize>> = [(0, 0), (1, 0), (0, 1)]
            .into_iter()
            .map(|(seed, epoch)| {
                let mut order: Vec<usize> = (0..100).collect();
                Random::new(seed, Purpose::Shuffle, epoch, 0).shuffle(&mut order);
                order
            })
            .collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        }
        assert!(orders[0] != orders[1] && orders[0] != orders[2] && orders[1] != orders[2]);
    }

    #[test]
    fn below_reaches_every_value_evenly() {
        let mut random = Random::new(3, Purpose::Synthetic, 0, 0);
        let mut counts = [0i32; 7];
        (0..70_000).for_each(|_| counts[random.below(7)] += 1);
        // Standard deviation 93; five of them.
        assert!(counts.iter().all(|count| (count - 10_000).abs() < 465), "{counts:?}");
    }
}
