//! What a training needs before its first step: data, split and standardised, and engines that fit into memory.

use crate::base::{Error, Result, memory};
use crate::compute::Pool;
use crate::data::{Dataset, Split, Standardizer, digits};
use crate::inference::{Engine, Inference, Plan, PlanOptions, Rule};
use crate::network::Topology;

use super::{Recipe, RecipeParams};

/// A data set whose samples are assigned and standardised.
pub(super) struct Prepared {
    pub(super) dataset: Dataset,
    pub(super) standardizer: Standardizer,
    pub(super) split: Split,
}

impl Prepared {
    /// The recipe's data, split by the seed.
    ///
    /// # Errors
    /// [`Error::Setting`] where a part of the split is too small.
    pub(super) fn load(params: &RecipeParams, seed: u64) -> Result<Self> {
        let dataset = digits()?;
        let (validation, test) = (params.data.validation, params.data.test);
        let split = Split::stratified(dataset.labels(), dataset.classes, validation, test, seed)?;
        for (field, share, part, problem) in [
            ("data.validation", validation, &split.validation, "no sample would be held out; raise it"),
            ("data.test", test, &split.test, "no sample would be held out; raise it"),
            ("data.validation + data.test", validation + test, &split.train, "no sample would be left to train on"),
        ] {
            if part.is_empty() {
                return Err(Error::setting(field, share, problem));
            }
        }
        let batch_size = params.training.batch_size;
        if batch_size > split.train.len() {
            let problem = format!("there are only {} training samples", split.train.len());
            return Err(Error::setting("training.batch_size", batch_size, problem));
        }
        // Mean and deviation of the training samples alone: the others must not influence what is learnt.
        let standardizer = Standardizer::fit(&dataset, &split.train)?;
        Ok(Prepared { dataset: standardizer.transform(dataset)?, standardizer, split })
    }
}

/// The engine of the recipe's rule, and that of backpropagation where its alignment is measured.
///
/// # Errors
/// As [`Plan::compile`] and [`Engine::new`]; [`Error::Memory`] if the training would not fit.
pub(super) fn engines(
    recipe: &Recipe,
    topology: &Topology,
    seed: u64,
    pool: &Pool,
) -> Result<(Engine<f32>, Option<Engine<f32>>)> {
    let training = &recipe.params().training;
    let inference = recipe.inference(seed);
    let like_backprop = Inference::new(Rule::backprop(), 1.0, inference.loss);
    let compile = |inference| Plan::compile(topology, inference, PlanOptions::default());
    let plan = compile(&inference)?;
    let backprop = (training.alignment_every > 0).then(|| compile(&like_backprop)).transpose()?;
    check_memory(topology, [Some(&plan), backprop.as_ref()], training.batch_size)?;
    let backprop = backprop.map(|plan| Engine::new(plan, training.batch_size, pool)).transpose()?;
    Ok((Engine::new(plan, training.batch_size, pool)?, backprop))
}

/// Samples of one evaluation batch: enough to keep the threads busy, and no fewer than a training batch.
pub(super) fn evaluation_batch(batch_size: usize) -> usize {
    batch_size.max(256)
}

/// That everything which a training holds at once fits into the memory that there is.
fn check_memory(topology: &Topology, plans: [Option<&Plan>; 2], batch_size: usize) -> Result<()> {
    const F32: u64 = size_of::<f32>() as u64;
    let neurons: u64 = (0..=topology.depth()).map(|k| topology.state(k).neurons() as u64).sum();
    // The parameters, two moments of the optimiser, the best parameters, and a copy in the file that keeps them.
    let parameters = (5 * F32).saturating_mul(topology.parameter_count() as u64);
    let evaluation = (2 * F32 * evaluation_batch(batch_size) as u64).saturating_mul(neurons);
    let states = plans.iter().flatten().map(|plan| plan.memory(batch_size, size_of::<f32>())).fold(0u64, u64::saturating_add);
    let needed = states.saturating_add(parameters).saturating_add(evaluation);
    memory::require("this training", needed, "choose smaller layers or a smaller training.batch_size")
}
