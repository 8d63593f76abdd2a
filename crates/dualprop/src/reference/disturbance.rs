//! What is not ideal in a device, compartment by compartment.
//!
//! After every update of a layer, in this order, r being the root mean square of its s̄ and r_Δ that of its Δ, as they are given:
//!
//! ```text
//! s^± ← s^± + σ_state r ξ^± (+ σ_nudge r ξ^± of a nudged output)      noise
//! s^± ← v r                                                          where broken: v = 0 if dead
//! s^± ← level(s^±, r)                                                few bits
//! s̄ ← s̄ + σ_message r ξ₁,  Δ ← Δ + σ_message r ξ₂                     noise of the messages
//! s̄ ← level(s̄, r),  Δ ← level(Δ, r_Δ)                                 few bits of the messages
//! ```

use crate::base::random::{Purpose, Random, subseed};

/// What disturbs the dyads of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// Draws all noise.
    pub seed: u64,
    /// The number of the batch.
    pub batch: u64,
    /// σ of compartments.
    pub state_noise: f64,
    /// σ of the compartments of a nudged output.
    pub nudge_noise: f64,
    /// σ of messages.
    pub message_noise: f64,
    /// Whether noise is the same at every update.
    pub held: bool,
    /// v of s⁺ and s⁻ of every neuron of layer k = 1..L at k−1; none where it works, no list where all of a layer do.
    pub broken: Vec<Vec<[Option<f64>; 2]>>,
    /// Bits of compartments.
    pub state_bits: Option<u32>,
    /// Bits of messages.
    pub message_bits: Option<u32>,
    /// Whether numbers are rounded to levels at random.
    pub stochastic: bool,
    /// The largest level, in units of r or r_Δ.
    pub range: f64,
    /// (r, r_Δ) of layer k = 1..L at k−1.
    pub scales: Vec<(f64, f64)>,
}

impl Disturbance {
    /// Disturbs (s⁺, s⁻) of layer k after its `update`-th update of this sample, counted from 0; `alpha` is that of each neuron.
    pub(super) fn disturb(
        &self,
        (k, update, sample, nudged): (usize, u32, u32, bool),
        alpha: &[f64],
        (plus, minus): (&mut [f64], &mut [f64]),
    ) {
        let (r, r_difference) = self.scales[k - 1];
        let stream = |purpose: Purpose, held: bool| {
            let seed = subseed(self.seed, purpose, self.batch, k as u32);
            Random::new(seed, purpose, if held { 0 } else { update }, sample)
        };
        let mut state_noise = stream(Purpose::StateNoise, self.held);
        let mut nudge_noise = stream(Purpose::NudgeNoise, self.held);
        let mut message_noise = stream(Purpose::MessageNoise, self.held);
        let mut state_rounding = stream(Purpose::StateRounding, false);
        let mut message_rounding = stream(Purpose::MessageRounding, false);
        for i in 0..plus.len() {
            let (first, second) = state_noise.normals();
            plus[i] += self.state_noise * r * first;
            minus[i] += self.state_noise * r * second;
            if nudged {
                let (first, second) = nudge_noise.normals();
                plus[i] += self.nudge_noise * r * first;
                minus[i] += self.nudge_noise * r * second;
            }
            if let Some([of_plus, of_minus]) = self.broken.get(k - 1).and_then(|layer| layer.get(i)) {
                plus[i] = of_plus.map_or(plus[i], |v| v * r);
                minus[i] = of_minus.map_or(minus[i], |v| v * r);
            }
            if let Some(bits) = self.state_bits {
                plus[i] = level(plus[i], bits, self.range * r, self.stochastic, &mut state_rounding);
                minus[i] = level(minus[i], bits, self.range * r, self.stochastic, &mut state_rounding);
            }
            let mut mean = alpha[i] * plus[i] + (1.0 - alpha[i]) * minus[i];
            let mut difference = plus[i] - minus[i];
            let (first, second) = message_noise.normals();
            mean += self.message_noise * r * first;
            difference += self.message_noise * r * second;
            if let Some(bits) = self.message_bits {
                mean = level(mean, bits, self.range * r, self.stochastic, &mut message_rounding);
                difference = level(difference, bits, self.range * r_difference, self.stochastic, &mut message_rounding);
            }
            plus[i] = mean + (1.0 - alpha[i]) * difference;
            minus[i] = mean - alpha[i] * difference;
        }
    }
}

/// The level of x: of n bits there are 2ⁿ⁻¹ − 1 on either side of 0, the last at ± `most`.
fn level(x: f64, bits: u32, most: f64, stochastic: bool, random: &mut Random) -> f64 {
    let levels = 2f64.powi(bits as i32 - 1) - 1.0;
    let spacing = most / levels;
    if spacing == 0.0 {
        return 0.0;
    }
    let number = if stochastic { (x / spacing + random.uniform()).floor() } else { (x / spacing).round() };
    number.clamp(-levels, levels) * spacing
}

/// Puts the kernel of the map into layer k, [inputs, outputs], on its levels of so many bits within ± range/√in after a step of the
/// seed's training, `in` being the inputs of a neuron; `parameter` is the kernel's number in the list of all parameters.
pub fn few_bits(
    kernel: &mut [f64],
    (outputs, fan_in): (usize, usize),
    (bits, range, stochastic): (u32, f64, bool),
    (seed, step, parameter): (u64, u64, u32),
) {
    let most = range / (fan_in as f64).sqrt();
    for (row, weights) in kernel.chunks_mut(outputs).enumerate() {
        let seed = subseed(seed, Purpose::WeightRounding, step, parameter);
        let mut random = Random::new(seed, Purpose::WeightRounding, 0, row as u32);
        for w in weights {
            *w = level(*w, bits, most, stochastic, &mut random);
        }
    }
}

/// Which compartments of a layer's neurons are broken, by their shares: dead ones at 0, stuck ones at `stuck_at`.
pub fn broken(seed: u64, k: usize, neurons: usize, (dead, stuck, stuck_at): (f64, f64, f64)) -> Vec<[Option<f64>; 2]> {
    let mut random = Random::new(seed, Purpose::Defects, k as u32, 0);
    let mut draw = || {
        let u = random.uniform();
        if u < dead {
            Some(0.0)
        } else if u < dead + stuck {
            Some(stuck_at)
        } else {
            None
        }
    };
    let mut all = vec![];
    for _ in 0..neurons {
        let plus = draw();
        let minus = draw();
        all.push([plus, minus]);
    }
    all
}

/// How far α is from what was meant, σ ξ, for each neuron of a layer or one for all of them: in their means, or in their feedback.
pub fn mismatch(seed: u64, k: usize, neurons: usize, sigma: f64, (each, of_feedback): (bool, bool)) -> Vec<f64> {
    let mut random = Random::new(seed, Purpose::Mismatch, k as u32, u32::from(of_feedback));
    if each { (0..neurons).map(|_| sigma * random.normal()).collect() } else { vec![sigma * random.normal(); neurons] }
}
