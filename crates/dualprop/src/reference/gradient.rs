//! Gradients: the local ones of dual propagation, backpropagation, and finite differences.

use super::{Layer, Loss, Network, Settings, States};

/// The gradient of one layer's parameters, in their layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// ∂/∂kernel.
    pub kernel: Vec<f64>,
    /// ∂/∂bias.
    pub bias: Vec<f64>,
}

impl Gradient {
    /// Adds `scale` · ∂⟨d, A(s)⟩ of a layer: for a dense one `scale` · d sᵀ to the kernel and `scale` · d to the bias.
    fn add_outer(&mut self, scale: f64, layer: &Layer, d: &[f64], s: &[f64]) {
        layer.add_gradient(scale, d, s, (&mut self.kernel, &mut self.bias));
    }
}

/// One zero gradient for each layer; also the optimisers' memory before the first step.
pub fn zero_gradients(network: &Network) -> Vec<Gradient> {
    let zero = |v: &[f64]| vec![0.0; v.len()];
    network.layers.iter().map(|layer| Gradient { kernel: zero(&layer.kernel), bias: zero(&layer.bias) }).collect()
}

/// The local gradients of a batch, each layer's from its own two messages:
/// ∂J/∂W_{k−1} = −1/(βB) Σ Δ_k s̄_{k−1}ᵀ and ∂J/∂b_{k−1} = −1/(βB) Σ Δ_k.
///
/// Element k−1 is layer k = 1..L. With `divide_gain` layer k is divided by Π_{j=k}^{L−1} g_j too, so that β → 0 is
/// backpropagation whatever the gains.
pub fn local_gradients(network: &Network, batch: &[States], settings: &Settings, divide_gain: bool) -> Vec<Gradient> {
    settings.assert_fit(network);
    let mut gradients = zero_gradients(network);
    for states in batch {
        for k in 1..=network.depth() {
            let gain = if divide_gain { settings.gain_product(k) } else { 1.0 };
            let scale = -1.0 / (settings.beta * gain * batch.len() as f64);
            gradients[k - 1].add_outer(scale, &network.layers[k - 1], &states.difference(k), &states.mean(k - 1, settings));
        }
    }
    gradients
}

/// The contrastive objective whose gradient the (undivided) local gradients are, the states held constant:
/// J = −1/(βB) Σ_k ⟨Δ_k, A_k(s̄_{k−1})⟩, a mean over the batch.
pub fn contrastive_objective(network: &Network, batch: &[States], settings: &Settings) -> f64 {
    settings.assert_fit(network);
    let mut sum = 0.0;
    for states in batch {
        for k in 1..=network.depth() {
            let a = network.pre_activation(k, &states.mean(k - 1, settings));
            sum += states.difference(k).iter().zip(a).map(|(d, a)| d * a).sum::<f64>();
        }
    }
    -sum / (settings.beta * batch.len() as f64)
}

/// Textbook backpropagation: the gradient of the [`mean_loss`] of a batch.
///
/// δ_L = ∂ℓ/∂z, δ_k = f′(a_k) W_kᵀ δ_{k+1}; ∂/∂W_{k−1} = 1/B Σ δ_k s_{k−1}ᵀ, ∂/∂b_{k−1} = 1/B Σ δ_k.
pub fn backprop(network: &Network, xs: &[Vec<f64>], ys: &[Vec<f64>], loss: Loss) -> Vec<Gradient> {
    let kernels: Vec<Vec<f64>> = network.layers[1..].iter().map(|layer| layer.kernel.clone()).collect();
    feedback_alignment(network, &kernels, xs, ys, loss)
}

/// [`backprop`] with δ_k = f′(a_k) B_kᵀ δ_{k+1}: T. Lillicrap et al., *Random synaptic feedback weights support error
/// backpropagation for deep learning*, 2016. `feedback[k − 1]` is B_k, laid out as W_k, k = 1..L−1.
pub fn feedback_alignment(
    network: &Network,
    feedback: &[Vec<f64>],
    xs: &[Vec<f64>],
    ys: &[Vec<f64>],
    loss: Loss,
) -> Vec<Gradient> {
    assert_eq!(xs.len(), ys.len(), "a batch has one target for each input");
    let depth = network.depth();
    let mut gradients = zero_gradients(network);
    for (x, y) in xs.iter().zip(ys) {
        let s = network.forward(x);
        let mut delta = loss.gradient(&s[depth], y);
        for k in (1..=depth).rev() {
            gradients[k - 1].add_outer(1.0 / xs.len() as f64, &network.layers[k - 1], &delta, &s[k - 1]);
            if k > 1 {
                let a = network.pre_activation(k - 1, &s[k - 2]);
                let back = network.layers[k - 1].adjoint_by(&feedback[k - 2], &delta, &s[k - 1]);
                delta = (0..a.len()).map(|i| network.activation.derivative(a[i]) * back[i]).collect();
            }
        }
    }
    gradients
}

