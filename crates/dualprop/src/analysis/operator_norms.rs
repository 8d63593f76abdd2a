//! How much the layers of a network can stretch what passes through them.

use crate::base::Real;
use crate::compute::affine::Map;
use crate::compute::spectral::{Power, product_norm, spectral_norm};
use crate::network::{Parameters, Topology};

/// The norms of a network's linear maps.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorNorms {
    /// γ_k = ‖W_k‖₂ of the map into each layer k = 1..L.
    pub gammas: Vec<f64>,
    /// L_k = max(0, (γ_{k+1}² − 1)/2), with which damped dual propagation would hold back each hidden layer k = 1..L−1
    /// (PAPER 1.6); the rule's own factor |1−2α| is not in it.
    pub dampings: Vec<f64>,
    /// ‖W_L … W_1‖₂, the Lipschitz constant of the network without its activations; none where it is not defined: it is of
    /// networks of dense layers.
    pub product: Option<f64>,
}

/// The power iterations for a convolution, as many as the authors log theirs with: to let them converge would take longer
/// than an epoch.
const ITERATIONS: usize = 20;

/// Measures the kernels as they are now: dense maps to about 1e-13; convolutions, at the size of their images and without
/// pools, by 20 power iterations, which is a lower bound.
pub fn operator_norms<T: Real>(topology: &Topology, parameters: &Parameters<T>) -> OperatorNorms {
    norms_by(topology, parameters, |map| match map {
        Map::Dense { .. } => Power::Converged,
        Map::Convolution(_) => Power::Iterations(ITERATIONS),
    })
}

/// As [`operator_norms`], every γ_k found in the same way: what the number of power iterations makes of it is what the paper's
/// authors log. A convolution of hundreds of channels may take minutes to converge.
pub fn operator_norms_by<T: Real>(topology: &Topology, parameters: &Parameters<T>, power: Power) -> OperatorNorms {
    norms_by(topology, parameters, |_| power)
}

fn norms_by<T: Real>(topology: &Topology, parameters: &Parameters<T>, power: impl Fn(Map) -> Power) -> OperatorNorms {
    let kernel = |k: usize| parameters.get(topology.kernel(k));
    let layers = 1..=topology.depth();
    let gamma = |k: usize| spectral_norm(topology.map(k), kernel(k), power(topology.map(k)));
    let gammas: Vec<f64> = layers.clone().map(gamma).collect();
    let dampings = gammas.iter().skip(1).map(|gamma| ((gamma * gamma - 1.0) / 2.0).at_least(0.0)).collect();
    let product = topology.is_dense().then(|| product_norm(&layers.map(kernel).collect::<Vec<_>>()));
    OperatorNorms { gammas, dampings, product }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::{Activation, Tensor};
    use crate::network::Shape;

    fn parameters_of(topology: &Topology) -> Parameters<f64> {
        let parameters = Parameters::collect(topology, |name| match name {
            "kernel.0" => Tensor::new(&[2, 2], vec![3.0, 0.0, 0.0, -0.5]),
            "kernel.1" => Tensor::new(&[2, 2], vec![0.25, 0.0, 0.0, 2.0]),
            _ => Tensor::new(&[2], vec![9.0; 2]),
        });
        parameters.unwrap()
    }

    #[test]
    fn diagonal_kernels_have_their_largest_entries_as_norms() {
        let topology = Topology::mlp(Shape::flat(2), &[2, 2], Activation::Relu).unwrap();
        let norms = operator_norms(&topology, &parameters_of(&topology));
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        close(norms.gammas[0], 3.0);
        close(norms.gammas[1], 2.0);
        close(norms.dampings[0], 1.5);
        close(norms.product.unwrap(), 1.0);
        assert_eq!((norms.gammas.len(), norms.dampings.len()), (2, 1));
        let parameters = parameters_of(&topology);
        let by = |power| operator_norms_by(&topology, &parameters, power);
        assert_eq!(by(Power::Converged), norms);
        let few = by(Power::Iterations(1));
        // One step from a vector that is no singular one leaves a bound, and what is said of it.
        assert!(few.gammas[0] < 3.0 && few.gammas[1] < 2.0 && few.gammas[1] > 0.25, "{few:?}");
        close(few.dampings[0], ((few.gammas[1].powi(2) - 1.0) / 2.0).max(0.0));
    }
}
