//! Alignment of the local gradients with backpropagation, layer by layer.

use crate::base::Real;
use crate::compute::Tensor;
use crate::network::Topology;

/// How the gradient of one layer, its kernel and bias as one vector, compares with backpropagation's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// ⟨g, b⟩ / (‖g‖ ‖b‖); NaN where either is zero.
    pub cosine: f64,
    /// ‖g‖ / ‖b‖
    pub norm_ratio: f64,
    /// ‖g − b‖ / ‖b‖
    pub relative_error: f64,
    /// The share of components with the same sign, of those that are not 0 in both; NaN if all are.
    pub sign_agreement: f64,
}

/// The alignment of each layer k = 1..L, from gradients in the order of the parameters.
pub fn align<T: Real>(topology: &Topology, gradients: &[Tensor<T>], backprop: &[Tensor<T>]) -> Vec<Alignment> {
    let layers = (1..=topology.depth()).map(|k| [topology.kernel(k), topology.bias(k)]);
    let dot = |a: &[Tensor<T>], b: &[Tensor<T>], ids: [crate::compute::ParameterId; 2]| -> f64 {
        ids.iter().map(|id| inner(a[id.0].data(), b[id.0].data())).sum()
    };
    let alignment = |ids| {
        let (gg, bb) = (dot(gradients, gradients, ids), dot(backprop, backprop, ids));
        let cosine = dot(gradients, backprop, ids) / (gg.sqrt() * bb.sqrt());
        let pairs = || ids.iter().flat_map(|id| gradients[id.0].data().iter().zip(backprop[id.0].data()));
        let apart: f64 = pairs().map(|(g, b)| (g.to_f64() - b.to_f64()).powi(2)).sum();
        let sign = |x: &T| (*x > T::ZERO, *x < T::ZERO);
        let compared = pairs().filter(|(g, b)| **g != T::ZERO || **b != T::ZERO);
        let (same, all) = compared.fold((0.0, 0.0), |(same, all), (g, b)| (same + f64::from(sign(g) == sign(b)), all + 1.0));
        // Of numbers that are none signs mean nothing.
        let sign_agreement = if gg.is_finite() && bb.is_finite() { same / all } else { f64::NAN };
        Alignment { cosine, norm_ratio: (gg / bb).sqrt(), relative_error: (apart / bb).sqrt(), sign_agreement }
    };
    layers.map(alignment).collect()
}

/// Σ aᵢbᵢ in f64, in order.
pub(super) fn inner<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.to_f64() * b.to_f64()).sum()
}

/// The angle of a cosine, in degrees; rounding may have carried the cosine beyond ±1.
pub fn degrees(cosine: f64) -> f64 {
    libm::acos(cosine.clamp(-1.0, 1.0)).to_degrees()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Activation;
    use crate::network::Shape;

    #[test]
    fn kernel_and_bias_count_as_one_vector() {
        let topology = Topology::mlp(Shape::flat(1), &[1], Activation::Relu).unwrap();
        let gradient = |kernel: f64, bias: f64| [kernel, bias].map(|x| Tensor::new(&[1], vec![x]).unwrap());
        let alignment = align(&topology, &gradient(3.0, 4.0), &gradient(0.0, 2.0))[0];
        assert_eq!((alignment.cosine, alignment.norm_ratio), (0.8, 2.5));
        // (3, 2) of length √13 over 2; of two signs one agrees.
        assert!((alignment.relative_error - 13f64.sqrt() / 2.0).abs() < 1e-15);
        assert_eq!(alignment.sign_agreement, 0.5);
        assert_eq!(align(&topology, &gradient(-3.0, 0.0), &gradient(2.0, 0.0))[0].sign_agreement, 0.0);
        assert!((degrees(alignment.cosine) - 36.869_897_645_844_02).abs() < 1e-12);
        assert_eq!(degrees(1.0 + 1e-15), 0.0);
        assert!(align(&topology, &gradient(0.0, 0.0), &gradient(0.0, 2.0))[0].cosine.is_nan());
        assert!(align(&topology, &gradient(f64::INFINITY, 1.0), &gradient(1.0, 2.0))[0].sign_agreement.is_nan());
    }
}
