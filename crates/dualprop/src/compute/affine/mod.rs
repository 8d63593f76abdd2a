//! The affine map of a layer, its adjoint, and its weight product.
//!
//! ```text
//! forward         a  = W s̄ + b              dense: [n, out] = [n, in] [in, out] + [out]
//! adjoint         fb = Wᵀ Δ                 dense: [n, in]  = [n, out] [out, in]
//! weight product  ∂W = scale/n · Σ Δ s̄ᵀ,  ∂b = scale/n · Σ Δ
//! ```
//!
//! A convolution is the same with W applied at every pixel to the patch around it; see [`Convolution`].

mod above;
mod algorithm;
mod bias;
mod convolution;
#[cfg(feature = "cuda")]
pub(in crate::compute) mod cuda;
mod dense;
mod direct;
mod map;
mod table;
mod trial;
mod winograd;

pub use algorithm::{ConvolutionAlgorithm, MapProduct};
pub use convolution::Convolution;
pub use map::Map;
#[cfg(test)]
pub(crate) use table::tuned;
pub use trial::ConvolutionTrial;

use crate::base::Real;
use crate::compute::pool::Team;
use crate::compute::update::Update;
use crate::compute::{ParameterId, Tensor};
use bias::bias_gradient;

/// How many numbers any of the three products of a map needs to work with, for so many samples.
pub(super) fn workspace(map: Map, samples: usize, threads: usize) -> usize {
    match map {
        Map::Dense { outputs, .. } => dense::workspace(outputs, samples),
        Map::Convolution(c) => convolution::workspace(c, samples, threads),
    }
}

/// output = W input + b
pub(in crate::compute) fn forward<T: Real>(
    team: &Team,
    map: Map,
    kernel: &Tensor<T>,
    bias: &Tensor<T>,
    input: &[T],
    output: &mut [T],
    workspace: &mut [T],
) {
    match map {
        Map::Dense { .. } => dense::forward(team, kernel, bias, input, output),
        Map::Convolution(c) => convolution::forward(team, c, kernel, bias, input, output, workspace),
    }
}

/// Whether [`forward_pooled`] can be used for a map of numbers T; `exact` for convolutions without transforms.
pub(super) fn pools<T: Real>(map: Map, exact: bool) -> bool {
    T::as_f32(&[]).is_some() && matches!(map, Map::Convolution(c) if convolution::pools(c, exact))
}

/// output, routing = the pool of W input + b, which is kept nowhere.
///
/// # Panics
/// Where [`pools`] is false.
pub(super) fn forward_pooled<T: Real>(
    team: &Team,
    map: Map,
    parameters: (&Tensor<T>, &Tensor<T>),
    input: &[T],
    above: (&mut [T], &mut [u8]),
    workspace: &mut [T],
) {
    match map {
        Map::Convolution(c) => convolution::forward_pooled(team, c, parameters, input, above, workspace),
        Map::Dense { .. } => panic!("a pool of a dense map"),
    }
}

/// output = Wᵀ input
pub(in crate::compute) fn adjoint<T: Real>(
    team: &Team,
    map: Map,
    kernel: &Tensor<T>,
    input: &[T],
    output: &mut [T],
    workspace: &mut [T],
) {
    match map {
        Map::Dense { .. } => dense::adjoint(team, kernel, input, output),
        Map::Convolution(c) => convolution::adjoint(team, c, kernel, input, output, workspace),
    }
}

/// kernel = scale/n · Σ difference meanᵀ, bias = scale/n · Σ difference, over n samples.
pub(super) fn weight_product<T: Real>(
    team: &Team,
    map: Map,
    inputs: (&[T], &[T]),
    scale: f64,
    (kernel, bias): (&mut Tensor<T>, &mut Tensor<T>),
    workspace: &mut [T],
) {
    match map {
        Map::Dense { .. } => dense::weight_product(team, inputs, scale, (kernel, bias), workspace),
        Map::Convolution(c) => convolution::weight_product(team, c, inputs, scale, (kernel, bias), workspace),
    }
}

