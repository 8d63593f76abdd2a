//! Recipes: everything that defines a training, in TOML.
//!
//! Text becomes [`RecipeParams`] (every value, typed or default, exactly as written down in a run directory), which
//! [`RecipeParams::check`] turns into a [`Recipe`]; only a checked recipe can train.

mod check;
mod params;
mod text;

pub use check::Recipe;
pub use params::RecipeParams;

/// The recipes that come with the library: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[("digits", include_str!("../../../recipes/digits.toml"))];
