//! One batch through everything, to find out in a second what a training would find out in an hour.

use std::ops::ControlFlow;

use crate::base::{Result, file};
use crate::data::Folders;

use super::{Destination, Evaluation, Recipe, RecipeParams, RunDirectory, Trainer};

/// What one batch did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DryRun {
    /// Numbers of all parameters, those of feedback kernels included.
    pub parameters: usize,
    /// On the first validation samples, after the weight update.
    pub validation: Evaluation,
    /// The size of a checkpoint.
    pub checkpoint_bytes: u64,
}

/// Reads the data, settles, measures and learns one batch, evaluates some validation samples, writes a checkpoint and reads
/// it again: with the recipe's first seed, in a temporary folder that is removed. The test samples are not looked at.
///
/// # Errors
/// Whatever would end the training.
pub fn dry_run(recipe: &Recipe, folders: &Folders) -> Result<DryRun> {
    let mut params: RecipeParams = recipe.params().clone();
    params.training.alignment_every = params.training.alignment_every.min(1);
    let measured = params.clone().check()?;
    let pool = recipe.pool()?;
    let mut trainer = Trainer::new(&measured, folders, params.seeds[0], &pool).map_err(|error| recipe.locate(error))?;
    file::in_temporary_folder("dry-run", |root| {
        let directory = RunDirectory::create(&Destination::below(root), &params, pool.threads())?;
        trainer.try_one_batch(&directory, &mut |_| ControlFlow::Continue(()))
    })
}