/// As [`weight_product`], and updates kernel and bias by it: at once where the map is dense and the batch not too large, whose
/// gradient of the kernel is then not kept.
pub(super) fn update<T: Real>(
    team: &Team,
    map: Map,
    inputs: (&[T], &[T]),
    scale: f64,
    [(kernel, d_kernel), (bias, d_bias)]: [(ParameterId, &mut Tensor<T>); 2],
    update: &mut Update<T>,
    workspace: &mut [T],
) {
    let at_once = matches!(map, Map::Dense { .. }) && dense::update(team, inputs, scale, kernel, update, workspace);
    if at_once {
        let samples = inputs.1.len() / map.outputs();
        bias_gradient(team, inputs.1, T::from_f64(scale / samples as f64), d_bias.data_mut(), workspace);
    } else {
        weight_product(team, map, inputs, scale, (d_kernel, d_bias), workspace);
        update.apply_on(team, kernel, d_kernel.data());
    }
    update.apply_on(team, bias, d_bias.data());
}

#[cfg(test)]
mod tests {
    use super::above::Above;
    use super::*;
    use crate::base::Named;
    use crate::base::random::{Purpose, Random};
    use crate::compute::pooling::{self, Pooling};
    use crate::compute::{Isa, Pool};
    use proptest::prelude::*;

    /// A map with random numbers of every kind: kernel, bias, s̄ below and Δ above, for some samples.
    struct Problem {
        map: Map,
        kernel: Tensor<f64>,
        bias: Tensor<f64>,
        below: Vec<f64>,
        above: Vec<f64>,
    }

    impl Problem {
        fn new(map: Map, samples: usize, seed: u64) -> Self {
            let mut random = Random::new(seed, Purpose::Synthetic, 0, 0);
            let mut normal = |n: usize| -> Vec<f64> { (0..n).map(|_| random.normal()).collect() };
            let shape = map.kernel();
            Problem {
                map,
                kernel: Tensor::new(&shape, normal(shape.iter().product())).unwrap(),
                bias: Tensor::new(&[map.bias()], normal(map.bias())).unwrap(),
                below: normal(samples * map.inputs()),
                above: normal(samples * map.outputs()),
            }
        }

        fn samples(&self) -> usize {
            self.below.len() / self.map.inputs()
        }

        /// A(s̄), Aᵀ Δ, ∂kernel and ∂bias with a scale of 3.
        fn results<T: Real>(&self, threads: usize) -> [Vec<T>; 4] {
            self.results_on(&Pool::new(threads).unwrap())
        }

        fn results_on<T: Real>(&self, pool: &Pool) -> [Vec<T>; 4] {
            let cast = |data: &[f64]| -> Vec<T> { data.iter().map(|&x| T::from_f64(x)).collect() };
            let (kernel, bias) = (self.kernel.cast::<T>(), self.bias.cast::<T>());
            let (below, above) = (cast(&self.below), cast(&self.above));
            // Whatever stands in an output is overwritten.
            let mut up = vec![T::from_f64(f64::NAN); above.len()];
            let mut down = vec![T::from_f64(f64::NAN); below.len()];
            let (mut d_kernel, mut d_bias) = (kernel.clone(), bias.clone());
            pool.enter(|team| {
                let space = &mut vec![T::from_f64(f64::NAN); workspace(self.map, self.samples(), 3)];
                forward(team, self.map, &kernel, &bias, &below, &mut up, space);
                adjoint(team, self.map, &kernel, &above, &mut down, space);
                weight_product(team, self.map, (&below, &above), 3.0, (&mut d_kernel, &mut d_bias), space);
            });
            [up, down, d_kernel.data().to_vec(), d_bias.data().to_vec()]
        }

