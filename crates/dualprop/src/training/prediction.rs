//! What a trained model says of samples.

use std::path::Path;

use crate::base::{Error, Result};
use crate::compute::disturbance::Scales;
use crate::compute::{Loss, Pool};
use crate::data::{Batch, Dataset, Folders, Normalizer};
use crate::inference::Predictor;
use crate::network::{Model, Parameters, Topology};

use super::checkpoint::Checkpoint;
use super::divergence::refuse_diverged;
use super::evaluation::{Evaluator, evaluation_batch, fitted, normalizer_of};
use super::preparation::Prepared;
use super::run_directory::last_checkpoint;
use super::{Evaluation, Recipe, folder_of_seed};

/// What a model says of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The class with the largest output; of equal ones the first.
    pub label: usize,
    /// Of each class; they add up to 1.
    pub probabilities: Vec<f64>,
}

/// Predicts every sample of a data set, in order. A model trained by the cross-entropy gives the probabilities softmax(z); one
/// trained by a squared error estimates them by its outputs, which are cut to [0, 1] and divided by their sum (all equal where
/// that is 0).
///
/// # Errors
/// [`Error::Shape`] if the model has another input or another number of outputs than the data set; [`Error::Setting`] for an
/// output that is not finite.
pub fn predict(model: &Model, dataset: &Dataset, loss: Loss, pool: &Pool) -> Result<Vec<Prediction>> {
    let dataset = &fitted(model, dataset)?;
    let normalizer = normalizer_of(model, dataset)?;
    let mut predictor = Predictor::new(&model.topology, evaluation_batch(0), pool);
    let (mut batch, mut predictions) = (Batch::new(), vec![]);
    let indices: Vec<usize> = (0..dataset.len()).collect();
    for indices in indices.chunks(predictor.capacity()) {
        batch.fill(dataset, &normalizer, indices, pool);
        let logits = predictor.predict(&model.parameters, &batch.x)?;
        if let Some(place) = logits.iter().position(|z| !z.is_finite()) {
            let sample = indices[place / model.topology.outputs()];
            let problem = "the model's outputs are not finite; its weights, or this sample's pixels, are too large";
            return Err(Error::setting(format!("output of sample {sample}"), logits[place], problem));
        }
        predictions.extend(logits.chunks(model.topology.outputs()).map(|z| prediction(z, loss)));
    }
    Ok(predictions)
}

/// The place of the largest output; of equal ones the first.
pub(super) fn largest(z: &[f32]) -> usize {
    (0..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best })
}

fn prediction(z: &[f32], loss: Loss) -> Prediction {
    let label = largest(z);
    let weights: Vec<f64> = match loss {
        Loss::CrossEntropy => z.iter().map(|&x| libm::exp(f64::from(x) - f64::from(z[label]))).collect(),
        Loss::SquaredError | Loss::HalfSquaredError => z.iter().map(|&x| f64::from(x).clamp(0.0, 1.0)).collect(),
    };
    let sum: f64 = weights.iter().sum();
    let equal = 1.0 / z.len() as f64;
    Prediction { label, probabilities: weights.iter().map(|weight| if sum > 0.0 { weight / sum } else { equal }).collect() }
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The samples that gradients came from.
    Train,
    /// The samples that chose the model.
    Validation,
    /// The samples that judge.
    Test,
}

impl Part {
    /// `training`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "training",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }
}

/// Evaluates the model of each seed of a run on a part of the run's data, divided as it was for that seed, on the device that the
/// recipe describes.
///
/// # Errors
/// [`Error::Malformed`] if it is no run, or a cell of a sweep that diverged; as [`Model::load`] and [`super::Trainer::new`].
pub fn evaluate_run(run: &Path, part: Part, folders: &Folders, pool: &Pool) -> Result<Vec<(u64, Evaluation)>> {
    let mut evaluations = vec![];
    with_models(run, part, folders, pool, &mut |seed, evaluator, subject, dataset, normalizer, indices| {
        evaluations.push((seed, evaluator.evaluate(subject, dataset, normalizer, indices)?));
        Ok(())
    })?;
    Ok(evaluations)
}

/// What is done with the model of a seed: it, its parameters with the scales of its device, and the samples with what is done to
/// their pixels.
type Work<'a> = dyn FnMut(u64, &mut Evaluator, (&Parameters<f32>, &Scales), &Dataset, &Normalizer, &[usize]) -> Result<()> + 'a;

/// Lends the model of each seed of a run to `work`, with a part of the run's data as it was divided for that seed.
///
/// # Errors
/// As [`evaluate_run`], and those of `work`.
pub(super) fn with_models(run: &Path, part: Part, folders: &Folders, pool: &Pool, work: &mut Work) -> Result<()> {
    let recipe = run.join("recipe.toml");
    if !recipe.is_file() {
        return Err(Error::malformed(run, "it is neither a model file nor a run directory with a recipe.toml"));
    }
    let recipe = Recipe::load_file(&recipe, &[])?;
    let advice = "evaluate the folder of a seed that finished, if one did, or a model file by --data";
    refuse_diverged(run, advice)?;
    let pool = &pool.clone().with_exact_convolutions(recipe.params().training.exact_conv);
    let seeds = &recipe.params().seeds;
    for &seed in seeds {
        let folder = folder_of_seed(run, seeds, seed);
        let model = Model::load(&folder.join("model.safetensors"))?;
        let data = Prepared::load(&recipe, folders, seed)?;
        let normalizer = normalizer_of(&model, &data.dataset)?;
        let inference = recipe.inference(seed);
        let scales = match inference.disturbance.acts_on_states() {
            true => best_scales(&folder, &model.topology, &recipe)?,
            false => Scales::default(),
        };
        let mut evaluator = Evaluator::on_device(&model.topology, &inference, 0, pool);
        let subject = (&model.parameters, &scales);
        data.with_part(part, |dataset, indices| work(seed, &mut evaluator, subject, dataset, &normalizer, indices))?;
    }
    Ok(())
}

/// What the best epoch of a run's seed was disturbed relative to: its checkpoint knows.
fn best_scales(folder: &Path, topology: &Topology, recipe: &Recipe) -> Result<Scales> {
    let path = last_checkpoint(folder);
    let checkpoint = Checkpoint::load(&path, topology, recipe.optimizer())?;
    match checkpoint.progress.best {
        Some(best) => Ok(best.scales),
        None => Err(Error::malformed(path, "it knows no best epoch, which is what the model beside it is of")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_loss() {
        let softmax = prediction(&[0.0, libm::logf(3.0)], Loss::CrossEntropy);
        assert_eq!(softmax.label, 1);
        assert!((softmax.probabilities[0] - 0.25).abs() < 1e-7 && (softmax.probabilities[1] - 0.75).abs() < 1e-7);
        assert_eq!(prediction(&[-1.0, 0.5, 1.5], Loss::HalfSquaredError).probabilities, [0.0, 1.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(prediction(&[-1.0, -0.5], Loss::SquaredError), Prediction { label: 1, probabilities: vec![0.5, 0.5] });
        assert_eq!(prediction(&[2.0, 2.0], Loss::CrossEntropy).label, 0);
    }
}
