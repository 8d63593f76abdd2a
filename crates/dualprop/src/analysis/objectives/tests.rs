//! The relations between the objectives, at settled states and under the proximal nudge.

use super::*;
use crate::analysis::finite_differences;
use crate::base::Named;
use crate::base::random::{Purpose, Random};
use crate::compute::{Activation, Loss, Pool, Tensor};
use crate::inference::{Engine, Inference, Nudge, Plan, PlanOptions, Predictor, Rule};
use crate::network::{BiasInitializer, Initializer, Layer, Parameters, PoolOrder, Shape, Topology, initialize};

const SAMPLES: usize = 3;
const OUTPUTS: usize = 2;

/// A network with a batch.
struct Net {
    topology: Topology,
    parameters: Parameters<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
    pool: Pool,
}

impl Net {
    fn mlp(activation: Activation) -> Self {
        Net::over(Topology::mlp(Shape::flat(3), &[5, 4, OUTPUTS], activation).unwrap(), Initializer::LecunNormal)
    }

    fn over(topology: Topology, initializer: Initializer) -> Self {
        let mut random = Random::new(3, Purpose::Synthetic, 0, 0);
        let x = (0..SAMPLES * topology.input().neurons()).map(|_| random.normal()).collect();
        let y = (0..SAMPLES * OUTPUTS).map(|i| f64::from(u8::from(i % OUTPUTS == i / OUTPUTS % OUTPUTS))).collect();
        let parameters = initialize(&topology, initializer, BiasInitializer::Normal, 8);
        Net { topology, parameters, x, y, pool: Pool::new(1).unwrap() }
    }

    fn lifted(&self, loss: Loss, alpha: f64, beta: f64) -> Lifted {
        self.lifted_at(&self.parameters, loss, alpha, beta)
    }

    fn lifted_at(&self, parameters: &Parameters<f64>, loss: Loss, alpha: f64, beta: f64) -> Lifted {
        let batch = (&self.x[..], &self.y[..]);
        lifted(&self.topology, parameters, batch, loss, (alpha, beta), LiftedOptions::default(), &self.pool).unwrap()
    }

    /// The mean loss of the forward pass.
    fn loss(&self, loss: Loss) -> f64 {
        let mut predictor = Predictor::new(&self.topology, SAMPLES, &self.pool);
        let z = predictor.predict(&self.parameters, &self.x).unwrap();
        terms::mean_loss(loss, z, &self.y, &self.topology)
    }

    fn settled(&self, parameters: &Parameters<f64>, inference: &Inference) -> Engine<f64> {
        let plan = Plan::compile(&self.topology, inference, PlanOptions::default()).unwrap();
        let mut engine = Engine::new(plan, SAMPLES, &self.pool).unwrap();
        engine.infer(parameters, &self.x, &self.y).unwrap();
        engine
    }
}

const LOSSES: [Loss; 2] = [Loss::CrossEntropy, Loss::HalfSquaredError];

#[test]
fn the_optimist_is_below_the_loss_and_the_adversary_above() {
    for &(name, activation) in Activation::ALL {
        let net = Net::mlp(activation);
        for loss in LOSSES {
            let (optimistic, adversarial) = (net.lifted(loss, 1.0, 0.1), net.lifted(loss, 0.0, 0.1));
            assert_eq!((optimistic.settled, adversarial.settled), (Settled::Settled, Settled::Settled), "{name} {loss:?}");
            let between = net.loss(loss);
            assert!(optimistic.value < between && between < adversarial.value, "{name} {loss:?}");
            // The states that DP alone has beside those of LPOM are at rest: their excess is 0.
            assert!(optimistic.layers.iter().all(|layer| layer.minus.abs() < 1e-12 && layer.plus >= 0.0), "{name}");
            assert!(adversarial.layers.iter().all(|layer| layer.plus.abs() < 1e-12 && layer.minus >= 0.0), "{name}");
        }
    }
}

