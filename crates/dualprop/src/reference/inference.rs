//! The inference: dyads settle layer by layer.

use super::{Network, PoolRouting, Settings, Start, nudge};

/// The dyads of one sample: element k of each is layer k, k = 0..L; layer 0 is the input in both compartments.
#[derive(Debug, Clone, PartialEq)]
pub struct States {
    /// s_k⁺
    pub plus: Vec<Vec<f64>>,
    /// s_k⁻
    pub minus: Vec<Vec<f64>>,
}

impl States {
    /// s̄_k = α s_k⁺ + (1−α) s_k⁻ of layer k = 0..L, α being that of the layer; x for k = 0.
    pub fn mean(&self, k: usize, settings: &Settings) -> Vec<f64> {
        if k == 0 {
            return self.plus[0].clone();
        }
        let (plus, minus) = (&self.plus[k], &self.minus[k]);
        let alpha = |i| settings.weights(k, i)[0];
        (0..plus.len()).map(|i| alpha(i) * plus[i] + (1.0 - alpha(i)) * minus[i]).collect()
    }

    /// Δ_k = s_k⁺ − s_k⁻ of layer k = 0..L.
    pub fn difference(&self, k: usize) -> Vec<f64> {
        self.plus[k].iter().zip(&self.minus[k]).map(|(plus, minus)| plus - minus).collect()
    }
}

/// The states of one sample after all updates of `settings.order`: `x` is the input, `y` the target.
///
/// # Panics
/// If the network, the settings, x and y do not fit each other.
pub fn infer(network: &Network, x: &[f64], y: &[f64], settings: &Settings) -> States {
    infer_numbered(network, x, y, settings, 0)
}

/// [`infer`] for the sample of this number, by which its disturbances are drawn.
fn infer_numbered(network: &Network, x: &[f64], y: &[f64], settings: &Settings, sample: u32) -> States {
    settings.assert_fit(network);
    let depth = network.depth();
    // How often each layer has been disturbed.
    let mut disturbed = vec![0; depth + 1];
    let mut disturb = |states: &mut States, k: usize, nudged: bool| {
        if let Some(disturbance) = &settings.disturbance {
            let alpha: Vec<f64> = (0..states.plus[k].len()).map(|i| settings.weights(k, i)[0]).collect();
            disturbance.disturb((k, disturbed[k], sample, nudged), &alpha, (&mut states.plus[k], &mut states.minus[k]));
            disturbed[k] += 1;
        }
    };
    let mut states = start(network, x, settings);
    // ∂ℓ/∂a_L at the first prediction, which only a forward pass has at hand before the output's first update.
    let mut frozen = None;
    if settings.start == Start::Forward {
        for k in 1..=depth {
            if settings.disturbance.is_some() {
                let (a, f) = (network.pre_activation(k, &states.mean(k - 1, settings)), network.activation_of(k));
                states.plus[k] = a.iter().map(|&a| f.value(a)).collect();
                states.minus[k] = states.plus[k].clone();
            }
            if k == depth {
                frozen = Some(settings.loss.gradient(&states.plus[k], y));
            }
            disturb(&mut states, k, false);
        }
    }
    for (index, pass) in settings.order.iter().enumerate() {
        let nudged = index + 1 >= settings.nudge_from_pass;
        for group in pass {
            let old = states.clone();
            for &k in group {
                let a = network.pre_activation(k, &old.mean(k - 1, settings));
                let (plus, minus) = if k < depth {
                    hidden_dyad(network, settings, &old, k, &a)
                } else {
                    let frozen = frozen.get_or_insert_with(|| settings.loss.gradient(&a, y));
                    if nudged { nudge::output_dyad(settings, &a, y, frozen) } else { (a.clone(), a) }
                };
                states.plus[k] = plus;
                states.minus[k] = minus;
                disturb(&mut states, k, k == depth && nudged);
            }
        }
    }
    states
}

/// [`infer`] for each sample of a batch by itself.
pub fn infer_batch(network: &Network, xs: &[Vec<f64>], ys: &[Vec<f64>], settings: &Settings) -> Vec<States> {
    assert_eq!(xs.len(), ys.len(), "a batch has one target for each input");
    (0..).zip(xs.iter().zip(ys)).map(|(sample, (x, y))| infer_numbered(network, x, y, settings, sample)).collect()
}

fn start(network: &Network, x: &[f64], settings: &Settings) -> States {
    let forward = network.forward(x);
    match &settings.start {
        Start::Forward => States { plus: forward.clone(), minus: forward },
        Start::Zero => {
            let mut zero: Vec<Vec<f64>> = forward.iter().map(|s| vec![0.0; s.len()]).collect();
            zero[0] = x.to_vec();
            States { plus: zero.clone(), minus: zero }
        }
        Start::Previous(states) => {
            let sizes = |s: &[Vec<f64>]| s.iter().map(Vec::len).collect::<Vec<_>>();
            assert_eq!(sizes(&states.plus), sizes(&forward), "the previous s+ are of another network");
            assert_eq!(sizes(&states.minus), sizes(&forward), "the previous s- are of another network");
            let mut states = states.clone();
            states.plus[0] = x.to_vec();
            states.minus[0] = x.to_vec();
            states
        }
    }
}