        /// ⟨A s̄ − b, Δ⟩ = ⟨s̄, Aᵀ Δ⟩ = n/3 ⟨∂kernel, kernel⟩ and Σ Δ = n/3 ∂bias: one bilinear form, seen from three sides.
        fn check(&self) {
            let [up, down, d_kernel, d_bias] = self.results::<f64>(2);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let (n, channels) = (self.samples() as f64, self.map.bias());
            let linear: Vec<f64> = up.iter().enumerate().map(|(i, a)| a - self.bias.data()[i % channels]).collect();
            let form = dot(&self.below, &down);
            let size = dot(&linear, &linear).sqrt() * dot(&self.above, &self.above).sqrt();
            assert!((dot(&linear, &self.above) - form).abs() <= 1e-13 * size, "{:?}", self.map);
            assert!((n / 3.0 * dot(&d_kernel, self.kernel.data()) - form).abs() <= 1e-12 * size, "{:?}", self.map);
            for (channel, sum) in d_bias.iter().enumerate() {
                let expected: f64 = self.above.iter().skip(channel).step_by(channels).sum();
                assert!((n / 3.0 * sum - expected).abs() < 1e-11 * (1.0 + n), "{:?}", self.map);
            }
            // The form is linear in the kernel: a difference quotient has no error but rounding.
            for place in [0, d_kernel.len() / 2, d_kernel.len() - 1] {
                let mut moved = self.kernel.clone();
                moved.data_mut()[place] += 1.0;
                let mut up_moved = up.clone();
                let space = &mut vec![0.0; workspace(self.map, self.samples(), 3)];
                Pool::alone(|team| forward(team, self.map, &moved, &self.bias, &self.below, &mut up_moved, space));
                let slope = dot(&up_moved, &self.above) - dot(&up, &self.above);
                assert!((n / 3.0 * d_kernel[place] - slope).abs() <= 1e-12 * (1.0 + size), "{:?} at {place}", self.map);
            }
        }
    }

    fn convolutions() -> impl Strategy<Value = Map> {
        let sizes = (1usize..8, 1usize..8, 1usize..6, 1usize..6, 0usize..3);
        sizes.prop_map(|(height, width, inputs, outputs, reach)| {
            Map::Convolution(Convolution { height, width, inputs, outputs, size: 2 * reach + 1 })
        })
    }

    fn dense() -> impl Strategy<Value = Map> {
        (1usize..70, 1usize..70).prop_map(|(inputs, outputs)| Map::Dense { inputs, outputs })
    }

    proptest! {
        #[test]
        fn the_three_products_are_one_bilinear_form(
            map in prop_oneof![convolutions(), dense()], samples in 1usize..40, seed in 0u64..100
        ) {
            Problem::new(map, samples, seed).check();
        }
    }

    /// More pixels than one task takes and than are gathered at a time, more numbers than a small kernel has.
    #[test]
    fn work_that_is_cut_into_pieces_is_the_same_form_and_threads_change_no_bit() {
        for (height, width, inputs, outputs, size) in
            [(9, 7, 96, 80, 3), (16, 16, 3, 64, 3), (2, 2, 60, 50, 5), (32, 32, 1, 2, 1)]
        {
            let map = Map::Convolution(Convolution { height, width, inputs, outputs, size });
            let problem = Problem::new(map, 11, 1);
            problem.check();
            assert!(problem.results::<f32>(1) == problem.results::<f32>(3), "{map:?}");
        }
    }

    #[test]
    fn single_precision_is_double_precision_rounded() {
        let map = Map::Convolution(Convolution { height: 8, width: 9, inputs: 20, outputs: 30, size: 3 });
        let problem = Problem::new(map, 5, 2);
        for (exact, single) in problem.results::<f64>(1).iter().zip(problem.results::<f32>(1)) {
            let largest = exact.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            for (exact, single) in exact.iter().zip(single) {
                // Sums of up to 360 terms of order 1, each rounded to 6e-8.
                assert!((exact - f64::from(single)).abs() < 2e-6 * largest, "{exact} {single}");
            }
        }
    }

