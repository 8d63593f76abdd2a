//! The feedback kernels of a training: where they come from, and when they are drawn anew.

use std::mem;

use crate::base::Result;
use crate::base::random::{Purpose, Random};
use crate::compute::{Pool, noisy_copy};
use crate::network::{Model, Parameters, Topology, initialize};

use super::Recipe;

/// The parameters with which a training of this network starts: drawn by the seed.
pub(super) fn drawn(recipe: &Recipe, topology: &Topology, seed: u64, pool: &Pool) -> Parameters<f32> {
    let (kernels, biases) = recipe.initializers();
    let mut parameters = initialize(topology, kernels, biases, seed);
    renew(recipe, topology, &mut parameters, (seed, 0), pool);
    parameters
}

/// The parameters of a model that is alike, for this network: without the feedback kernels that it has beyond it, or with those
/// that it lacks, drawn by the seed.
///
/// # Errors
/// None for a model that is alike.
pub(super) fn fitted(recipe: &Recipe, topology: &Topology, model: &Model, seed: u64, pool: &Pool) -> Result<Parameters<f32>> {
    if !topology.has_feedback() || model.topology.has_feedback() {
        return Parameters::collect(topology, |name| Ok(model.parameters.named(name).cloned().unwrap_or_default()));
    }
    let drawn = drawn(recipe, topology, seed, pool);
    let find = |name: &str| model.parameters.named(name).or_else(|| drawn.named(name)).cloned();
    let mut parameters = Parameters::collect(topology, |name| Ok(find(name).unwrap_or_default()))?;
    // A copy is one of the model's kernels.
    renew(recipe, topology, &mut parameters, (seed, 0), pool);
    Ok(parameters)
}

/// Draws noisy copies anew, as the inference after `steps` weight updates reads them; other feedback kernels stay as they are. The
/// kernels and these numbers decide them, so that drawing them once more changes nothing.
pub(super) fn renew(
    recipe: &Recipe,
    topology: &Topology,
    parameters: &mut Parameters<f32>,
    (seed, steps): (u64, u64),
    pool: &Pool,
) {
    let Some(sigma) = recipe.feedback_noise() else { return };
    for k in 2..=topology.depth() {
        let Some(id) = topology.feedback(k) else { continue };
        // No training makes 2³² updates.
        let stream = Random::new(seed, Purpose::FeedbackNoise, steps as u32, k as u32);
        let mut copy = mem::take(&mut parameters.tensors_mut()[id.0]);
        noisy_copy(pool, parameters.get(topology.kernel(k)).data(), copy.data_mut(), sigma, &stream);
        parameters.tensors_mut()[id.0] = copy;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The feedback kernels of the digits' network after so many updates.
    fn copies(noise: &str, seed: u64, steps: u64) -> [Vec<f32>; 2] {
        let sets = ["learning.feedback=noisy_copy".to_string(), format!("learning.feedback_noise={noise}")];
        let recipe = Recipe::load("digits", &sets).unwrap();
        let (topology, pool) = (recipe.expected_topology().unwrap(), Pool::new(2).unwrap());
        let (kernels, biases) = recipe.initializers();
        let mut parameters = initialize(&topology, kernels, biases, 0);
        renew(&recipe, &topology, &mut parameters, (seed, steps), &pool);
        let renewed = parameters.clone();
        renew(&recipe, &topology, &mut parameters, (seed, steps), &pool);
        assert_eq!(renewed, parameters, "drawn once more they are others");
        let noise = |k: usize| {
            let (kernel, own) = (parameters.get(topology.kernel(k)), parameters.get(topology.feedback(k).unwrap()));
            kernel.data().iter().zip(own.data()).map(|(w, b)| b - w).collect()
        };
        [noise(2), noise(3)]
    }

    #[test]
    fn every_update_seed_and_layer_has_noise_of_its_own() {
        let first = copies("0.5", 0, 0);
        for other in [copies("0.5", 0, 1), copies("0.5", 1, 0)] {
            for (a, b) in first.iter().zip(&other) {
                let inner = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                // Of 1280 and 16384 independent numbers the cosine has a standard deviation of at most 0.028.
                assert!((inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()).abs() < 0.112);
            }
        }
        assert!(first[0].iter().zip(&first[1]).filter(|(a, b)| a == b).count() < 3, "layers share a stream");
        assert!(copies("0", 0, 0).iter().flatten().all(|&noise| noise == 0.0));
    }
}
