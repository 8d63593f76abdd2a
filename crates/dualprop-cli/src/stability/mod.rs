//! `dualprop stability`

mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::Error;
use dualprop::analysis::stability::{InferenceGrid, NetworkGrid, Networks, StabilityRow};
use dualprop::base::{Named, file};
use dualprop::compute::{Activation, Loss, Pool};
use dualprop::data::Folders;
use dualprop::inference::{Nudge, RuleKind, Schedule};
use dualprop::report::stability_map;
use dualprop::training::{Part, Specimen, write_rows};

use crate::model::Subject;
use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop stability                                       DP against DP-transpose, over alpha and beta
  dualprop stability --depth 6 --gain 2 --nudge linearised_frozen --beta 0.1 --nets 8 --rule dp_transpose
                                                           kinks keep it from settling but at alpha 0 and 1
  dualprop stability --activation identity --gain 1 --figure map.svg --out map.csv
                                                           a linear network, and its closed form
  dualprop stability --plane --gain 1 --nets 1 --figure plane.svg
                                                           alpha of the mean against alpha of the feedback
  dualprop stability runs/digits --beta 0.01,0.1,1         a trained network, on its own data

A sample has settled when a pass in which every layer is updated moves its states (s+, s-) by no more than 1e-9 of
their size. Without a subject the networks are random: kernels N(0, gain^2/fan_in), inputs N(0, 1), one-hot targets.

Exit codes: 0 done, 1 failed while running, 2 wrong usage or input.";

/// `dualprop stability`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StabilityArguments {
    /// A model (.safetensors), a run directory or a recipe; without one, random networks
    #[arg(value_name = "MODEL|RUN|RECIPE")]
    pub(crate) subject: Option<String>,
    /// The recipe that a model was trained by; without it, the recipe.toml beside the model
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<String>,
    /// Override a value of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Rules: dp, dp_transpose, dp_damped, general, backprop
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "dp,dp_transpose", conflicts_with = "plane")]
    pub(crate) rule: Vec<String>,
    /// alpha, of the rule general alpha_m [default: 0,0.25,0.5,0.75,1; of a plane 0 to 1 by 0.05]
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',')]
    pub(crate) alpha: Vec<f64>,
    /// alpha_f of the rule general [default: 0.5]
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',', conflicts_with = "plane")]
    pub(crate) alpha_feedback: Vec<f64>,
    /// The (alpha_m, alpha_f) plane of the rule general, instead of alpha and beta [its default activation: identity]
    #[arg(long)]
    pub(crate) plane: bool,
    /// beta [default: 0.01,0.1,1,10; of a plane 0.1]
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',')]
    pub(crate) beta: Vec<f64>,
    /// Schedules: forward, forward_backward, backward_forward, odd_even, even_odd, parallel, random
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "forward_backward")]
    pub(crate) schedule: Vec<String>,
    /// Nudges: linearised_frozen, linearised_live, proximal
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "linearised_live")]
    pub(crate) nudge: Vec<String>,
    /// The loss [default: half_squared_error, or that of the recipe]
    #[arg(long, value_name = "NAME")]
    pub(crate) loss: Option<String>,
    /// Activations of random networks [default: relu]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', conflicts_with = "subject")]
    pub(crate) activation: Vec<String>,
    /// Standard deviations of their kernels' elements, times the square root of the fan-in [default: 1.414]
    #[arg(long, value_name = "NUMBER,…", value_delimiter = ',', conflicts_with = "subject")]
    pub(crate) gain: Vec<f64>,
    /// How many layers they have [default: 4]
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "subject")]
    pub(crate) depth: Vec<usize>,
    /// Neurons of their input and of each hidden layer; they have 10 outputs [default: 64]
    #[arg(long, value_name = "N", conflicts_with = "subject")]
    pub(crate) width: Option<usize>,
    /// How many networks [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "subject")]
    pub(crate) nets: Option<usize>,
    /// Samples of each network, of a subject the first training samples
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) samples: usize,
    /// The most passes of the schedule
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) passes: usize,
    /// Draws the random networks, and the order of the schedule random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Write a row for each cell, as .csv or .jsonl
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Draw the maps, as .svg
    #[arg(long, value_name = "FILE")]
    pub(crate) figure: Option<PathBuf>,
    /// Threads, 0 for one per core; never changes a result
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