/// 1/B Σ ℓ(z, y), z being the forward pass' logits.
pub fn mean_loss(network: &Network, xs: &[Vec<f64>], ys: &[Vec<f64>], loss: Loss) -> f64 {
    assert_eq!(xs.len(), ys.len(), "a batch has one target for each input");
    xs.iter().zip(ys).map(|(x, y)| loss.value(&network.logits(x), y)).sum::<f64>() / xs.len() as f64
}

/// The gradient of the [`mean_loss`] by central differences, (ℓ(θ+h) − ℓ(θ−h)) / 2h for every parameter θ.
///
/// The error is of order h² where the loss is smooth, and of order 1e-16/h by rounding: h = 1e-5 balances them.
pub fn finite_differences(network: &Network, xs: &[Vec<f64>], ys: &[Vec<f64>], loss: Loss, h: f64) -> Vec<Gradient> {
    let slope = |shift: &dyn Fn(&mut Network, f64)| {
        let shifted = |h: f64| {
            let mut network = network.clone();
            shift(&mut network, h);
            mean_loss(&network, xs, ys, loss)
        };
        (shifted(h) - shifted(-h)) / (2.0 * h)
    };
    let mut gradients = zero_gradients(network);
    for (k, gradient) in gradients.iter_mut().enumerate() {
        for (i, slot) in gradient.kernel.iter_mut().enumerate() {
            *slot = slope(&|network, h| network.layers[k].kernel[i] += h);
        }
        for (j, slot) in gradient.bias.iter_mut().enumerate() {
            *slot = slope(&|network, h| network.layers[k].bias[j] += h);
        }
    }
    gradients
}

