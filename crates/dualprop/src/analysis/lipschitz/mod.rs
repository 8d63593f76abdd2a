//! How far a trained network stretches a small change of its samples: the norms of its Jacobians.

mod summary;

pub use summary::LipschitzSummary;

use crate::base::random::{Purpose, Random};
use crate::base::{Real, Result};
use crate::compute::Pool;
use crate::compute::spectral::{RayleighAscent, unit};
use crate::inference::Linearisation;
use crate::network::{Parameters, Topology};

/// The local Lipschitz constant of a network at one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalLipschitz {
    /// ‖J‖₂, the largest factor by which a small change of the input changes the outputs, without unit; a lower bound that is
    /// reached to about half of `residual`. NaN where a number on the way is not finite.
    pub constant: f64,
    /// ‖JᵀJ v − θ v‖ / θ at the direction v in which the search ended, θ = ‖J v‖² = `constant`²; 0 for a constant of 0.
    pub residual: f64,
    /// How many directions v the search went through.
    pub steps: usize,
}

/// Finds the local Lipschitz constants of a network, of all samples of a batch at once.
///
/// ‖J‖₂² is the largest eigenvalue of JᵀJ, of which only products with vectors are taken: one sweep up and one down the network
/// itself ([`Linearisation`]). As for the kernels ([`crate::compute::spectral::spectral_norm`]) it is not the plain power iteration
/// v ← JᵀJ v / ‖JᵀJ v‖ but the climb by conjugate gradients with the same products, which needs about the square root of its
/// steps.
pub struct LipschitzMeter<T> {
    network: Linearisation<T>,
    /// The rows of a sweep.
    input: Vec<T>,
    output: Vec<T>,
}

/// A search that has gone so many steps ends with the lower bound that it has. On MNIST the built-in networks, dense (new and
/// trained) and convolutional (new), took 10 to 20 steps on average and 31 at most, in f32.
const MOST_STEPS: usize = 1000;

/// The residual at which a search ends: what sums of T can reach, and in f64 no more than anybody can use. At 200 test images of
/// MNIST the constants of f32 were within 3e-7 of the largest singular values that LAPACK gives of the Jacobians in f64.
fn tolerance<T: Real>() -> f64 {
    (128.0 * T::EPSILON.to_f64()).at_least(1e-10)
}

impl<T: Real> LipschitzMeter<T> {
    /// Bytes that [`LipschitzMeter::new`] reserves.
    pub fn memory(topology: &Topology, capacity: usize) -> u64 {
        Linearisation::<T>::memory(topology, capacity)
    }

    /// Reserves memory for batches of up to `capacity` samples, and for the parameters once more.
    pub fn new(topology: &Topology, capacity: usize, pool: &Pool) -> Self {
        LipschitzMeter { network: Linearisation::new(topology, capacity, pool), input: vec![], output: vec![] }
    }

    /// The constant at each sample of x [n, H, W, C], of any number n; each depends on that sample alone and its place in x, and
    /// neither on the threads nor, in f32, on the capacity: products of f64 may round otherwise in a batch of another size.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::Setting`] for inputs or parameters that do not fit.
    pub fn measure(&mut self, parameters: &Parameters<T>, x: &[T]) -> Result<Vec<LocalLipschitz>> {
        let (capacity, inputs) = (self.network.capacity(), self.network.topology().input().neurons());
        let mut constants = vec![];
        for x in x.chunks(capacity * inputs) {
            self.network.settle(parameters, x)?;
            let outputs = self.network.outputs().chunks_exact(self.network.topology().outputs());
            let searches = (constants.len()..).zip(outputs).map(|(sample, z)| Search::new(inputs, sample, z));
            let searches = searches.collect();
            constants.extend(self.climb(searches)?);
        }
        Ok(constants)
    }

