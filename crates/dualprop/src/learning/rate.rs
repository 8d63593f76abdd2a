//! Learning-rate schedules, in f64 and step by step as optax computes them.

use crate::base::{Error, Result};

/// The learning rate η of every step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// The same at every step.
    Constant(f64),
    /// From `peak` to `last` along half a cosine wave, as `optax.cosine_decay_schedule` with alpha = last/peak:
    /// η(t) = peak · ((1 − alpha) · ½ (1 + cos(π t / steps)) + alpha) for t ≤ steps, `last` from then on.
    Cosine {
        /// η at step 0; not 0, unless `last` is.
        peak: f64,
        /// η at `steps` and after.
        last: f64,
        /// Length of the decay.
        steps: u64,
    },
    /// Linear from `first` to `peak`, then the cosine to `last`, as `optax.warmup_cosine_decay_schedule`:
    /// η(t) = (first − peak)(1 − t / warmup_steps) + peak for t < warmup_steps.
    WarmupCosine {
        /// η at step 0, if there is a warm-up.
        first: f64,
        /// η at `warmup_steps`.
        peak: f64,
        /// η at `decay_steps` and after.
        last: f64,
        /// Length of the warm-up; may be 0.
        warmup_steps: u64,
        /// Length of warm-up and decay together.
        decay_steps: u64,
    },
}

impl Rate {
    /// Whether the schedule can be followed.
    ///
    /// # Errors
    /// [`Error::Setting`] for a rate that is negative or not finite, a decay that starts from 0 and ends elsewhere, and a
    /// decay without a step.
    pub fn check(&self) -> Result<()> {
        let rate = |field: &str, value: f64| match value.is_finite() && value >= 0.0 {
            true => Ok(()),
            false => Err(Error::setting(field, value, "a learning rate is a finite number of at least 0")),
        };
        let cosine = |peak: f64, last: f64| match peak == 0.0 && last > 0.0 {
            true => {
                Err(Error::setting("learning_rate", peak, format!("a cosine cannot rise to {last}; its peak must be above 0")))
            }
            false => rate("learning_rate", peak).and_then(|()| rate("final_learning_rate", last)),
        };
        match *self {
            Rate::Constant(value) => rate("learning_rate", value),
            Rate::Cosine { steps: 0, .. } => Err(Error::setting("decay_steps", 0, "a decay needs at least one step")),
            Rate::Cosine { peak, last, .. } => cosine(peak, last),
            Rate::WarmupCosine { warmup_steps, decay_steps, .. } if decay_steps <= warmup_steps => {
                let problem = format!("includes the {warmup_steps} steps of the warm-up and must be larger");
                Err(Error::setting("decay_steps", decay_steps, problem))
            }
            Rate::WarmupCosine { first, peak, last, .. } => rate("init_learning_rate", first).and_then(|()| cosine(peak, last)),
        }
    }

    /// η at this step, counted from 0. A decay without a step, which [`Rate::check`] refuses, is over at once.
    pub fn at(&self, step: u64) -> f64 {
        match *self {
            Rate::Constant(rate) => rate,
            Rate::Cosine { peak, last, steps } => cosine(peak, last, step, steps),
            Rate::WarmupCosine { first, peak, warmup_steps, .. } if step < warmup_steps => {
                (first - peak) * (1.0 - step as f64 / warmup_steps as f64) + peak
            }
            Rate::WarmupCosine { peak, last, warmup_steps, decay_steps, .. } => {
                cosine(peak, last, step - warmup_steps, decay_steps.saturating_sub(warmup_steps))
            }
        }
    }
}

impl Rate {
    /// The rate that an update uses: [`Rate::at`], but with a warm-up in the precision in which optax evaluates it.
    ///
    /// optax counts steps in 32-bit integers, whose quotients JAX forms in f32 even where everything else is f64. The golden
    /// trainings were made so: with η(t) of f64 instead, a rate of 0.001 is 2e-9 off and their losses 1e-8.
    pub fn applied(&self, step: u64) -> f64 {
        match *self {
            Rate::WarmupCosine { first, peak, warmup_steps, .. } if step < warmup_steps => {
                f64::from((first - peak) as f32 * (1.0 - step as f32 / warmup_steps as f32) + peak as f32)
            }
            Rate::WarmupCosine { .. } => f64::from(self.at(step) as f32),
            Rate::Constant(_) | Rate::Cosine { .. } => self.at(step),
        }
    }
}

