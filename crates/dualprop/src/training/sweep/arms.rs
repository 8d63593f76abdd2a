//! The arms of an experiment: cells that are listed, each with a recipe and overrides of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};
use crate::training::RecipeParams;

use super::planned::{MOST_CELLS, Planned, completed};

/// The experiment that a sweep is of, as `sweep.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What `dualprop reproduce` calls it.
    pub name: String,
    /// Whether it is the quick form, which reproduces nothing.
    pub quick: bool,
    /// What the user has overridden in all arms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
}

impl Origin {
    /// What its folder is called unless it is given another name.
    pub fn folder_name(&self) -> String {
        format!("reproduce-{}{}", self.name, if self.quick { "-quick" } else { "" })
    }
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::training) struct Arm {
    /// One for each column; empty where the arm has none.
    pub(in crate::training) values: Vec<String>,
    /// The name of its recipe.
    pub(in crate::training) recipe: String,
    /// Overrides of its own.
    pub(in crate::training) set: Vec<String>,
}

/// An experiment's arms, and all that they are made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::training) struct Arms {
    format: u32,
    /// The version of the program that began the sweep.
    version: String,
    experiment: Origin,
    /// The recipes by name, as TOML with every default written out, before anything changes them.
    recipes: BTreeMap<String, String>,
    /// Overrides of every arm that belong to the experiment.
    set: Vec<String>,
    columns: Vec<String>,
    arms: Vec<Arm>,
    seeds: Vec<u64>,
}

/// Keys that `--set` cannot give to all arms, with what does instead.
const REFUSED: [(&str, &str); 2] = [
    ("seeds", "an experiment has seeds of its own; --seeds N takes the first N of them"),
    ("training.threads", "it changes no result; give it with --threads N"),
];

impl Arms {
    /// The number by which a description of this kind is known.
    pub(super) const FORMAT: u32 = 2;

    /// These arms of built-in recipes.
    ///
    /// # Errors
    /// As [`RecipeParams::load`].
    pub(in crate::training) fn new(
        experiment: Origin,
        columns: Vec<String>,
        set: Vec<String>,
        arms: Vec<Arm>,
        seeds: Vec<u64>,
    ) -> Result<Self> {
        let text = |arm: &Arm| Ok((arm.recipe.clone(), RecipeParams::load(&arm.recipe, &[])?.to_toml()?));
        let recipes = arms.iter().map(text).collect::<Result<_>>()?;
        let version = env!("CARGO_PKG_VERSION").into();
        Ok(Arms { format: Self::FORMAT, version, experiment, recipes, set, columns, arms, seeds })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.experiment
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// Every arm. Its own overrides come last, so that nothing makes it another one than its values say.
    pub(super) fn cells(&self) -> Result<Vec<Planned<'_>>> {
        self.check()?;
        let planned = |arm: &Arm| {
            let Some(recipe) = self.recipes.get(&arm.recipe) else {
                return Err(Error::unknown("recipe of an arm", &arm.recipe, self.recipes.keys().map(String::as_str)));
            };
            let overrides = [&self.set[..], &self.experiment.with, &arm.set].concat();
            Ok(Planned { values: arm.values.clone(), recipe, overrides: completed(overrides, &self.seeds) })
        };
        self.arms.iter().map(planned).collect()
    }

    fn check(&self) -> Result<()> {
        // They become names of folders.
        let is_plain = |column: &&String| column.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !column.is_empty();
        if let Some(column) = self.columns.iter().find(|column| !is_plain(column)) {
            return Err(Error::setting("columns", format!("{column:?}"), "expected letters, digits and _"));
        }
        if self.arms.is_empty() || self.arms.len() > MOST_CELLS {
            return Err(Error::setting("arms", self.arms.len(), format!("expected 1 to {MOST_CELLS} of them")));
        }
        let is_named = |arm: &Arm| arm.values.len() == self.columns.len() && arm.values.first().is_some_and(|v| !v.is_empty());
        if let Some(arm) = self.arms.iter().find(|arm| !is_named(arm)) {
            let problem = format!("expected a value for each of {:?}, the first not empty", self.columns);
            return Err(Error::setting("arms", format!("{:?}", arm.values), problem));
        }
        self.experiment.with.iter().try_for_each(|set| self.check_override(set))
    }

    /// That a user's override is of nothing that the experiment is about.
    fn check_override(&self, set: &str) -> Result<()> {
        let key = |text: &str| text.split_once('=').map(|(key, _)| key.trim().to_string());
        let refuse = |problem: &str| Err(Error::setting("--set", set, problem));
        if let Some((_, problem)) = REFUSED.iter().find(|(refused, _)| key(set).as_deref() == Some(*refused)) {
            return refuse(problem);
        }
        match key(set).is_some() && self.arms.iter().flat_map(|arm| &arm.set).any(|own| key(own) == key(set)) {
            true => refuse("the arms of the experiment have values of their own for this key; leave it out"),
            false => Ok(()),
        }
    }
}
