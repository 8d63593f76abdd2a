//! `dualprop data import`

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use dualprop::data::{Folders, Imported, import, import_arrays};

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop data import cifar-10
  dualprop data import imagenet32 --data-dir ~/data --out /fast/imagenet32
  dualprop data import mine --train-images x.npy --train-labels y.npy --classes 5 --out ~/data/mine

A known data set is found as a training finds it, and goes into the folder of its name there, where the next training finds
it first. Arrays of one's own are NPY files: images uint8 [n, H, W], [n, H, W, C] or [n, D], labels whole numbers [n]; a recipe
names them by the path of the folder: data.dataset = \"/home/me/data/mine\".";

/// `dualprop data import`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArguments {
    /// A data set's name
    name: String,
    /// The folder that takes train.safetensors and test.safetensors
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "train_images")]
    data_dir: Option<PathBuf>,
    /// One's own images for training
    #[arg(long, value_name = "NPY", requires_all = ["train_labels", "classes", "out"])]
    train_images: Option<PathBuf>,
    /// Their labels
    #[arg(long, value_name = "NPY", requires = "train_images")]
    train_labels: Option<PathBuf>,
    /// One's own images for the test; without any, a share of the others tests
    #[arg(long, value_name = "NPY", requires_all = ["test_labels", "train_images"])]
    test_images: Option<PathBuf>,
    /// Their labels
    #[arg(long, value_name = "NPY", requires = "test_images")]
    test_labels: Option<PathBuf>,
    /// How many classes one's own labels have
    #[arg(long, value_name = "N", requires = "train_images", value_parser = clap::value_parser!(u32).range(1..))]
    classes: Option<u32>,
}

/// Imports, and says what was written.
pub(crate) fn run(arguments: &ImportArguments) -> Result<()> {
    let written = match &arguments.train_images {
        None => import(&arguments.name, &Folders::standard(arguments.data_dir.clone()), arguments.out.as_deref())?,
        Some(_) => own(arguments)?,
    };
    for Imported { path, samples, warning } in written {
        if let Some(warning) = warning {
            output::note(&format!("warning: {warning}\n"));
        }
        output::print(&format!("{}: {samples} samples\n", path.display()))?;
    }
    Ok(())
}

fn own(arguments: &ImportArguments) -> Result<Vec<Imported>> {
    // The parser asks for all of them together.
    let classes = arguments.classes.context("--classes is missing")? as usize;
    let folder = arguments.out.as_ref().context("--out is missing")?;
    let part = |images: &Option<PathBuf>, labels: &Option<PathBuf>| Some((images.clone()?, labels.clone()?));
    let training = part(&arguments.train_images, &arguments.train_labels).context("--train-images are missing")?;
    let test = part(&arguments.test_images, &arguments.test_labels);
    let test = test.as_ref().map(|(images, labels)| (images.as_path(), labels.as_path()));
    Ok(import_arrays(&arguments.name, (&training.0, &training.1), test, classes, folder)?)
}
