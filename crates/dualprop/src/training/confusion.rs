//! Which classes a trained network takes for which.

use std::path::Path;

use crate::base::Result;
use crate::compute::Pool;
use crate::data::{Folders, KNOWN};

use super::prediction::{largest, with_models};
use super::{Part, Recipe};

/// How often samples of each class were taken for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Of each true class, of how many samples each class had the largest output; of equal outputs the first counts.
    pub counts: Vec<Vec<u64>>,
    /// What the classes are called.
    pub classes: Vec<String>,
}

/// Counts on a part of the data of a run, with the model of each of its seeds: the sum over them.
///
/// # Errors
/// As [`super::evaluate_run`].
pub fn confusion(run: &Path, part: Part, folders: &Folders, pool: &Pool) -> Result<Confusion> {
    let mut counts: Vec<Vec<u64>> = vec![];
    with_models(run, part, folders, pool, &mut |_, evaluator, subject, dataset, normalizer, indices| {
        let classes = dataset.classes;
        counts.resize(classes, vec![0; classes]);
        evaluator.each_batch(subject, dataset, normalizer, indices, |logits, batch| {
            for (z, &label) in logits.chunks(classes).zip(&batch.labels) {
                counts[label as usize][largest(z)] += 1;
            }
        })
    })?;
    let dataset = Recipe::load_file(&run.join("recipe.toml"), &[])?.params().data.dataset.clone();
    let known = KNOWN.iter().find(|known| known.name == dataset);
    let name = |label: u32| known.map_or_else(|| label.to_string(), |known| known.classes.name(label));
    let classes = (0..counts.len() as u32).map(name).collect();
    Ok(Confusion { counts, classes })
}