    /// A s̄ + b, Aᵀ Δ and ∂kernel of a convolution by this algorithm.
    fn results_by(problem: &Problem, algorithm: ConvolutionAlgorithm, pool: &Pool) -> [Vec<f32>; 3] {
        let Map::Convolution(c) = problem.map else { panic!("a convolution") };
        let cast = |data: &[f64]| -> Vec<f32> { data.iter().map(|&x| x as f32).collect() };
        let (kernel, bias) = (cast(problem.kernel.data()), cast(problem.bias.data()));
        let (below, above) = (cast(&problem.below), cast(&problem.above));
        let (mut up, mut down, mut d_kernel) = (vec![f32::NAN; above.len()], vec![f32::NAN; below.len()], kernel.clone());
        let room = |c| algorithm.workspace(c, problem.samples(), 3);
        let space = &mut vec![f32::NAN; room(c).max(room(c.reversed()))];
        pool.enter(|team| {
            algorithm.convolve(team, c, (&kernel, false), Some(&bias), &below, Above::Image(&mut up), space);
            algorithm.convolve(team, c.reversed(), (&kernel, true), None, &above, Above::Image(&mut down), space);
            let scale = 3.0 / problem.samples() as f32;
            algorithm.weight_product(team, c, (&below, &above), scale, &mut d_kernel, space);
        });
        [up, down, d_kernel]
    }

