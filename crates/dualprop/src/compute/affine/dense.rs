//! Dense maps.

use crate::base::Real;
use crate::compute::gemm::{DEPTH, Matrix, Part, matmul, stream, stream_workspace};
use crate::compute::pool::Team;
use crate::compute::update::Update;
use crate::compute::{ParameterId, Tensor};

use super::bias::{self, bias_gradient};

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

/// How many numbers any of the products needs to work with.
pub(super) fn workspace(outputs: usize, samples: usize) -> usize {
    bias::workspace(outputs).max(stream_workspace(samples, outputs))
}

/// Updates a kernel by its weight product, part by part, which is kept nowhere; false, and nothing is done, where that cannot be.
pub(super) fn update<T: Real>(
    team: &Team,
    (mean, difference): (&[T], &[T]),
    scale: f64,
    kernel: ParameterId,
    update: &mut Update<T>,
    workspace: &mut [T],
) -> bool {
    let (inputs, outputs) = extents(&update.parameters()[kernel.0]);
    let samples = difference.len() / outputs;
    let scale = T::from_f64(scale / samples as f64).to_f64() as f32;
    let single = (T::as_f32(mean), T::as_f32(difference), T::as_f32_mut(workspace));
    let (Some(mean), Some(difference), Some(workspace)) = single else { return false };
    if samples > DEPTH {
        return false;
    }
    let operands = (Matrix::new(mean, samples, inputs).transposed(), Matrix::new(difference, samples, outputs));
    update.in_parts(kernel, |parts| {
        let ahead = |part: Part| parts.ahead(part.rows, part.columns);
        // SAFETY: parts of a product are disjoint.
        stream(team, operands, scale, workspace, ahead, |part, gradient| unsafe {
            parts.apply(team.isa(), part.rows, part.columns, gradient);
        });
    })
}

/// (in, out) of a kernel.
fn extents<T: Real>(kernel: &Tensor<T>) -> (usize, usize) {
    (kernel.shape()[0], kernel.shape()[1])
}
