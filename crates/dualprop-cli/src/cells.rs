//! What `sweep` and `reproduce` have in common: cells that are trained side by side into one folder.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::data::Folders;
use dualprop::training::{CellOutcome, Destination, Event, Outcome, Sweep, SweepDirectory, SweepEvent, Workers};
use serde_json::{Map, Value, json};

use crate::output::{self, Advice, folder_option, quoted};
use crate::stop::is_stopping;

/// Where cells are trained, and how many of them at a time.
#[derive(Debug, Args)]
pub(crate) struct CellOptions {
    /// Name the folder; without it, a free name is made
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Replace the sweep or the run of that name, which is kept until this one is complete
    #[arg(long, requires = "name")]
    pub(crate) force: bool,
    /// The folder that holds the new one
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub(crate) runs_dir: PathBuf,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Cells that are trained side by side, 0 for as many as there are cores for and as fit into memory; never changes a result
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

/// One call of the command `command`.
pub(crate) struct Session<'a> {
    command: &'static str,
    options: &'a CellOptions,
    pub(crate) folders: Folders,
    pub(crate) workers: Workers,
}

impl<'a> Session<'a> {
    pub(crate) fn new(command: &'static str, options: &'a CellOptions) -> Self {
        let workers = Workers { jobs: options.jobs, threads: options.threads };
        Session { command, options, folders: Folders::standard(options.data_dir.clone()), workers }
    }

    /// The folder of a new sweep. What cannot begin leaves none.
    pub(crate) fn begin(&self, sweep: Sweep) -> Result<SweepDirectory> {
        sweep.check_start(&self.folders, self.workers)?;
        let CellOptions { runs_dir, name, force, .. } = self.options;
        let destination = Destination { root: runs_dir.clone(), name: name.clone(), force: *force };
        Ok(SweepDirectory::create(&destination, sweep)?)
    }

    /// Trains every cell that is not over; none if the user interrupted it, who is told how to go on.
    pub(crate) fn train(&self, directory: &SweepDirectory) -> Result<Option<Vec<CellOutcome>>> {
        let cells = directory.sweep().cells().len();
        let listen = |event: SweepEvent| {
            hear(&event, cells, self.options.quiet);
            if is_stopping() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let path = directory.path();
        match directory.run(&self.folders, self.workers, &listen).map_err(|error| self.with_how_to_go_on(error, path))? {
            Outcome::Finished(outcomes) => Ok(Some(outcomes)),
            Outcome::Interrupted => {
                output::note(&format!("interrupted; everything is kept. Go on with: {}\n", self.go_on(path)));
                Ok(None)
            }
        }
    }

    /// What is nice to know.
    pub(crate) fn tell(&self, text: &str) {
        if !self.options.quiet {
            output::note(text);
        }
    }

    /// The result, for a person or a program.
    pub(crate) fn print(&self, text: &str, value: &Value) -> Result<()> {
        if !self.options.json {
            return output::print(text);
        }
        self.tell(text);
        output::print(&format!("{value}\n"))
    }

    /// The command that goes on.
    fn go_on(&self, path: &Path) -> String {
        let data = folder_option("--data-dir", self.options.data_dir.as_deref());
        format!("{} {} --resume {}{data}", output::program(), self.command, quoted(path))
    }

    /// What has been kept in spite of an error, and how to go on.
    fn with_how_to_go_on(&self, error: dualprop::Error, path: &Path) -> anyhow::Error {
        let advice = format!(
            "the sweep has failed; what its cells had kept is safe in {}\nonce the cause is gone, go on with: {}\n",
            quoted(path),
            self.go_on(path)
        );
        anyhow::Error::new(error).context(Advice(advice))
    }
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
    match outcome.collapsed() {
        0 => text,
        number => text + &format!("  {} collapsed", counted(number, "seed")),
    }
}

/// Mean and deviation of the accuracy on the test samples over the seeds that finished.
pub(crate) fn accuracy(outcome: &CellOutcome) -> String {
    spread(outcome.test_accuracy(), outcome.results.len(), " %")
}

/// Mean and deviation of so many numbers.
pub(crate) fn spread(value: Option<(f64, f64)>, numbers: usize, unit: &str) -> String {
    match value {
        None => "-".into(),
        Some((mean, _)) if numbers == 1 => format!("{mean:.2}{unit}"),
        Some((mean, deviation)) => format!("{mean:.2}{unit} ± {deviation:.2}"),
    }
}

pub(crate) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Rows as lines, with columns as wide as their widest.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A cell with what came out of it, for a program.
pub(crate) fn of_cell(columns: &[String], name: &str, values: &[String], outcome: &CellOutcome) -> Value {
    let value = |text: &String| if text.is_empty() { Value::Null } else { text.as_str().into() };
    let values: Map<String, Value> = columns.iter().cloned().zip(values.iter().map(value)).collect();
    let (test, validation) = (outcome.test_accuracy(), outcome.validation_accuracy());
    json!({
        "cell": name,
        "values": values,
        "test_accuracy": test.map(|(mean, _)| mean),
        "test_accuracy_std": test.map(|(_, deviation)| deviation),
        "validation_accuracy": validation.map(|(mean, _)| mean),
        "finished": outcome.results.len(),
        "collapsed": outcome.collapsed(),
        "diverged": outcome.diverged,
    })
}
