//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::alignment::AlignmentArguments;
use crate::bench::BenchArguments;
use crate::compare::CompareArguments;
use crate::data::DataArguments;
use crate::export::ExportArguments;
use crate::gradcheck::GradcheckArguments;
use crate::lipschitz::LipschitzArguments;
use crate::model::{EvalArguments, PredictArguments};
use crate::objective::ObjectiveArguments;
use crate::report::ReportArguments;
use crate::reproduce::ReproduceArguments;
use crate::robustness::RobustnessArguments;
use crate::stability::StabilityArguments;
use crate::summary::SummaryArguments;
use crate::sweep::SweepArguments;
use crate::trace::TraceArguments;
use crate::verify::VerifyArguments;

/// Train deep networks by dual propagation, without backpropagation.
#[derive(Debug, Parser)]
#[command(name = "dualprop", version, args_conflicts_with_subcommands = true, after_help = MAIN_HELP)]
#[command(long_about = "Train deep networks by dual propagation, without backpropagation.\n\n\
    Without a command it trains the embedded handwritten digits: the same as `dualprop train digits`.")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Show the chain of causes of an error, as RUST_LOG does
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Use at most so many MiB of address space; what needs more is refused before it begins
    #[arg(long, value_name = "MIB", global = true, value_parser = clap::value_parser!(u64).range(1..1 << 40))]
    pub(crate) memory_limit: Option<u64>,
    /// Without a command: those of the main job.
    #[command(flatten)]
    pub(crate) options: TrainOptions,
}

const MAIN_HELP: &str = "Examples:
  dualprop                                        the embedded digits by DP-transpose
  dualprop --set learning.alpha=0.5               with symmetric nudging
  dualprop train my.toml --quiet                  a recipe of one's own; options follow the command
  dualprop plan                                   what one training step computes and costs

The options above are for use without a command.
With a command, options follow it: `dualprop train --quiet`; `dualprop train --help` lists them.

Exit codes: 0 done, 1 failed while running, 2 wrong usage or input, 101 a defect of dualprop, 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a network as a recipe says
    Train(TrainArguments),
    /// Train every combination of values of a recipe's keys, with several seeds of each
    Sweep(SweepArguments),
    /// Train the arms of a table or figure of the papers, and print what came out beside what was published
    Reproduce(ReproduceArguments),
    /// Make a page, Markdown and figures of runs, sweeps, experiments and tables of measurements
    Report(ReportArguments),
    /// Compare runs with the first of them, paired by seed
    Compare(CompareArguments),
    /// List the built-in recipes
    Recipes,
    /// Evaluate the models of a run, or a model file, on a data set
    Eval(EvalArguments),
    /// Write the labels and probabilities that a model gives to samples
    Predict(PredictArguments),
    /// Write a model as ONNX, which other programs run, or as NPZ, which NumPy reads
    Export(ExportArguments),
    /// Print the layers of a recipe's network or of a model, and what they cost
    Summary(SummaryArguments),
    /// Check local gradients against backpropagation, and that against finite differences
    Gradcheck(GradcheckArguments),
    /// Measure the alignment of local gradients with backpropagation, batch by batch
    Alignment(AlignmentArguments),
    /// Measure spectral norms of the layers and local Lipschitz constants of the network
    Lipschitz(LipschitzArguments),
    /// Evaluate the lifted objectives whose stationary points dual propagation finds
    Objective(ObjectiveArguments),
    /// Attack the inputs of trained models, and count what is still right
    Robustness(RobustnessArguments),
    /// Map where inference settles, over rules, nudges and schedules, with the closed form of linear networks
    Stability(Box<StabilityArguments>),
    /// List, fetch, verify and import data sets
    Data(DataArguments),
    /// Time training steps, alone or against PyTorch
    Bench(BenchArguments),
    /// Print what one training step computes, what it costs, and what was proved redundant
    Plan(PlanArguments),
    /// Settle one batch from a file and write its states and gradients to another
    Trace(TraceArguments),
    /// Train the first epoch of a run again, and compare every bit
    Verify(VerifyArguments),
}

const TRAIN_EXAMPLES: &str = "Examples:
  dualprop train                                  the embedded digits by DP-transpose
  dualprop train --set learning.alpha=0.5         with symmetric nudging
  dualprop train --set 'seeds=[0,1,2,3,4]' --json mean and deviation over five seeds
  dualprop train mnist --data-dir ~/data          the paper's experiment, from ~/data/mnist
  dualprop train my.toml --name first --force     a recipe of one's own, replacing runs/first
  dualprop train --resume runs/mnist              go on with a run that was interrupted";

/// `dualprop train`
#[derive(Debug, Args)]
#[command(after_help = TRAIN_EXAMPLES)]
pub(crate) struct TrainArguments {
    /// A built-in recipe's name (`dualprop recipes` lists them), or the path of a recipe file [default: digits]
    pub(crate) recipe: Option<String>,
    /// Go on with the run in this folder, to the same bits as if it had never been interrupted
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "recipe", "set", "name", "force", "from", "limit_train", "dry_run", "print_recipe", "runs_dir", "exact_conv",
    ])]
    pub(crate) resume: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: TrainOptions,
}

impl TrainArguments {
    /// What runs without a command.
    pub(crate) fn main_job(options: TrainOptions) -> Self {
        TrainArguments { recipe: None, resume: None, options }
    }
}

/// The options of a training.
#[derive(Debug, Args)]
pub(crate) struct TrainOptions {
    /// Override a value of the recipe, such as learning.alpha=0.5; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Start from the parameters of this model file
    #[arg(long, value_name = "MODEL")]
    pub(crate) from: Option<PathBuf>,
    /// Train on the first N training samples only
    #[arg(long, value_name = "N")]
    pub(crate) limit_train: Option<usize>,
    /// Send one batch through everything, in a temporary folder, and stop
    #[arg(long, conflicts_with_all = ["name", "force", "json", "print_recipe"])]
    pub(crate) dry_run: bool,
    /// Print the recipe with every effective value, and stop
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) print_recipe: bool,
    /// Name the run directory; without it, a free name is made from the recipe's
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Replace the run of that name
    #[arg(long, requires = "name")]
    pub(crate) force: bool,
    /// The folder that holds the run directories
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub(crate) runs_dir: PathBuf,
    /// Keep a file of events for TensorBoard in the folder of each seed; with --resume also of a run that is finished
    #[arg(long, conflicts_with_all = ["dry_run", "print_recipe"])]
    pub(crate) tensorboard: bool,
    /// Keep metrics.csv in the folder of each seed, a row for each epoch; with --resume also of a run that is finished
    #[arg(long, conflicts_with_all = ["dry_run", "print_recipe"])]
    pub(crate) metrics_csv: bool,
    /// Threads, 0 for one per core; never changes a result
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Compute convolutions term by term, without transforms that round otherwise; slower
    #[arg(long)]
    pub(crate) exact_conv: bool,
    /// Print the result and warnings only
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// End with one JSON object on a line of standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

const PLAN_EXAMPLES: &str = "Examples:
  dualprop plan
  dualprop plan --set learning.schedule=forward --set learning.passes=16
  dualprop plan --set learning.schedule=forward --set learning.passes=16 --naive";

/// `dualprop plan`
#[derive(Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArguments {
    /// A built-in recipe's name, or the path of a recipe file
    #[arg(default_value = "digits")]
    pub(crate) recipe: String,
    /// Override a value of the recipe, such as learning.passes=16; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print what the schedule says, without leaving out what is redundant
    #[arg(long)]
    pub(crate) naive: bool,
}
