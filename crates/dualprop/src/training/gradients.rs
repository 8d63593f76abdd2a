//! The gradients of a recipe's network, checked in f64.

use crate::analysis::{Alignment, FiniteDifferences, align, finite_differences};
use crate::base::Result;
use crate::compute::Tensor;
use crate::data::Folders;
use crate::inference::{Engine, Inference, Plan, PlanOptions, Predictor, Rule};
use crate::network::{Model, Parameters};

use super::{Part, Recipe, Specimen};

/// How the gradients of one layer check out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerCheck {
    /// The local gradient against backpropagation's.
    pub alignment: Alignment,
    /// Backpropagation's gradient against finite differences of the loss.
    pub differences: FiniteDifferences,
}

/// Checks the gradients of each layer on the first `samples` training samples, in f64: with the parameters of the model, or
/// those that a training by the recipe's first seed would start from. Finite differences are taken at up to `coordinates`
/// places of each tensor.
///
/// # Errors
/// As [`Specimen::load`].
pub fn check_gradients(
    recipe: &Recipe,
    model: Option<&Model>,
    folders: &Folders,
    samples: usize,
    coordinates: usize,
) -> Result<Vec<LayerCheck>> {
    let specimen = Specimen::load(recipe, model, folders, Part::Train, samples)?;
    let (parameters, x, y) = specimen.doubled();
    let Specimen { topology, inference, pool, .. } = specimen;
    let gradients = |inference: &Inference| -> Result<Vec<Tensor<f64>>> {
        let mut engine = Engine::new(Plan::compile(&topology, inference, PlanOptions::default())?, samples, &pool)?;
        engine.infer(&parameters, &x, &y)?;
        Ok(engine.gradients().to_vec())
    };
    let (local, backprop) = (gradients(&inference)?, gradients(&Inference::new(Rule::backprop(), 1.0, inference.loss))?);
    let mut predictor = Predictor::new(&topology, samples, &pool);
    let loss = |parameters: &Parameters<f64>| {
        let rows = predictor.predict(parameters, &x)?.chunks(topology.outputs()).zip(y.chunks(topology.outputs()));
        Ok(rows.map(|(z, y)| inference.loss.value(z, y)).sum::<f64>() / samples as f64)
    };
    let differences = finite_differences(&topology, &parameters, &backprop, coordinates, recipe.params().seeds[0], loss)?;
    let layers = align(&topology, &local, &backprop).into_iter().zip(differences);
    Ok(layers.map(|(alignment, differences)| LayerCheck { alignment, differences }).collect())
}
