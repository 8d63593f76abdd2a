//! `dualprop sweep`

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::data::Folders;
use dualprop::training::{Cell, CellOutcome, Destination, Event, Outcome, Sweep, SweepDirectory, SweepEvent, Workers};
use serde_json::{Map, Value, json};

use crate::output::{self, Advice, folder_option, quoted};
use crate::stop::{INTERRUPTED, is_stopping, listen_for_stop};

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
    /// Name the sweep's folder; without it, a free name is made from the recipe's
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Replace the sweep or the run of that name, which is kept until this sweep is complete
    #[arg(long, requires = "name")]
    pub(crate) force: bool,
    /// The folder that holds the sweep's
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub(crate) runs_dir: PathBuf,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Combinations that are trained side by side, 0 for as many as there are cores for and as fit into memory; never changes a
    /// result
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) jobs: usize,
    /// Threads of each, 0 for one per core; never changes a result
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Print the result and warnings only
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// End with one JSON object on a line of standard output; everything else goes to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

/// Trains every combination that is not over, and prints what came out; the exit code of a sweep that was interrupted is
/// [`INTERRUPTED`].
pub(crate) fn run(arguments: &SweepArguments) -> Result<u8> {
    let folders = Folders::standard(arguments.data_dir.clone());
    let workers = Workers { jobs: arguments.jobs, threads: arguments.threads };
    // First, since the thread that listens takes memory too.
    listen_for_stop()?;
    let directory = open(arguments, &folders, workers)?;
    let cells = directory.sweep().cells().len();
    let seeds = directory.sweep().seeds().len();
    if !arguments.quiet {
        output::note(&format!("{}: {cells} cells of {}\n", directory.path().display(), counted(seeds, "seed")));
    }
    let hear = |event: SweepEvent| {
        hear(&event, cells, arguments.quiet);
        if is_stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let outcome =
        directory.run(&folders, workers, &hear).map_err(|error| with_how_to_go_on(error, directory.path(), arguments))?;
    let Outcome::Finished(outcomes) = outcome else {
        output::note(&format!("interrupted; everything is kept. Go on with: {}\n", go_on(directory.path(), arguments)));
        return Ok(INTERRUPTED);
    };
    let text = describe(&directory, &outcomes)?;
    if !arguments.json {
        output::print(&text)?;
        return Ok(0);
    }
    if !arguments.quiet {
        output::note(&text);
    }
    output::print(&format!("{}\n", machine_readable(&directory, &outcomes)))?;
    Ok(0)
}

/// The sweep's folder, new or that of an earlier one. What cannot begin leaves none.
fn open(arguments: &SweepArguments, folders: &Folders, workers: Workers) -> Result<SweepDirectory> {
    if let Some(path) = &arguments.resume {
        return Ok(SweepDirectory::open(path)?);
    }
    let recipe = arguments.recipe.as_deref().unwrap_or("digits");
    let sweep = Sweep::new(recipe, &arguments.set, &arguments.grid, arguments.seeds)?;
    sweep.check_start(folders, workers)?;
    let SweepArguments { runs_dir, name, force, .. } = arguments;
    let destination = Destination { root: runs_dir.clone(), name: name.clone(), force: *force };
    Ok(SweepDirectory::create(&destination, sweep)?)
}

/// The command that goes on with a sweep.
fn go_on(path: &Path, arguments: &SweepArguments) -> String {
    let data = folder_option("--data-dir", arguments.data_dir.as_deref());
    format!("{} sweep --resume {}{data}", output::program(), quoted(path))
}

/// What a sweep that has failed has kept, and how to go on.
fn with_how_to_go_on(error: dualprop::Error, path: &Path, arguments: &SweepArguments) -> anyhow::Error {
    let advice = format!(
        "the sweep has failed; what its cells had kept is safe in {}\nonce the cause is gone, go on with: {}\n",
        quoted(path),
        go_on(path, arguments)
    );
    anyhow::Error::new(error).context(Advice(advice))
}

/// A line for a warning, and for each cell that is over.
fn hear(event: &SweepEvent, cells: usize, quiet: bool) {
    match event {
        SweepEvent::FewerJobs { jobs, cores, needed, available } if !quiet => {
            let (needed, available) = (needed >> 20, available >> 20);
            output::note(&format!(
                "{} at a time: {cores} side by side would need {needed} MiB of memory, and {available} MiB are available\n",
                counted(*jobs, "cell")
            ));
        }
        SweepEvent::Training(cell, Event::Warning(text)) => output::note(&format!("warning: {}: {text}\n", cell.name)),
        SweepEvent::Ended { cell, outcome, done } if !quiet => {
            output::note(&format!("{done:>3}/{cells}  {}  {}\n", cell.name, result(outcome)));
        }
        _ => {}
    }
}

/// What came out of a cell, in a few words.
fn result(outcome: &CellOutcome) -> String {
    let seeds = outcome.results.len() + outcome.diverged.len();
    let mut text = accuracy(outcome);
    match &outcome.diverged[..] {
        [] => {}
        [only] if seeds == 1 => text = format!("diverged at step {}", only.step),
        diverged if diverged.len() == seeds => text = format!("all {seeds} seeds diverged"),
        diverged => text += &format!("  {} of {seeds} seeds diverged", diverged.len()),
    }
    match collapsed(outcome) {
        0 => text,
        number => text + &format!("  {} collapsed", counted(number, "seed")),
    }
}

/// Mean and deviation of the accuracy on the test samples over the seeds that finished.
fn accuracy(outcome: &CellOutcome) -> String {
    match outcome.test_accuracy() {
        None => "-".into(),
        Some((mean, _)) if outcome.results.len() == 1 => format!("{mean:.2} %"),
        Some((mean, deviation)) => format!("{mean:.2} % ± {deviation:.2}"),
    }
}

/// How many seeds were stopped because they had collapsed.
fn collapsed(outcome: &CellOutcome) -> usize {
    outcome.results.iter().filter(|result| result.collapsed.is_some()).count()
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The table of what was tested: the values of the grid, mean and deviation over the seeds that finished, and how many did not.
fn describe(directory: &SweepDirectory, outcomes: &[CellOutcome]) -> Result<String> {
    let sweep = directory.sweep();
    let mut rows: Vec<Vec<String>> = vec![sweep.grid().iter().map(|axis| axis.key.clone()).collect()];
    rows[0].extend(["test accuracy", "finished", "diverged"].map(String::from));
    let any_collapsed = outcomes.iter().any(|outcome| collapsed(outcome) > 0);
    rows[0].extend(any_collapsed.then(|| "collapsed".into()));
    for (cell, outcome) in sweep.cells().iter().zip(outcomes) {
        let mut row = cell.values.clone();
        row.extend([accuracy(outcome), outcome.results.len().to_string(), outcome.diverged.len().to_string()]);
        row.extend(any_collapsed.then(|| collapsed(outcome).to_string()));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        writeln!(text, "{}", line.join("  ").trim_end())?;
    }
    let (path, seeds) = (directory.path().display(), counted(sweep.seeds().len(), "seed"));
    let spread = if sweep.seeds().len() > 1 { ", mean ± standard deviation over those that finished" } else { "" };
    writeln!(text, "{seeds} of each{spread}; {path}/results.csv and {path}/results.jsonl have a row for each")?;
    Ok(text)
}

/// The same for a program.
fn machine_readable(directory: &SweepDirectory, outcomes: &[CellOutcome]) -> Value {
    let sweep = directory.sweep();
    let of_cell = |(cell, outcome): (&Cell, &CellOutcome)| {
        let values: Map<String, Value> =
            sweep.grid().iter().zip(&cell.values).map(|(axis, value)| (axis.key.clone(), value.as_str().into())).collect();
        let (test, validation) = (outcome.test_accuracy(), outcome.validation_accuracy());
        json!({
            "cell": cell.name,
            "values": values,
            "test_accuracy": test.map(|(mean, _)| mean),
            "test_accuracy_std": test.map(|(_, deviation)| deviation),
            "validation_accuracy": validation.map(|(mean, _)| mean),
            "finished": outcome.results.len(),
            "collapsed": collapsed(outcome),
            "diverged": outcome.diverged,
        })
    };
    let cells: Vec<Value> = sweep.cells().iter().zip(outcomes).map(of_cell).collect();
    json!({ "sweep_directory": directory.path().display().to_string(), "seeds": sweep.seeds(), "cells": cells })
}
