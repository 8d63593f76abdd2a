//! `dualprop plan`

use anyhow::{Context, Result};
use dualprop::data::KNOWN;
use dualprop::inference::{Plan, PlanOptions};
use dualprop::network::Topology;
use dualprop::training::Recipe;

use crate::arguments::PlanArguments;
use crate::output;

/// Prints the plan of a recipe's training step.
pub(crate) fn run(arguments: &PlanArguments) -> Result<()> {
    let recipe = Recipe::load(&arguments.recipe, &arguments.set)?;
    let topology = topology(&recipe)?;
    let options = PlanOptions { optimise: !arguments.naive, ..PlanOptions::default() };
    let plan = Plan::compile(&topology, &recipe.inference(recipe.params().seeds[0]), options)?;
    for warning in plan.warnings() {
        output::note(&format!("warning: {warning}\n"));
    }
    let batch = recipe.params().training.batch_size;
    let footer = format!(
        "a batch of {batch}: {:.3} GFLOP, {:.1} MiB of states and gradients in f32\n",
        2e-9 * plan.multiply_adds(batch) as f64,
        plan.memory(batch, 4) as f64 / f64::from(1 << 20),
    );
    output::print(&format!("{plan}{footer}"))?;
    Ok(())
}

/// The network of a recipe, over the input of its data set, none of whose files is needed.
pub(crate) fn topology(recipe: &Recipe) -> Result<Topology> {
    let name = &recipe.params().data.dataset;
    let known = KNOWN.iter().find(|known| known.name == name).context("a checked recipe has a known data set")?;
    Ok(recipe.topology(known.input, known.classes.len())?)
}
