//! The naive list: every operation that the schedule asks for, in its order.

use crate::compute::disturbance::Occasion;
use crate::compute::{Activation, BufferId, NeuronsId, Op, ScalarId};
use crate::inference::{Damping, Inference, Nudge, Pass, PoolRouting, Start};
use crate::network::Topology;

use super::{Layout, Maps, Step};

/// Emits the start, the passes, and the local gradients if they are wanted.
pub(super) fn emit(topology: &Topology, inference: &Inference, layout: &Layout, passes: &[Pass], gradients: bool) -> Vec<Step> {
    let mut emission = Emission { topology, inference, layout, steps: vec![], pass: 0, predicted: false };
    emission.damping();
    emission.start();
    for (index, groups) in passes.iter().enumerate() {
        emission.pass = index + 1;
        groups.iter().for_each(|group| emission.update(group));
    }
    if gradients {
        emission.pass = passes.len() + 1;
        (1..=topology.depth()).rev().for_each(|k| emission.gradient(k));
    }
    emission.steps
}

struct Emission<'a> {
    topology: &'a Topology,
    inference: &'a Inference,
    layout: &'a Layout,
    steps: Vec<Step>,
    pass: usize,
    /// Whether the output's pre-activation has been computed once.
    predicted: bool,
}

impl Emission<'_> {
    fn push(&mut self, layer: usize, op: Op) {
        self.steps.push(Step { op, layer, pass: self.pass });
    }

    fn extend(&mut self, layer: usize, ops: Vec<Op>) {
        ops.into_iter().for_each(|op| self.push(layer, op));
    }

    fn maps(&self) -> Maps<'_> {
        Maps { topology: self.topology, layout: self.layout }
    }

    /// L_k of every hidden layer, from the map that leaves it.
    fn damping(&mut self) {
        for k in 1..self.topology.depth() {
            let scalar = ScalarId(k - 1);
            match &self.inference.rule.damping {
                None => {}
                Some(Damping::Given(values)) => self.push(k, Op::Constant { value: values[k - 1], scalar }),
                Some(Damping::Spectral { power, asymmetry }) => {
                    let factor = if *asymmetry { self.inference.rule.asymmetry(k) } else { 1.0 };
                    let (map, kernel) = (self.topology.map(k + 1), self.topology.kernel(k + 1));
                    self.push(k, Op::Damping { map, kernel, power: *power, factor, scalar });
                }
            }
        }
    }

    fn start(&mut self) {
        for k in 1..=self.topology.depth() {
            match self.inference.start {
                Start::Forward => {
                    self.affine(k);
                    self.rest(k);
                }
                Start::Zero => {
                    self.push(k, Op::Zero { buffer: self.layout.mean(k) });
                    self.push(k, Op::Zero { buffer: self.layout.difference(k) });
                }
                Start::Previous | Start::Continued => {}
            }
        }
        if self.inference.start == Start::Continued {
            self.first_prediction(self.topology.depth());
        }
    }

    /// From here on the first prediction stands in its buffer.
    fn first_prediction(&mut self, k: usize) {
        self.predicted = true;
        if self.inference.nudge == Nudge::LinearisedFrozen {
            self.loss_gradient(k, self.layout.logits());
        }
    }

    fn loss_gradient(&mut self, k: usize, logits: BufferId) {
        let (target, gradient) = (self.layout.target(), self.layout.gradient());
        self.push(k, Op::LossGradient { loss: self.inference.loss, logits, target, gradient });
    }

    /// Updates these layers at once: all that is read comes from before the first of them is written.
    fn update(&mut self, group: &[usize]) {
        let output = self.topology.depth();
        for &k in group {
            self.affine(k);
            if k < output {
                self.feedback(k);
            }
        }
        for &k in group {
            match k == output {
                true if self.pass < self.inference.nudge_from_pass => self.rest(k),
                true => self.nudge(k),
                false => self.dyad(k),
            }
        }
    }

    /// a_k = W s̄_{k−1} + b; the first of the output is the prediction.
    fn affine(&mut self, k: usize) {
        self.extend(k, self.maps().up(k));
        if k < self.topology.depth() {
            return;
        }
        let output = self.layout.pre_activation(k);
        if !self.predicted {
            self.push(k, Op::Copy { from: output, to: self.layout.logits() });
            self.first_prediction(k);
        }
        if self.inference.nudge == Nudge::LinearisedLive {
            self.loss_gradient(k, output);
        }
    }

    /// fb_k = B_kᵀ Δ_{k+1}, B_k = W_k unless the feedback has kernels of its own, linearised at the present state of layer k where
    /// the map has a pool.
    fn feedback(&mut self, k: usize) {
        let weights = self.inference.dyad_weights(k);
        let mut routing = self.layout.routing(k + 1);
        if self.maps().pooled(k + 1) {
            // At α = 1 the two states are one.
            let plus = self.inference.pool_routing == PoolRouting::Plus && !weights.limit && weights.alpha != 1.0;
            if plus {
                routing = self.layout.plus_routing(k + 1);
                self.extend(k, self.maps().route_plus(k + 1, 1.0 - weights.alpha));
            } else {
                self.extend(k, self.maps().route(k + 1));
            }
        }
        let kernel = self.inference.feedback.kernel(self.topology, k + 1);
        self.extend(k, self.maps().down_by(k + 1, kernel, routing));
    }

    /// s̄_k = f(a_k), Δ_k = 0: a layer at rest; the output layer is linear.
    fn rest(&mut self, k: usize) {
        let activation = if k < self.topology.depth() { self.topology.activation() } else { Activation::Identity };
        let (pre_activation, mean) = (self.layout.pre_activation(k), self.layout.mean(k));
        self.push(k, Op::Activate { activation, pre_activation, mean });
        self.push(k, Op::Zero { buffer: self.layout.difference(k) });
        self.disturb(k, Occasion::Rest);
    }

    /// What is not ideal in the device, after every update.
    fn disturb(&mut self, k: usize, occasion: Occasion) {
        if self.inference.disturbance.acts_on_states() {
            let (mean, difference) = (self.layout.mean(k), self.layout.difference(k));
            self.push(k, Op::Disturb { layer: k, occasion, mean, difference });
        }
    }

    fn dyad(&mut self, k: usize) {
        self.push(
            k,
            Op::Dyad {
                activation: self.topology.activation(),
                weights: self.inference.dyad_weights(k),
                neurons: (self.inference.disturbance.alpha_mismatch > 0.0).then_some(NeuronsId(k - 1)),
                damping: self.inference.rule.damping.as_ref().map(|_| ScalarId(k - 1)),
                pre_activation: self.layout.pre_activation(k),
                feedback: self.layout.feedback(k),
                mean: self.layout.mean(k),
                difference: self.layout.difference(k),
            },
        );
        self.disturb(k, Occasion::FedBack);
    }

    fn nudge(&mut self, k: usize) {
        let weights = self.inference.nudge_weights();
        let pre_activation = self.layout.pre_activation(k);
        let (mean, difference) = (self.layout.mean(k), self.layout.difference(k));
        let op = match self.inference.nudge {
            Nudge::Proximal => {
                let (loss, target) = (self.inference.loss, self.layout.target());
                Op::NudgeProximal { loss, weights, pre_activation, target, mean, difference }
            }
            Nudge::LinearisedFrozen | Nudge::LinearisedLive => {
                let gradient = self.layout.gradient();
                Op::NudgeLinearised { weights, pre_activation, gradient, mean, difference }
            }
        };
        self.push(k, op);
        self.disturb(k, Occasion::Nudged);
    }

    /// ∂J/∂W_{k−1} = −1/(β Π g) Δ_k s̄_{k−1}ᵀ, a batch mean.
    fn gradient(&mut self, k: usize) {
        let gain = if self.inference.divide_gain { self.inference.rule.gain_product(k, self.topology.depth()) } else { 1.0 };
        let scale = -1.0 / (self.inference.beta * gain);
        self.extend(k, self.maps().gradient(k, scale));
        self.inference.feedback.gradient(self.topology, k).into_iter().for_each(|op| self.push(k, op));
    }
}
