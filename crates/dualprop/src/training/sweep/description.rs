//! What `sweep.json` holds: all that a sweep is made from, so that a later version of the program trains the same.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, file};

use super::arms::Arms;
use super::cell::{Names, tell};
use super::grid::Grid;
use super::in_cell;
use super::planned::Planned;

/// The file that marks a folder as a sweep's.
pub(super) const SWEEP: &str = "sweep.json";

/// The largest description that is read; a real one has some kilobytes.
const MOST_BYTES: u64 = 1 << 24;

/// One of the ways to say what the cells are. Each has a format number of its own, by which it is known when it is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(in crate::training) enum Description {
    /// Format 1: every combination of values of some keys of one recipe.
    Grid(Grid),
    /// Format 2: the arms of an experiment, each with a recipe and overrides of its own.
    Arms(Arms),
}

impl Description {
    /// What the sweep in this folder is.
    ///
    /// # Errors
    /// [`Error::Read`] and [`Error::Malformed`].
    pub(super) fn load(folder: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let path = folder.join(SWEEP);
        if !path.is_file() {
            return Err(Error::malformed(folder, format!("it is no sweep: it has no {SWEEP}")));
        }
        let text = file::read_text(&path, MOST_BYTES)?;
        let told = |error: serde_json::Error| flaw(folder, &error.to_string());
        let Head { format } = serde_json::from_str(&text).map_err(told)?;
        match format {
            Grid::FORMAT => serde_json::from_str(&text).map(Description::Grid).map_err(told),
            Arms::FORMAT => serde_json::from_str(&text).map(Description::Arms).map_err(told),
            other => Err(flaw(folder, &format!("its format is {other}, expected 1 or 2; a newer version wrote it"))),
        }
    }

    /// The names of what the cells have a value of.
    pub(super) fn columns(&self) -> Vec<String> {
        match self {
            Description::Grid(grid) => grid.columns(),
            Description::Arms(arms) => arms.columns().to_vec(),
        }
    }

    /// The seeds of every cell.
    pub(super) fn seeds(&self) -> &[u64] {
        match self {
            Description::Grid(grid) => grid.seeds(),
            Description::Arms(arms) => arms.seeds(),
        }
    }

    /// What to call the folder of a sweep that was given no name; `recipe` is that of its first cell.
    pub(super) fn folder_name(&self, recipe: &str) -> String {
        match self {
            Description::Grid(_) => format!("{recipe}-sweep"),
            Description::Arms(arms) => arms.origin().folder_name(),
        }
    }

    /// Calls `make` with each cell, once the whole of them is sound; errors name the cell.
    pub(super) fn each_cell<R>(&self, mut make: impl FnMut(&Planned) -> Result<R>) -> Result<Vec<R>> {
        let columns = self.columns();
        let cells = match self {
            Description::Grid(grid) => grid.cells()?,
            Description::Arms(arms) => arms.cells()?,
        };
        let made = |cell: &Planned| make(cell).map_err(|error| in_cell(&tell(&columns, &cell.values), error));
        cells.iter().map(made).collect()
    }

    /// The name of each cell's folder.
    pub(super) fn names(&self) -> Result<HashSet<String>> {
        let columns = self.columns();
        let mut names = Names::of(&columns);
        Ok(self.each_cell(|cell| Ok(names.next(&cell.values)))?.into_iter().collect())
    }

    /// What is wrong with a cell that is the same training as another one.
    pub(super) fn refuse_twin(&self, cell: &str, other: &str) -> Error {
        match self {
            Description::Grid(_) => Error::setting("--grid", cell, format!("it is the same training as {other}; give each once")),
            Description::Arms(_) => {
                let problem = format!("with these overrides it is the same training as {other}; leave out what makes it so");
                Error::setting("--set", cell, problem)
            }
        }
    }
}

/// What is wrong with the description in this folder.
pub(super) fn flaw(folder: &Path, problem: &str) -> Error {
    Error::malformed(folder.join(SWEEP), format!("no description of a sweep: {problem}"))
}
