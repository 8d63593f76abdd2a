//! Sweeps: a recipe, a grid of values for some of its keys, and seeds; every combination is a run directory.
//!
//! A [`Sweep`] is checked whole before anything runs; a [`SweepDirectory`] keeps it in a folder, trains its cells in parallel, and
//! goes on with them after any interruption.

mod cell;
mod directory;
#[cfg(test)]
mod faults;
mod grid;
mod memory;
mod outcome;
mod results;
mod run;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};
use crate::compute::Pool;
use crate::data::Folders;
use crate::training::{Recipe, RecipeParams, Trainer};

pub use cell::Cell;
pub use directory::SweepDirectory;
pub use grid::Axis;
pub use outcome::CellOutcome;
pub use run::{SweepEvent, SweepListener, Workers};

use cell::Names;

/// The most cells that a sweep may have: more is a slip of the pen.
const MOST_CELLS: usize = 4096;

/// The most seeds that a cell may have.
const MOST_SEEDS: usize = 4096;

/// What `sweep.json` holds, and all that a sweep is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Description {
    format: u32,
    /// The version of the program that began the sweep.
    version: String,
    /// The recipe as TOML, every default written out, before `set` and the grid change it.
    recipe: String,
    /// Overrides of every cell.
    set: Vec<String>,
    /// The first key changes slowest.
    grid: Vec<Axis>,
    seeds: Vec<u64>,
}

/// A recipe for every combination of the values of a grid; checked.
#[derive(Debug, Clone)]
pub struct Sweep {
    description: Description,
    name: String,
    cells: Vec<Cell>,
}

impl Sweep {
    /// The sweep of the recipe of this name or path, with `--set` overrides, over the grid of these `key=v1,v2,…`, the first of
    /// which changes slowest. `seeds` is how many there are, counted from 0; none: those of the recipe.
    ///
    /// # Errors
    /// As [`Axis::parse`]; as [`Recipe::load`], with the cell that is wrong; [`Error::Setting`] for a key that is given twice, for
    /// two cells that are the same training, and for too many cells or seeds.
    pub fn new(recipe: &str, set: &[String], grid: &[String], seeds: Option<usize>) -> Result<Self> {
        if grid.is_empty() {
            return Err(Error::setting("--grid", "", "expected at least one key=v1,v2,…, such as learning.alpha=0,0.5,1"));
        }
        let grid = grid.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>>>()?;
        let seeds = match seeds {
            Some(n) if n == 0 || n > MOST_SEEDS => {
                return Err(Error::setting("--seeds", n, format!("expected a number of seeds from 1 to {MOST_SEEDS}")));
            }
            Some(n) => (0..n as u64).collect(),
            None => RecipeParams::load(recipe, set)?.seeds,
        };
        let description = Description {
            format: 1,
            version: env!("CARGO_PKG_VERSION").into(),
            recipe: RecipeParams::load(recipe, &[])?.to_toml()?,
            set: set.to_vec(),
            grid,
            seeds,
        };
        // From the recipe's own text, so that errors name its lines.
        description.each_cell(|_, overrides| Recipe::load(recipe, overrides).map(drop))?;
        Sweep::of(description)
    }

    /// The sweep that is described so.
    fn of(description: Description) -> Result<Self> {
        let mut names = Names::of(&description.grid);
        let cells = description.each_cell(|values, overrides| {
            let recipe = Recipe::parse(&description.recipe, "the sweep's recipe", overrides)?;
            Ok(Cell { name: names.next(values), values: values.to_vec(), recipe })
        })?;
        let texts = cells.iter().map(|cell| cell.recipe.params().to_toml()).collect::<Result<Vec<_>>>()?;
        let mut first = std::collections::HashMap::new();
        for (cell, text) in cells.iter().zip(&texts) {
            if let Some(other) = first.insert(text, cell) {
                let (other, cell) = (description.tell(&other.values), description.tell(&cell.values));
                return Err(Error::setting("--grid", cell, format!("it is the same training as {other}; give each once")));
            }
        }
        let name = cells.first().map(|cell| cell.recipe.params().name.clone()).unwrap_or_default();
        Ok(Sweep { description, name, cells })
    }

    /// That the first cell can be trained with the data that is here, and that every cell fits into memory and as many side by side
    /// as were asked for, before there is any folder.
    ///
    /// # Errors
    /// As [`Trainer::new`], with the cell; [`Error::Memory`] for a cell that does not fit; [`Error::Setting`] for jobs that do not.
    pub fn check_start(&self, folders: &Folders, workers: Workers) -> Result<()> {
        let Some((cell, seed)) = self.cells.first().zip(self.description.seeds.first()) else { return Ok(()) };
        let tried = Pool::new(1).and_then(|pool| Trainer::new(&cell.recipe, folders, *seed, &pool));
        tried.map(drop).map_err(|error| in_cell(&self.description.tell(&cell.values), cell.recipe.locate(error)))?;
        self.jobs(workers, &(0..self.cells.len()).collect::<Vec<_>>(), folders).map(drop)
    }

    /// The keys and their values.
    pub fn grid(&self) -> &[Axis] {
        &self.description.grid
    }

    /// The seeds of every cell.
    pub fn seeds(&self) -> &[u64] {
        &self.description.seeds
    }

