//! A recipe or a model, as commands that take either want it; `eval` and `predict`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use dualprop::Error;
use dualprop::base::{Named, file};
use dualprop::compute::{Loss, Pool};
use dualprop::data::{Dataset, Folders, Source, read_images};
use dualprop::network::{Model, Shape};
use dualprop::training::{self, BUILT_IN, Evaluation, Part, Recipe};

use crate::output;

/// A recipe or a model.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// A built-in recipe's name, the path of a recipe file, that of a model (.safetensors), or a run directory
    #[arg(value_name = "RECIPE|MODEL", default_value = "digits")]
    pub(crate) subject: String,
    /// The recipe that a model was trained by; without it, the recipe.toml beside the model
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
    /// Override a value of the recipe, such as learning.beta=0.01; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl Subject {
    /// The recipe, and the model if one was named.
    pub(crate) fn load(&self) -> Result<(Recipe, Option<Model>)> {
        let subject = Path::new(&self.subject);
        // A folder that happens to have the name of a recipe is not meant by it.
        let is_recipe = BUILT_IN.iter().any(|recipe| recipe.name == self.subject) && !subject.join("recipe.toml").is_file();
        let path = if subject.is_dir() && !is_recipe { first_model(subject) } else { subject.into() };
        if path.extension().is_none_or(|extension| extension != "safetensors") {
            if let Some(recipe) = &self.recipe {
                return Err(Error::setting("--recipe", recipe, "it belongs to a model; name one recipe only").into());
            }
            return Ok((Recipe::load(&self.subject, &self.set)?, None));
        }
        let model = Model::load(&path)?;
        let recipe = match (&self.recipe, recipe_of(&path)) {
            (Some(recipe), _) => Recipe::load(recipe, &self.set)?,
            (None, Some((beside, seed))) => Recipe::load_file(&beside, &[seed, self.set.clone()].concat())?,
            (None, None) => {
                let problem = "no recipe.toml stands beside it; name the recipe that it was trained by with --recipe";
                return Err(Error::malformed(path, problem).into());
            }
        };
        Ok((recipe, Some(model)))
    }
}

/// The model of a run, of several seeds that of the first.
fn first_model(run: &Path) -> PathBuf {
    let model = run.join("model.safetensors");
    match Recipe::load_file(&run.join("recipe.toml"), &[]) {
        Ok(recipe) if !model.is_file() && recipe.params().seeds.len() > 1 => {
            let seeds = &recipe.params().seeds;
            output::note(&format!("{}: of its {} seeds the first, {}\n", run.display(), seeds.len(), seeds[0]));
            training::folder_of_seed(run, seeds, seeds[0]).join("model.safetensors")
        }
        _ => model,
    }
}

/// The model that is named, or that of a run, of several seeds that of the first; with its path.
pub(crate) fn model_of(subject: &Path) -> Result<(PathBuf, Model)> {
    let path = if subject.is_dir() { first_model(subject) } else { subject.into() };
    if subject.is_dir() && !path.is_file() {
        return Err(Error::malformed(subject, "it is neither a model file nor a run directory with a model.safetensors").into());
    }
    let model = Model::load(&path)?;
    Ok((path, model))
}

/// The recipe that a model of a run was trained by, with what makes the model's seed its only one: in a run of several seeds the
/// recipe stands above their folders.
fn recipe_of(model: &Path) -> Option<(PathBuf, Vec<String>)> {
    let beside = model.with_file_name("recipe.toml");
    if beside.is_file() {
        return Some((beside, vec![]));
    }
    let folder = model.parent()?;
    let seed: u64 = folder.file_name()?.to_str()?.strip_prefix("seed-")?.parse().ok()?;
    let above = folder.with_file_name("recipe.toml");
    above.is_file().then(|| (above, vec![format!("seeds=[{seed}]")]))
}

/// The models of a run, one for each seed, or the one of a model file; each with its path and the recipe that it was trained by, whose
/// one seed is the model's.
pub(crate) fn models_of(subject: &Path) -> Result<Vec<(PathBuf, Recipe, Model)>> {
    let load = |path: PathBuf, recipe: &Path, overrides: &[String]| -> Result<_> {
        let recipe = Recipe::load_file(recipe, overrides)?;
        let model = Model::load(&path)?;
        Ok((path, recipe, model))
    };
    let beside = subject.join("recipe.toml");
    if !subject.is_dir() {
        let problem = "no recipe.toml stands beside it, from which its data is known";
        let (recipe, seed) = recipe_of(subject).ok_or_else(|| Error::malformed(subject, problem))?;
        return Ok(vec![load(subject.into(), &recipe, &seed)?]);
    }
    if !beside.is_file() {
        return Err(Error::malformed(subject, "it is neither a model file nor a run directory with a recipe.toml").into());
    }
    let seeds = Recipe::load_file(&beside, &[])?.params().seeds.clone();
    let of_seed = |seed: u64| {
        let model = training::folder_of_seed(subject, &seeds, seed).join("model.safetensors");
        load(model, &beside, &[format!("seeds=[{seed}]")])
    };
    seeds.iter().copied().map(of_seed).collect()
}

