//! Numbers of a few bits.

use crate::base::Named;
use crate::base::random::Random;

/// How a number between two levels becomes one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// The nearer one, of two equally near the larger in size.
    Nearest,
    /// The upper one with the probability ⌊x/q + u⌋ q, u uniform in (0, 1), so that the mean is x.
    Stochastic,
}

impl Named for Rounding {
    const WHAT: &'static str = "rounding";
    const ALL: &'static [(&'static str, Self)] = &[("nearest", Rounding::Nearest), ("stochastic", Rounding::Stochastic)];
}

/// The fewest bits: two, of which one is the sign.
pub const FEWEST_BITS: u32 = 2;

/// The most bits: beyond these a level is finer than the numbers of single precision.
pub const MOST_BITS: u32 = 24;

/// The 2ⁿ − 1 levels of n bits, 0 among them: i q for |i| ≤ 2ⁿ⁻¹ − 1, q = range / (2ⁿ⁻¹ − 1); what lies beyond saturates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantizer {
    /// n, from [`FEWEST_BITS`] to [`MOST_BITS`].
    pub bits: u32,
    /// The largest level, in units of a scale that is known when it is used.
    pub range: f64,
    /// How numbers are rounded to levels.
    pub rounding: Rounding,
}

impl Quantizer {
    /// The level of x on a grid of this scale. `random` is drawn from once where rounding is stochastic, whatever x is.
    ///
    /// A scale of 0 is that of numbers which are all 0; their level is 0.
    pub fn level(&self, x: f64, scale: f64, random: &mut Random) -> f64 {
        let most = f64::from((1u32 << (self.bits - 1)) - 1);
        let q = self.range * scale / most;
        let step = match self.rounding {
            Rounding::Nearest => (x / q).round(),
            Rounding::Stochastic => (x / q + random.uniform()).floor(),
        };
        // A number that is none stays so.
        if q == 0.0 && x == 0.0 { 0.0 } else { step.clamp(-most, most) * q }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Purpose;

    fn random() -> Random {
        Random::new(1, Purpose::Synthetic, 0, 0)
    }

    #[test]
    fn three_bits_have_seven_levels_and_saturate() {
        let quantizer = Quantizer { bits: 3, range: 1.5, rounding: Rounding::Nearest };
        let level = |x| quantizer.level(x, 2.0, &mut random());
        // q = 1.5 · 2 / 3.
        assert_eq!([0.4, 0.5, -0.5, 1.4, 2.9, 99.0, -99.0, 0.0].map(level), [0.0, 1.0, -1.0, 1.0, 3.0, 3.0, -3.0, 0.0]);
        assert!(level(f64::NAN).is_nan());
        assert_eq!(quantizer.level(0.0, 0.0, &mut random()), 0.0);
    }

    #[test]
    fn stochastic_rounding_is_right_in_the_mean() {
        let quantizer = Quantizer { bits: 4, range: 7.0, rounding: Rounding::Stochastic };
        let mut random = random();
        for x in [-2.3, 0.25, 3.0, 6.9] {
            let levels: Vec<f64> = (0..40_000).map(|_| quantizer.level(x, 1.0, &mut random)).collect();
            assert!(levels.iter().all(|level| (level - x).abs() < 1.0 && level.fract() == 0.0), "{x}");
            let mean = levels.iter().sum::<f64>() / 40_000.0;
            // Standard deviation of the mean at most ½ / 200; four of them.
            assert!((mean - x).abs() < 0.01, "{x}: {mean}");
        }
    }

    #[test]
    fn a_level_is_rounded_to_itself() {
        let mut random = random();
        for rounding in [Rounding::Nearest, Rounding::Stochastic] {
            let quantizer = Quantizer { bits: 5, range: 1.0, rounding };
            for i in -15..=15 {
                let x = f64::from(i) * (1.0 / 15.0);
                let level = quantizer.level(x, 1.0, &mut random);
                // Stochastic rounding of i − 10⁻¹⁶ may find the level below once in 10¹⁶ draws.
                assert_eq!(level, x, "{rounding:?} {i}");
            }
        }
    }
}
