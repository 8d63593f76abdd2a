//! `dualprop plan`

use anyhow::Result;
use dualprop::inference::{Plan, PlanOptions};
use dualprop::training::Recipe;

use crate::arguments::PlanArguments;
use crate::output;

/// Prints the plan of a recipe's training step.
pub(crate) fn run(arguments: &PlanArguments) -> Result<()> {
    let recipe = Recipe::load(&arguments.recipe, &arguments.set)?;
    let topology = recipe.expected_topology()?;
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