#[test]
fn halving_beta_divides_the_distance_from_the_loss_by_two_and_by_four_where_nudges_are_symmetric() {
    for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
        let net = Net::mlp(activation);
        for loss in LOSSES {
            let distance = |alpha, beta| net.lifted(loss, alpha, beta).value - net.loss(loss);
            for (alpha, expected) in [(0.0, 2.0), (0.25, 2.0), (0.5, 4.0), (0.75, 2.0), (1.0, 2.0)] {
                let ratio = distance(alpha, 0.02) / distance(alpha, 0.01);
                assert!((ratio / expected - 1.0).abs() < 0.05, "{activation:?} {loss:?} {alpha}: {ratio}");
            }
        }
    }
}

/// LPOM by its own fixed point, s_k ← f((a_k + W_kᵀ(s_{k+1} − f(W_k s_k)) + L s_k)/(1+L)), in plain loops (PAPER 1.7).
struct Lpom<'a> {
    net: &'a Net,
    loss: Loss,
    beta: f64,
    /// s_0..s_L of one sample.
    states: Vec<Vec<f64>>,
}

impl Lpom<'_> {
    fn pre_activation(&self, k: usize) -> Vec<f64> {
        let (topology, parameters) = (&self.net.topology, &self.net.parameters);
        let (kernel, bias) = (parameters.get(topology.kernel(k)).data(), parameters.get(topology.bias(k)).data());
        let below = self.states[k - 1].iter().enumerate();
        let sum = |j: usize| below.clone().map(|(i, s)| s * kernel[i * bias.len() + j]).sum::<f64>() + bias[j];
        (0..bias.len()).map(sum).collect()
    }

    fn activation(&self, k: usize) -> Activation {
        terms::activation(&self.net.topology, k)
    }

    fn sweep(&mut self, y: &[f64]) {
        let depth = self.net.topology.depth();
        for k in (1..=depth).rev() {
            let (a, f) = (self.pre_activation(k), self.activation(k));
            if k == depth {
                // The minimiser of ℓ(s) + ‖s−a‖²/2β.
                let Some(c) = self.loss.curvature() else { panic!("a closed form is of squared errors") };
                self.states[k] = a.iter().zip(y).map(|(a, y)| (a + self.beta * c * y) / (1.0 + self.beta * c)).collect();
                continue;
            }
            let (above, g) = (self.pre_activation(k + 1), self.activation(k + 1));
            let kernel = self.net.parameters.get(self.net.topology.kernel(k + 1)).data();
            let error: Vec<f64> = self.states[k + 1].iter().zip(&above).map(|(s, &a)| s - g.value(a)).collect();
            let damping = 4.0;
            for i in 0..a.len() {
                let feedback: f64 = error.iter().enumerate().map(|(j, e)| kernel[i * error.len() + j] * e).sum();
                // The proximal term holds the pre-activation of the state back.
                let old = f.inverse(self.states[k][i], a[i] + feedback);
                self.states[k][i] = f.value((a[i] + feedback + damping * old) / (1.0 + damping));
            }
        }
    }

    fn value(&self, y: &[f64]) -> f64 {
        let layers = 1..=self.net.topology.depth();
        let excess = |k: usize| -> f64 {
            let pairs = self.states[k].iter().zip(self.pre_activation(k));
            pairs.map(|(&s, a)| self.activation(k).divergence(s, a)).sum()
        };
        self.loss.value(&self.states[self.net.topology.depth()], y) + layers.map(excess).sum::<f64>() / self.beta
    }
}

