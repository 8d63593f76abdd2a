//! `dualprop sweep`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::training::{CellOutcome, Sweep, SweepDirectory};
use serde_json::{Value, json};

use crate::cells::{CellOptions, Session, accuracy, counted, of_cell, table};
use crate::stop::{INTERRUPTED, listen_for_stop};

const EXAMPLES: &str = "Examples:
  dualprop sweep digits --grid learning.alpha=0,0.5,1 --seeds 5
  dualprop sweep digits --grid learning.rule=dp,dp_transpose --grid learning.beta=0.1,1,10 --seeds 3
  dualprop sweep mnist --set training.epochs=5 --grid 'learning.alpha=0,[0.1,0.2]' --name alphas --data-dir ~/data
  dualprop sweep mnist --grid learning.beta=0.1,1 --name betas --force    replacing runs/betas, once all is over
  dualprop sweep --resume runs/alphas

Every combination of values is a run directory below the sweep's folder; results.csv and results.jsonl in it have a row for each
combination and seed, and are up to date after each that is over. A seed that diverges is a result, and those after it are trained.

Exit codes: 0 done, 1 failed while running, 2 wrong usage or input, 130 interrupted.";

/// `dualprop sweep`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SweepArguments {
    /// A built-in recipe's name (`dualprop recipes` lists them), or the path of a recipe file
    #[arg(required_unless_present = "resume")]
    pub(crate) recipe: Option<String>,
    /// Values for a key of the recipe, each as --set takes it; may be repeated for other keys: every combination is trained
    #[arg(long, value_name = "KEY=V1,V2,…", required_unless_present = "resume")]
    pub(crate) grid: Vec<String>,
    /// Train seeds 0 to N-1 of every combination [default: those of the recipe]
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<usize>,
    /// Override a value of the recipe for every combination; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Go on with the sweep in this folder: what is finished stays, everything else comes to the same bits
    #[arg(long, value_name = "SWEEP", conflicts_with_all = ["recipe", "grid", "seeds", "set", "name", "force", "runs_dir"])]
    pub(crate) resume: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: CellOptions,
}

/// Trains every combination that is not over, and prints what came out; the exit code of a sweep that was interrupted is
/// [`INTERRUPTED`].
pub(crate) fn run(arguments: &SweepArguments) -> Result<u8> {
    // First, since the thread that listens takes memory too.
    listen_for_stop()?;
    let session = Session::new("sweep", &arguments.options);
    let directory = open(arguments, &session)?;
    let (cells, seeds) = (directory.sweep().cells().len(), directory.sweep().seeds().len());
    session.tell(&format!("{}: {} of {}\n", directory.path().display(), counted(cells, "cell"), counted(seeds, "seed")));
    let Some(outcomes) = session.train(&directory)? else { return Ok(INTERRUPTED) };
    session.print(&describe(&directory, &outcomes), &machine_readable(&directory, &outcomes))?;
    Ok(0)
}

/// The sweep's folder, new or that of an earlier one. What cannot begin leaves none.
fn open(arguments: &SweepArguments, session: &Session) -> Result<SweepDirectory> {
    if let Some(path) = &arguments.resume {
        return Ok(SweepDirectory::open(path)?);
    }
    let recipe = arguments.recipe.as_deref().unwrap_or("digits");
    session.begin(Sweep::new(recipe, &arguments.set, &arguments.grid, arguments.seeds)?)
}

/// The table of what was tested: the values of the columns, mean and deviation over the seeds that finished, and how many did not.
fn describe(directory: &SweepDirectory, outcomes: &[CellOutcome]) -> String {
    let sweep = directory.sweep();
    let mut rows = vec![sweep.columns().to_vec()];
    rows[0].extend(["test accuracy", "finished", "diverged"].map(String::from));
    let any_collapsed = outcomes.iter().any(|outcome| outcome.collapsed() > 0);
    rows[0].extend(any_collapsed.then(|| "collapsed".into()));
    for (cell, outcome) in sweep.cells().iter().zip(outcomes) {
        let mut row = cell.values.clone();
        row.extend([accuracy(outcome), outcome.results.len().to_string(), outcome.diverged.len().to_string()]);
        row.extend(any_collapsed.then(|| outcome.collapsed().to_string()));
        rows.push(row);
    }
    let (path, seeds) = (directory.path().display(), counted(sweep.seeds().len(), "seed"));
    let spread = if sweep.seeds().len() > 1 { ", mean ± standard deviation over those that finished" } else { "" };
    let footer = format!("{seeds} of each{spread}; {path}/results.csv and {path}/results.jsonl have a row for each\n");
    table(&rows) + &footer
}

/// The same for a program.
fn machine_readable(directory: &SweepDirectory, outcomes: &[CellOutcome]) -> Value {
    let sweep = directory.sweep();
    let cells: Vec<Value> =
        sweep.cells().iter().zip(outcomes).map(|(cell, of)| of_cell(sweep.columns(), &cell.name, &cell.values, of)).collect();
    json!({ "sweep_directory": directory.path().display().to_string(), "seeds": sweep.seeds(), "cells": cells })
}
