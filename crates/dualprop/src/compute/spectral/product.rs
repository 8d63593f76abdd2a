//! The spectral norm of a product of kernels, without forming it.

use std::cell::RefCell;

use crate::base::Real;
use crate::compute::Tensor;

use super::{Gramian, rayleigh_ascent, scale_for};

/// ‖W_L … W_1‖₂ of these kernels, from the first layer to the last: the Lipschitz constant of the network without its
/// activations. Converged as [`super::Power::Converged`]; 0 if a kernel is zero, NaN if a number is not finite.
///
/// # Panics
/// If a kernel does not have two axes, or the extents do not chain.
pub fn product_norm<T: Real>(kernels: &[&Tensor<T>]) -> f64 {
    if !kernels.iter().all(|kernel| kernel.is_finite()) {
        return f64::NAN;
    }
    let largest = |kernel: &&Tensor<T>| kernel.data().iter().fold(0.0f64, |most, x| most.at_least(x.to_f64().abs()));
    let largest: Vec<f64> = kernels.iter().map(largest).collect();
    if largest.contains(&0.0) {
        return 0.0;
    }
    let scales: Vec<f64> = largest.into_iter().map(scale_for).collect();
    let unscale: f64 = scales.iter().map(|scale| 1.0 / scale).product();
    let maps: Vec<Map<T>> = kernels.iter().zip(scales).map(|(kernel, scale)| Map::new(kernel, scale)).collect();
    assert!(maps.windows(2).all(|pair| pair[0].outputs == pair[1].inputs), "kernels that do not follow one another");
    rayleigh_ascent(&Chain { maps, vectors: RefCell::default() }) * unscale
}

/// A kernel [in, out] times a power of two.
struct Map<'a, T> {
    kernel: &'a [T],
    inputs: usize,
    outputs: usize,
    scale: f64,
}

impl<'a, T: Real> Map<'a, T> {
    fn new(kernel: &'a Tensor<T>, scale: f64) -> Self {
        let &[inputs, outputs] = kernel.shape() else { panic!("a kernel [in, out] has two axes, not {:?}", kernel.shape()) };
        Map { kernel: kernel.data(), inputs, outputs, scale }
    }

    /// u = K v, from outputs to inputs.
    fn down(&self, v: &[f64], u: &mut Vec<f64>) {
        let rows = self.kernel.chunks_exact(self.outputs);
        u.clear();
        u.extend(rows.map(|row| super::dot_by(row, v, |w| w.to_f64() * self.scale)));
    }

    /// v = Kᵀ u, from inputs to outputs.
    fn up(&self, u: &[f64], v: &mut Vec<f64>) {
        v.clear();
        v.resize(self.outputs, 0.0);
        for (row, &u) in self.kernel.chunks_exact(self.outputs).zip(u) {
            v.iter_mut().zip(row).for_each(|(v, &w)| *v += u * (w.to_f64() * self.scale));
        }
    }
}

/// A = K_1 K_2 … K_L in the order of the kernels, applied to vectors of the output.
struct Chain<'a, T> {
    maps: Vec<Map<'a, T>>,
    /// Two vectors that every application uses again.
    vectors: RefCell<[Vec<f64>; 2]>,
}

impl<T: Real> Gramian for Chain<'_, T> {
    fn size(&self) -> usize {
        self.maps.last().map_or(0, |map| map.outputs)
    }

    fn apply(&self, v: &[f64], product: &mut [f64]) -> f64 {
        let [from, to] = &mut *self.vectors.borrow_mut();
        from.clear();
        from.extend(v);
        for map in self.maps.iter().rev() {
            map.down(from, to);
            std::mem::swap(from, to);
        }
        let squared = super::dot(from, from);
        for map in &self.maps {
            map.up(from, to);
            std::mem::swap(from, to);
        }
        product.copy_from_slice(from);
        squared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::affine::Map;
    use crate::compute::spectral::{Power, spectral_norm};

    fn random(rows: usize, columns: usize, seed: u64) -> Tensor<f64> {
        let mut random = Random::new(seed, Purpose::Synthetic, 0, 0);
        Tensor::new(&[rows, columns], (0..rows * columns).map(|_| random.normal()).collect()).unwrap()
    }

    fn multiplied(a: &Tensor<f64>, b: &Tensor<f64>) -> Tensor<f64> {
        let (&[n, m], &[_, p]) = (a.shape(), b.shape()) else { unreachable!() };
        let element = |i: usize, j: usize| (0..m).map(|k| a.data()[i * m + k] * b.data()[k * p + j]).sum();
        Tensor::new(&[n, p], (0..n * p).map(|index| element(index / p, index % p)).collect()).unwrap()
    }

    #[test]
    fn the_norm_is_that_of_the_product_that_is_never_formed() {
        let (a, b, c) = (random(9, 7, 1), random(7, 11, 2), random(11, 4, 3));
        let expected =
            spectral_norm(Map::Dense { inputs: 9, outputs: 4 }, &multiplied(&multiplied(&a, &b), &c), Power::Converged);
        let found = product_norm(&[&a, &b, &c]);
        assert!((found / expected - 1.0).abs() < 1e-12, "{found}, expected {expected}");
        let alone = spectral_norm(Map::Dense { inputs: 9, outputs: 7 }, &a, Power::Converged);
        assert_eq!(product_norm(&[&a]).to_bits(), alone.to_bits());
    }

    /// (4 0; 0 1) (0 2; ½ 0) = (0 8; ½ 0).
    #[test]
    fn a_product_by_hand() {
        let kernel = |values: [f64; 4]| Tensor::new(&[2, 2], values.to_vec()).unwrap();
        let (a, b) = (kernel([4.0, 0.0, 0.0, 1.0]), kernel([0.0, 2.0, 0.5, 0.0]));
        assert!((product_norm(&[&a, &b]) - 8.0).abs() < 1e-12);
        assert_eq!(product_norm(&[&a, &kernel([0.0; 4])]), 0.0);
        assert!(product_norm(&[&a, &kernel([f64::NAN; 4])]).is_nan());
    }
}
