//! The gradients of a recipe's network, checked in f64.

use crate::analysis::{Alignment, FiniteDifferences, align, finite_differences};
use crate::base::{Error, Result};
use crate::compute::Tensor;
use crate::data::{Batch, Folders};
use crate::inference::{Engine, Inference, Plan, PlanOptions, Predictor, Rule};
use crate::network::{Model, Parameters};

use super::Recipe;
use super::evaluation::normalizer_of;
use super::preparation::{Prepared, start_parameters};

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
/// As [`super::Trainer::new`]; [`Error::Setting`] for a model of another network, or more samples than there are.
pub fn check_gradients(
    recipe: &Recipe,
    model: Option<&Model>,
    folders: &Folders,
    samples: usize,
    coordinates: usize,
) -> Result<Vec<LayerCheck>> {
    let (params, seed) = (recipe.params(), recipe.params().seeds[0]);
    let mut data = Prepared::load(recipe, folders, seed)?;
    let topology = recipe.topology(data.dataset.input, data.dataset.classes)?;
    let parameters: Parameters<f64> = match model {
        Some(model) if model.topology != topology => {
            let problem = "the model's network is not the recipe's; name the recipe that it was trained by";
            return Err(Error::setting("recipe", &params.name, problem));
        }
        Some(model) => {
            data.normalizer = normalizer_of(model, &data.dataset)?;
            model.parameters.cast()
        }
        None => start_parameters(recipe, &topology, &data, seed)?.0.cast(),
    };
    if samples == 0 || samples > data.split.train.len() {
        let problem = format!("expected 1 to the {} training samples", data.split.train.len());
        return Err(Error::setting("samples", samples, problem));
    }
    let mut batch = Batch::new();
    let pool = recipe.pool()?;
    batch.fill(&data.dataset, &data.normalizer, &data.split.train[..samples], &pool);
    let [x, y] = [&batch.x, &batch.targets].map(|values| values.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
    let inference = recipe.inference(seed);
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
    let differences = finite_differences(&topology, &parameters, &backprop, coordinates, seed, loss)?;
    let layers = align(&topology, &local, &backprop).into_iter().zip(differences);
    Ok(layers.map(|(alignment, differences)| LayerCheck { alignment, differences }).collect())
}
