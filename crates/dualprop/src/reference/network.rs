//! The model: dense layers, the forward pass, and the spectral norm of a layer.

use crate::base::random::{Purpose, Random};

use super::Activation;

/// The affine map A(s) = W s + b of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Size of s.
    pub inputs: usize,
    /// Size of A(s).
    pub outputs: usize,
    /// Wᵀ, `[inputs][outputs]`, row-major: the weight from input i to output j is `kernel[i * outputs + j]`.
    pub kernel: Vec<f64>,
    /// b, `[outputs]`.
    pub bias: Vec<f64>,
}

impl Dense {
    /// A(s)_j = Σ_i W_ji s_i + b_j: from `[inputs]` to `[outputs]`.
    pub fn affine(&self, s: &[f64]) -> Vec<f64> {
        self.assert_shape();
        assert_eq!(s.len(), self.inputs, "the input of a layer has another size than its kernel");
        let mut a = self.bias.clone();
        for i in 0..self.inputs {
            for j in 0..self.outputs {
                a[j] += self.kernel[i * self.outputs + j] * s[i];
            }
        }
        a
    }

    /// (Wᵀ d)_i = Σ_j W_ji d_j: from `[outputs]` back to `[inputs]`; the bias has no part in it.
    pub fn adjoint(&self, d: &[f64]) -> Vec<f64> {
        self.assert_shape();
        assert_eq!(d.len(), self.outputs, "what is fed back through a layer has another size than its kernel");
        let mut fb = vec![0.0; self.inputs];
        for i in 0..self.inputs {
            for j in 0..self.outputs {
                fb[i] += self.kernel[i * self.outputs + j] * d[j];
            }
        }
        fb
    }

    fn assert_shape(&self) {
        assert_eq!(self.kernel.len(), self.inputs * self.outputs, "a kernel is [inputs][outputs]");
        assert_eq!(self.bias.len(), self.outputs, "a bias is [outputs]");
    }
}

/// Layers 1..L, each a dense map; the activation follows the first L−1 of them, the output is linear.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// `layers[k − 1]` is A_k, the map into layer k.
    pub layers: Vec<Dense>,
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
const POWER_TOLERANCE: f64 = 1e-13;
/// Enough for two singular values that differ by 0.02 %; beyond that λ is right to more digits than v.
const POWER_ITERATIONS: usize = 100_000;

/// γ = ‖W‖₂, the largest singular value of the kernel, by power iteration on WᵀW until it has converged.
pub fn spectral_norm(layer: &Dense) -> f64 {
    let linear = Dense { bias: vec![0.0; layer.outputs], ..layer.clone() };
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut random = Random::new(0, Purpose::PowerIteration, 0, 0);
    let mut v: Vec<f64> = (0..layer.inputs).map(|_| random.normal()).collect();
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
        let next = linear.adjoint(&w_v);
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
    use crate::reference::fixtures;

    /// One weight matrix by hand, [in][out] = [[1, 2, 3], [4, 5, 6]].
    fn by_hand() -> Dense {
        Dense { inputs: 2, outputs: 3, kernel: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], bias: vec![0.5, 0.0, -0.5] }
    }

    #[test]
    fn the_affine_map_and_its_adjoint_by_hand() {
        assert_eq!(by_hand().affine(&[1.0, -1.0]), [-2.5, -3.0, -3.5]);
        assert_eq!(by_hand().adjoint(&[1.0, 0.0, -1.0]), [-2.0, -2.0]);
    }

    #[test]
    fn the_output_is_linear_and_hidden_layers_are_not() {
        let negative = Dense { kernel: vec![-1.0], inputs: 1, outputs: 1, bias: vec![0.0] };
        let network = Network { layers: vec![negative.clone(), negative], activation: Activation::LeakyRelu };
        assert_eq!(network.forward(&[2.0]), [[2.0], [-0.02], [0.02]]);
        assert_eq!(network.logits(&[-2.0]), [-2.0]);
    }

    #[test]
    fn the_spectral_norm_is_the_largest_singular_value() {
        // Singular values of the matrix by hand: λ² − 91 λ + 54 = 0 for WᵀW.
        let lambda = f64::midpoint(91.0, (91.0f64 * 91.0 - 4.0 * 54.0).sqrt());
        assert!((spectral_norm(&by_hand()) - lambda.sqrt()).abs() < 1e-13);
        let diagonal = Dense { inputs: 2, outputs: 2, kernel: vec![3.0, 0.0, 0.0, -3.001], bias: vec![9.0; 2] };
        assert!((spectral_norm(&diagonal) - 3.001).abs() < 1e-13);
        assert_eq!(spectral_norm(&Dense { kernel: vec![0.0; 6], ..by_hand() }), 0.0);
    }

    #[test]
    fn the_adjoint_is_the_adjoint() {
        let network = fixtures::network(&[5, 4, 3], Activation::Tanh, 1);
        let [mut s, d] = [fixtures::normals(5, 2), fixtures::normals(4, 3)];
        let layer = Dense { bias: vec![0.0; 4], ..network.layers[0].clone() };
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        s[0] = -3.0;
        assert!((dot(&layer.affine(&s), &d) - dot(&s, &layer.adjoint(&d))).abs() < 1e-14);
    }
}
