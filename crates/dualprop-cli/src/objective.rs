//! `dualprop objective`

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::analysis::{Lifted, LiftedOptions, Objectives, Settled, objectives};
use dualprop::base::Named;
use dualprop::data::Folders;
use dualprop::training::{Specimen, write_rows};

use crate::model::{PartArgument, Subject};
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop objective digits
  dualprop objective runs/digits --set learning.beta=0.5 --set learning.alpha=0.25
  dualprop objective runs/mnist/model.safetensors --samples 200 --out objectives.csv

Of the recipe's inference the loss, beta and alpha count; one alpha for all layers.
In rows `minus` is D/beta, which the objective subtracts: the table shows it with that sign.
What they are, and how they are related: docs/objectives.md.";

/// `dualprop objective`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ObjectiveArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) subject: Subject,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The part of the data that the samples are of
    #[arg(long, value_enum, default_value_t = PartArgument::Test)]
    pub(crate) part: PartArgument,
    /// How many samples make the batch
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) samples: usize,
    /// The most sweeps over all layers in the search for a stationary point
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sweeps: u32,
    /// Write every number as a row, as .csv or .jsonl; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Evaluates and prints.
pub(crate) fn run(arguments: &ObjectiveArguments) -> Result<()> {
    output::check_table(arguments.out.as_deref(), &[arguments.subject.subject.as_ref()])?;
    let (recipe, model) = arguments.subject.load()?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let specimen = Specimen::load(&recipe, model.as_ref(), &folders, arguments.part.part(), arguments.samples)?;
    let (parameters, x, y) = specimen.doubled();
    let Specimen { topology, inference, pool, .. } = &specimen;
    let options = LiftedOptions { sweeps: arguments.sweeps as usize, ..LiftedOptions::default() };
    let found = objectives(topology, &parameters, (&x, &y), inference, options, pool)?;
    if let Some(out) = &arguments.out {
        write_rows(out, &found.rows())?;
    }
    let part = arguments.part.part().name();
    let title = format!("{}, {} {part} samples, in f64", inference.loss.name(), arguments.samples);
    output::print(&describe(&found, &title)?)
}

fn describe(found: &Objectives, title: &str) -> Result<String> {
    let Objectives { alpha, beta, loss, one_level, .. } = found;
    let mut text = format!("alpha = {alpha}, beta = {beta}, {title}\n\n");
    let mut line = |name: &str, value: f64, remark: &str| {
        let distance = if value.is_finite() { format!("{:>+13.6}", value - loss) } else { format!("{:>13}", "") };
        writeln!(text, "{name:<62}{value:>13.6}{distance}  {remark}")
    };
    line("the loss of the forward pass, and what is above it", *loss, "")?;
    line("one level, ROVR: min l + (E-E*)/beta", one_level.rovr, "")?;
    line("one level, adversarial: max l - (E-E*)/beta", one_level.adversarial, bounded(one_level.adversarial))?;
    line("one level, AROVR: the average at alpha beta, (1-alpha) beta", one_level.arovr, bounded(one_level.arovr))?;
    line("one level, SPROVR: the saddle point", one_level.sprovr, bounded(one_level.sprovr))?;
    line("optimistic (LPOM, DP at alpha = 1)", found.optimistic.value, &remark(&found.optimistic))?;
    line("adversarial (DP at alpha = 0)", found.adversarial.value, &remark(&found.adversarial))?;
    line("the average at alpha beta, (1-alpha) beta", found.average, of(found.average_settled))?;
    line("nested (DP)", found.nested.value, &remark(&found.nested))?;
    let residual = format!("residual {:.1e}", found.lagrangian_residual);
    line("Lagrangian (DP-transpose, live nudge)", found.lagrangian.value, &residual)?;
    text += &layers(found)?;
    Ok(text)
}

/// The terms of each layer; what is unbounded has none.
fn layers(found: &Objectives) -> Result<String> {
    let mut text = format!(
        "\n{:>5}{:>16}{:>16}{:>16}{:>16}{:>16}\n",
        "layer", "optimistic s+", "adversarial s-", "nested s+", "nested s-", "Lagrangian"
    );
    let cell = |value: Option<f64>| value.map_or_else(|| format!("{:>16}", "-"), |value| format!("{value:>16.6e}"));
    for (k, constraint) in found.lagrangian.constraints.iter().enumerate() {
        let of = |lifted: &Lifted| lifted.layers.get(k).copied();
        let cells = [
            of(&found.optimistic).map(|layer| layer.plus),
            of(&found.adversarial).map(|layer| -layer.minus),
            of(&found.nested).map(|layer| layer.plus),
            of(&found.nested).map(|layer| -layer.minus),
            Some(*constraint),
        ];
        writeln!(text, "{:>5}{}", k + 1, cells.map(cell).concat())?;
    }
    Ok(text)
}

fn bounded(value: f64) -> &'static str {
    if value == f64::INFINITY { "unbounded" } else { "" }
}

fn of(settled: Settled) -> &'static str {
    match settled {
        Settled::Settled => "",
        Settled::Moving => "not settled: raise --sweeps",
        Settled::Unbounded => "unbounded",
    }
}

fn remark(lifted: &Lifted) -> String {
    match lifted.settled {
        Settled::Settled => format!("{} sweeps", lifted.sweeps),
        Settled::Moving => format!("not settled after {} sweeps (moves by {:.0e})", lifted.sweeps, lifted.movement),
        Settled::Unbounded => "unbounded".into(),
    }
}
