//! Dense maps.

use crate::base::Real;
use crate::compute::Tensor;
use crate::compute::gemm::{Matrix, matmul};
use crate::compute::pool::Team;

use super::bias::bias_gradient;

/// output = input · kernel + bias
pub(super) fn forward<T: Real>(team: &Team, kernel: &Tensor<T>, bias: &Tensor<T>, input: &[T], output: &mut [T]) {
    let (inputs, outputs) = extents(kernel);
    let input = Matrix::new(input, output.len() / outputs, inputs);
    matmul(team, (input, Matrix::new(kernel.data(), inputs, outputs)), T::ONE, Some(bias.data()), output);
}

/// output = input · kernelᵀ
pub(super) fn adjoint<T: Real>(team: &Team, kernel: &Tensor<T>, input: &[T], output: &mut [T]) {
    let (inputs, outputs) = extents(kernel);
    let input = Matrix::new(input, output.len() / inputs, outputs);
    let kernel = Matrix::new(kernel.data(), inputs, outputs).transposed();
    matmul(team, (input, kernel), T::ONE, None, output);
}

/// kernel = scale/n · meanᵀ · difference, bias = scale/n · Σ difference, over n samples.
pub(super) fn weight_product<T: Real>(
    team: &Team,
    (mean, difference): (&[T], &[T]),
    scale: f64,
    (kernel, bias): (&mut Tensor<T>, &mut Tensor<T>),
    workspace: &mut [T],
) {
    let (inputs, outputs) = extents(kernel);
    let samples = difference.len() / outputs;
    let scale = T::from_f64(scale / samples as f64);
    let operands = (Matrix::new(mean, samples, inputs).transposed(), Matrix::new(difference, samples, outputs));
    matmul(team, operands, scale, None, kernel.data_mut());
    bias_gradient(team, difference, scale, bias.data_mut(), workspace);
}

/// (in, out) of a kernel.
fn extents<T: Real>(kernel: &Tensor<T>) -> (usize, usize) {
    (kernel.shape()[0], kernel.shape()[1])
}