#[test]
fn dp_at_alpha_one_is_lpom_in_states_and_value() {
    for activation in [Activation::Relu, Activation::Tanh, Activation::HardSigmoid, Activation::LeakyRelu] {
        let (net, loss, beta) = (Net::mlp(activation), Loss::HalfSquaredError, 0.4);
        let found = net.lifted(loss, 1.0, beta);
        let (mut value, mut states) = (0.0, vec![]);
        for sample in 0..SAMPLES {
            let (x, y) = (&net.x[3 * sample..][..3], &net.y[OUTPUTS * sample..][..OUTPUTS]);
            let mut lpom = Lpom { net: &net, loss, beta, states: vec![x.to_vec(), vec![0.1; 5], vec![0.1; 4], vec![0.0; 2]] };
            for k in 1..=3 {
                let (a, f) = (lpom.pre_activation(k), lpom.activation(k));
                lpom.states[k] = a.into_iter().map(|a| f.value(a)).collect();
            }
            (0..4000).for_each(|_| lpom.sweep(y));
            value += lpom.value(y) / SAMPLES as f64;
            states.push(lpom.states);
        }
        assert!((found.value - value).abs() < 1e-12, "{activation:?}: {} {value}", found.value);
        let undamped = Inference { nudge: Nudge::Proximal, passes: 400, ..Inference::new(Rule::dp(1.0), beta, loss) };
        let engine = net.settled(&net.parameters, &undamped);
        for k in 1..=3 {
            let (s_plus, width) = (engine.compartments(k).0, states[0][k].len());
            let pairs = s_plus.chunks(width).zip(&states).flat_map(|(here, there)| here.iter().zip(&there[k]));
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-10), "{activation:?}, layer {k}");
        }
        for (here, there) in found.gradients.iter().zip(engine.gradients()) {
            assert!(here.data().iter().zip(there.data()).all(|(a, b)| (a - b).abs() < 1e-10), "{activation:?}");
        }
    }
}

#[test]
fn at_alpha_one_half_dp_is_dp_transpose_to_the_bit() {
    let net = Net::mlp(Activation::Tanh);
    for nudge in [Nudge::LinearisedFrozen, Nudge::LinearisedLive, Nudge::Proximal] {
        let [dp, transpose] = [Rule::dp(0.5), Rule::dp_transpose(0.5)].map(|rule| {
            let inference = Inference { nudge, passes: 7, ..Inference::new(rule, 0.3, Loss::CrossEntropy) };
            net.settled(&net.parameters, &inference)
        });
        for k in 1..=3 {
            assert_eq!((dp.mean(k), dp.difference(k)), (transpose.mean(k), transpose.difference(k)), "{nudge:?}");
        }
    }
}

/// The nested objective is not the average of its ends, save at one level.
#[test]
fn the_nested_objective_is_not_the_average() {
    let (loss, alpha, beta) = (Loss::CrossEntropy, 0.5, 0.8);
    let deep = Net::mlp(Activation::Tanh);
    let flat = Net::over(Topology::mlp(Shape::flat(3), &[OUTPUTS], Activation::Tanh).unwrap(), Initializer::LecunNormal);
    let average = |net: &Net| 0.5 * net.lifted(loss, 1.0, alpha * beta).value + 0.5 * net.lifted(loss, 0.0, alpha * beta).value;
    assert!((deep.lifted(loss, alpha, beta).value - average(&deep)).abs() > 1e-4);
    assert!((flat.lifted(loss, alpha, beta).value - average(&flat)).abs() < 1e-13);
    let mut predictor = Predictor::new(&flat.topology, SAMPLES, &flat.pool);
    let a = predictor.predict(&flat.parameters, &flat.x).unwrap();
    let level = one_level(loss, alpha, beta, OUTPUTS, a, &flat.y).unwrap();
    assert!((flat.lifted(loss, alpha, beta).value - level.sprovr).abs() < 1e-13);
}

/// ∂objective/∂W by finite differences, states settled anew at each, is the local gradient.
#[test]
fn the_slope_of_the_objective_is_the_local_gradient_at_every_alpha() {
    let mut nets: Vec<Net> = Activation::ALL.iter().map(|&(_, activation)| Net::mlp(activation)).collect();
    let layers = ["conv 2 pool", "dense 4", "dense 2"].map(|text| Layer::parse("layer", text).unwrap()).to_vec();
    let images = Topology::new(Shape::image(4, 5, 1), layers, Activation::Tanh, PoolOrder::BeforeActivation).unwrap();
    nets.push(Net::over(images, Initializer::LecunNormal));
    for (net, loss) in nets.iter().zip(LOSSES.into_iter().cycle()) {
        for alpha in [0.0, 0.3, 0.5, 1.0] {
            let gradients = net.lifted(loss, alpha, 0.2).gradients;
            let value = |parameters: &Parameters<f64>| Ok(net.lifted_at(parameters, loss, alpha, 0.2).value);
            let layers = finite_differences(&net.topology, &net.parameters, &gradients, 4, 0, value).unwrap();
            for layer in layers {
                assert!(layer.worst < 2e-6 && layer.compared > 0, "{:?} {loss:?} {alpha}: {layer:?}", net.topology.activation());
            }
        }
    }
}

