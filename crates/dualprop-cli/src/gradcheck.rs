//! `dualprop gradcheck`

use std::fmt::Write;

use anyhow::{Result, bail};
use clap::Args;
use dualprop::analysis::degrees;
use dualprop::data::Folders;
use dualprop::training::{LayerCheck, check_gradients};

use crate::model::Subject;
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop gradcheck digits
  dualprop gradcheck digits --set learning.beta=1e-3 --max-angle 1
  dualprop gradcheck runs/digits/model.safetensors

Exit codes: 0 all within the tolerances, 1 something is not, 2 wrong usage or input.";

/// `dualprop gradcheck`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GradcheckArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) subject: Subject,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<std::path::PathBuf>,
    /// How many training samples make the batch
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) samples: usize,
    /// At how many places of each tensor finite differences are taken
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) coordinates: u32,
    /// The largest relative error of backpropagation against finite differences
    #[arg(long, value_name = "ERROR", default_value_t = 1e-6, value_parser = not_negative)]
    pub(crate) tolerance: f64,
    /// The largest angle between local gradient and backpropagation in degrees; beyond 90 no step of it descends
    #[arg(long, value_name = "DEGREES", default_value_t = 90.0, value_parser = not_negative)]
    pub(crate) max_angle: f64,
}

/// Checks the gradients of a recipe's network, or of a model.
pub(crate) fn run(arguments: &GradcheckArguments) -> Result<()> {
    let (recipe, model) = arguments.subject.load()?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let layers = check_gradients(&recipe, model.as_ref(), &folders, arguments.samples, arguments.coordinates as usize)?;
    let text = describe(&layers, arguments.tolerance, arguments.max_angle)?;
    output::print(&text)?;
    match passes(&layers, arguments.tolerance, arguments.max_angle) {
        true => Ok(()),
        false => bail!("the gradients of at least one layer are beyond the tolerances"),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| *number >= 0.0).ok_or_else(|| "expected a number, 0 or more".to_string())
}

/// A number that is not one is beyond every tolerance.
fn passes(layers: &[LayerCheck], tolerance: f64, max_angle: f64) -> bool {
    let within = |layer: &LayerCheck| {
        layer.differences.worst <= tolerance && layer.differences.compared > 0 && degrees(layer.alignment.cosine) <= max_angle
    };
    layers.iter().all(within)
}

fn describe(layers: &[LayerCheck], tolerance: f64, max_angle: f64) -> Result<String> {
    let mut text = String::from(
        "       local gradient against backpropagation                    backpropagation against differences\n\
         layer       cosine    angle   norm ratio  rel. error   signs    worst error  coordinates  at kinks\n",
    );
    for (k, LayerCheck { alignment, differences }) in (1..).zip(layers) {
        let angle = degrees(alignment.cosine);
        writeln!(
            text,
            "{k:>5}  {:>11.8} {angle:>7.3}°  {:>11.6}  {:>10.2e}  {:>5.1}%  {:>13.2e}  {:>11}  {:>8}",
            alignment.cosine,
            alignment.norm_ratio,
            alignment.relative_error,
            100.0 * alignment.sign_agreement,
            differences.worst,
            differences.compared,
            differences.at_kinks
        )?;
    }
    let verdict = if passes(layers, tolerance, max_angle) { "passed" } else { "FAILED" };
    writeln!(text, "{verdict}: angles up to {max_angle}°, errors against finite differences up to {tolerance:e}, in f64")?;
    Ok(text)
}
