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
