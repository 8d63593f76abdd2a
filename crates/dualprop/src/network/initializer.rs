//! Initial kernels and biases.

use crate::base::random::{Purpose, Random};
use crate::base::{Named, Real};
use crate::compute::ParameterId;

use super::{Parameters, Topology};

/// How a kernel starts. Flax's initialisers are `variance_scaling(scale, mode, distribution)`: a distribution of standard
/// deviation σ = √(scale / fan), the fan being the inputs or the mean of inputs and outputs of a neuron.
///
/// A *truncated* normal is drawn within ±2 and multiplied by σ / 0.8796…, which restores the standard deviation σ that
/// the truncation takes away; a *uniform* one lies within ±σ√3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initializer {
    /// σ = √(1/in), truncated: Flax's default, which the authors' convolutional networks start from.
    LecunNormal,
    /// σ = √(2/in), truncated.
    HeNormal,
    /// σ = √(2/in), uniform.
    HeUniform,
    /// σ = √(2/(in + out)), truncated.
    GlorotNormal,
    /// σ = √(2/(in + out)), uniform.
    GlorotUniform,
    /// σ = √(1/in), a normal distribution that is not truncated: the authors' Julia program.
    ScaledNormal,
}

impl Named for Initializer {
    const WHAT: &'static str = "initializer";
    const ALL: &'static [(&'static str, Self)] = &[
        ("lecun_normal", Initializer::LecunNormal),
        ("he_normal", Initializer::HeNormal),
        ("he_uniform", Initializer::HeUniform),
        ("glorot_normal", Initializer::GlorotNormal),
        ("glorot_uniform", Initializer::GlorotUniform),
        ("scaled_normal", Initializer::ScaledNormal),
    ];
}

/// How a bias starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BiasInitializer {
    /// 0, as everywhere in the authors' programs.
    Zero,
    /// Normal with σ = √(1/in), in being the inputs of the layer's neurons: as large as one term of the pre-activation.
    Normal,
}

impl Named for BiasInitializer {
    const WHAT: &'static str = "bias initializer";
    const ALL: &'static [(&'static str, Self)] = &[("zero", BiasInitializer::Zero), ("normal", BiasInitializer::Normal)];
}

/// The standard deviation of a standard normal distribution truncated to ±2.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

impl Initializer {
    /// One element of a kernel between `inputs` and `outputs` neurons.
    fn draw(self, random: &mut Random, inputs: f64, outputs: f64) -> f64 {
        let deviation = match self {
            Initializer::LecunNormal | Initializer::ScaledNormal => (1.0 / inputs).sqrt(),
            Initializer::HeNormal | Initializer::HeUniform => (2.0 / inputs).sqrt(),
            Initializer::GlorotNormal | Initializer::GlorotUniform => (2.0 / (inputs + outputs)).sqrt(),
        };
        deviation
            * match self {
                Initializer::LecunNormal | Initializer::HeNormal | Initializer::GlorotNormal => {
                    random.truncated_normal() / TRUNCATED_DEVIATION
                }
                Initializer::HeUniform | Initializer::GlorotUniform => (2.0 * random.uniform() - 1.0) * 3f64.sqrt(),
                Initializer::ScaledNormal => random.normal(),
            }
    }
}

/// The parameters with which a training starts.
///
/// Each parameter has its own stream of random numbers, keyed by the seed and its place in the topology's list; feedback kernels
/// are drawn as kernels are, from streams of their own, so that they neither know of these nor change what they are. The
/// numbers are drawn in f64 and rounded, so that f32 and f64 networks of one seed start from the same point.
pub fn initialize<T: Real>(topology: &Topology, kernel: Initializer, bias: BiasInitializer, seed: u64) -> Parameters<T> {
    let mut parameters = Parameters::zeros(topology);
    for k in 1..=topology.depth() {
        let (inputs, outputs) = topology.map(k).fans();
        let (inputs, outputs) = (inputs as f64, outputs as f64);
        let stream = |id: ParameterId| Random::new(seed, Purpose::Initialisation, id.0 as u32, 0);
        let of_kernel = |random: &mut Random| kernel.draw(random, inputs, outputs);
        fill(&mut parameters, topology.kernel(k), stream, of_kernel);
        match bias {
            BiasInitializer::Zero => {}
            BiasInitializer::Normal => fill(&mut parameters, topology.bias(k), stream, |random| random.normal() / inputs.sqrt()),
        }
        if let Some(id) = topology.feedback(k) {
            fill(&mut parameters, id, |_| Random::new(seed, Purpose::Feedback, k as u32, 0), of_kernel);
        }
    }
    parameters
}

