//! Training: a recipe says what, a trainer does it, a run directory keeps it, and a listener hears of it.

mod alignment;
pub mod benchmark;
pub mod case;
mod checkpoint;
mod comparison;
mod confusion;
mod divergence;
mod dry_run;
mod evaluation;
mod experiment;
mod exports;
#[cfg(test)]
mod faults;
mod feedback;
mod gradients;
mod lipschitz;
mod metrics;
mod prediction;
mod preparation;
mod progress;
mod recipe;
mod record;
pub(crate) mod report_folder;
mod robustness;
mod rows;
mod run;
mod run_directory;
mod specimen;
mod states;
mod sweep;
mod trainer;
mod verification;

pub use alignment::{AlignmentRow, alignment_rows, measure_alignment};
pub use comparison::{Against, ComparedRun, Comparison, Metric, compare};
pub use confusion::{Confusion, confusion};
pub use divergence::Divergence;
pub use dry_run::{DryRun, dry_run};
pub use evaluation::{Evaluation, evaluate};
pub use experiment::{Experiment, Form, Published, Quantity, Speed};
pub use exports::Exports;
pub use gradients::{LayerCheck, check_gradients};
pub use lipschitz::{LipschitzRow, Stretching, measure_stretching};
pub use metrics::{EpochMetrics, NormRow, SettlingRow, StepMetrics, Summary, mean_and_deviation};
pub use prediction::{Part, Prediction, evaluate_run, predict};
pub use recipe::{AnalysisParams, BUILT_IN, BuiltIn, DisturbanceParams, Recipe, RecipeParams};
pub use record::MetricsLog;
pub use report_folder::check as check_report_folder;
pub use robustness::{Robustness, robustness};
pub use rows::{check_rows_path, write_rows};
pub use run::{resume, run};
pub use run_directory::{Destination, RunDirectory, folder_of_seed};
pub use specimen::Specimen;
pub use states::{LayerStates, settled_states};
pub use sweep::{
    Cell, CellOutcome, CellReading, Origin, Sweep, SweepDirectory, SweepEvent, SweepListener, SweepReading, Workers,
};
pub use trainer::{Event, Listener, Outcome, SeedResult, Trainer};
pub use verification::{Difference, Verification, verify};
