//! `dualprop lipschitz`

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::data::Folders;
use dualprop::training::{Part, Stretching, measure_stretching, write_rows};

use crate::model::{PartArgument, Subject};
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop lipschitz runs/digits
  dualprop lipschitz runs/digits/model.safetensors --part validation --samples 200
  dualprop lipschitz digits --samples 50 --out lipschitz.csv

gamma is the spectral norm of a layer's map, L = max(0, (gamma^2 - 1)/2) what damped dual propagation makes of that of the layer
above. The local Lipschitz constant at a sample is the largest singular value of the Jacobian of the outputs by the normalised
input.";

/// `dualprop lipschitz`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LipschitzArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) subject: Subject,
    /// The part of the recipe's data
    #[arg(long, value_enum, default_value_t = PartArgument::Test)]
    pub(crate) part: PartArgument,
    /// At how many of its first samples local constants are measured
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) samples: usize,
    /// Write every number to this file, a row each: .csv or .jsonl; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Measures, writes and prints.
pub(crate) fn run(arguments: &LipschitzArguments) -> Result<()> {
    output::check_table(arguments.out.as_deref(), &[arguments.subject.subject.as_ref()])?;
    let (recipe, model) = arguments.subject.load()?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let part = arguments.part.part();
    let found = measure_stretching(&recipe, model.as_ref(), &folders, part, arguments.samples)?;
    if let Some(out) = &arguments.out {
        write_rows(out, &found.rows())?;
    }
    output::print(&describe(&found, part)?)
}

fn describe(found: &Stretching, part: Part) -> Result<String> {
    let mut text = String::from("layer");
    for (iterations, _) in &found.norms {
        let by = iterations.map_or("converged".into(), |n| format!("by {n}"));
        write!(text, "  {:>15}", format!("gamma {by}"))?;
    }
    writeln!(text, "  {:>15}", "L")?;
    let converged = found.norms.last().map(|(_, norms)| norms);
    let layers = converged.map_or(0, |norms| norms.gammas.len());
    for k in 0..layers {
        write!(text, "{:>5}", k + 1)?;
        for (_, norms) in &found.norms {
            write!(text, "  {:>15.6}", norms.gammas[k])?;
        }
        // Nothing is held back in the output layer.
        let damping = converged.and_then(|norms| norms.dampings.get(k));
        writeln!(text, "  {:>15}", damping.map_or("-".into(), |damping| format!("{damping:.6}")))?;
    }
    if let Some(product) = converged.and_then(|norms| norms.product) {
        writeln!(text, "norm of the product of all kernels  {product:.6}")?;
    }
    let (samples, summary) = (found.locals.len(), found.summary);
    writeln!(
        text,
        "local Lipschitz constants at {samples} {} samples  mean {:.6}  median {:.6}  largest {:.6}",
        part.name(),
        summary.mean,
        summary.median,
        summary.largest
    )?;
    Ok(text)
}
