//! Dense maps, cut by shape into blocks that threads share out.

use crate::base::Real;
use crate::compute::Tensor;
use crate::compute::pool::Team;

use super::product::{Matrix, Sum, product};

/// Samples whose outputs one task computes. A block of the kernel is packed anew for each task, so that they must not be few.
const SAMPLES: usize = 32;

/// Rows of a kernel's gradient that one task computes.
const GRADIENT_ROWS: usize = 64;

/// output = input · kernel + bias
pub(super) fn forward<T: Real>(team: &Team, kernel: &Tensor<T>, bias: &Tensor<T>, input: &[T], output: &mut [T]) {
    let (inputs, outputs) = extents(kernel);
    team.pieces(output, SAMPLES * outputs, |start, output| {
        output.chunks_mut(outputs).for_each(|row| row.copy_from_slice(bias.data()));
        let samples = output.len() / outputs;
        let first = start / outputs * inputs;
        let input = Matrix::new(&input[first..first + samples * inputs], samples, inputs);
        product(Sum::Add, T::ONE, input, Matrix::new(kernel.data(), inputs, outputs), output);
    });
}

/// output = input · kernelᵀ
pub(super) fn adjoint<T: Real>(team: &Team, kernel: &Tensor<T>, input: &[T], output: &mut [T]) {
    let (inputs, outputs) = extents(kernel);
    team.pieces(output, SAMPLES * inputs, |start, output| {
        let samples = output.len() / inputs;
        let first = start / inputs * outputs;
        let input = Matrix::new(&input[first..first + samples * outputs], samples, outputs);
        product(Sum::Overwrite, T::ONE, input, Matrix::new(kernel.data(), inputs, outputs).transposed(), output);
    });
}

/// kernel = scale/n · meanᵀ · difference, bias = scale/n · Σ difference, over n samples.
pub(super) fn weight_product<T: Real>(
    team: &Team,
    (mean, difference): (&[T], &[T]),
    scale: f64,
    kernel: &mut Tensor<T>,
    bias: &mut Tensor<T>,
) {
    let (inputs, outputs) = extents(kernel);
    let samples = difference.len() / outputs;
    let scale = T::from_f64(scale / samples as f64);
    let mean = Matrix::new(mean, samples, inputs).transposed();
    team.pieces(kernel.data_mut(), GRADIENT_ROWS * outputs, |start, kernel| {
        let rows = mean.rows(start / outputs, kernel.len() / outputs);
        product(Sum::Overwrite, scale, rows, Matrix::new(difference, samples, outputs), kernel);
    });
    bias.data_mut().fill(T::ZERO);
    for row in difference.chunks(outputs) {
        bias.data_mut().iter_mut().zip(row).for_each(|(sum, &d)| *sum += d);
    }
    bias.data_mut().iter_mut().for_each(|sum| *sum *= scale);
}

/// (in, out) of a kernel.
fn extents<T: Real>(kernel: &Tensor<T>) -> (usize, usize) {
    (kernel.shape()[0], kernel.shape()[1])
}
