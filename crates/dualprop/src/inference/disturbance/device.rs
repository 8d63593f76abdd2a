//! The devices of a run: what is drawn once, from its seed alone, and kept.

use crate::base::random::{Purpose, Random};
use crate::compute::disturbance::{Defect, Disturbance as OfLayer, Disturbances, Quantizer};
use crate::compute::dyad::NeuronWeights;
use crate::inference::{Inference, NoisePer};
use crate::network::Topology;

use super::{Drawn, MismatchPer};

/// An inference together with the devices that it runs on.
pub(in crate::inference) struct Device<'a> {
    topology: &'a Topology,
    inference: &'a Inference,
}

/// What is drawn of a layer's devices, each from a stream of its own.
const OF_MEANS: u32 = 0;
const OF_FEEDBACK: u32 = 1;

impl<'a> Device<'a> {
    pub(in crate::inference) fn new(topology: &'a Topology, inference: &'a Inference) -> Self {
        Device { topology, inference }
    }

    /// The weights of the single neurons of every hidden layer; none where all neurons of a layer have the same.
    pub(in crate::inference) fn neurons(&self) -> Vec<NeuronWeights> {
        match self.inference.disturbance.alpha_mismatch > 0.0 {
            true => (1..self.topology.depth()).map(|k| self.of_neurons(k)).collect(),
            false => vec![],
        }
    }

    /// α of every neuron of layer k = 1..L; of a single element, that of all of them.
    pub(in crate::inference) fn alpha(&self, k: usize) -> Vec<f64> {
        let depth = self.topology.depth();
        match k < depth && self.inference.disturbance.alpha_mismatch > 0.0 {
            true => self.of_neurons(k).alpha,
            false => vec![self.inference.rule.mean_weight(k, depth)],
        }
    }

    fn of_neurons(&self, k: usize) -> NeuronWeights {
        let Inference { rule, disturbance, .. } = self.inference;
        let of_means = self.deviations(k, OF_MEANS);
        let of_feedback = match disturbance.mismatch_drawn {
            Drawn::Together => of_means.clone(),
            Drawn::Apart => self.deviations(k, OF_FEEDBACK),
        };
        let (mut alpha, mut w_plus, mut w_minus) = (vec![], vec![], vec![]);
        let [up, down] = disturbance.beta_factors();
        for (of_mean, of_feedback) in of_means.into_iter().zip(of_feedback) {
            alpha.push(rule.shifted(k, of_mean).alpha);
            let weights = rule.shifted(k, of_feedback);
            w_plus.push(weights.w_plus * up);
            w_minus.push(weights.w_minus * down);
        }
        NeuronWeights { alpha, w_plus, w_minus }
    }

    /// How far α of each neuron is from what was meant.
    fn deviations(&self, k: usize, which: u32) -> Vec<f64> {
        let Inference { seed, disturbance, .. } = self.inference;
        let (sigma, neurons) = (disturbance.alpha_mismatch, self.topology.state(k).neurons());
        let mut random = Random::new(*seed, Purpose::Mismatch, k as u32, which);
        match disturbance.mismatch_per {
            MismatchPer::Layer => vec![sigma * random.normal(); neurons],
            MismatchPer::Neuron => (0..neurons).map(|_| sigma * random.normal()).collect(),
        }
    }

    /// What disturbs each layer after its updates; none where nothing does.
    pub(in crate::inference) fn disturbances(&self) -> Option<Disturbances> {
        let Inference { seed, disturbance, .. } = self.inference;
        if !disturbance.acts_on_states() {
            return None;
        }
        let (depth, range, rounding) = (self.topology.depth(), disturbance.range, disturbance.rounding);
        let levels = |bits: Option<u32>| bits.map(|bits| Quantizer { bits, range, rounding });
        let layer = |k: usize| OfLayer {
            alpha: self.alpha(k),
            state_noise: disturbance.state_noise,
            nudge_noise: if k == depth { disturbance.nudge_noise } else { 0.0 },
            message_noise: disturbance.message_noise,
            held: disturbance.noise_per == NoisePer::Sample,
            defects: if k < depth { self.defects(k) } else { vec![] },
            states: levels(disturbance.state_bits),
            messages: levels(disturbance.message_bits),
        };
        Some(Disturbances { seed: *seed, layers: (1..=depth).map(layer).collect() })
    }

    fn defects(&self, k: usize) -> Vec<[Defect; 2]> {
        let Inference { seed, disturbance, .. } = self.inference;
        let (dead, stuck) = (disturbance.dead, disturbance.stuck);
        if dead + stuck == 0.0 {
            return vec![];
        }
        let mut random = Random::new(*seed, Purpose::Defects, k as u32, 0);
        let mut draw = || match random.uniform() {
            u if u < dead => Defect::Dead,
            u if u < dead + stuck => Defect::Stuck(disturbance.stuck_at),
            _ => Defect::None,
        };
        (0..self.topology.state(k).neurons()).map(|_| [draw(), draw()]).collect()
    }
}
