//! Convolutions, as products with patches that are gathered a few at a time.
//!
//! With the patch P(s̄) of a pixel, the k × k pixels around it as one row (zeros from outside the image), and the kernel
//! [k, k, in, out] read as a matrix [k·k·in, out],
//!
//! ```text
//! forward         a  = P(s̄) K + b            one row for each pixel
//! adjoint         fb = P(Δ) K°               K° [k·k·out, in]: K turned by 180° with in and out exchanged
//! weight product  ∂K = scale/n · P(s̄)ᵀ Δ     summed over all pixels of all samples
//! ```

use std::ops::Range;

use crate::base::{Named, Real};
use crate::compute::Tensor;
use crate::compute::pool::Team;

use super::above::Above;
use super::bias::{self, bias_gradient};
use super::{ConvolutionAlgorithm, MapProduct, direct};
use crate::compute::gemm::{Matrix, product};

/// A k × k convolution with stride 1 over images whose size it keeps ('same'): its extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Channels below.
    pub inputs: usize,
    /// Channels above.
    pub outputs: usize,
    /// k, an odd number.
    pub size: usize,
}

impl Convolution {
    /// Pixels of one sample.
    pub(super) fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Numbers of one patch.
    pub(super) fn patch(self) -> usize {
        self.size * self.size * self.inputs
    }

    /// The map of the other direction: channels above become those below.
    pub(super) fn reversed(self) -> Self {
        Convolution { inputs: self.outputs, outputs: self.inputs, ..self }
    }

    /// Writes the parts of the patches of these pixels (counted over all samples) that the kernel's places `taps` see, one
    /// row for each pixel.
    fn gather<T: Real>(self, image: &[T], pixels: Range<usize>, taps: Range<usize>, rows: &mut [T]) {
        let Convolution { height, width, inputs, size, .. } = self;
        let reach = size / 2;
        for (pixel, row) in pixels.zip(rows.chunks_exact_mut(taps.len() * inputs)) {
            let (sample, y, x) = (pixel / self.pixels(), pixel / width % height, pixel % width);
            for (tap, part) in taps.clone().zip(row.chunks_exact_mut(inputs)) {
                let (y, x) = (y + tap / size, x + tap % size);
                if (reach..height + reach).contains(&y) && (reach..width + reach).contains(&x) {
                    let start = ((sample * height + y - reach) * width + x - reach) * inputs;
                    part.copy_from_slice(&image[start..start + inputs]);
                } else {
                    part.fill(T::ZERO);
                }
            }
        }
    }
}

/// Pixels whose outputs one task computes.
const PIXELS: usize = 128;

/// output = W input + b, or without b.
pub(super) fn forward<T: Real>(
    team: &Team,
    c: Convolution,
    kernel: &Tensor<T>,
    bias: &Tensor<T>,
    input: &[T],
    output: &mut [T],
    workspace: &mut [T],
) {
    let single = (T::as_f32(kernel.data()), T::as_f32(input), T::as_f32_mut(output), T::as_f32_mut(workspace));
    if let (Some(kernel), Some(input), Some(output), Some(workspace)) = single {
        let algorithm = algorithm(team, c, MapProduct::Forward);
        return algorithm.convolve(team, c, (kernel, false), T::as_f32(bias.data()), input, Above::Image(output), workspace);
    }
    convolve(team, c, kernel.data(), Some(bias.data()), input, output);
}

/// Whether [`forward_pooled`] can be used, `exact` for convolutions without transforms.
pub(super) fn pools(c: Convolution, exact: bool) -> bool {
    chosen(c, MapProduct::Forward, exact).pools(c)
}

/// output, routing = the pool of W input + b, which is kept nowhere; of f32 only.
///
/// # Panics
/// For numbers of another type.
pub(super) fn forward_pooled<T: Real>(
    team: &Team,
    c: Convolution,
    (kernel, bias): (&Tensor<T>, &Tensor<T>),
    input: &[T],
    (output, routing): (&mut [T], &mut [u8]),
    workspace: &mut [T],
) {
    let single = (T::as_f32(kernel.data()), T::as_f32(input), T::as_f32_mut(output), T::as_f32_mut(workspace));
    let (Some(kernel), Some(input), Some(output), Some(workspace)) = single else { panic!("numbers of f32") };
    let above = Above::Pooled(output, routing);
    algorithm(team, c, MapProduct::Forward).convolve(team, c, (kernel, false), T::as_f32(bias.data()), input, above, workspace);
}

/// The algorithm of a product of f32.
fn algorithm(team: &Team, c: Convolution, product: MapProduct) -> ConvolutionAlgorithm {
    chosen(c, product, team.is_exact())
}

fn chosen(c: Convolution, product: MapProduct, exact: bool) -> ConvolutionAlgorithm {
    if exact { ConvolutionAlgorithm::Direct } else { ConvolutionAlgorithm::of(c, product) }
}

/// How many numbers any of the three products needs to work with.
pub(super) fn workspace(c: Convolution, samples: usize, threads: usize) -> usize {
    let of = |c, algorithm: ConvolutionAlgorithm| algorithm.workspace(c, samples, threads);
    let chosen = MapProduct::ALL.iter().map(|&(_, product)| match product {
        MapProduct::Adjoint => of(c.reversed(), ConvolutionAlgorithm::of(c, product)),
        _ => of(c, ConvolutionAlgorithm::of(c, product)),
    });
    let direct = direct::workspace(c).max(direct::workspace(c.reversed()));
    chosen.fold(direct.max(bias::workspace(c.outputs)), usize::max)
}

