//! Training: a recipe says what, a trainer does it, a run directory keeps it, and a listener hears of it.

pub mod case;
mod metrics;
mod preparation;
mod recipe;
mod run;
mod run_directory;
mod trainer;

pub use metrics::{EpochMetrics, Summary};
pub use recipe::{BUILT_IN, Recipe, RecipeParams};
pub use run::run;
pub use run_directory::{Destination, RunDirectory};
pub use trainer::{Event, SeedResult, Trainer};