    /// Every combination; the last key changes fastest.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

impl Description {
    /// Calls `make` with the values and the overrides of each cell.
    fn each_cell<R>(&self, mut make: impl FnMut(&[String], &[String]) -> Result<R>) -> Result<Vec<R>> {
        self.check()?;
        let cells = self.grid.iter().map(|axis| axis.values.len()).product();
        let one = |cell: usize| {
            let mut left = cell;
            let mut values: Vec<String> = vec![];
            for axis in self.grid.iter().rev() {
                values.push(axis.values[left % axis.values.len()].clone());
                left /= axis.values.len();
            }
            values.reverse();
            let mut overrides = self.set.clone();
            overrides.push(format!("seeds={:?}", self.seeds));
            // Never changes a result; whoever runs a cell chooses it.
            overrides.push("training.threads=1".into());
            overrides.extend(self.grid.iter().zip(&values).map(|(axis, value)| format!("{}={value}", axis.key)));
            make(&values, &overrides).map_err(|error| in_cell(&self.tell(&values), error))
        };
        (0..cells).map(one).collect()
    }

    /// The name of each cell's folder.
    fn names(&self) -> Result<std::collections::HashSet<String>> {
        let mut names = Names::of(&self.grid);
        Ok(self.each_cell(|values, _| Ok(names.next(values)))?.into_iter().collect())
    }

    fn check(&self) -> Result<()> {
        let count = |most: usize, axis: &Axis| most.checked_mul(axis.values.len()).filter(|cells| *cells <= MOST_CELLS);
        if self.grid.iter().try_fold(1, count).is_none() {
            let sizes: Vec<String> = self.grid.iter().map(|axis| axis.values.len().to_string()).collect();
            let problem = format!("a sweep has at most {MOST_CELLS} cells; give fewer values");
            return Err(Error::setting("--grid", format!("{} combinations", sizes.join(" × ")), problem));
        }
        for (index, axis) in self.grid.iter().enumerate() {
            axis.check()?;
            if self.grid[..index].iter().any(|other| other.key == axis.key) {
                return Err(Error::setting("--grid", &axis.key, "the key comes twice; give all of its values at once"));
            }
            let is_set = |set: &&String| set.split_once('=').is_some_and(|(key, _)| key.trim() == axis.key);
            if let Some(set) = self.set.iter().find(is_set) {
                return Err(Error::setting("--set", set, "the grid has values for this key; leave it out"));
            }
        }
        Ok(())
    }

    /// The cell as it was typed.
    fn tell(&self, values: &[String]) -> String {
        let pairs: Vec<String> = self.grid.iter().zip(values).map(|(axis, value)| format!("{}={value}", axis.key)).collect();
        pairs.join(" ")
    }
}

/// The error, with the cell that it is about.
fn in_cell(cell: &str, error: Error) -> Error {
    Error::At { place: format!("cell {cell}"), source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(set: &[&str], grid: &[&str], seeds: Option<usize>) -> Result<Sweep> {
        let [set, grid] = [set, grid].map(|texts| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>());
        Sweep::new("digits", &set, &grid, seeds)
    }

    #[test]
    fn every_combination_is_a_cell_and_is_what_set_makes_of_it() {
        let sweep =
            sweep(&["training.epochs=3"], &["learning.alpha=0,[0.1,0.2]", "learning.rule=dp,dp_transpose"], Some(2)).unwrap();
        let values: Vec<String> = sweep.cells().iter().map(|cell| sweep.description.tell(&cell.values)).collect();
        assert_eq!(
            values,
            [
                "learning.alpha=0 learning.rule=dp",
                "learning.alpha=0 learning.rule=dp_transpose",
                "learning.alpha=[0.1,0.2] learning.rule=dp",
                "learning.alpha=[0.1,0.2] learning.rule=dp_transpose"
            ]
        );
        let sets = ["training.epochs=3", "seeds=[0,1]", "learning.alpha=[0.1,0.2]", "learning.rule=dp", "training.threads=1"];
        let alone = Recipe::load("digits", &sets.map(String::from)).unwrap();
        assert_eq!(sweep.cells()[2].recipe.params(), alone.params());
        assert_eq!(sweep.cells()[0].name, "alpha=0,rule=dp");
    }

    #[test]
    fn seeds_are_those_of_the_recipe_unless_they_are_given() {
        let grid = ["learning.alpha=0,1"];
        assert_eq!(sweep(&[], &grid, None).unwrap().seeds(), [0]);
        assert_eq!(sweep(&["seeds=[7,9]"], &grid, None).unwrap().seeds(), [7, 9]);
        assert_eq!(sweep(&["seeds=[7,9]"], &grid, Some(3)).unwrap().seeds(), [0, 1, 2]);
    }

    #[test]
    fn a_grid_is_checked_whole() {
        let many = format!("optimizer.learning_rate={}", (1..100).map(|k| format!("0.{k}")).collect::<Vec<_>>().join(","));
        let betas = many.replace("optimizer.learning_rate", "learning.beta");
        for (set, grid, expected) in [
            (&[][..], &[][..], "--grid = : expected at least one"),
            (&[], &["learning.alhpa=1"], "cell learning.alhpa=1: unknown key of [learning] `alhpa`; did you mean `alpha`?"),
            (&[], &["learning.alpha=0,2"], "cell learning.alpha=2: learning.alpha = 2: expected a number from 0 to 1"),
            (&[], &["learning.alpha=0.5,0.50"], "--grid = learning.alpha=0.50: it is the same training as learning.alpha=0.5"),
            (&[], &["learning.alpha=0", "learning.alpha=1"], "--grid = learning.alpha: the key comes twice"),
            (&["learning.alpha=1"], &["learning.alpha=0"], "--set = learning.alpha=1: the grid has values for this key"),
            (&[], &[many.as_str(), betas.as_str()], "--grid = 99 × 99 combinations: a sweep has at most 4096 cells"),
        ] {
            let error = sweep(set, grid, None).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{expected}: {error}");
            assert!(error.is_input());
        }
        for seeds in [0, usize::MAX] {
            let error = sweep(&[], &["learning.alpha=0"], Some(seeds)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--seeds = {seeds}: expected a number of seeds from 1")), "{error}");
        }
    }
}
