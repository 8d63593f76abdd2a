//! Dyads that are led to a stationary point, by their pre-activations.

use crate::base::Result;
use crate::compute::nudge::NudgeWeights;
use crate::compute::{Activation, Loss, Tensor};
use crate::inference::Messages;
use crate::network::{Parameters, Topology};

use super::super::operator_norms;
use super::terms::activation;

/// The dyads of DP for a batch, with a proximal term in the energy of each layer:
///
/// ```text
/// u⁺ ← (a + α fb + L u⁺)/(1+L),  u⁻ ← (a − (1−α) fb + L u⁻)/(1+L),  s = f(u)
/// ```
///
/// which is the extreme of the objective, with G*(a_{k+1}) taken as linear, plus L/β times the divergence of G from the state
/// before. Unlike the term L/2 ‖s − s_old‖² of the rule `dp_damped` it moves no fixed point, whatever f is. G*(a_{k+1}) curves
/// by no more than γ_k² of G, γ_k = ‖W_k‖₂: with L = γ_k² every update at α ∈ {0, 1} improves the objective.
pub(super) struct Dyads<'a> {
    topology: &'a Topology,
    parameters: &'a Parameters<f64>,
    loss: Loss,
    alpha: f64,
    beta: f64,
    y: &'a [f64],
    /// L of hidden layer k = 1..L−1.
    damping: Vec<f64>,
    /// u⁺ and u⁻ of layer k = 1..L; of the output s⁺ and s⁻ themselves.
    compartments: Vec<[Vec<f64>; 2]>,
    pub(super) messages: Messages<f64>,
}

impl<'a> Dyads<'a> {
    /// Starts at a forward pass.
    pub(super) fn new(
        topology: &'a Topology,
        parameters: &'a Parameters<f64>,
        (x, y): (&[f64], &'a [f64]),
        loss: Loss,
        (alpha, beta): (f64, f64),
        mut messages: Messages<f64>,
    ) -> Result<Self> {
        let gammas = operator_norms(topology, parameters).gammas;
        let damping = gammas[1..].iter().map(|gamma| gamma * gamma).collect();
        messages.set_input(x)?;
        let mut dyads = Dyads { topology, parameters, loss, alpha, beta, y, damping, compartments: vec![], messages };
        for k in 1..=topology.depth() {
            dyads.messages.listen(k, parameters)?;
            let a = dyads.messages.pre_activation(k).to_vec();
            dyads.compartments.push([a.clone(), a]);
            dyads.tell(k)?;
        }
        Ok(dyads)
    }

    /// One update of every layer, from the output down, and the largest relative movement of one: ‖u_new − u_old‖ over
    /// ‖u⁺ − u⁻‖; ∞ where a layer moves whose compartments are not apart yet.
    pub(super) fn sweep(&mut self) -> Result<f64> {
        let mut movement = 0.0;
        for k in (1..=self.topology.depth()).rev() {
            let moved = self.update(k)?;
            // Not f64::max, which would pass over what is no number.
            movement = if moved <= movement { movement } else { moved };
        }
        Ok(movement)
    }

    fn update(&mut self, k: usize) -> Result<f64> {
        self.messages.listen(k, self.parameters)?;
        let before = self.compartments[k - 1].clone();
        match k == self.topology.depth() {
            true => self.nudge(),
            false => self.pull(k),
        }
        self.tell(k)?;
        let [plus, minus] = &self.compartments[k - 1];
        let moved = (distance(plus, &before[0]).powi(2) + distance(minus, &before[1]).powi(2)).sqrt();
        let apart = distance(plus, minus);
        Ok(if moved == 0.0 { 0.0 } else { moved / apart })
    }

    fn pull(&mut self, k: usize) {
        let (a, feedback, l) = (self.messages.pre_activation(k), self.messages.feedback(k), self.damping[k - 1]);
        for (compartment, weight) in self.compartments[k - 1].iter_mut().zip([self.alpha, self.alpha - 1.0]) {
            for (u, (a, feedback)) in compartment.iter_mut().zip(a.iter().zip(feedback)) {
                // As an increment, which vanishes with its reason.
                *u += (a + weight * feedback - *u) / (1.0 + l);
            }
        }
    }

    /// s⁺ = argmin αβℓ(s) + ½‖s − a‖², s⁻ = argmax (1−α)βℓ(s) − ½‖s − a‖²
    fn nudge(&mut self) {
        let (outputs, depth) = (self.topology.outputs(), self.topology.depth());
        // With the weight 0 for s⁺ the mean is s⁻.
        let weights = NudgeWeights { alpha: 0.0, u: self.alpha, d: 1.0 - self.alpha, beta: self.beta };
        let a = self.messages.pre_activation(depth).chunks(outputs).zip(self.y.chunks(outputs));
        let [plus, minus] = &mut self.compartments[depth - 1];
        let states = plus.chunks_mut(outputs).zip(minus.chunks_mut(outputs));
        for ((a, y), (plus, minus)) in a.zip(states) {
            weights.displace(self.loss, a, y, minus, plus);
            plus.iter_mut().zip(minus).for_each(|(difference, minus)| *difference += *minus);
        }
    }

    /// Tells the neighbours of layer k its mean and difference.
    fn tell(&mut self, k: usize) -> Result<()> {
        let (s_plus, s_minus) = self.states(k);
        let pairs = || s_plus.iter().zip(&s_minus);
        let mean: Vec<f64> = pairs().map(|(plus, minus)| minus + self.alpha * (plus - minus)).collect();
        let difference: Vec<f64> = pairs().map(|(plus, minus)| plus - minus).collect();
        self.messages.set_state(k, &mean, &difference)
    }

    /// (s⁺_k, s⁻_k), k = 1..L.
    pub(super) fn states(&self, k: usize) -> (Vec<f64>, Vec<f64>) {
        let f: Activation = activation(self.topology, k);
        let [plus, minus] = &self.compartments[k - 1];
        let value = |u: &Vec<f64>| u.iter().map(|&u| f.value(u)).collect();
        (value(plus), value(minus))
    }

    /// The largest ‖u⁺ − u⁻‖ of a layer; ∞ if a number is none.
    pub(super) fn size(&self) -> f64 {
        let sizes = self.compartments.iter().map(|[plus, minus]| distance(plus, minus));
        sizes.fold(0.0, |most, next| {
            if next <= most {
                most
            } else if next.is_nan() {
                f64::INFINITY
            } else {
                next
            }
        })
    }

    /// The local gradients at the present states.
    pub(super) fn gradients(&mut self) -> Result<Vec<Tensor<f64>>> {
        self.messages.gradients(self.parameters).map(<[Tensor<f64>]>::to_vec)
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
