//! What an analysis looks at: a network as a recipe or a model has it, and some samples of its data.

use crate::analysis::InputRange;
use crate::base::{Error, Result};
use crate::compute::Pool;
use crate::data::{Batch, Folders, Normalizer};
use crate::inference::Inference;
use crate::network::{Model, Parameters, Topology};

use super::evaluation::normalizer_of;
use super::feedback::fitted;
use super::preparation::{Prepared, start_parameters};
use super::{Part, Recipe};

/// A network with its parameters, how it infers, and the samples on which it is looked at.
pub struct Specimen {
    /// The network.
    pub topology: Topology,
    /// Those of the model, or those that a training by the recipe's first seed would start from.
    pub parameters: Parameters<f32>,
    /// Rule, nudge, schedule and loss, as the recipe has them.
    pub inference: Inference,
    /// The samples, as they are: nothing is augmented.
    pub samples: Batch,
    /// How their pixels became inputs.
    pub normalizer: Normalizer,
    /// Which inputs are possible.
    pub range: InputRange<f32>,
    /// The threads that the recipe asks for.
    pub pool: Pool,
}

impl Specimen {
    /// The first `samples` samples of a part of the recipe's data, divided as by its first seed, with the parameters of the
    /// model, or without one those that a training would start from.
    ///
    /// # Errors
    /// As [`super::Trainer::new`]; [`Error::Setting`] for a model of another network, or for no or more samples than there are.
    pub fn load(recipe: &Recipe, model: Option<&Model>, folders: &Folders, part: Part, samples: usize) -> Result<Self> {
        Specimen::of(recipe, model, folders, part, &|all| match samples {
            0 => Err(0),
            samples if samples > all => Err(samples),
            samples => Ok(samples),
        })
    }

    /// The same of as many samples as there are, but at most `samples`.
    ///
    /// # Errors
    /// As [`Specimen::load`], but for a number of samples.
    pub fn up_to(recipe: &Recipe, model: Option<&Model>, folders: &Folders, part: Part, samples: usize) -> Result<Self> {
        Specimen::of(recipe, model, folders, part, &|all| Ok(samples.clamp(1, all.max(1))))
    }

    /// The first samples, as many of all as `choose` says, or which number of them is wrong.
    fn of(
        recipe: &Recipe,
        model: Option<&Model>,
        folders: &Folders,
        part: Part,
        choose: &dyn Fn(usize) -> std::result::Result<usize, usize>,
    ) -> Result<Self> {
        let (params, seed) = (recipe.params(), recipe.params().seeds[0]);
        let mut data = Prepared::load(recipe, folders, seed)?;
        let topology = recipe.topology(data.dataset.input, data.dataset.classes)?;
        let pool = recipe.pool()?;
        let parameters = match model {
            Some(model) if !model.topology.is_alike(&topology) => {
                let problem = "the model's network is not the recipe's; name the recipe that it was trained by";
                return Err(Error::setting("recipe", &params.name, problem));
            }
            Some(model) => {
                data.normalizer = normalizer_of(model, &data.dataset)?;
                fitted(recipe, &topology, model, seed, &pool)?
            }
            None => start_parameters(recipe, &topology, &data, seed, &pool)?.0,
        };
        let mut batch = Batch::new();
        data.with_part(part, |dataset, indices| {
            let samples = choose(indices.len()).map_err(|samples| {
                let problem = format!("expected 1 to the {} {} samples", indices.len(), part.name());
                Error::setting("samples", samples, problem)
            })?;
            batch.fill(dataset, &data.normalizer, &indices[..samples], &pool);
            Ok(())
        })?;
        let range = data.range();
        let (inference, normalizer) = (recipe.inference(seed), data.normalizer);
        Ok(Specimen { topology, parameters, inference, samples: batch, normalizer, range, pool })
    }

    /// Parameters, inputs [n, H, W, C] and targets [n, outputs] in double precision.
    pub fn doubled(&self) -> (Parameters<f64>, Vec<f64>, Vec<f64>) {
        let [x, y] = [&self.samples.x, &self.samples.targets].map(|values| values.iter().map(|&x| f64::from(x)).collect());
        (self.parameters.cast(), x, y)
    }
}