fn fill<T: Real>(
    parameters: &mut Parameters<T>,
    id: ParameterId,
    stream: impl Fn(ParameterId) -> Random,
    mut draw: impl FnMut(&mut Random) -> f64,
) {
    let mut random = stream(id);
    parameters.tensors_mut()[id.0].data_mut().iter_mut().for_each(|x| *x = T::from_f64(draw(&mut random)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Activation;
    use crate::network::Shape;

    const INPUTS: usize = 300;
    const OUTPUTS: usize = 500;

    fn topology() -> Topology {
        Topology::mlp(Shape::flat(INPUTS), &[OUTPUTS, OUTPUTS], Activation::Relu).unwrap()
    }

    /// Mean and variance of the kernel between 300 and 500 neurons: 150,000 draws.
    fn moments(data: &[f64]) -> (f64, f64) {
        let n = data.len() as f64;
        let mean = data.iter().sum::<f64>() / n;
        (mean, data.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
    }

    /// The table that the documentation promises: σ² · in (or · (in+out)/2), and the largest |x| / σ that can occur.
    #[test]
    fn mean_variance_and_bounds_are_those_of_the_closed_forms() {
        let (inputs, mean_of_fans) = (INPUTS as f64, (INPUTS + OUTPUTS) as f64 / 2.0);
        let truncation = 2.0 / TRUNCATED_DEVIATION;
        for (initializer, variance, bound) in [
            (Initializer::LecunNormal, 1.0 / inputs, truncation),
            (Initializer::HeNormal, 2.0 / inputs, truncation),
            (Initializer::HeUniform, 2.0 / inputs, 3f64.sqrt()),
            (Initializer::GlorotNormal, 1.0 / mean_of_fans, truncation),
            (Initializer::GlorotUniform, 1.0 / mean_of_fans, 3f64.sqrt()),
            (Initializer::ScaledNormal, 1.0 / inputs, f64::INFINITY),
        ] {
            let name = initializer.name();
            let parameters = initialize::<f64>(&topology(), initializer, BiasInitializer::Zero, 11);
            let data = parameters.tensors()[0].data();
            let (mean, found) = moments(data);
            // Standard errors with n = 150,000: σ/√n = 0.0026 σ of the mean; of the variance at most √(2/n) = 0.37 % (a
            // normal distribution; less for the flatter ones). Four of each.
            assert!(mean.abs() < 0.0104 * variance.sqrt(), "{name}: mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.0147, "{name}: variance {found}, expected {variance}");
            let largest = data.iter().fold(0.0f64, |largest, x| largest.max(x.abs())) / variance.sqrt();
            // So many draws come within 1 % of a bound, and of a normal distribution beyond 3.5 σ.
            assert!(largest <= bound && largest > 3.5f64.min(0.99 * bound), "{name}: {largest} of a bound of {bound}");
        }
    }

    /// ∫ x² φ over ±2 / ∫ φ over ±2 = 1 − 4 φ(2) / (2Φ(2) − 1), with 2Φ(2) − 1 = erf(√2).
    #[test]
    fn the_correction_is_the_deviation_of_a_truncated_normal() {
        let density = (-2.0f64).exp() / std::f64::consts::TAU.sqrt();
        let variance = 1.0 - 4.0 * density / libm::erf(std::f64::consts::SQRT_2);
        assert!((TRUNCATED_DEVIATION - variance.sqrt()).abs() < 1e-15, "{}", variance.sqrt());
    }

    #[test]
    fn biases_are_zero_or_normal_with_the_fan_in_of_their_layer() {
        let zero = initialize::<f32>(&topology(), Initializer::HeNormal, BiasInitializer::Zero, 1);
        assert!(["bias.0", "bias.1"].iter().all(|name| zero.named(name).unwrap().data().iter().all(|&b| b == 0.0)));
        let normal = initialize::<f64>(&topology(), Initializer::HeNormal, BiasInitializer::Normal, 1);
        for (name, inputs) in [("bias.0", INPUTS), ("bias.1", OUTPUTS)] {
            let (mean, variance) = moments(normal.named(name).unwrap().data());
            // n = 500: standard errors 0.045 σ and 6.3 %; four of each, less than the two fans differ.
            assert!(mean.abs() < 0.18 / (inputs as f64).sqrt(), "{name}: mean {mean}");
            assert!((variance * inputs as f64 - 1.0).abs() < 0.25, "{name}: variance {variance}");
        }
        assert_eq!(zero.named("kernel.1"), normal.cast::<f32>().named("kernel.1"), "a bias must not move a kernel");
    }

    #[test]
    fn feedback_kernels_are_drawn_apart_from_kernels_and_change_none() {
        let tied = initialize::<f64>(&topology(), Initializer::HeNormal, BiasInitializer::Normal, 5);
        let separate = initialize::<f64>(&topology().with_feedback(true), Initializer::HeNormal, BiasInitializer::Normal, 5);
        assert!(tied.iter().eq(separate.iter().take(4)));
        let (kernel, feedback) = (tied.named("kernel.1").unwrap().data(), separate.named("feedback.1").unwrap().data());
        let (mean, variance) = moments(feedback);
        // 250,000 draws: standard errors 0.002 σ and 0.28 %; four of each.
        assert!(
            mean.abs() < 0.008 * variance.sqrt() && (variance * OUTPUTS as f64 / 2.0 - 1.0).abs() < 0.0113,
            "{mean} {variance}"
        );
        // Independent kernels have a cosine of standard deviation 1/√n = 0.002.
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = inner(kernel, feedback) / (inner(kernel, kernel) * inner(feedback, feedback)).sqrt();
        assert!(cosine.abs() < 0.008, "{cosine}");
    }

    #[test]
    fn seeds_and_parameters_have_streams_of_their_own_and_f32_is_rounded_f64() {
        let start = |seed| initialize::<f64>(&topology(), Initializer::LecunNormal, BiasInitializer::Normal, seed);
        let (a, b) = (start(0), start(1));
        for (name, tensor) in a.iter() {
            let other = b.named(name).unwrap();
            assert!(tensor.data().iter().zip(other.data()).filter(|(a, b)| a == b).count() < 3, "{name}: seeds agree");
        }
        let [first, second] = [0, 2].map(|index: usize| &a.tensors()[index].data()[..100]);
        let ratio = (INPUTS as f64 / OUTPUTS as f64).sqrt();
        assert!(first.iter().zip(second).all(|(x, y)| (x * ratio - y).abs() > 1e-12), "kernels share a stream");
        assert_eq!(initialize::<f32>(&topology(), Initializer::LecunNormal, BiasInitializer::Normal, 0), a.cast());
    }
}
