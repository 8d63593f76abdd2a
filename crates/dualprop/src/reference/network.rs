//! The model: layers, the forward pass, and the spectral norm of a layer.

use crate::base::random::{Purpose, Random};

use super::{Activation, Layer};

/// Layers 1..L, each an affine map; the activation follows the first L−1 of them, the output is linear.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// `layers[k − 1]` is A_k, the map into layer k.
    pub layers: Vec<Layer>,
    /// f of layers 1..L−1.
    pub activation: Activation,
}

impl Network {
    /// L.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// f of layer k = 1..L: the identity at the output.
    pub fn activation_of(&self, k: usize) -> Activation {
        if k == self.depth() { Activation::Identity } else { self.activation }
    }

    /// a_k = A_k(s) of layer k = 1..L, from the state s of layer k−1.
    pub fn pre_activation(&self, k: usize, s: &[f64]) -> Vec<f64> {
        self.layers[k - 1].affine(s)
    }

    /// The forward pass: s_0 = x, s_k = f(A_k(s_{k−1})). Element k is the state of layer k, the last one the logits.
    pub fn forward(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut s = vec![x.to_vec()];
        for k in 1..=self.depth() {
            let f = self.activation_of(k);
            let a = self.pre_activation(k, &s[k - 1]);
            s.push(a.iter().map(|&a| f.value(a)).collect());
        }
        s
    }

    /// The prediction for x: the last state of the forward pass, `[outputs]`.
    pub fn logits(&self, x: &[f64]) -> Vec<f64> {
        self.forward(x).pop().unwrap_or_default()
    }
}

/// The iteration ends when ‖WᵀW v − λ v‖ falls below this times λ; the error of λ is of the order of its square.
const POWER_TOLERANCE: f64 = 1e-11;
/// Enough for two singular values that differ by 0.02 %; beyond that λ is right to more digits than v.
const POWER_ITERATIONS: usize = 100_000;

/// γ = ‖W‖₂, the largest singular value of the linear map, without pools, by power iteration on WᵀW until it has converged.
pub fn spectral_norm(layer: &Layer) -> f64 {
    let linear = Layer { pool_below: None, pool_above: None, bias: vec![0.0; layer.bias.len()], ..layer.clone() };
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut random = Random::new(0, Purpose::PowerIteration, 0, 0);
    let mut v: Vec<f64> = (0..layer.linear.inputs()).map(|_| random.normal()).collect();
    let mut lambda = 0.0;
    for _ in 0..POWER_ITERATIONS {
        let length = norm(&v);
        if length == 0.0 {
            return 0.0;
        }
        v.iter_mut().for_each(|v| *v /= length);
        // With ‖v‖ = 1: λ = ‖W v‖² = vᵀ WᵀW v.
        let w_v = linear.affine(&v);
        lambda = norm(&w_v) * norm(&w_v);
        let next = linear.adjoint(&w_v, &v);
        let residual: Vec<f64> = next.iter().zip(&v).map(|(next, v)| next - lambda * v).collect();
        if norm(&residual) <= POWER_TOLERANCE * lambda {
            break;
        }
        v = next;
    }
    lambda.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_is_linear_and_hidden_layers_are_not() {
        let negative = Layer::dense(1, 1, vec![-1.0], vec![0.0]);
        let network = Network { layers: vec![negative.clone(), negative], activation: Activation::LeakyRelu };
        assert_eq!(network.forward(&[2.0]), [[2.0], [-0.02], [0.02]]);
        assert_eq!(network.logits(&[-2.0]), [-2.0]);
    }

    #[test]
    fn the_spectral_norm_is_the_largest_singular_value() {
        // Singular values of the matrix by hand: λ² − 91 λ + 54 = 0 for WᵀW.
        let by_hand = Layer::dense(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.5, 0.0, -0.5]);
        let lambda = f64::midpoint(91.0, (91.0f64 * 91.0 - 4.0 * 54.0).sqrt());
        assert!((spectral_norm(&by_hand) - lambda.sqrt()).abs() < 1e-13);
        let diagonal = Layer::dense(2, 2, vec![3.0, 0.0, 0.0, -3.001], vec![9.0; 2]);
        assert!((spectral_norm(&diagonal) - 3.001).abs() < 1e-13);
        assert_eq!(spectral_norm(&Layer { kernel: vec![0.0; 6], ..by_hand }), 0.0);
    }
}
