//! WᵀW of a convolution.

use std::cell::RefCell;

use crate::base::Real;
use crate::compute::affine::{Convolution, Map, adjoint, forward};
use crate::compute::{Pool, Tensor};

use super::{Gramian, dot};

/// G = W Wᵀ of a convolution times `scale`, on images of one sample above: it has the eigenvalues of WᵀW.
pub(super) struct ConvolutionGram {
    map: Map,
    kernel: Tensor<f64>,
    no_bias: Tensor<f64>,
    /// Wᵀ v, which every application uses again.
    below: RefCell<Vec<f64>>,
}

impl ConvolutionGram {
    pub(super) fn new<T: Real>(c: Convolution, kernel: &Tensor<T>, scale: f64) -> Self {
        let map = Map::Convolution(c);
        let mut kernel = kernel.cast::<f64>();
        kernel.data_mut().iter_mut().for_each(|w| *w *= scale);
        ConvolutionGram { map, kernel, no_bias: Tensor::zeros(&[c.outputs]), below: RefCell::new(vec![0.0; map.inputs()]) }
    }
}

impl Gramian for ConvolutionGram {
    fn size(&self) -> usize {
        self.map.outputs()
    }

    fn apply(&self, v: &[f64], product: &mut [f64]) -> f64 {
        let below = &mut *self.below.borrow_mut();
        Pool::alone(|team| {
            adjoint(team, self.map, &self.kernel, v, below, &mut []);
            forward(team, self.map, &self.kernel, &self.no_bias, below, product, &mut []);
        });
        dot(below, below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::spectral::{Power, spectral_norm};

    /// The convolution written out as a dense kernel [H·W·in, H·W·out], from its definition.
    fn as_dense(c: Convolution, kernel: &Tensor<f64>) -> Tensor<f64> {
        let (inputs, outputs) = (c.height * c.width * c.inputs, c.height * c.width * c.outputs);
        let mut dense = Tensor::zeros(&[inputs, outputs]);
        let reach = (c.size / 2) as isize;
        let places = || (0..c.height as isize).flat_map(|y| (0..c.width as isize).map(move |x| (y, x)));
        for (y, x) in places() {
            for (v, u) in places() {
                let (i, j) = (v - y + reach, u - x + reach);
                if i < 0 || j < 0 || i >= c.size as isize || j >= c.size as isize {
                    continue;
                }
                for below in 0..c.inputs {
                    for above in 0..c.outputs {
                        let row = (v as usize * c.width + u as usize) * c.inputs + below;
                        let column = (y as usize * c.width + x as usize) * c.outputs + above;
                        let tap = i as usize * c.size + j as usize;
                        dense.data_mut()[row * outputs + column] = kernel.data()[(tap * c.inputs + below) * c.outputs + above];
                    }
                }
            }
        }
        dense
    }

    #[test]
    fn the_norm_of_a_convolution_is_that_of_its_matrix() {
        for (height, width, inputs, outputs, size) in [(5, 4, 2, 3, 3), (1, 1, 2, 2, 3), (3, 7, 1, 2, 5), (4, 4, 3, 1, 1)] {
            let c = Convolution { height, width, inputs, outputs, size };
            let mut random = Random::new(1, Purpose::Synthetic, 0, 0);
            let shape = Map::Convolution(c).kernel();
            let kernel = Tensor::new(&shape, (0..shape.iter().product()).map(|_| random.normal()).collect()).unwrap();
            let dense = as_dense(c, &kernel);
            let map = Map::Dense { inputs: dense.shape()[0], outputs: dense.shape()[1] };
            let expected = spectral_norm(map, &dense, Power::Converged);
            let found = spectral_norm(Map::Convolution(c), &kernel, Power::Converged);
            assert!((found / expected - 1.0).abs() < 1e-12, "{c:?}: {found}, expected {expected}");
            let few = spectral_norm(Map::Convolution(c), &kernel, Power::Iterations(200));
            assert!(few <= found * (1.0 + 1e-12) && few > 0.99 * found, "{c:?}: {few}, expected {found}");
        }
    }
}