/// output = Wᵀ input
pub(super) fn adjoint<T: Real>(
    team: &Team,
    c: Convolution,
    kernel: &Tensor<T>,
    input: &[T],
    output: &mut [T],
    workspace: &mut [T],
) {
    let single = (T::as_f32(kernel.data()), T::as_f32(input), T::as_f32_mut(output), T::as_f32_mut(workspace));
    if let (Some(kernel), Some(input), Some(output), Some(workspace)) = single {
        let algorithm = algorithm(team, c, MapProduct::Adjoint);
        return algorithm.convolve(team, c.reversed(), (kernel, true), None, input, Above::Image(output), workspace);
    }
    convolve(team, c.reversed(), &turned(c, kernel.data()), None, input, output);
}

fn convolve<T: Real>(team: &Team, c: Convolution, kernel: &[T], bias: Option<&[T]>, input: &[T], output: &mut [T]) {
    let taps = c.size * c.size;
    team.pieces(output, PIXELS * c.outputs, |start, output| {
        match bias {
            Some(bias) => output.chunks_exact_mut(c.outputs).for_each(|row| row.copy_from_slice(bias)),
            None => output.fill(T::ZERO),
        }
        let (first, count) = (start / c.outputs, output.len() / c.outputs);
        let mut patches = vec![T::ZERO; count * c.patch()];
        c.gather(input, first..first + count, 0..taps, &mut patches);
        let patches = Matrix::new(&patches, count, c.patch());
        product(T::ONE, patches, Matrix::new(kernel, c.patch(), c.outputs), output);
    });
}

/// K°: the kernel turned by 180° with its channels exchanged.
fn turned<T: Real>(c: Convolution, kernel: &[T]) -> Vec<T> {
    let taps = kernel.chunks_exact(c.inputs * c.outputs).rev();
    let transposed = |tap: &[T]| -> Vec<T> {
        (0..c.outputs).flat_map(|o| (0..c.inputs).map(move |i| (i, o))).map(|(i, o)| tap[i * c.outputs + o]).collect()
    };
    taps.flat_map(transposed).collect()
}

/// Parts into which the pixels of a batch are cut where each has a sum of its own.
const PARTS: usize = 8;

/// Numbers of a kernel up to which its weight product is a sum over parts of the batch; that of a larger one is cut by the
/// kernel's places, which needs no memory of its own.
const SMALL_KERNEL: usize = 1 << 16;

/// Pixels whose patches are gathered at a time for a weight product.
const GATHERED: usize = 512;

/// kernel = scale/n · Σ P(mean)ᵀ difference, bias = scale/n · Σ difference, over n samples.
pub(super) fn weight_product<T: Real>(
    team: &Team,
    c: Convolution,
    (mean, difference): (&[T], &[T]),
    scale: f64,
    (kernel, bias): (&mut Tensor<T>, &mut Tensor<T>),
    workspace: &mut [T],
) {
    let pixels = difference.len() / c.outputs;
    let scale = T::from_f64(scale / (pixels / c.pixels()) as f64);
    let taps = c.size * c.size;
    let single = (T::as_f32(mean), T::as_f32(difference), T::as_f32_mut(kernel.data_mut()), T::as_f32_mut(workspace));
    if let (Some(mean), Some(difference), Some(kernel), Some(workspace)) = single {
        let algorithm = algorithm(team, c, MapProduct::Weight);
        algorithm.weight_product(team, c, (mean, difference), scale.to_f64() as f32, kernel, workspace);
    } else if c.patch() * c.outputs <= SMALL_KERNEL {
        in_parts(team, pixels, kernel.data_mut(), |range, part| {
            add_products(c, (mean, difference), range, 0..taps, T::ONE, part);
        });
        kernel.data_mut().iter_mut().for_each(|sum| *sum *= scale);
    } else {
        let tap_size = c.inputs * c.outputs;
        team.pieces(kernel.data_mut(), tap_size, |start, part| {
            part.fill(T::ZERO);
            let tap = start / tap_size;
            add_products(c, (mean, difference), 0..pixels, tap..tap + 1, scale, part);
        });
    }
    bias_gradient(team, difference, scale, bias.data_mut(), workspace);
}

/// kernel += scale · P(mean)ᵀ difference of these pixels, for the kernel's places `taps`.
fn add_products<T: Real>(
    c: Convolution,
    (mean, difference): (&[T], &[T]),
    pixels: Range<usize>,
    taps: Range<usize>,
    scale: T,
    kernel: &mut [T],
) {
    let columns = taps.len() * c.inputs;
    let mut patches = vec![T::ZERO; GATHERED.min(pixels.len()) * columns];
    for start in pixels.clone().step_by(GATHERED) {
        let range = start..pixels.end.min(start + GATHERED);
        let (count, patches) = (range.len(), &mut patches[..range.len() * columns]);
        let rows = &difference[range.start * c.outputs..range.end * c.outputs];
        c.gather(mean, range, taps.clone(), patches);
        let patches = Matrix::new(patches, count, columns).transposed();
        product(scale, patches, Matrix::new(rows, count, c.outputs), kernel);
    }
}

/// sum = Σ over parts of 0..pixels, in the order of the parts, of what `add` adds to zeros for each.
fn in_parts<T: Real>(team: &Team, pixels: usize, sum: &mut [T], add: impl Fn(Range<usize>, &mut [T]) + Sync) {
    let size = pixels.div_ceil(PARTS);
    let mut parts: Vec<(Range<usize>, Vec<T>)> =
        (0..pixels).step_by(size).map(|start| (start..pixels.min(start + size), vec![T::ZERO; sum.len()])).collect();
    team.each(&mut parts, |(range, part)| add(range.clone(), part));
    sum.fill(T::ZERO);
    for (_, part) in parts {
        sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
}