/// Settles every cell, prints the maps, and writes what was asked for.
pub(crate) fn run(arguments: &StabilityArguments) -> Result<()> {
    let subject: Vec<&Path> = arguments.subject.iter().map(Path::new).collect();
    output::check_table(arguments.out.as_deref(), &subject)?;
    output::check_figure(arguments.figure.as_deref())?;
    check_options_of_a_subject(arguments)?;
    if !arguments.alpha_feedback.is_empty() && !arguments.rule.iter().any(|rule| rule == "general") {
        let problem = "only the rule `general` has an alpha_f of its own; name it with --rule, or leave this out";
        return Err(Error::setting("--alpha-feedback", "given", problem).into());
    }
    let pool = Pool::new(arguments.threads)?;
    let rows = match &arguments.subject {
        None => random(arguments, &pool)?,
        Some(subject) => of_subject(arguments, subject, &pool)?,
    };
    if let Some(path) = &arguments.out {
        write_rows(path, &rows)?;
    }
    if let Some(path) = &arguments.figure {
        file::write_atomic(path, stability_map(&rows, arguments.plane)?.as_bytes())?;
    }
    output::print(&table::describe(&rows, arguments.plane)?)
}

/// clap's `requires` gives way where the subject is in conflict with another option that is there.
fn check_options_of_a_subject(arguments: &StabilityArguments) -> Result<()> {
    let StabilityArguments { subject, recipe, set, data_dir, .. } = arguments;
    let given = [("--recipe", recipe.is_some()), ("--set", !set.is_empty()), ("--data-dir", data_dir.is_some())];
    match given.into_iter().find(|(_, given)| *given && subject.is_none()) {
        Some((option, _)) => {
            let problem = "random networks have no recipe and no data; name a model, a run or a recipe to look at";
            Err(Error::setting(option, "given", problem).into())
        }
        None => Ok(()),
    }
}

fn random(arguments: &StabilityArguments, pool: &Pool) -> Result<Vec<StabilityRow>> {
    let networks = NetworkGrid {
        activations: match arguments.activation.is_empty() {
            true if arguments.plane => vec![Activation::Identity],
            true => vec![Activation::Relu],
            false => named(&arguments.activation)?,
        },
        gains: or(&arguments.gain, &[1.414]),
        depths: or(&arguments.depth, &[4]),
        width: arguments.width.unwrap_or(64),
        nets: arguments.nets.unwrap_or(10),
        samples: arguments.samples,
        seed: arguments.seed,
    };
    Ok(networks.run(&inferences(arguments, Loss::HalfSquaredError)?, pool)?)
}

fn of_subject(arguments: &StabilityArguments, name: &str, pool: &Pool) -> Result<Vec<StabilityRow>> {
    let (recipe, set) = (arguments.recipe.clone(), arguments.set.clone());
    let (recipe, model) = Subject { subject: name.into(), recipe, set }.load()?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let specimen = Specimen::load(&recipe, model.as_ref(), &folders, Part::Train, arguments.samples)?;
    let (parameters, x, y) = specimen.doubled();
    let networks = Networks::given(name, &specimen.topology, parameters, x, y);
    Ok(inferences(arguments, specimen.inference.loss)?.run(&networks, pool)?)
}

fn inferences(arguments: &StabilityArguments, loss: Loss) -> Result<InferenceGrid> {
    let alphas = match arguments.plane {
        true => or(&arguments.alpha, &(0..=20).map(|i| f64::from(i) / 20.0).collect::<Vec<_>>()),
        false => or(&arguments.alpha, &[0.0, 0.25, 0.5, 0.75, 1.0]),
    };
    Ok(InferenceGrid {
        rules: if arguments.plane { vec![RuleKind::General] } else { named(&arguments.rule)? },
        alphas_feedback: if arguments.plane { alphas.clone() } else { or(&arguments.alpha_feedback, &[0.5]) },
        alphas,
        betas: or(&arguments.beta, if arguments.plane { &[0.1] } else { &[0.01, 0.1, 1.0, 10.0] }),
        schedules: named::<Schedule>(&arguments.schedule)?,
        nudges: named::<Nudge>(&arguments.nudge)?,
        loss: arguments.loss.as_deref().map_or(Ok(loss), Loss::parse)?,
        passes: arguments.passes,
        seed: arguments.seed,
    })
}

fn or<V: Clone>(given: &[V], default: &[V]) -> Vec<V> {
    if given.is_empty() { default.to_vec() } else { given.to_vec() }
}

fn named<N: Named>(names: &[String]) -> dualprop::Result<Vec<N>> {
    names.iter().map(|name| N::parse(name)).collect()
}
