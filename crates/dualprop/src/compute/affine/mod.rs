//! The affine map of a layer, its adjoint, and its weight product.
//!
//! ```text
//! forward         a  = W s̄ + b              dense: [n, out] = [n, in] [in, out] + [out]
//! adjoint         fb = Wᵀ Δ                 dense: [n, in]  = [n, out] [out, in]
//! weight product  ∂W = scale/n · Σ Δ s̄ᵀ,  ∂b = scale/n · Σ Δ
//! ```
//!
//! A convolution is the same with W applied at every pixel to the patch around it; see [`Convolution`].

mod convolution;
mod dense;
mod map;
mod product;

pub use convolution::Convolution;
pub use map::Map;

use crate::base::Real;
use crate::compute::Tensor;
use crate::compute::pool::Team;

/// output = W input + b
pub(in crate::compute) fn forward<T: Real>(
    team: &Team,
    map: Map,
    kernel: &Tensor<T>,
    bias: &Tensor<T>,
    input: &[T],
    output: &mut [T],
) {
    match map {
        Map::Dense { .. } => dense::forward(team, kernel, bias, input, output),
        Map::Convolution(c) => convolution::forward(team, c, kernel, Some(bias), input, output),
    }
}

/// output = Wᵀ input
pub(in crate::compute) fn adjoint<T: Real>(team: &Team, map: Map, kernel: &Tensor<T>, input: &[T], output: &mut [T]) {
    match map {
        Map::Dense { .. } => dense::adjoint(team, kernel, input, output),
        Map::Convolution(c) => convolution::adjoint(team, c, kernel, input, output),
    }
}

/// kernel = scale/n · Σ difference meanᵀ, bias = scale/n · Σ difference, over n samples.
pub(super) fn weight_product<T: Real>(
    team: &Team,
    map: Map,
    inputs: (&[T], &[T]),
    scale: f64,
    kernel: &mut Tensor<T>,
    bias: &mut Tensor<T>,
) {
    match map {
        Map::Dense { .. } => dense::weight_product(team, inputs, scale, kernel, bias),
        Map::Convolution(c) => convolution::weight_product(team, c, inputs, scale, kernel, bias),
    }
}
