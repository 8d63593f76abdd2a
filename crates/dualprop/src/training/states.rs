//! The states that a run's inference leaves in its trained network.

use std::path::Path;

use crate::base::{Result, memory};
use crate::data::Folders;
use crate::inference::{Engine, Plan, PlanOptions};
use crate::network::Model;

use super::{Part, Recipe, Specimen};

/// The messages of one layer, of all samples one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerStates {
    /// s̄_k
    pub mean: Vec<f32>,
    /// Δ_k
    pub difference: Vec<f32>,
}

/// Settles the first validation samples in the network of a model by the inference of the recipe that it was trained by, and
/// returns how many there were, with the states of the layers 1 to L. There are as many samples as leave at most `numbers` in the
/// largest layer, but at least one.
///
/// # Errors
/// As [`Specimen::load`] and [`Engine::new`]; [`crate::Error::Memory`].
pub fn settled_states(recipe: &Recipe, model: &Path, folders: &Folders, numbers: usize) -> Result<(usize, Vec<LayerStates>)> {
    let model = Model::load(model)?;
    let topology = &model.topology;
    let largest = (1..=topology.depth()).map(|k| topology.state(k).neurons()).max().unwrap_or(1);
    let samples = (numbers / largest.max(1)).clamp(1, MOST_SAMPLES);
    let specimen = Specimen::up_to(recipe, Some(&model), folders, Part::Validation, samples)?;
    let Specimen { topology, parameters, inference, samples, pool, .. } = specimen;
    let plan = Plan::compile(&topology, &inference, PlanOptions { gradients: false, ..PlanOptions::default() })?;
    memory::require("these states", plan.memory(samples.len(), size_of::<f32>()), "close other programs")?;
    let mut engine = Engine::new(plan, samples.len(), &pool)?;
    engine.infer(&parameters, &samples.x, &samples.targets)?;
    let layer = |k: usize| LayerStates { mean: engine.mean(k).to_vec(), difference: engine.difference(k).to_vec() };
    Ok((samples.len(), (1..=topology.depth()).map(layer).collect()))
}

/// More samples would change no histogram that can be seen.
const MOST_SAMPLES: usize = 256;