/// The loss that a model was trained by: the one named, or that of the recipe beside it, or the cross-entropy.
fn loss_of(model: &Path, named: Option<&str>) -> Result<Loss> {
    let beside = model.with_file_name("recipe.toml");
    match named {
        Some(name) => Ok(Loss::parse(name)?),
        None if beside.is_file() => Ok(Recipe::load_file(&beside, &[])?.inference(0).loss),
        None => Ok(Loss::CrossEntropy),
    }
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PartArgument {
    /// The samples that gradients came from
    Train,
    /// The samples that chose the model
    Validation,
    /// The samples that judge
    Test,
}

impl PartArgument {
    /// As the library has it.
    pub(crate) fn part(self) -> Part {
        match self {
            PartArgument::Train => Part::Train,
            PartArgument::Validation => Part::Validation,
            PartArgument::Test => Part::Test,
        }
    }
}

const EVAL_EXAMPLES: &str = "Examples:
  dualprop eval runs/digits
  dualprop eval runs/digits --part validation
  dualprop eval runs/mnist/model.safetensors --data fashion-mnist";

/// `dualprop eval`
#[derive(Debug, Args)]
#[command(after_help = EVAL_EXAMPLES)]
pub(crate) struct EvalArguments {
    /// A run directory, whose data and seeds are known, or a model file
    #[arg(value_name = "RUN|MODEL")]
    pub(crate) subject: PathBuf,
    /// Of a model file: the data set, on whose test part it is evaluated (all samples of one without)
    #[arg(long, value_name = "NAME")]
    pub(crate) data: Option<String>,
    /// Of a run: the part of its data
    #[arg(long, value_enum, conflicts_with = "data")]
    pub(crate) part: Option<PartArgument>,
    /// Of a model file: the loss; without it, that of the recipe.toml beside it, or cross_entropy
    #[arg(long, value_name = "NAME", requires = "data")]
    pub(crate) loss: Option<String>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Evaluates and prints.
pub(crate) fn eval(arguments: &EvalArguments) -> Result<()> {
    let (folders, pool) = (Folders::standard(arguments.data_dir.clone()), Pool::new(0)?);
    if let Some(name) = &arguments.data {
        let model = Model::load(&arguments.subject)?;
        let loss = loss_of(&arguments.subject, arguments.loss.as_deref())?;
        let evaluation = training::evaluate(&model, &judging(name, &folders)?, loss, &pool)?;
        return output::print(&line(name, &evaluation));
    }
    if arguments.subject.is_file() {
        let problem = "which data a model file is evaluated on must be named: --data NAME, or give the run directory";
        return Err(Error::malformed(&arguments.subject, problem).into());
    }
    let part = arguments.part.unwrap_or(PartArgument::Test).part();
    let evaluations = training::evaluate_run(&arguments.subject, part, &folders, &pool)?;
    let lines: String = evaluations.iter().map(|(seed, evaluation)| line(&format!("seed {seed}"), evaluation)).collect();
    output::print(&lines)
}

fn line(name: &str, evaluation: &Evaluation) -> String {
    let Evaluation { samples, loss, accuracy, top5 } = evaluation;
    format!("{name}: accuracy {accuracy:.2} %  top-5 {top5:.2} %  loss {loss:.5}  ({samples} samples)\n")
}

/// The test part of a data set, or all of one without.
fn judging(name: &str, folders: &Folders) -> Result<Dataset> {
    let source = Source::find(name, folders)?;
    Ok(source.test()?.map_or_else(|| source.training(), Ok)?)
}

const PREDICT_EXAMPLES: &str = "Examples:
  dualprop predict runs/digits/model.safetensors digits --out digits.csv
  dualprop predict runs/mnist/model.safetensors my-images-idx3-ubyte.gz --out mine.csv

The file has a line for each sample: its number, its label, and the probability of each class.";

/// `dualprop predict`
#[derive(Debug, Args)]
#[command(after_help = PREDICT_EXAMPLES)]
pub(crate) struct PredictArguments {
    /// The model file
    pub(crate) model: PathBuf,
    /// A data set's name (its test part; all samples of one without), or an IDX file of images
    pub(crate) data: String,
    /// Where labels and probabilities go, as CSV; replaced if it exists
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The loss that the model was trained by; without it, that of the recipe.toml beside it, or cross_entropy
    #[arg(long, value_name = "NAME")]
    pub(crate) loss: Option<String>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Predicts and writes.
pub(crate) fn predict(arguments: &PredictArguments) -> Result<()> {
    for (what, path) in [("the model", arguments.model.as_path()), ("the data", Path::new(&arguments.data))] {
        if output::is_same_file(path, &arguments.out) {
            let problem = format!("it is {what}, which would be lost; choose another name");
            return Err(dualprop::Error::setting("--out", arguments.out.display(), problem).into());
        }
    }
    let model = Model::load(&arguments.model)?;
    let loss = loss_of(&arguments.model, arguments.loss.as_deref())?;
    let path = Path::new(&arguments.data);
    let dataset = if path.is_file() {
        let images = read_images(path)?;
        let input = Shape::image(images.height, images.width, 1);
        let labels = vec![0; images.count];
        Dataset::new(&arguments.data, input, model.topology.outputs(), u8::MAX, images.pixels, labels)?
    } else {
        judging(&arguments.data, &Folders::standard(arguments.data_dir.clone()))?
    };
    let predictions = training::predict(&model, &dataset, loss, &Pool::new(0)?)?;
    let classes: Vec<String> = (0..model.topology.outputs()).map(|class| format!("p{class}")).collect();
    let mut text = format!("sample,label,{}\n", classes.join(","));
    for (sample, prediction) in predictions.iter().enumerate() {
        let probabilities: Vec<String> = prediction.probabilities.iter().map(|p| format!("{p:.6}")).collect();
        text += &format!("{sample},{},{}\n", prediction.label, probabilities.join(","));
    }
    file::write_atomic(&arguments.out, text.as_bytes())?;
    output::print(&format!("{}: labels and probabilities of {} samples\n", arguments.out.display(), predictions.len()))
}
