//! How strongly the feedback of all hidden layers comes back at the output of a linear network.

use std::cell::RefCell;

use crate::base::Real;
use crate::compute::Tensor;

use super::{Gramian, dot, rayleigh_ascent};

/// λ_max(Σ_{k<L} J_k J_kᵀ) of the linear network of these kernels, from the first layer to the last, without unit; to about
/// 1e-13 relative.
///
/// J_k = ∂s_L/∂s_k = K_Lᵀ … K_{k+1}ᵀ for kernels [in, out]; the sum is over the hidden layers k = 1..L−1. A difference Δ_L of
/// the output goes down as Δ_k = J_kᵀ Δ_L, and what a share q of every Δ_k, put into the state s_k, makes of the output is
/// q Σ J_k J_kᵀ Δ_L: the loop that decides whether dual propagation settles (PAPER 1.5, \[DER\]).
///
/// 0 without hidden layers; NaN if a number is not finite, or the products overflow.
///
/// # Panics
/// If a kernel does not have two axes, or the extents do not chain.
pub fn feedback_eigenvalue<T: Real>(kernels: &[&Tensor<T>]) -> f64 {
    if !kernels.iter().all(|kernel| kernel.is_finite()) {
        return f64::NAN;
    }
    // The map into the first layer is no part of a J_k.
    let Some((_, kernels)) = kernels.split_first() else { return 0.0 };
    let maps = kernels.iter().map(|kernel| match kernel.shape() {
        &[inputs, outputs] => Map { kernel: kernel.data().iter().map(|w| w.to_f64()).collect(), inputs, outputs },
        other => panic!("a kernel [in, out] has two axes, not {other:?}"),
    });
    let maps: Vec<Map> = maps.collect();
    assert!(maps.windows(2).all(|pair| pair[0].outputs == pair[1].inputs), "kernels that do not follow one another");
    let bound: f64 = maps.iter().map(|map| dot(&map.kernel, &map.kernel)).product();
    match (maps.is_empty(), bound.is_finite()) {
        (true, _) => 0.0,
        (false, false) => f64::NAN,
        (false, true) => rayleigh_ascent(&Feedback { maps, states: RefCell::default() }).powi(2),
    }
}

/// A kernel [in, out].
struct Map {
    kernel: Vec<f64>,
    inputs: usize,
    outputs: usize,
}

/// Σ_{k<L} J_k J_kᵀ, applied to vectors of the output; the Gramian of all J_kᵀ one below the other.
struct Feedback {
    /// Those into the layers 2..L.
    maps: Vec<Map>,
    /// J_kᵀ v for k = 1..L−1, which every application uses again.
    states: RefCell<Vec<Vec<f64>>>,
}

impl Gramian for Feedback {
    fn size(&self) -> usize {
        self.maps.last().map_or(0, |map| map.outputs)
    }

    fn apply(&self, v: &[f64], product: &mut [f64]) -> f64 {
        let states = &mut *self.states.borrow_mut();
        states.resize(self.maps.len(), Vec::new());
        // Down: J_kᵀ v = K_{k+1} J_{k+1}ᵀ v.
        for (k, map) in self.maps.iter().enumerate().rev() {
            let (here, above) = states[k..].split_first_mut().expect("a state for each map");
            let above = above.first().map_or(v, Vec::as_slice);
            here.clear();
            here.extend(map.kernel.chunks_exact(map.outputs).map(|row| dot(row, above)));
            debug_assert_eq!(here.len(), map.inputs);
        }
        let squared = states.iter().map(|state| dot(state, state)).sum();
        // Up, every layer adding its own.
        for (k, map) in self.maps.iter().enumerate() {
            let (below, above) = states[k..].split_first_mut().expect("a state for each map");
            let above = above.first_mut().map_or(&mut *product, Vec::as_mut_slice);
            if k + 1 == self.maps.len() {
                above.fill(0.0);
            }
            for (row, &u) in map.kernel.chunks_exact(map.outputs).zip(&*below) {
                above.iter_mut().zip(row).for_each(|(v, &w)| *v += u * w);
            }
        }
        squared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::affine::Map as AffineMap;
    use crate::compute::spectral::{Power, spectral_norm};

    fn kernel(inputs: usize, outputs: usize, seed: u64) -> Tensor<f64> {
        let mut random = Random::new(seed, Purpose::Synthetic, 0, 0);
        Tensor::new(&[inputs, outputs], (0..inputs * outputs).map(|_| random.normal()).collect()).unwrap()
    }

    /// J₂ᵀ = K₃ and J₁ᵀ = K₂ K₃, stacked: the square of that matrix' norm.
    #[test]
    fn the_eigenvalue_is_that_of_the_stacked_jacobians() {
        let (first, second, third) = (kernel(6, 5, 1), kernel(5, 7, 2), kernel(7, 3, 3));
        let mut stacked = third.data().to_vec();
        for i in 0..5 {
            for j in 0..3 {
                stacked.push((0..7).map(|k| second.data()[i * 7 + k] * third.data()[k * 3 + j]).sum());
            }
        }
        let stacked = Tensor::new(&[12, 3], stacked).unwrap();
        let expected = spectral_norm(AffineMap::Dense { inputs: 12, outputs: 3 }, &stacked, Power::Converged).powi(2);
        let found = feedback_eigenvalue(&[&first, &second, &third]);
        assert!((found / expected - 1.0).abs() < 1e-12, "{found}, expected {expected}");
    }

    /// All layers of one neuron with the weight 2: J_3 = 2, J_2 = 4, J_1 = 8, and 4 + 16 + 64 = 84.
    #[test]
    fn a_chain_of_single_neurons_by_hand() {
        let two = Tensor::new(&[1, 1], vec![2.0f32]).unwrap();
        assert!((feedback_eigenvalue(&[&two; 4]) - 84.0).abs() < 1e-11);
        assert_eq!(feedback_eigenvalue(&[&two]), 0.0);
        assert_eq!(feedback_eigenvalue::<f32>(&[]), 0.0);
        assert_eq!(feedback_eigenvalue(&[&two, &Tensor::zeros(&[1, 1])]), 0.0);
        assert!(feedback_eigenvalue(&[&two, &Tensor::new(&[1, 1], vec![f32::NAN]).unwrap()]).is_nan());
        assert!(feedback_eigenvalue(&[&Tensor::new(&[1, 1], vec![1e200]).unwrap(); 4]).is_nan());
    }
}
