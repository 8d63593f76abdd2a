//! `dualprop summary`

use std::fmt::Write;

use anyhow::Result;
use clap::Args;
use dualprop::base::Named;
use dualprop::inference::{Plan, PlanOptions};
use dualprop::network::Topology;
use dualprop::training::Recipe;

use crate::model::Subject;
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop summary mnist
  dualprop summary runs/digits/model.safetensors";

/// `dualprop summary`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SummaryArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) subject: Subject,
}

/// Prints the network of a recipe or a model, and what it costs.
pub(crate) fn run(arguments: &SummaryArguments) -> Result<()> {
    let (recipe, model) = arguments.subject.load()?;
    let topology = match model {
        Some(model) => model.topology,
        None => recipe.expected_topology()?,
    };
    output::print(&describe(&topology, &recipe)?)
}

fn describe(topology: &Topology, recipe: &Recipe) -> Result<String> {
    let compiled = Plan::compile(topology, &recipe.inference(recipe.params().seeds[0]), PlanOptions::default())?;
    let mut text = format!(
        "{:>5}  {:<20}{:<14}{:<14}{:>14}{:>16}\n",
        "layer", "kind", "output", "activation", "parameters", "multiply-adds"
    );
    let input = topology.input();
    let extents = |k: usize| topology.state(k).batched(1)[1..].iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ");
    writeln!(text, "{:>5}  {:<20}{:<14}", 0, "input", extents(0))?;
    let parameters = topology.parameters();
    let mut forward = 0u64;
    for (k, layer) in (1..=topology.depth()).zip(topology.layers()) {
        let count = |id: usize| parameters[id].1.iter().product::<usize>();
        let (kernel, bias) = (count(topology.kernel(k).0), count(topology.bias(k).0));
        let feedback = topology.feedback(k).map_or(0, |id| count(id.0));
        let adds = topology.map(k).multiply_adds();
        forward += adds;
        let activation = if k < topology.depth() { topology.activation().name() } else { "identity" };
        let (all, adds) = (thousands(kernel + bias + feedback), thousands(adds as usize));
        writeln!(text, "{k:>5}  {:<20}{:<14}{activation:<14}{all:>14}{adds:>16}", layer.to_string(), extents(k))?;
    }
    writeln!(text, "{:<55}{:>14}{:>16}", "       all", thousands(topology.parameter_count()), thousands(forward as usize))?;
    let batch = recipe.params().training.batch_size;
    let mebibytes = |bytes: f64| format!("{:.1} MiB", bytes / f64::from(1 << 20));
    let of_parameters = 4.0 * topology.parameter_count() as f64;
    let step = compiled.multiply_adds(batch) as f64;
    writeln!(text, "\ninput         {} numbers a sample", thousands(input.neurons()))?;
    writeln!(
        text,
        "parameters    {} in f32, {} with two moments of an optimiser",
        mebibytes(of_parameters),
        mebibytes(3.0 * of_parameters)
    )?;
    writeln!(text, "states        {} and gradients for a batch of {batch}", mebibytes(compiled.memory(batch, 4) as f64))?;
    let forward = forward as f64 * batch as f64;
    writeln!(
        text,
        "a step        {:.3} GFLOP, {:.2} times a forward pass ({} {}, {} passes)",
        2e-9 * step,
        step / forward,
        recipe.params().learning.rule,
        recipe.params().learning.schedule,
        recipe.params().learning.passes
    )?;
    Ok(text)
}

/// 1234567 as 1,234,567.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn the_papers_network_is_described() {
        let recipe = Recipe::load("mnist", &[]).unwrap();
        let text = describe(&recipe.expected_topology().unwrap(), &recipe).unwrap();
        for expected in ["28 x 28 x 1", "401,920", "262,656", "5,130", "669,706", "668,672", "784 numbers"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