/// The Lagrangian of DP⊤ at states that settle in one sweep and one to confirm.
fn transposed(net: &Net, parameters: &Parameters<f64>, alpha: f64, beta: f64) -> (f64, Vec<Tensor<f64>>) {
    let inference = Inference { passes: 40, ..Inference::new(Rule::dp_transpose(alpha), beta, Loss::CrossEntropy) };
    let engine = net.settled(parameters, &inference);
    let found = lagrangian(&engine, parameters, &net.y, &net.pool).unwrap();
    assert!(found.constraints.iter().all(|constraint| constraint.abs() < 1e-12), "{alpha}: {found:?}");
    (found.value, engine.gradients().to_vec())
}

#[test]
fn the_slope_of_the_lagrangian_is_the_local_gradient_where_no_dyad_straddles_a_kink() {
    // β so small that none does.
    let (net, beta) = (Net::mlp(Activation::LeakyRelu), 1e-4);
    for alpha in [0.0, 0.3, 0.5, 1.0] {
        let (_, gradients) = transposed(&net, &net.parameters, alpha, beta);
        let value = |parameters: &Parameters<f64>| Ok(transposed(&net, parameters, alpha, beta).0);
        for layer in finite_differences(&net.topology, &net.parameters, &gradients, 6, 0, value).unwrap() {
            assert!(layer.worst < 1e-6 && layer.compared > 3, "{alpha}: {layer:?}");
        }
    }
}

/// Dyads across a kink, and compartments that rounding left beside a flat piece: the constraints still vanish where all has
/// settled, since f⁻¹ is taken at the pre-activations that made them.
#[test]
fn the_lagrangian_of_settled_states_is_the_loss_of_their_mean_also_across_kinks() {
    for &(_, activation) in Activation::ALL {
        for alpha in [0.0, 0.25, 0.5, 1.0] {
            let net = Net::mlp(activation);
            transposed(&net, &net.parameters, alpha, 0.5);
        }
    }
    // So strong that compartments of tanh and sigmoid saturate.
    for (activation, beta) in [(Activation::Tanh, 300.0), (Activation::Sigmoid, 3000.0)] {
        for alpha in [0.0, 1.0] {
            let net = Net::mlp(activation);
            transposed(&net, &net.parameters, alpha, beta);
        }
    }
}

/// With a smooth f it is not: the local gradient is off backpropagation by a term of first order in β (of second at α = ½), while
/// the Lagrangian at α ∈ {0, 1}, whose means are forward states, has the slope of the loss itself.
#[test]
fn with_a_smooth_activation_the_local_gradient_leaves_the_slope_at_its_rate() {
    let net = Net::mlp(Activation::Tanh);
    let slope = net.settled(&net.parameters, &Inference::new(Rule::backprop(), 1.0, Loss::CrossEntropy)).gradients().to_vec();
    let error = |alpha: f64, beta: f64| -> f64 {
        let (_, local) = transposed(&net, &net.parameters, alpha, beta);
        let pairs = local.iter().zip(&slope).flat_map(|(a, b)| a.data().iter().zip(b.data()));
        pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    };
    for (alpha, expected) in [(0.0, 2.0), (0.3, 2.0), (0.5, 4.0), (1.0, 2.0)] {
        let ratio = error(alpha, 0.02) / error(alpha, 0.01);
        assert!((ratio / expected - 1.0).abs() < 0.05, "{alpha}: {ratio}");
    }
    for alpha in [0.0, 1.0] {
        let value = |parameters: &Parameters<f64>| Ok(transposed(&net, parameters, alpha, 0.5).0);
        for layer in finite_differences(&net.topology, &net.parameters, &slope, 6, 0, value).unwrap() {
            assert!(layer.worst < 1e-6, "{alpha}: {layer:?}");
        }
    }
}