fn cosine(peak: f64, last: f64, step: u64, steps: u64) -> f64 {
    let alpha = if peak == 0.0 { 0.0 } else { last / peak };
    let passed = if step < steps { step as f64 / steps as f64 } else { 1.0 };
    let wave = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * passed));
    peak * ((1.0 - alpha) * wave + alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_is_applied_in_f32_and_everything_else_in_f64() {
        let rate = Rate::WarmupCosine { first: 0.001, peak: 0.05, last: 0.01, warmup_steps: 2, decay_steps: 4 };
        // −0.049 + 0.05 and −0.049 / 2 + 0.05 in f32.
        let expected = [0.049f32.mul_add(-1.0, 0.05), 0.0245f32.mul_add(-1.0, 0.05), 0.05, 0.01].map(f64::from);
        assert_eq!([0, 1, 2, 4].map(|step| rate.applied(step)), expected);
        assert!((rate.applied(0) - 0.001).abs() > 1e-9);
        assert_eq!(Rate::Constant(0.1).applied(3), 0.1);
        let cosine = Rate::Cosine { peak: 0.1, last: 0.0, steps: 7 };
        assert_eq!(cosine.applied(3), cosine.at(3));
    }

    /// Written by optax in f64, with the warm-up of 2 steps and the decay of 4 in all that its metadata name.
    #[test]
    fn the_authors_rates_come_back_to_the_last_digits() {
        let path = "tests/golden/training/train_mlp_a_dp_transpose_a0.5_fwK3_sgd.safetensors";
        let bytes = std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let metadata = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
        let number = |key: &str| metadata[key].parse::<f64>().unwrap();
        let rate = Rate::WarmupCosine {
            first: number("init_learning_rate"),
            peak: number("learning_rate"),
            last: number("final_learning_rate"),
            warmup_steps: number("warmup_steps") as u64,
            decay_steps: number("decay_steps") as u64,
        };
        rate.check().unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let golden = tensors.tensor("step_learning_rate").unwrap().data().as_chunks().0;
        assert_eq!(golden.len(), 5);
        for (step, bytes) in golden.iter().enumerate() {
            let (got, expected) = (rate.at(step as u64), f64::from_le_bytes(*bytes));
            // Only the cosine may differ, by an ulp.
            assert!((got - expected).abs() <= 4e-16 * expected, "step {step}: {got}, expected {expected}");
        }
    }

    #[test]
    fn a_cosine_passes_through_the_points_of_its_closed_form_and_stays_at_the_last() {
        let rate = Rate::Cosine { peak: 0.3, last: 0.1, steps: 12 };
        let root = 3f64.sqrt() / 2.0;
        for (step, expected) in
            [(0, 0.3), (2, 0.2 + 0.1 * root), (4, 0.25), (6, 0.2), (8, 0.15), (12, 0.1), (13, 0.1), (u64::MAX, 0.1)]
        {
            assert!((rate.at(step) - expected).abs() < 1e-15, "step {step}: {}", rate.at(step));
        }
        assert_eq!(Rate::Cosine { peak: 0.3, last: 0.0, steps: 7 }.at(7), 0.0);
        assert_eq!(Rate::Constant(0.25).at(9), 0.25);
    }

    #[test]
    fn without_a_warm_up_the_two_cosines_are_one() {
        let plain = Rate::Cosine { peak: 0.3, last: 0.01, steps: 9 };
        let warm = Rate::WarmupCosine { first: 0.7, peak: 0.3, last: 0.01, warmup_steps: 0, decay_steps: 9 };
        assert!((0..12).all(|step| plain.at(step) == warm.at(step)));
    }

    #[test]
    fn impossible_schedules_are_refused_and_yet_give_numbers() {
        let refused = |rate: Rate| rate.check().unwrap_err().to_string();
        assert!(refused(Rate::Constant(f64::NAN)).starts_with("learning_rate = NaN: a learning rate"));
        assert!(refused(Rate::Constant(-0.1)).starts_with("learning_rate = -0.1: a learning rate"));
        assert!(refused(Rate::Cosine { peak: 0.1, last: -1.0, steps: 3 }).starts_with("final_learning_rate = -1"));
        assert!(refused(Rate::Cosine { peak: 0.0, last: 0.1, steps: 3 }).contains("its peak must be above 0"));
        let endless = Rate::Cosine { peak: 0.1, last: 0.01, steps: 0 };
        assert!(refused(endless).starts_with("decay_steps = 0"));
        assert!((endless.at(0) - 0.01).abs() < 1e-17);
        let short = Rate::WarmupCosine { first: 0.0, peak: 0.1, last: 0.01, warmup_steps: 5, decay_steps: 5 };
        assert!(refused(short).starts_with("decay_steps = 5: includes the 5 steps"));
        assert!((short.at(4) - 0.08).abs() < 1e-16 && (short.at(5) - 0.01).abs() < 1e-17);
        let first = Rate::WarmupCosine { first: f64::INFINITY, peak: 0.1, last: 0.01, warmup_steps: 5, decay_steps: 6 };
        assert!(refused(first).starts_with("init_learning_rate = inf"));
        assert!(Rate::WarmupCosine { first: 0.0, peak: 0.1, last: 0.0, warmup_steps: 5, decay_steps: 6 }.check().is_ok());
    }
}
