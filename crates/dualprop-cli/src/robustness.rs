//! `dualprop robustness`

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::Error;
use dualprop::analysis::{Attack, AttackKind, Norm};
use dualprop::base::Named;
use dualprop::data::Folders;
use dualprop::training::{Robustness, Specimen, mean_and_deviation, robustness, write_rows};
use serde::Serialize;

use crate::model::{PartArgument, models_of};
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop robustness runs/digits
  dualprop robustness runs/mnist runs/mnist-2 --attack pgd --norm linf --epsilon 0.05,0.1,0.2 --out robustness.csv
  dualprop robustness runs/mnist/model.safetensors --samples 1000 --steps 100

Budgets are shares of a pixel's range: 0.1 is 25.5 of 255. A perturbed pixel stays a possible pixel.
The adversary knows the network, and raises the loss that it was trained by.";

/// `dualprop robustness`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RobustnessArguments {
    /// Run directories, of which the model of every seed is attacked, or model files with a recipe.toml beside them
    #[arg(value_name = "RUN|MODEL", required = true)]
    pub(crate) subjects: Vec<PathBuf>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The part of the data that the samples are of
    #[arg(long, value_enum, default_value_t = PartArgument::Test)]
    pub(crate) part: PartArgument,
    /// How many samples are attacked
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(crate) samples: usize,
    /// What perturbs: noise, fgsm, pgd, gradient
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "noise,fgsm,pgd")]
    pub(crate) attack: Vec<String>,
    /// How budgets are measured: linf, l2
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "linf,l2")]
    pub(crate) norm: Vec<String>,
    /// Budgets by the largest change of a pixel [default: 0,0.05,0.1,0.2,0.3]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(crate) epsilon: Vec<f64>,
    /// Budgets by the root of the sum of squares [default: 0,0.5,1,2,3]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(crate) epsilon_l2: Vec<f64>,
    /// Steps of pgd [default: 40]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Draws the starts of pgd, and noise
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Write a row for every model, attack, norm and budget, as .csv or .jsonl; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A row of the table.
#[derive(Debug, Serialize)]
struct Row {
    model: String,
    name: String,
    seed: u64,
    attack: &'static str,
    norm: &'static str,
    steps: usize,
    epsilon: f64,
    samples: usize,
    accuracy: f64,
    loss: f64,
}

/// Attacks and prints.
pub(crate) fn run(arguments: &RobustnessArguments) -> Result<()> {
    let subjects: Vec<&Path> = arguments.subjects.iter().map(PathBuf::as_path).collect();
    output::check_table(arguments.out.as_deref(), &subjects)?;
    let attacks = attacks(arguments)?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let (mut rows, mut text) = (vec![], String::new());
    for subject in &arguments.subjects {
        let mut of_run: Vec<Vec<Robustness>> = vec![];
        for (path, recipe, model) in models_of(subject)? {
            let specimen = Specimen::load(&recipe, Some(&model), &folders, arguments.part.part(), arguments.samples)?;
            let found = robustness(&specimen, &attacks, arguments.seed)?;
            let (name, seed) = (&recipe.params().name, recipe.params().seeds[0]);
            rows.extend(found.iter().map(|row| row_of(&path, name, seed, row)));
            of_run.push(found);
        }
        describe(&mut text, &subject.display().to_string(), arguments.part.part().name(), &of_run)?;
    }
    if let Some(out) = &arguments.out {
        write_rows(out, &rows)?;
    }
    output::print(&text)
}

/// Every attack by every norm with each of its budgets.
fn attacks(arguments: &RobustnessArguments) -> Result<Vec<Attack>> {
    let named = |names: &[String], name: &str| names.iter().any(|other| other == name);
    for (option, given, used) in [
        ("--epsilon", !arguments.epsilon.is_empty(), named(&arguments.norm, "linf")),
        ("--epsilon-l2", !arguments.epsilon_l2.is_empty(), named(&arguments.norm, "l2")),
        ("--steps", arguments.steps.is_some(), named(&arguments.attack, "pgd")),
    ] {
        if given && !used {
            let problem = "none of the attacks and norms that are named makes use of it; leave it out";
            return Err(Error::setting(option, "given", problem).into());
        }
    }
    let or = |given: &Vec<f64>, default: [f64; 5]| if given.is_empty() { default.to_vec() } else { given.clone() };
    let (linf, l2) = (or(&arguments.epsilon, [0.0, 0.05, 0.1, 0.2, 0.3]), or(&arguments.epsilon_l2, [0.0, 0.5, 1.0, 2.0, 3.0]));
    let mut attacks = vec![];
    for kind in &arguments.attack {
        let kind = AttackKind::parse(kind)?;
        for norm in &arguments.norm {
            let norm = Norm::parse(norm)?;
            let budgets = if norm == Norm::Linf { &linf } else { &l2 };
            for &epsilon in budgets {
                let attack = Attack { kind, norm, epsilon, steps: arguments.steps.unwrap_or(40) };
                attack.check()?;
                attacks.push(attack);
            }
        }
    }
    Ok(attacks)
}

fn row_of(path: &Path, name: &str, seed: u64, row: &Robustness) -> Row {
    let &Robustness { attack, norm, steps, epsilon, samples, accuracy, loss } = row;
    Row { model: path.display().to_string(), name: name.into(), seed, attack, norm, steps, epsilon, samples, accuracy, loss }
}

/// The mean over the models of a run, and their standard deviation where there are several.
fn describe(text: &mut String, subject: &str, part: &str, of_run: &[Vec<Robustness>]) -> Result<()> {
    let Some(first) = of_run.first() else { return Ok(()) };
    let samples = first.first().map_or(0, |row| row.samples);
    let models = if of_run.len() == 1 { "one model".into() } else { format!("{} models", of_run.len()) };
    writeln!(text, "{subject}: accuracy on {samples} {part} samples in percent, {models}")?;
    let mut before = ("", "");
    for (i, row) in first.iter().enumerate() {
        if before != (row.attack, row.norm) {
            before = (row.attack, row.norm);
            write!(text, "{}{:<22}", if i > 0 { "\n" } else { "" }, format!("  {} {}", name_of(row), row.norm))?;
        }
        let values: Vec<f64> = of_run.iter().map(|model| model[i].accuracy).collect();
        let (mean, deviation) = mean_and_deviation(&values);
        let spread = if values.len() > 1 { format!(" ± {deviation:.1}") } else { String::new() };
        write!(text, "  {}: {mean:.1}{spread}", row.epsilon)?;
    }
    writeln!(text)?;
    Ok(())
}

fn name_of(row: &Robustness) -> String {
    if row.attack == "pgd" { format!("pgd-{}", row.steps) } else { row.attack.into() }
}
