//! Kernels of a few bits, as a device stores them: what an update leaves between two levels is lost, or rounded at random.

use crate::base::Real;
use crate::base::random::{Purpose, Random, subseed};
use crate::compute::disturbance::Quantizer;
use crate::network::{Parameters, Topology};

/// Puts every kernel on its levels, those of the feedback too where they are to be: W ↦ the level of W within ± range/√in, `in` being
/// the inputs of a neuron. Biases stay as they are. A level itself is rounded to itself, but at random only as far as T can hold it,
/// so that kernels which nothing changes are not to be rounded again. Random numbers are keyed by (seed, step, kernel, row).
pub fn quantize<T: Real>(
    topology: &Topology,
    parameters: &mut Parameters<T>,
    levels: &Quantizer,
    (seed, step): (u64, u64),
    with_feedback: bool,
) {
    for k in 1..=topology.depth() {
        let scale = 1.0 / (topology.map(k).fans().0 as f64).sqrt();
        for id in [Some(topology.kernel(k)), topology.feedback(k).filter(|_| with_feedback)].into_iter().flatten() {
            let row_seed = subseed(seed, Purpose::WeightRounding, step, id.0 as u32);
            let tensor = &mut parameters.tensors_mut()[id.0];
            let columns = tensor.shape().last().copied().unwrap_or(1);
            for (row, weights) in (0..).zip(tensor.data_mut().chunks_mut(columns)) {
                let mut random = Random::new(row_seed, Purpose::WeightRounding, 0, row);
                for w in weights {
                    *w = T::from_f64(levels.level(w.to_f64(), scale, &mut random));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Activation;
    use crate::compute::disturbance::Rounding;
    use crate::network::{BiasInitializer, Initializer, Shape, initialize};

    #[test]
    fn kernels_are_on_their_levels_and_biases_as_they_were() {
        let topology = Topology::mlp(Shape::flat(16), &[9, 4], Activation::Relu).unwrap();
        let start = initialize::<f32>(&topology, Initializer::HeNormal, BiasInitializer::Normal, 1);
        let quantized = |rounding, seed, step| {
            let mut parameters = start.clone();
            quantize(&topology, &mut parameters, &Quantizer { bits: 3, range: 1.5, rounding }, (seed, step), true);
            parameters
        };
        let nearest = quantized(Rounding::Nearest, 0, 0);
        // q = 1.5 · ¼ / 3, and 1.5 · ⅓ / 3.
        for (k, q) in [(1, 0.125f32), (2, 0.5 / 3.0)] {
            let (kernel, bias) = (topology.kernel(k), topology.bias(k));
            for (level, w) in nearest.get(kernel).data().iter().zip(start.get(kernel).data()) {
                let steps = level / q;
                assert!((steps - steps.round()).abs() < 1e-6 && steps.abs() < 3.1, "{steps}");
                assert!((level - w.clamp(-3.0 * q, 3.0 * q)).abs() <= q / 2.0 + 1e-7, "{level} {w}");
            }
            assert_eq!(nearest.get(bias), start.get(bias));
        }
        let stochastic = |seed, step| quantized(Rounding::Stochastic, seed, step);
        assert_eq!(stochastic(1, 2), stochastic(1, 2));
        assert!(stochastic(1, 2) != stochastic(1, 3) && stochastic(1, 2) != stochastic(2, 2));
    }
}