/// (s_k⁺, s_k⁻) of hidden layer k from its pre-activation `a` and the `old` states of itself and of the layer above.
fn hidden_dyad(network: &Network, settings: &Settings, old: &States, k: usize, a: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let f = network.activation;
    // fb_k = g_k B_kᵀ Δ_{k+1}, B_k = W_k where the feedback has no kernels of its own; W_k is the map into layer k + 1, a pool of
    // which is linearised at the present state.
    let at = match settings.pool_routing {
        PoolRouting::Plus if !settings.limit => old.plus[k].clone(),
        _ => old.mean(k, settings),
    };
    let b = settings.feedback.as_ref().map_or(&network.layers[k].kernel, |feedback| &feedback[k - 1]);
    let fb = network.layers[k].adjoint_by(b, &old.difference(k + 1), &at);
    let fb: Vec<f64> = fb.iter().map(|fb| settings.gain[k - 1] * fb).collect();

    let (mut plus, mut minus) = (vec![0.0; a.len()], vec![0.0; a.len()]);
    for i in 0..a.len() {
        let [alpha, w_plus, w_minus] = settings.weights(k, i);
        (plus[i], minus[i]) = if settings.limit {
            // The dyad whose mean is f(a) and whose difference is f′(a) fb (w⁺ + w⁻).
            let difference = f.derivative(a[i]) * fb[i] * (w_plus + w_minus);
            (f.value(a[i]) + (1.0 - alpha) * difference, f.value(a[i]) - alpha * difference)
        } else if let Some(damping) = &settings.damping {
            let l = damping[k - 1];
            let damped = |signed_fb: f64, s_old: f64| f.value((a[i] + l * s_old + signed_fb) / (1.0 + l));
            (damped(w_plus * fb[i], old.plus[k][i]), damped(-w_minus * fb[i], old.minus[k][i]))
        } else {
            (f.value(a[i] + w_plus * fb[i]), f.value(a[i] - w_minus * fb[i]))
        };
    }
    (plus, minus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Activation, Layer, Loss, Nudge, fixtures, schedule};

    fn sample(activation: Activation) -> (Network, Vec<f64>, Vec<f64>) {
        let network = fixtures::network(&[6, 5, 4, 3], activation, 5);
        let (mut xs, mut ys) = fixtures::batch(&network, 1, 6);
        (network, xs.remove(0), ys.remove(0))
    }

    fn distance(a: &States, b: &States) -> f64 {
        fixtures::distance(&a.plus.concat(), &b.plus.concat()).max(fixtures::distance(&a.minus.concat(), &b.minus.concat()))
    }

    /// x = 1, W_0 = 2, W_1 = 3, ReLU, ½(z − y)²; one backward sweep of DP at α = ¼, β = ½, worked out on paper.
    #[test]
    fn one_sweep_by_hand() {
        let dense = |w| Layer::dense(1, 1, vec![w], vec![0.0]);
        let network = Network { layers: vec![dense(2.0), dense(3.0)], activation: Activation::Relu };
        let settings = Settings::dp(2, 0.25, 0.5, Loss::HalfSquaredError, schedule::backward(2, 1));
        // a_2 = 6, g = 6 − 2 = 4: s⁺ = 6 − ¼·½·4, s⁻ = 6 + ¾·½·4, Δ = −2; fb = −6: s⁺ = 2 − ¼·6, s⁻ = 2 + ¾·6.
        let states = infer(&network, &[1.0], &[2.0], &settings);
        assert_eq!(states.plus, [[1.0], [0.5], [5.5]]);
        assert_eq!(states.minus, [[1.0], [6.5], [7.5]]);
        assert_eq!((states.mean(1, &settings), states.difference(1)), (vec![5.0], vec![-6.0]));
        // DP⊤ swaps the weights; the gain doubles fb: s⁺ = max(0, 2 − ¾·12), s⁻ = 2 + ¼·12.
        let swapped = Settings::dp_transpose(2, 0.25, 0.5, Loss::HalfSquaredError, schedule::backward(2, 1));
        let states = infer(&network, &[1.0], &[2.0], &Settings { gain: vec![2.0], ..swapped });
        assert_eq!((states.plus[1][0], states.minus[1][0], states.plus[2][0], states.minus[2][0]), (0.0, 5.0, 4.5, 6.5));
        // L = 1: s⁺ = (2 + 2 − ¼·6) / 2, s⁻ = (2 + 2 + ¾·6) / 2.
        let damped = Settings::dp_damped(2, 0.25, 0.5, Loss::HalfSquaredError, schedule::backward(2, 1), vec![1.0]);
        let states = infer(&network, &[1.0], &[2.0], &damped);
        assert_eq!((states.plus[1][0], states.minus[1][0]), (1.25, 4.25));
        // The proximal nudge: s⁺ = (6 + ⅛·2) / (1 + ⅛), s⁻ = (6 − ⅜·2) / (1 − ⅜).
        let proximal = Settings::dp(2, 0.25, 0.5, Loss::HalfSquaredError, schedule::backward(2, 1));
        let states = infer(&network, &[1.0], &[2.0], &Settings { nudge: Nudge::Proximal, ..proximal });
        assert_eq!((states.plus[2][0], states.minus[2][0]), (6.25 / 1.125, 8.4));
    }

    #[test]
    fn both_tales_are_one_at_one_half() {
        let (network, x, y) = sample(Activation::Relu);
        for (_, nudge) in <Nudge as crate::base::Named>::ALL {
            let order = || schedule::forward_backward(3, 3);
            let dp = Settings { nudge: *nudge, ..Settings::dp(3, 0.5, 0.5, Loss::CrossEntropy, order()) };
            let transpose = Settings { nudge: *nudge, ..Settings::dp_transpose(3, 0.5, 0.5, Loss::CrossEntropy, order()) };
            assert_eq!(infer(&network, &x, &y, &dp), infer(&network, &x, &y, &transpose));
        }
    }

    #[test]
    fn one_sided_dp_transpose_keeps_the_forward_states() {
        let (network, x, y) = sample(Activation::Sigmoid);
        let settle =
            |alpha| infer(&network, &x, &y, &Settings::dp_transpose(3, alpha, 0.5, Loss::SquaredError, schedule::forward(3, 4)));
        assert_eq!(settle(1.0).plus, network.forward(&x));
        assert_eq!(settle(0.0).minus, network.forward(&x));
    }

    #[test]
    fn every_schedule_and_every_start_settles_at_the_same_states() {
        let (network, x, y) = sample(Activation::Tanh);
        let make =
            |order| Settings { nudge: Nudge::LinearisedLive, ..Settings::dp_transpose(3, 0.3, 0.2, Loss::CrossEntropy, order) };
        let settled = infer(&network, &x, &y, &make(schedule::forward(3, 100)));
        let other = infer(&network, &y.repeat(2), &y, &make(schedule::forward(3, 1)));
        let orders = [
            schedule::forward_backward(3, 100),
            schedule::backward_forward(3, 100),
            schedule::odd_even(3, 100),
            schedule::even_odd(3, 100),
            schedule::parallel(3, 200),
        ];
        for order in orders {
            for start in [Start::Forward, Start::Zero, Start::Previous(other.clone())] {
                let states = infer(&network, &x, &y, &Settings { start, ..make(order.clone()) });
                assert!(distance(&states, &settled) < 1e-14, "{}", distance(&states, &settled));
            }
        }
    }

    /// A parallel pass hands every message on by one layer; split in groups of one it would reach all of them.
    #[test]
    fn a_group_is_updated_from_the_old_values() {
        let (network, x, y) = sample(Activation::Tanh);
        let after =
            |passes| infer(&network, &x, &y, &Settings::dp(3, 0.5, 0.5, Loss::CrossEntropy, schedule::parallel(3, passes)));
        for passes in 1..=3 {
            let reached: Vec<bool> = (1..=3).map(|k| after(passes).difference(k).iter().any(|&d| d != 0.0)).collect();
            let expected: Vec<bool> = (1..=3).map(|k| k + passes > 3).collect();
            assert_eq!(reached, expected, "after {passes} passes");
        }
        let downwards = Settings::dp(3, 0.5, 0.5, Loss::CrossEntropy, vec![vec![vec![3, 2, 1]]; 4]);
        assert_eq!(infer(&network, &x, &y, &downwards), after(4));
    }

    #[test]
    fn the_nudge_waits_for_its_pass() {
        let (network, x, y) = sample(Activation::Relu);
        let settings = Settings::dp_transpose(3, 0.5, 0.1, Loss::CrossEntropy, schedule::parallel(3, 4));
        let waiting = Settings { start: Start::Zero, nudge_from_pass: 4, ..settings };
        let before = infer(&network, &x, &y, &Settings { order: schedule::parallel(3, 3), ..waiting.clone() });
        assert_eq!((&before.plus, &before.minus), (&network.forward(&x), &network.forward(&x)));
        let after = infer(&network, &x, &y, &waiting);
        assert_eq!(after.plus[..3], before.plus[..3]);
        // Frozen means the first prediction that the output made, here that of a network at rest: A_3(0).
        let rest = network.layers[2].affine(&[0.0; 4]);
        let expected: Vec<f64> = Loss::CrossEntropy.gradient(&rest, &y).iter().map(|g| -0.1 * g).collect();
        assert!(fixtures::distance(&after.difference(3), &expected) < 1e-15);
    }
}
