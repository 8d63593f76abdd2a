//! The alignment of a recipe's rule with backpropagation, batch by batch, the parameters held as they are.

use serde::{Deserialize, Serialize};

use crate::analysis::{Alignment, align, degrees};
use crate::base::{Error, Result, memory};
use crate::data::Folders;
use crate::inference::{Engine, Inference, Plan, PlanOptions, Rule};
use crate::network::Model;

use super::{Part, Recipe, Specimen};

/// Compares the local gradient of every layer with backpropagation's, in f64, on each of the first `batches` batches of a part
/// of the recipe's data, in the order of its samples and as they are: with the parameters of the model, or those that a training by
/// the recipe's first seed would start from. The result has a list for each batch, with an entry for each layer.
///
/// # Errors
/// As [`Specimen::load`], and [`Engine::new`]; [`Error::Setting`] for more batches than there are; [`Error::Memory`].
pub fn measure_alignment(
    recipe: &Recipe,
    model: Option<&Model>,
    folders: &Folders,
    part: Part,
    batches: usize,
) -> Result<Vec<Vec<Alignment>>> {
    let batch_size = recipe.params().training.batch_size;
    let specimen = Specimen::load(recipe, model, folders, part, batches.saturating_mul(batch_size))
        .map_err(|error| of_batches(error, batches, batch_size))?;
    let (parameters, x, y) = specimen.doubled();
    let Specimen { topology, inference, pool, .. } = specimen;
    let compile = |inference: &Inference| Plan::compile(&topology, inference, PlanOptions::default());
    let plans = [compile(&inference)?, compile(&Inference::new(Rule::backprop(), 1.0, inference.loss))?];
    let needed = plans.iter().map(|plan| plan.memory(batch_size, size_of::<f64>())).fold(0, u64::saturating_add);
    memory::require("this measurement", needed, "choose smaller layers or a smaller training.batch_size")?;
    let [local, backprop] = plans.map(|plan| Engine::new(plan, batch_size, &pool));
    let (mut local, mut backprop) = (local?, backprop?);
    let of_batch = |(number, (x, y)): (u64, (&[f64], &[f64]))| {
        local.set_batch(number);
        local.infer(&parameters, x, y)?;
        backprop.infer(&parameters, x, y)?;
        Ok(align(&topology, local.gradients(), backprop.gradients()))
    };
    let inputs = x.chunks(batch_size * topology.input().neurons());
    (0..).zip(inputs.zip(y.chunks(batch_size * topology.outputs()))).map(of_batch).collect()
}

/// An error about a number of samples, as one about the batches that were asked for.
fn of_batches(error: Error, batches: usize, batch_size: usize) -> Error {
    match error {
        Error::Setting { field, problem, .. } if field == "samples" => {
            Error::setting("batches", batches, format!("of {batch_size} samples each: {problem}"))
        }
        other => other,
    }
}

/// The alignment of one layer on one batch, as a table has it; none is what is not defined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlignmentRow {
    /// From 1.
    pub batch: usize,
    /// k, from 1.
    pub layer: usize,
    /// ⟨g, b⟩ / (‖g‖ ‖b‖) of the local gradient g and backpropagation's b.
    pub cosine: Option<f64>,
    /// Its arccosine, in degrees.
    pub angle_deg: Option<f64>,
    /// ‖g‖ / ‖b‖
    pub norm_ratio: Option<f64>,
    /// The share of components with the same sign, of those that are not 0 in both.
    pub sign_agreement: Option<f64>,
}

/// A row for each batch and layer.
pub fn alignment_rows(batches: &[Vec<Alignment>]) -> Vec<AlignmentRow> {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let row = |batch: usize, (layer, alignment): (usize, &Alignment)| AlignmentRow {
        batch,
        layer,
        cosine: finite(alignment.cosine),
        angle_deg: finite(alignment.cosine).map(degrees),
        norm_ratio: finite(alignment.norm_ratio),
        sign_agreement: finite(alignment.sign_agreement),
    };
    (1..).zip(batches).flat_map(|(batch, layers)| (1..).zip(layers).map(move |layer| row(batch, layer))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::check_gradients;

    #[test]
    fn a_batch_is_aligned_as_the_check_of_gradients_finds_it() {
        let sets = ["training.batch_size=32", "learning.beta=0.5", "learning.alpha=0.0"].map(String::from);
        let (recipe, folders) = (Recipe::load("digits", &sets).unwrap(), Folders::new(vec![]));
        let batches = measure_alignment(&recipe, None, &folders, Part::Train, 3).unwrap();
        let checked = check_gradients(&recipe, None, &folders, 32, 1).unwrap();
        assert_eq!(batches.len(), 3);
        for (found, expected) in batches[0].iter().zip(&checked) {
            assert_eq!(*found, expected.alignment);
        }
        assert_ne!(batches[0], batches[1]);
        let rows = alignment_rows(&batches);
        assert_eq!(rows.len(), 3 * checked.len());
        let last = rows.last().unwrap();
        assert_eq!((last.batch, last.layer, last.cosine), (3, checked.len(), Some(batches[2][checked.len() - 1].cosine)));
        let first = &rows[0];
        assert!(first.angle_deg > Some(1.0) && first.angle_deg == first.cosine.map(degrees), "{first:?}");
    }

    #[test]
    fn more_batches_than_there_are_is_an_error_about_batches() {
        let recipe = Recipe::load("digits", &[]).unwrap();
        for batches in [0, 1000, usize::MAX] {
            let error = measure_alignment(&recipe, None, &Folders::new(vec![]), Part::Test, batches).unwrap_err().to_string();
            assert!(error.starts_with(&format!("batches = {batches}: of 32 samples each: expected 1 to the ")), "{error}");
        }
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let nan = Alignment { cosine: f64::NAN, norm_ratio: 0.0, relative_error: 1.0, sign_agreement: f64::NAN };
        let row = alignment_rows(&[vec![nan]]).remove(0);
        assert_eq!((row.cosine, row.angle_deg, row.norm_ratio, row.sign_agreement), (None, None, Some(0.0), None));
    }
}