/// With r = z − y and M = Σ_{k≤L} J_k J_kᵀ, J_k = ∂s_L/∂s_k: c/2 rᵀ(I ± cβM)⁻¹ r.
#[test]
fn of_a_linear_network_with_a_squared_error_the_values_have_closed_forms() {
    let (net, loss) = (Net::mlp(Activation::Identity), Loss::HalfSquaredError);
    let (m, largest) = lever(&net);
    let mut predictor = Predictor::new(&net.topology, SAMPLES, &net.pool);
    let z = predictor.predict(&net.parameters, &net.x).unwrap().to_vec();
    let closed = |sign: f64, beta: f64| -> f64 {
        let quadratic = |r: [f64; 2]| {
            let [a, b, d] = [1.0 + sign * beta * m[0], sign * beta * m[1], 1.0 + sign * beta * m[2]];
            0.5 * (d * r[0] * r[0] - 2.0 * b * r[0] * r[1] + a * r[1] * r[1]) / (a * d - b * b)
        };
        let samples = z.chunks(2).zip(net.y.chunks(2));
        samples.map(|(z, y)| quadratic([z[0] - y[0], z[1] - y[1]])).sum::<f64>() / SAMPLES as f64
    };
    for share in [0.1, 0.5, 0.9] {
        let beta = share / largest;
        for (alpha, sign) in [(1.0, 1.0), (0.0, -1.0)] {
            let found = net.lifted(loss, alpha, beta);
            let expected = closed(sign, beta);
            assert_eq!(found.settled, Settled::Settled, "{share} {alpha}");
            assert!((found.value / expected - 1.0).abs() < 1e-10, "{share} {alpha}: {} {expected}", found.value);
        }
    }
    for share in [1.05, 1.5, 20.0] {
        let found = net.lifted(loss, 0.0, share / largest);
        assert_eq!((found.settled, found.value), (Settled::Unbounded, f64::INFINITY), "{share}");
        assert_eq!(net.lifted(loss, 1.0, share / largest).settled, Settled::Settled);
    }
}

/// M = Σ_{k≤L} J_k J_kᵀ = [m₀ m₁; m₁ m₂] of a dense linear network with two outputs, and its largest eigenvalue.
fn lever(net: &Net) -> ([f64; 3], f64) {
    let depth = net.topology.depth();
    // J_L = I, rows are neurons of layer k.
    let mut j = vec![[1.0, 0.0], [0.0, 1.0]];
    let mut m = [0.0; 3];
    for k in (1..=depth).rev() {
        for row in &j {
            m = [m[0] + row[0] * row[0], m[1] + row[0] * row[1], m[2] + row[1] * row[1]];
        }
        let (kernel, width) = (net.parameters.get(net.topology.kernel(k)), j.len());
        let below = kernel.data().chunks(width);
        j = below.map(|w| w.iter().zip(&j).fold([0.0; 2], |sum, (w, j)| [sum[0] + w * j[0], sum[1] + w * j[1]])).collect();
    }
    let (half, gap) = ((m[0] + m[2]) / 2.0, (m[0] - m[2]) / 2.0);
    (m, half + (gap * gap + m[1] * m[1]).sqrt())
}

#[test]
fn what_has_no_such_objective_is_refused_by_name() {
    let net = Net::mlp(Activation::Relu);
    for ((alpha, beta), field) in
        [((1.5, 0.1), "learning.alpha"), ((0.5, 0.0), "learning.beta"), ((0.5, f64::NAN), "learning.beta")]
    {
        let batch = (&net.x[..], &net.y[..]);
        let options = LiftedOptions::default();
        let result = lifted(&net.topology, &net.parameters, batch, Loss::CrossEntropy, (alpha, beta), options, &net.pool);
        assert!(result.unwrap_err().to_string().starts_with(field), "{field}");
    }
    let engine = net.settled(&net.parameters, &Inference::new(Rule::dp(0.0), 0.1, Loss::CrossEntropy));
    assert!(lagrangian(&engine, &net.parameters, &net.y, &net.pool).unwrap_err().to_string().starts_with("learning.rule"));
}