    /// Both ways of cutting a batch into blocks, images whose sides are no multiple of a tile, unequal channels. The errors are
    /// those of the transforms (docs/performance.md): of F(4 × 4), whose factors reach 8, up to 2.1e-5 of the largest number
    /// seen; of F(2 × 2), whose factors are no larger than 1, up to 5.9e-7,
    /// as the direct way.
    #[test]
    fn transformed_convolutions_are_the_direct_ones_and_threads_and_instructions_change_no_bit() {
        for (height, width, inputs, outputs, samples) in [
            (4, 4, 32, 64, 3),
            (7, 9, 64, 32, 5),
            (32, 32, 32, 32, 13),
            (16, 18, 64, 32, 20),
            (5, 4, 288, 160, 2),
            (2, 1, 32, 32, 9),
        ] {
            let map = Map::Convolution(Convolution { height, width, inputs, outputs, size: 3 });
            let problem = Problem::new(map, samples, 4);
            let exact = problem.results::<f64>(2);
            for (algorithm, bound) in [(ConvolutionAlgorithm::Winograd2, 1e-6), (ConvolutionAlgorithm::Winograd4, 4e-5)] {
                let single = results_by(&problem, algorithm, &Pool::new(1).unwrap());
                for (exact, single) in exact.iter().zip(&single) {
                    let largest = exact.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
                    let worst = exact.iter().zip(single).fold(0.0, |worst: f64, (x, y)| worst.max((x - f64::from(*y)).abs()));
                    println!("{height} x {width}, {inputs} to {outputs}, {algorithm:?}: {:.1e}", worst / largest);
                    assert!(worst < bound * largest, "{map:?} by {algorithm:?}: {:e}", worst / largest);
                }
                for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                    for threads in [2, 3] {
                        let other = results_by(&problem, algorithm, &Pool::with_isa(threads, isa).unwrap());
                        assert!(single == other, "{map:?} by {algorithm:?} and {isa:?}, {threads} threads");
                    }
                }
            }
        }
    }

    /// Images of odd sides, whose last row and column are dropped; bands of more pixels than one block has; every algorithm.
    #[test]
    fn a_pool_at_once_is_the_pool_of_the_image_to_the_bit() {
        for (height, width, inputs, outputs, size) in
            [(8, 8, 3, 20, 3), (9, 7, 32, 32, 3), (4, 60, 2, 33, 5), (6, 5, 64, 32, 3), (16, 16, 32, 64, 3), (1, 9, 1, 4, 1)]
        {
            let c = Convolution { height, width, inputs, outputs, size };
            let pooling = Pooling { height, width, channels: outputs };
            let problem = Problem::new(Map::Convolution(c), 3, 6);
            let cast = |data: &[f64]| -> Vec<f32> { data.iter().map(|&x| x as f32).collect() };
            let (kernel, bias, below) = (cast(problem.kernel.data()), cast(problem.bias.data()), cast(&problem.below));
            for &(_, algorithm) in ConvolutionAlgorithm::ALL.iter().filter(|(_, algorithm)| algorithm.suits(c)) {
                assert!(algorithm.pools(c));
                for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                    for threads in [1, 3] {
                        let (mut image, n) = (vec![f32::NAN; problem.above.len()], 3 * pooling.outputs());
                        let (mut pooled, mut routing) = (vec![f32::NAN; n], vec![9; n]);
                        let (mut at_once, mut routing_at_once) = (pooled.clone(), routing.clone());
                        let space = &mut vec![f32::NAN; algorithm.workspace(c, 3, threads)];
                        Pool::with_isa(threads, isa).unwrap().enter(|team| {
                            let above = Above::Image(&mut image);
                            algorithm.convolve(team, c, (&kernel, false), Some(&bias), &below, above, space);
                            pooling::forward(team, pooling, &image, &mut pooled, &mut routing);
                            let above = Above::Pooled(&mut at_once, &mut routing_at_once);
                            algorithm.convolve(team, c, (&kernel, false), Some(&bias), &below, above, space);
                        });
                        assert!(pooled == at_once && routing == routing_at_once, "{c:?} by {algorithm:?} and {isa:?}");
                    }
                }
            }
        }
    }

    /// What is chosen is what is computed: the transforms round otherwise than the direct way.
    #[test]
    fn the_algorithm_of_the_table_is_used_unless_exactness_is_asked_for() {
        for (c, algorithm) in [
            (Convolution { height: 14, width: 14, inputs: 64, outputs: 64, size: 3 }, ConvolutionAlgorithm::Winograd2),
            (Convolution { height: 8, width: 8, inputs: 128, outputs: 256, size: 3 }, ConvolutionAlgorithm::Winograd4),
            (Convolution { height: 6, width: 6, inputs: 64, outputs: 32, size: 3 }, ConvolutionAlgorithm::Winograd4),
            (Convolution { height: 3, width: 6, inputs: 64, outputs: 32, size: 3 }, ConvolutionAlgorithm::Direct),
            (Convolution { height: 6, width: 6, inputs: 64, outputs: 32, size: 5 }, ConvolutionAlgorithm::Direct),
            (Convolution { height: 6, width: 6, inputs: 60, outputs: 32, size: 3 }, ConvolutionAlgorithm::Direct),
        ] {
            let (problem, pool) = (Problem::new(Map::Convolution(c), 2, 5), Pool::new(2).unwrap());
            assert!(MapProduct::ALL.iter().all(|&(_, product)| ConvolutionAlgorithm::of(c, product) == algorithm), "{c:?}");
            let chosen = problem.results_on::<f32>(&pool);
            assert!(chosen[..3] == results_by(&problem, algorithm, &pool), "{c:?}");
            let exact = problem.results_on::<f32>(&pool.clone().with_exact_convolutions(true));
            assert!(exact[..3] == results_by(&problem, ConvolutionAlgorithm::Direct, &pool), "{c:?}");
        }
    }

    /// Term by term, to what sums of single precision are: also where the transforms would be used otherwise.
    #[test]
    fn exact_convolutions_use_no_transforms() {
        for (height, width, inputs, outputs, size, samples) in
            [(8, 8, 64, 32, 3, 4), (2, 2, 64, 96, 3, 30), (5, 6, 3, 40, 5, 3), (4, 3, 20, 33, 7, 14), (6, 6, 130, 128, 3, 2)]
        {
            let map = Map::Convolution(Convolution { height, width, inputs, outputs, size });
            let problem = Problem::new(map, samples, 4);
            let pool = |threads| Pool::new(threads).unwrap().with_exact_convolutions(true);
            let single = problem.results_on::<f32>(&pool(1));
            for (exact, single) in problem.results::<f64>(2).iter().zip(&single) {
                let largest = exact.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
                for (x, y) in exact.iter().zip(single) {
                    assert!((x - f64::from(*y)).abs() < 2e-6 * largest, "{map:?}: {x} {y}");
                }
            }
            assert!(single == problem.results_on::<f32>(&pool(3)), "{map:?}");
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                let pool = Pool::with_isa(2, isa).unwrap().with_exact_convolutions(true);
                assert!(single == problem.results_on::<f32>(&pool), "{map:?} by {isa:?}");
            }
        }
    }
}