    /// The ends of these searches, one for each sample of the batch.
    fn climb(&mut self, mut searches: Vec<Search>) -> Result<Vec<LocalLipschitz>> {
        for _ in 0..MOST_STEPS {
            self.apply(&mut searches, RayleighAscent::vector)?;
            searches.iter_mut().filter(|search| !search.ended).for_each(|search| search.look(tolerance::<T>()));
            if searches.iter().all(|search| search.ended) {
                break;
            }
            self.apply(&mut searches, RayleighAscent::direction)?;
            searches.iter_mut().filter(|search| !search.ended).for_each(Search::turn);
        }
        Ok(searches.iter().map(Search::result).collect())
    }

    /// JᵀJ v and ‖J v‖² of one vector of each search. J v is made a unit vector in between, so that not even f32 overflows before
    /// the constant itself does.
    fn apply(&mut self, searches: &mut [Search], vector: fn(&RayleighAscent) -> &[f64]) -> Result<()> {
        let LipschitzMeter { network, input, output } = self;
        input.clear();
        for search in &*searches {
            // What is not finite of a search that has ended is kept away from the others.
            let active = |x: &f64| if search.ended { T::ZERO } else { T::from_f64(*x) };
            input.extend(vector(&search.ascent).iter().map(active));
        }
        output.clear();
        output.extend(network.forward(input)?);
        let rows = output.chunks_exact_mut(network.topology().outputs());
        for (search, row) in searches.iter_mut().zip(rows) {
            search.squared = row.iter().map(|u| u.to_f64() * u.to_f64()).sum();
            let length = search.squared.sqrt();
            row.iter_mut().for_each(|u| *u = if length > 0.0 { T::from_f64(u.to_f64() / length) } else { *u });
        }
        let products = network.adjoint(output)?.chunks_exact(input.len() / searches.len());
        for (search, product) in searches.iter_mut().zip(products) {
            let length = search.squared.sqrt();
            search.product.clear();
            search.product.extend(product.iter().map(|x| x.to_f64() * length));
        }
        Ok(())
    }
}

/// The search for the largest singular value of one sample's Jacobian.
struct Search {
    ascent: RayleighAscent,
    /// JᵀJ v of the last vector.
    product: Vec<f64>,
    /// ‖J v‖² of the last vector.
    squared: f64,
    /// Relative, of the last step.
    residual: f64,
    steps: usize,
    ended: bool,
}

impl Search {
    /// From a random direction of the sample's own. There is nothing to be found where the outputs z are not finite, however
    /// harmless a derivative looks there.
    fn new<T: Real>(inputs: usize, sample: usize, z: &[T]) -> Self {
        let mut random = Random::new(0, Purpose::PowerIteration, 1, sample as u32);
        let ascent = RayleighAscent::new(unit((0..inputs).map(|_| random.normal()).collect()));
        let ended = !z.iter().all(|z| z.is_finite());
        let residual = if ended { f64::NAN } else { 0.0 };
        Search { ascent, product: vec![], squared: 0.0, residual, steps: 0, ended }
    }

    fn look(&mut self, tolerance: f64) {
        self.steps += 1;
        let residual = self.ascent.look(&self.product, self.squared);
        self.residual = if residual == 0.0 { 0.0 } else { residual / self.squared };
        // A residual that is no number ends it too.
        self.ended = self.residual <= tolerance || self.residual.is_nan();
    }

    fn turn(&mut self) {
        self.ascent.turn(&self.product, self.squared);
    }

