//! What is not ideal in a device: noise, dead and stuck compartments, numbers of a few bits.
//!
//! It enters by one door, after the update of a layer's dyads and before anything reads them. With the compartments
//! s⁺ = s̄ + (1−α)Δ and s⁻ = s̄ − αΔ, and r the root of the running mean square of s̄ (r_Δ of Δ), in this order:
//!
//! ```text
//! noise      s^± ← s^± + σ_state r ξ^±,  and of a nudged output  + σ_nudge r ξ^±
//! defects    s^± ← 0 where dead, v r where stuck
//! states     s^± ← the nearest level within ± range r
//! messages   s̄ ← s̄ + σ_message r ξ₁,  Δ ← Δ + σ_message r ξ₂,  then the nearest levels within ± range r and ± range r_Δ
//! ```
//!
//! Every ξ is a standard normal number of its own, keyed by (seed, batch, layer, update, sample, neuron), so that nothing depends on
//! the number of threads or on where a run was resumed. What no defect or level asks the compartments for is added to the messages
//! directly, s̄ by α n⁺ + (1−α) n⁻ and Δ by n⁺ − n⁻, so that a small Δ loses nothing to rounding.

pub(super) mod cpu;
mod quantizer;
mod scales;

pub use quantizer::{FEWEST_BITS, MOST_BITS, Quantizer, Rounding};
pub use scales::Scales;

use crate::base::Real;
use crate::base::random::{Purpose, Random, subseed};

/// What disturbs the dyads of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbances {
    /// Draws everything.
    pub seed: u64,
    /// Layer k = 1..L at k − 1.
    pub layers: Vec<Disturbance>,
}

/// What disturbs the dyads of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// α of every neuron, the weight of s⁺ in its mean; of a single element, that of all of them.
    pub alpha: Vec<f64>,
    /// σ of the compartments.
    pub state_noise: f64,
    /// σ of the nudge of the output's compartments.
    pub nudge_noise: f64,
    /// σ of the two messages.
    pub message_noise: f64,
    /// Whether noise is drawn once for a sample and held during its inference, and not anew at every update.
    pub held: bool,
    /// What is wrong with s⁺ and s⁻ of every neuron; empty where nothing is.
    pub defects: Vec<[Defect; 2]>,
    /// The levels of compartments.
    pub states: Option<Quantizer>,
    /// The levels of messages.
    pub messages: Option<Quantizer>,
}

/// What an update of a layer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Nothing was fed back, nor nudged: Δ was 0 before it was disturbed, and says nothing of how large it is otherwise.
    Rest,
    /// A hidden layer was fed back to.
    FedBack,
    /// The output was nudged.
    Nudged,
}

/// What is wrong with a compartment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Defect {
    /// Nothing.
    None,
    /// It is 0 for ever.
    Dead,
    /// It stays at so many times the layer's running scale.
    Stuck(f64),
}

/// What the numbers of one update are keyed by, beside the sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) seed: u64,
    pub(super) batch: u64,
    /// From 1.
    pub(super) layer: u32,
    /// Updates of the layer before this one in the same batch.
    pub(super) update: u32,
    /// The number of the batch's first sample.
    pub(super) first: u32,
}

impl Key {
    /// The numbers of a sample for this purpose, the same at every update of the batch if they are `held`.
    fn stream(&self, purpose: Purpose, row: usize, held: bool) -> Random {
        let update = if held { 0 } else { self.update };
        // No batch has 2³² samples.
        Random::new(subseed(self.seed, purpose, self.batch, self.layer), purpose, update, self.first.wrapping_add(row as u32))
    }
}

/// One update of a layer's dyads: its key, and what the layer's disturbances are relative to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) key: Key,
    /// What the update was.
    pub(super) occasion: Occasion,
    /// (r, r_Δ)
    pub(super) scales: (f64, f64),
}

impl Disturbance {
    /// Disturbs the messages of one sample, in the batch's row `row`.
    fn disturb<T: Real>(&self, moment: &Moment, row: usize, mean: &mut [T], difference: &mut [T]) {
        let (r, r_difference) = moment.scales;
        let noise = |sigma: f64, purpose| (sigma > 0.0).then(|| (sigma * r, moment.key.stream(purpose, row, self.held)));
        let mut of_states = noise(self.state_noise, Purpose::StateNoise);
        let mut of_nudge = noise(if moment.occasion == Occasion::Nudged { self.nudge_noise } else { 0.0 }, Purpose::NudgeNoise);
        let mut of_messages = noise(self.message_noise, Purpose::MessageNoise);
        let mut state_rounding = moment.key.stream(Purpose::StateRounding, row, false);
        let mut message_rounding = moment.key.stream(Purpose::MessageRounding, row, false);
        let draw = |noise: &mut Option<(f64, Random)>| match noise {
            Some((sigma, random)) => {
                let (first, second) = random.normals();
                (*sigma * first, *sigma * second)
            }
            None => (0.0, 0.0),
        };
        for (i, (mean_out, difference_out)) in mean.iter_mut().zip(difference).enumerate() {
            let (mut mean, mut difference) = (mean_out.to_f64(), difference_out.to_f64());
            let alpha = self.alpha_of(i);
            let (of_state, of_nudge) = (draw(&mut of_states), draw(&mut of_nudge));
            let (n_plus, n_minus) = (of_state.0 + of_nudge.0, of_state.1 + of_nudge.1);
            if self.defects.is_empty() && self.states.is_none() {
                mean += alpha * n_plus + (1.0 - alpha) * n_minus;
                difference += n_plus - n_minus;
            } else {
                let mut s_plus = mean + (1.0 - alpha) * difference + n_plus;
                let mut s_minus = mean - alpha * difference + n_minus;
                if let Some([plus, minus]) = self.defects.get(i) {
                    (s_plus, s_minus) = (plus.of(s_plus, r), minus.of(s_minus, r));
                }
                if let Some(levels) = &self.states {
                    s_plus = levels.level(s_plus, r, &mut state_rounding);
                    s_minus = levels.level(s_minus, r, &mut state_rounding);
                }
                (mean, difference) = (alpha * s_plus + (1.0 - alpha) * s_minus, s_plus - s_minus);
            }
            let (of_mean, of_difference) = draw(&mut of_messages);
            (mean, difference) = (mean + of_mean, difference + of_difference);
            if let Some(levels) = &self.messages {
                mean = levels.level(mean, r, &mut message_rounding);
                difference = levels.level(difference, r_difference, &mut message_rounding);
            }
            (*mean_out, *difference_out) = (T::from_f64(mean), T::from_f64(difference).or_zero());
        }
    }

    /// α of the i-th neuron.
    pub(super) fn alpha_of(&self, i: usize) -> f64 {
        if self.alpha.len() == 1 { self.alpha[0] } else { self.alpha[i] }
    }
}

impl Defect {
    /// What becomes of a compartment where the scale is r.
    fn of(self, s: f64, r: f64) -> f64 {
        match self {
            Defect::None => s,
            Defect::Dead => 0.0,
            Defect::Stuck(level) => level * r,
        }
    }
}
