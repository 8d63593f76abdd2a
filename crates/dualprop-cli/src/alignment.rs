//! `dualprop alignment`

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::analysis::{Alignment, degrees};
use dualprop::data::Folders;
use dualprop::training::{Part, alignment_rows, measure_alignment, write_rows};

use crate::model::{PartArgument, Subject};
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop alignment runs/digits
  dualprop alignment runs/digits/model.safetensors --set learning.beta=1 --set learning.alpha=0
  dualprop alignment digits --batches 40 --out alignment.csv

The parameters stay as they are. What a training measures on its way is in the metrics.jsonl of its run: every
training.alignment_every batches, and each of the analysis.first_batches.";

/// `dualprop alignment`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AlignmentArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) subject: Subject,
    /// The part of the recipe's data
    #[arg(long, value_enum, default_value_t = PartArgument::Train)]
    pub(crate) part: PartArgument,
    /// How many of its first batches are measured, each of training.batch_size samples
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) batches: usize,
    /// Write a row for each batch and layer to this file: .csv or .jsonl; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Measures, writes and prints.
pub(crate) fn run(arguments: &AlignmentArguments) -> Result<()> {
    output::check_table(arguments.out.as_deref(), &[arguments.subject.subject.as_ref()])?;
    let (recipe, model) = arguments.subject.load()?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let part = arguments.part.part();
    let batches = measure_alignment(&recipe, model.as_ref(), &folders, part, arguments.batches)?;
    if let Some(out) = &arguments.out {
        write_rows(out, &alignment_rows(&batches))?;
    }
    output::print(&describe(&batches, recipe.params().training.batch_size, part)?)
}

fn describe(batches: &[Vec<Alignment>], batch_size: usize, part: Part) -> Result<String> {
    let mut text = String::from("layer       cosine    angle   norm ratio   signs\n");
    let layers = batches.first().map_or(0, Vec::len);
    for k in 0..layers {
        let mean = |value: fn(&Alignment) -> f64| mean_of_finite(batches.iter().map(|layers| value(&layers[k])));
        let cosine = mean(|layer| layer.cosine);
        writeln!(
            text,
            "{:>5}  {cosine:>11.8} {:>7.3}°  {:>11.6}  {:>5.1}%",
            k + 1,
            degrees(cosine),
            mean(|layer| layer.norm_ratio),
            100.0 * mean(|layer| layer.sign_agreement)
        )?;
    }
    let count = batches.len();
    writeln!(
        text,
        "local gradients against backpropagation: means over {count} batches of {batch_size} {} samples, and the angle of the mean \
         cosine, in f64",
        part.name()
    )?;
    Ok(text)
}

/// NaN where nothing is finite, as the cosine of gradients of zero.
fn mean_of_finite(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|value| value.is_finite()).fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_means_over_batches_and_leaves_out_what_is_not_defined() {
        let alignment = |cosine, norm_ratio| Alignment { cosine, norm_ratio, relative_error: 0.0, sign_agreement: 0.75 };
        let batches = [vec![alignment(0.2, 1.0)], vec![alignment(0.8, 3.0)], vec![alignment(f64::NAN, 2.0)]];
        let text = describe(&batches, 32, Part::Test).unwrap();
        let expected = "    1   0.50000000  60.000°     2.000000   75.0%\n";
        assert!(text.contains(expected) && text.contains("means over 3 batches of 32 test samples"), "{text}");
    }
}