    fn result(&self) -> LocalLipschitz {
        let constant = if self.residual.is_nan() { f64::NAN } else { self.ascent.theta().sqrt() };
        LocalLipschitz { constant, residual: self.residual, steps: self.steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::spectral::product_norm;
    use crate::compute::{Activation, Tensor};
    use crate::inference::Predictor;
    use crate::network::{BiasInitializer, Initializer, Layer, PoolOrder, Shape, initialize};

    fn network(input: Shape, layers: &[&str], activation: Activation, order: PoolOrder) -> (Topology, Parameters<f64>) {
        let layers = layers.iter().map(|text| Layer::parse("layer", text).unwrap()).collect();
        let topology = Topology::new(input, layers, activation, order).unwrap();
        let parameters = initialize(&topology, Initializer::HeNormal, BiasInitializer::Normal, 3);
        (topology, parameters)
    }

    fn networks() -> Vec<(Topology, Parameters<f64>)> {
        let image = Shape::image(7, 6, 2);
        let pooled = ["conv 3 pool", "conv 4 pool", "dense 6", "dense 3"];
        vec![
            network(Shape::flat(9), &["dense 12", "dense 7", "dense 3"], Activation::Relu, PoolOrder::default()),
            network(Shape::flat(9), &["dense 12", "dense 7", "dense 3"], Activation::Tanh, PoolOrder::default()),
            network(image, &pooled, Activation::Relu, PoolOrder::BeforeActivation),
            network(image, &pooled, Activation::Tanh, PoolOrder::BeforeActivation),
            network(image, &pooled, Activation::Tanh, PoolOrder::AfterActivation),
        ]
    }

    fn samples(topology: &Topology, n: usize) -> Vec<f64> {
        let mut random = Random::new(5, Purpose::Synthetic, 0, 0);
        (0..n * topology.input().neurons()).map(|_| random.normal()).collect()
    }

    fn measure<T: Real>(
        topology: &Topology,
        parameters: &Parameters<f64>,
        x: &[f64],
        [capacity, threads]: [usize; 2],
    ) -> Vec<LocalLipschitz> {
        let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
        let mut meter = LipschitzMeter::new(topology, capacity, &Pool::new(threads).unwrap());
        meter.measure(&parameters.cast::<T>(), &x).unwrap()
    }

    /// ‖J‖₂ of the Jacobian that central differences give, by power iterations on the matrix JJᵀ until nothing changes.
    fn norm_by_differences(topology: &Topology, parameters: &Parameters<f64>, x: &[f64]) -> f64 {
        let mut predictor = Predictor::new(topology, 1, &Pool::new(1).unwrap());
        let mut outputs = |x: &[f64]| predictor.predict(parameters, x).unwrap().to_vec();
        let column = |i: usize| {
            let h = 1e-6;
            let (mut above, mut below) = (x.to_vec(), x.to_vec());
            above[i] += h;
            below[i] -= h;
            let (above, below) = (outputs(&above), outputs(&below));
            above.iter().zip(below).map(|(a, b)| (a - b) / (2.0 * h)).collect::<Vec<f64>>()
        };
        let columns: Vec<Vec<f64>> = (0..x.len()).map(column).collect();
        let n = topology.outputs();
        let product = |i: usize, j: usize| columns.iter().map(|column| column[i] * column[j]).sum::<f64>();
        let gram: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| product(i, j)).collect()).collect();
        let mut v = vec![1.0, 0.7, -0.4];
        for _ in 0..100_000 {
            let next: Vec<f64> = gram.iter().map(|row| row.iter().zip(&v).map(|(g, v)| g * v).sum()).collect();
            v = unit(next.into_iter().collect()).to_vec();
        }
        let stretched: Vec<f64> = gram.iter().map(|row| row.iter().zip(&v).map(|(g, v)| g * v).sum()).collect();
        stretched.iter().zip(&v).map(|(g, v)| g * v).sum::<f64>().sqrt()
    }