/// cos ∠(a, b) of two gradients of a layer, kernel and bias taken as one vector; NaN if one of them is zero.
pub fn cosine(a: &Gradient, b: &Gradient) -> f64 {
    let dot = |a: &Gradient, b: &Gradient| {
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        inner(&a.kernel, &b.kernel) + inner(&a.bias, &b.bias)
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Named;
    use crate::reference::{Activation, fixtures, infer_batch, schedule};

    /// All numbers of a network's gradient in one vector.
    fn flat(gradients: &[Gradient]) -> Vec<f64> {
        gradients.iter().flat_map(|gradient| gradient.kernel.iter().chain(&gradient.bias).copied()).collect()
    }

    fn distance(a: &[Gradient], b: &[Gradient]) -> f64 {
        fixtures::distance(&flat(a), &flat(b))
    }

    #[test]
    fn backpropagation_agrees_with_finite_differences() {
        for (name, activation) in Activation::ALL {
            let network = fixtures::network(&[6, 5, 4, 3], *activation, 1);
            let (xs, ys) = fixtures::batch(&network, 4, 2);
            for (loss_name, loss) in Loss::ALL {
                let exact = backprop(&network, &xs, &ys, *loss);
                let numerical = finite_differences(&network, &xs, &ys, *loss, 1e-5);
                // h² times a third derivative of a few tens.
                assert!(distance(&exact, &numerical) < 1e-8, "{name}, {loss_name}: {}", distance(&exact, &numerical));
            }
        }
    }

    #[test]
    fn the_limit_is_backpropagation_for_any_weights_and_gains() {
        let network = fixtures::network(&[6, 5, 4, 3], Activation::Sigmoid, 3);
        let (xs, ys) = fixtures::batch(&network, 4, 4);
        for alpha in [0.0, 0.5, 0.7] {
            let settings =
                Settings { alpha_mean: vec![alpha; 3], gain: vec![0.5, 3.0], ..Settings::backprop(3, 0.5, Loss::CrossEntropy) };
            let gradients = local_gradients(&network, &infer_batch(&network, &xs, &ys, &settings), &settings, true);
            let exact = backprop(&network, &xs, &ys, Loss::CrossEntropy);
            assert!(distance(&gradients, &exact) < 1e-15, "{}", distance(&gradients, &exact));
        }
    }

    /// With one kernel above a hidden layer of the identity: δ_1 = Bᵀ δ_2, by hand.
    #[test]
    fn feedback_alignment_by_hand() {
        let layers = vec![Layer::dense(1, 2, vec![1.0, 2.0], vec![0.0; 2]), Layer::dense(2, 1, vec![3.0, 5.0], vec![0.0])];
        let network = Network { layers, activation: Activation::Identity };
        let (xs, ys) = (vec![vec![2.0]], vec![vec![20.0]]);
        // z = 2·(3 + 10) = 26, δ_2 = 6 under ½(z−y)²; B = (−1, ½).
        let gradients = feedback_alignment(&network, &[vec![-1.0, 0.5]], &xs, &ys, Loss::HalfSquaredError);
        assert_eq!((&gradients[1].kernel[..], &gradients[1].bias[..]), (&[12.0, 24.0][..], &[6.0][..]));
        assert_eq!((&gradients[0].kernel[..], &gradients[0].bias[..]), (&[-12.0, 6.0][..], &[-6.0, 3.0][..]));
    }

    #[test]
    fn the_limit_with_feedback_kernels_is_feedback_alignment() {
        let network = fixtures::network(&[6, 5, 4, 3], Activation::Tanh, 3);
        let (xs, ys) = fixtures::batch(&network, 4, 4);
        let feedback = vec![fixtures::normals(20, 7), fixtures::normals(12, 8)];
        let settings = Settings { feedback: Some(feedback.clone()), ..Settings::backprop(3, 0.5, Loss::CrossEntropy) };
        let gradients = local_gradients(&network, &infer_batch(&network, &xs, &ys, &settings), &settings, true);
        let expected = feedback_alignment(&network, &feedback, &xs, &ys, Loss::CrossEntropy);
        assert!(distance(&gradients, &expected) < 1e-14, "{}", distance(&gradients, &expected));
        assert!(distance(&expected, &backprop(&network, &xs, &ys, Loss::CrossEntropy)) > 0.1);
    }

    /// The distance to backpropagation is of order β, at α = ½ of order β².
    #[test]
    fn halving_beta_halves_the_distance_to_backpropagation_and_quarters_it_at_one_half() {
        let network = fixtures::network(&[6, 5, 4, 3], Activation::Tanh, 5);
        let (xs, ys) = fixtures::batch(&network, 4, 6);
        let exact = backprop(&network, &xs, &ys, Loss::CrossEntropy);
        type Make = fn(usize, f64, f64, Loss, Vec<Vec<Vec<usize>>>) -> Settings;
        for make in [Settings::dp as Make, Settings::dp_transpose as Make] {
            for (alpha, ratio) in [(0.0, 2.0), (0.3, 2.0), (0.5, 4.0), (1.0, 2.0)] {
                let off = |beta: f64| {
                    let settings = make(3, alpha, beta, Loss::CrossEntropy, schedule::forward_backward(3, 40));
                    let settings = Settings { gain: vec![1.0, 2.0], ..settings };
                    distance(&local_gradients(&network, &infer_batch(&network, &xs, &ys, &settings), &settings, true), &exact)
                };
                let measured = off(2e-3) / off(1e-3);
                assert!((measured / ratio - 1.0).abs() < 0.01, "alpha {alpha}: halving beta divides by {measured}");
            }
        }
    }

    /// J is linear in the parameters and the local gradients are its derivatives: J = Σ_θ θ ∂J/∂θ (Euler).
    #[test]
    fn the_local_gradients_are_those_of_the_contrastive_objective() {
        let network = fixtures::network(&[6, 5, 4, 3], Activation::Relu, 7);
        let (xs, ys) = fixtures::batch(&network, 4, 8);
        let settings = Settings::dp(3, 0.8, 0.5, Loss::SquaredError, schedule::odd_even(3, 2));
        let states = infer_batch(&network, &xs, &ys, &Settings { gain: vec![0.5, 2.0], ..settings.clone() });
        let parameters: Vec<Gradient> =
            network.layers.iter().map(|l| Gradient { kernel: l.kernel.clone(), bias: l.bias.clone() }).collect();
        let gradients = local_gradients(&network, &states, &settings, false);
        let euler: f64 = flat(&parameters).iter().zip(flat(&gradients)).map(|(w, g)| w * g).sum();
        let j = contrastive_objective(&network, &states, &settings);
        assert!((j - euler).abs() < 1e-13 * j.abs(), "{j} is not {euler}");
    }

    #[test]
    fn a_batch_is_the_mean_of_its_samples() {
        let network = fixtures::network(&[6, 5, 3], Activation::Relu, 9);
        let (xs, ys) = fixtures::batch(&network, 3, 10);
        let settings = Settings::dp_transpose(2, 0.2, 0.1, Loss::CrossEntropy, schedule::forward_backward(2, 2));
        let states = infer_batch(&network, &xs, &ys, &settings);
        let whole = flat(&local_gradients(&network, &states, &settings, true));
        let mut mean = vec![0.0; whole.len()];
        for sample in states {
            let single = flat(&local_gradients(&network, &[sample], &settings, true));
            mean.iter_mut().zip(single).for_each(|(mean, single)| *mean += single / 3.0);
        }
        assert!(fixtures::distance(&whole, &mean) < 1e-14);
    }

    #[test]
    fn cosines_take_kernel_and_bias_as_one_vector() {
        let gradient = |kernel: f64, bias: f64| Gradient { kernel: vec![kernel], bias: vec![bias] };
        assert_eq!(cosine(&gradient(3.0, 4.0), &gradient(4.0, -3.0)), 0.0);
        assert_eq!(cosine(&gradient(3.0, 4.0), &gradient(-6.0, -8.0)), -1.0);
    }
}
