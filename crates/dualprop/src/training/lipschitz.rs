//! How far the network of a recipe or a model stretches what passes through it, layer by layer and as a whole.

use serde::Serialize;

use crate::analysis::{LipschitzMeter, LipschitzSummary, LocalLipschitz, OperatorNorms, operator_norms_by};
use crate::base::{Result, memory};
use crate::compute::spectral::Power;
use crate::data::Folders;
use crate::network::Model;

use super::{Part, Recipe, Specimen};

/// How the norms of single kernels are found: as the paper's authors log them, and as they are.
const POWERS: [(Option<usize>, Power); 3] =
    [(Some(10), Power::Iterations(10)), (Some(20), Power::Iterations(20)), (None, Power::Converged)];

/// How far a network stretches what passes through it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretching {
    /// γ_k, L_k and the norm of the product by 10 and by 20 power iterations, and last, where that is none, converged.
    pub norms: Vec<(Option<usize>, OperatorNorms)>,
    /// The local Lipschitz constant at each sample, found in f32.
    pub locals: Vec<LocalLipschitz>,
    /// Mean, median and largest of them.
    pub summary: LipschitzSummary,
    labels: Vec<u32>,
}

/// Measures the parameters of the model, or those that a training by the recipe's first seed would start from, at the first
/// `samples` samples of a part of the recipe's data.
///
/// # Errors
/// As [`Specimen::load`]; [`crate::Error::Memory`] for a network that is too large.
pub fn measure_stretching(
    recipe: &Recipe,
    model: Option<&Model>,
    folders: &Folders,
    part: Part,
    samples: usize,
) -> Result<Stretching> {
    let Specimen { topology, parameters, samples: batch, pool, .. } = Specimen::load(recipe, model, folders, part, samples)?;
    let capacity = samples.min(recipe.params().training.batch_size);
    let needed = LipschitzMeter::<f32>::memory(&topology, capacity);
    memory::require("this measurement", needed, "choose a smaller network or a smaller training.batch_size")?;
    let norms = POWERS.map(|(iterations, power)| (iterations, operator_norms_by(&topology, &parameters, power)));
    let locals = LipschitzMeter::new(&topology, capacity, &pool).measure(&parameters, &batch.x)?;
    let summary = LipschitzSummary::of(&locals).expect("a specimen has at least one sample");
    Ok(Stretching { norms: norms.into(), locals, summary, labels: batch.labels })
}

/// One number of a [`Stretching`], as a table has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LipschitzRow {
    /// `gamma` (γ_k), `damping` (L_k), `product_norm` or `local_lipschitz`.
    pub quantity: &'static str,
    /// k, from 1, of γ_k and L_k.
    pub layer: Option<usize>,
    /// Of γ_k and L_k; none where it has converged.
    pub power_iterations: Option<usize>,
    /// Its place in the part of the data, from 0, of a local constant.
    pub sample: Option<usize>,
    /// The sample's label.
    pub label: Option<u32>,
    /// The number itself, without unit; none where it is not finite.
    pub value: Option<f64>,
    /// [`LocalLipschitz::residual`] of a local constant.
    pub residual: Option<f64>,
    /// [`LocalLipschitz::steps`] of a local constant.
    pub steps: Option<usize>,
}

impl Stretching {
    /// Every number in a row of its own.
    pub fn rows(&self) -> Vec<LipschitzRow> {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let row = |quantity, value: f64| LipschitzRow {
            quantity,
            layer: None,
            power_iterations: None,
            sample: None,
            label: None,
            value: finite(value),
            residual: None,
            steps: None,
        };
        let mut rows = vec![];
        for (power_iterations, norms) in &self.norms {
            for (quantity, values) in [("gamma", &norms.gammas), ("damping", &norms.dampings)] {
                let of_layer = |(layer, &value)| LipschitzRow {
                    layer: Some(layer),
                    power_iterations: *power_iterations,
                    ..row(quantity, value)
                };
                rows.extend((1..).zip(values).map(of_layer));
            }
        }
        rows.extend(self.norms.last().and_then(|(_, norms)| norms.product).map(|product| row("product_norm", product)));
        let of_sample = |(sample, (local, &label)): (usize, (&LocalLipschitz, &u32))| LipschitzRow {
            sample: Some(sample),
            label: Some(label),
            residual: finite(local.residual),
            steps: Some(local.steps),
            ..row("local_lipschitz", local.constant)
        };
        rows.extend(self.locals.iter().zip(&self.labels).enumerate().map(of_sample));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_row() {
        let recipe = Recipe::load("digits", &[]).unwrap();
        let found = measure_stretching(&recipe, None, &Folders::new(vec![]), Part::Test, 70).unwrap();
        let (rows, depth) = (found.rows(), found.norms[0].1.gammas.len());
        let count = |quantity: &str| rows.iter().filter(|row| row.quantity == quantity).count();
        assert_eq!(["gamma", "damping", "product_norm", "local_lipschitz"].map(count), [3 * depth, 3 * (depth - 1), 1, 70]);
        let gamma = |iterations| {
            let of = |row: &&LipschitzRow| row.quantity == "gamma" && row.layer == Some(2) && row.power_iterations == iterations;
            rows.iter().find(of).and_then(|row| row.value).unwrap()
        };
        // A power iteration gives lower bounds that grow.
        assert!(gamma(Some(10)) < gamma(Some(20)) && gamma(Some(20)) < gamma(None));
        // No rectifier makes a network stretch more than the product of the norms of its kernels.
        let bound: f64 = found.norms[2].1.gammas.iter().product();
        let largest = found.summary.largest;
        assert!(largest < bound && found.summary.mean < largest, "{:?}, bound {bound}", found.summary);
        assert_eq!(rows.last().map(|row| (row.sample, row.label.is_some(), row.layer)), Some((Some(69), true, None)));
    }
}