    #[test]
    fn the_constant_is_the_norm_of_the_jacobian_that_differences_give() {
        for (topology, parameters) in networks() {
            let x = samples(&topology, 3);
            let found = measure::<f64>(&topology, &parameters, &x, [3, 1]);
            let single = measure::<f32>(&topology, &parameters, &x, [3, 1]);
            for ((x, found), single) in x.chunks(topology.input().neurons()).zip(found).zip(single) {
                let expected = norm_by_differences(&topology, &parameters, x);
                // Differences over 2e-6 of outputs of about 1 are right to about 1e-10.
                assert!((found.constant / expected - 1.0).abs() < 1e-8, "{found:?}, expected {expected}");
                assert!(found.residual <= tolerance::<f64>(), "{found:?}");
                assert!((single.constant / expected - 1.0).abs() < 1e-5, "{single:?}, expected {expected}");
                assert!(single.residual <= tolerance::<f32>(), "{single:?}");
            }
        }
    }

    #[test]
    fn without_activations_it_is_the_norm_of_the_product_of_all_kernels() {
        let layers = ["dense 30", "dense 20", "dense 10"];
        let (topology, parameters) = network(Shape::flat(40), &layers, Activation::Identity, PoolOrder::default());
        let kernels: Vec<&Tensor<f64>> = (1..=3).map(|k| parameters.get(topology.kernel(k))).collect();
        let expected = product_norm(&kernels);
        for local in measure::<f64>(&topology, &parameters, &samples(&topology, 4), [4, 1]) {
            assert!((local.constant / expected - 1.0).abs() < 1e-12, "{local:?}, expected {expected}");
        }
    }

    #[test]
    fn neither_the_other_samples_of_a_batch_nor_threads_change_a_bit() {
        for (topology, parameters) in networks() {
            let x = samples(&topology, 5);
            let together = measure::<f32>(&topology, &parameters, &x, [5, 1]);
            for of_batches in [[1, 1], [2, 3], [5, 2]] {
                assert_eq!(measure::<f32>(&topology, &parameters, &x, of_batches), together, "{of_batches:?}");
            }
            // How the `gemm` crate orders the sums of f64 depends on how many rows there are.
            let (some, all) =
                (measure::<f64>(&topology, &parameters, &x, [2, 2]), measure::<f64>(&topology, &parameters, &x, [5, 1]));
            for (some, all) in some.iter().zip(all) {
                assert!((some.constant / all.constant - 1.0).abs() < 1e-10, "{some:?} {all:?}");
            }
        }
    }

    #[test]
    fn broken_numbers_stay_with_their_sample_and_nothing_is_stretched_by_zeros() {
        let layers = ["dense 4", "dense 2"];
        let (topology, mut parameters) = network(Shape::flat(3), &layers, Activation::Relu, PoolOrder::default());
        let mut x = samples(&topology, 3);
        let whole = measure::<f64>(&topology, &parameters, &x, [3, 1]);
        x[4] = f64::NAN;
        let broken = measure::<f64>(&topology, &parameters, &x, [3, 1]);
        assert!(broken[1].constant.is_nan() && LipschitzSummary::of(&broken).unwrap().largest.is_nan(), "{broken:?}");
        assert_eq!([broken[0], broken[2]], [whole[0], whole[2]]);
        parameters.tensors_mut()[0].data_mut().fill(0.0);
        let zeros = measure::<f32>(&topology, &parameters, &samples(&topology, 1), [1, 1]);
        assert_eq!(zeros, [LocalLipschitz { constant: 0.0, residual: 0.0, steps: 1 }]);
    }

    /// Constants of 1e±30, whose squares f32 cannot hold.
    #[test]
    fn extremes_of_magnitude_cost_no_accuracy() {
        let topology = Topology::mlp(Shape::flat(2), &[2], Activation::Relu).unwrap();
        for magnitude in [1e30, 1e-30] {
            let mut parameters = Parameters::<f64>::zeros(&topology);
            parameters.tensors_mut()[0].data_mut().copy_from_slice(&[3.0 * magnitude, 0.0, 0.0, magnitude]);
            let found = measure::<f32>(&topology, &parameters, &[0.5, 0.5], [1, 1])[0].constant;
            assert!((found / (3.0 * magnitude) - 1.0).abs() < 1e-5, "{found:e}");
        }
    }
}
