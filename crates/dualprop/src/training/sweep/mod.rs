//! Sweeps: cells, each a training with several seeds and a run directory of its own.
//!
//! The cells are every combination of the values of a grid, or the arms of an experiment. A [`Sweep`] is checked whole before
//! anything runs; a [`SweepDirectory`] keeps it in a folder, trains its cells in parallel, and goes on with them after any
//! interruption; a [`SweepReading`] is what such a folder holds by now.

mod arms;
mod cell;
mod description;
mod directory;
#[cfg(test)]
mod faults;
mod grid;
mod memory;
mod outcome;
mod planned;
mod reading;
mod results;
mod run;

use std::collections::HashMap;

use crate::base::{Error, Result};
use crate::compute::Pool;
use crate::data::Folders;
use crate::training::{Recipe, RecipeParams, Trainer};

pub use arms::Origin;
pub(super) use arms::{Arm, Arms};
pub use cell::Cell;
pub(super) use description::Description;
pub use directory::SweepDirectory;
pub use outcome::CellOutcome;
pub use reading::{CellReading, SweepReading};
pub use run::{SweepEvent, SweepListener, Workers};

use cell::{Names, tell};
use grid::Grid;

/// The most seeds that a cell may have.
const MOST_SEEDS: usize = 4096;

/// Cells under named columns, all with the same seeds; checked.
#[derive(Debug, Clone)]
pub struct Sweep {
    description: Description,
    columns: Vec<String>,
    cells: Vec<Cell>,
}

impl Sweep {
    /// The sweep of the recipe of this name or path, with `--set` overrides, over the grid of these `key=v1,v2,…`, the first of
    /// which changes slowest. `seeds` is how many there are, counted from 0; none: those of the recipe.
    ///
    /// # Errors
    /// As [`Recipe::load`], with the cell that is wrong; [`Error::Setting`] for what is no grid, for a key that is given twice, for
    /// two cells that are the same training, and for too many cells or seeds.
    pub fn new(recipe: &str, set: &[String], grid: &[String], seeds: Option<usize>) -> Result<Self> {
        if grid.is_empty() {
            return Err(Error::setting("--grid", "", "expected at least one key=v1,v2,…, such as learning.alpha=0,0.5,1"));
        }
        let seeds = match seeds {
            Some(n) if n == 0 || n > MOST_SEEDS => {
                return Err(Error::setting("--seeds", n, format!("expected a number of seeds from 1 to {MOST_SEEDS}")));
            }
            Some(n) => (0..n as u64).collect(),
            None => RecipeParams::load(recipe, set)?.seeds,
        };
        let description = Description::Grid(Grid::new(recipe, set, grid, seeds)?);
        // From the recipe's own text, so that errors name its lines.
        description.each_cell(|cell| Recipe::load(recipe, &cell.overrides).map(drop))?;
        Sweep::of(description)
    }

    /// The sweep that is described so.
    ///
    /// # Errors
    /// As [`Sweep::new`].
    pub(super) fn of(description: Description) -> Result<Self> {
        let columns = description.columns();
        let mut names = Names::of(&columns);
        let cells = description.each_cell(|cell| {
            let recipe = Recipe::parse(cell.recipe, "the sweep's recipe", &cell.overrides)?;
            Ok(Cell { name: names.next(&cell.values), values: cell.values.clone(), recipe })
        })?;
        let texts = cells.iter().map(|cell| cell.params().to_toml()).collect::<Result<Vec<_>>>()?;
        let mut first = HashMap::new();
        for (cell, text) in cells.iter().zip(&texts) {
            if let Some(other) = first.insert(text, cell) {
                return Err(description.refuse_twin(&tell(&columns, &cell.values), &tell(&columns, &other.values)));
            }
        }
        Ok(Sweep { description, columns, cells })
    }

    /// That the first cell can be trained with the data that is here, and that every cell fits into memory and as many side by side
    /// as were asked for, before there is any folder.
    ///
    /// # Errors
    /// As [`Trainer::new`], with the cell; [`Error::Memory`] for a cell that does not fit; [`Error::Setting`] for jobs that do not.
    pub fn check_start(&self, folders: &Folders, workers: Workers) -> Result<()> {
        let Some((cell, seed)) = self.cells.first().zip(self.seeds().first()) else { return Ok(()) };
        let tried = Pool::new(1).and_then(|pool| Trainer::new(&cell.recipe, folders, *seed, &pool));
        tried.map(drop).map_err(|error| self.in_cell(cell, cell.recipe.locate(error)))?;
        self.jobs(workers, &(0..self.cells.len()).collect::<Vec<_>>(), folders).map(drop)
    }

    /// What the cells have a value of: keys of a recipe, or what tells the arms of an experiment apart.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The seeds of every cell.
    pub fn seeds(&self) -> &[u64] {
        self.description.seeds()
    }

    /// Every combination of a grid, the last key changing fastest, or every arm of an experiment.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The experiment whose arms the cells are; none if they are those of a grid.
    pub fn origin(&self) -> Option<&Origin> {
        match &self.description {
            Description::Grid(_) => None,
            Description::Arms(arms) => Some(arms.origin()),
        }
    }

    /// What its folder is called unless it is given another name.
    fn folder_name(&self) -> String {
        self.description.folder_name(self.cells.first().map_or("", |cell| &cell.params().name))
    }

    /// The error, with the cell that it is about.
    fn in_cell(&self, cell: &Cell, error: Error) -> Error {
        in_cell(&tell(&self.columns, &cell.values), error)
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
        let values: Vec<String> = sweep.cells().iter().map(|cell| tell(sweep.columns(), &cell.values)).collect();
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
