//! Recipes: everything that defines a training, in TOML.
//!
//! Text becomes [`RecipeParams`] (every value, typed or default, exactly as written down in a run directory), which
//! [`RecipeParams::check`] turns into a [`Recipe`]; only a checked recipe can train.

mod analysis;
mod attack;
mod built_in;
mod check;
mod data;
mod disturbance;
mod feedback;
mod keys;
mod learning;
mod optimizer;
mod params;
mod places;
mod text;
mod values;

pub use analysis::AnalysisParams;
pub use built_in::{BUILT_IN, BuiltIn};
pub use check::Recipe;
pub(super) use data::{DataSettings, Validate};
pub use disturbance::DisturbanceParams;
pub use params::RecipeParams;
