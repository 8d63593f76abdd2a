//! `dualprop reproduce`

mod list;
mod outcome;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::report::Report;
use dualprop::training::{Experiment, Form, Origin, Speed, Sweep, SweepDirectory, SweepReading};

use crate::cells::{CellOptions, Session, counted};
use crate::stop::{INTERRUPTED, listen_for_stop};

const EXAMPLES: &str = "Examples:
  dualprop reproduce --list                                the experiments, and how long each would take here
  dualprop reproduce mnist --quick                         all arms in a minute or so, to be tried
  dualprop reproduce mnist --seeds 1                       the table, with the first of its seeds
  dualprop reproduce cifar10-minicnn --data-dir ~/data
  dualprop reproduce mnist --set training.epochs=5 --name short
  dualprop reproduce --resume runs/reproduce-mnist         go on with what was interrupted

Every arm is a run directory below the experiment's folder, as the cells of a sweep are; results.csv and results.jsonl in it have a
row for each arm and seed, and are up to date after each that is over. A seed that diverges is a result.

Exit codes: 0 done, 1 failed while running, 2 wrong usage or input, 130 interrupted.";

/// `dualprop reproduce`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReproduceArguments {
    /// The experiment's name (`--list` lists them)
    #[arg(required_unless_present_any = ["resume", "list"])]
    pub(crate) experiment: Option<String>,
    /// A form of it for minutes: fewer images and epochs, small networks, one seed; it reproduces nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// Override a value of the recipes of all arms; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Train the first N of the experiment's seeds only
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<usize>,
    /// Go on with the experiment in this folder: what is finished stays, everything else comes to the same bits
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["experiment", "quick", "set", "seeds", "name", "force", "runs_dir"])]
    pub(crate) resume: Option<PathBuf>,
    /// List the experiments, with their data, trainings, and about how long they take here
    #[arg(long, conflicts_with_all = [
        "experiment", "quick", "set", "seeds", "resume", "name", "force", "runs_dir", "quiet",
    ])]
    pub(crate) list: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub(crate) options: CellOptions,
}

/// Trains every arm that is not over, and prints what came out beside what was published; the exit code of an experiment that was
/// interrupted is [`INTERRUPTED`].
pub(crate) fn run(arguments: &ReproduceArguments) -> Result<u8> {
    let session = Session::new("reproduce", &arguments.options);
    if arguments.list {
        return list::print(&session, arguments.options.json).map(|()| 0);
    }
    // Before anything that takes memory, as the thread that listens does.
    listen_for_stop()?;
    let (directory, subject) = open(arguments, &session)?;
    session.tell(&introduction(&directory, &subject, &session)?);
    let Some(_) = session.train(&directory)? else { return Ok(INTERRUPTED) };
    let reading = SweepReading::load(directory.path())?;
    let report = directory.path().join("report");
    Report::of(&[directory.path().into()], None)?.write(&report)?;
    session.tell(&format!("report: {}\n", report.join("report.html").display()));
    session.print(&outcome::describe(&reading, &subject)?, &outcome::machine_readable(&reading, &subject)?)?;
    Ok(0)
}

/// What a folder is about: the experiment, as far as this version knows it, and which form of it.
struct Subject {
    experiment: Option<Experiment>,
    origin: Origin,
}

impl Subject {
    fn heading(&self) -> String {
        match &self.experiment {
            Some(experiment) => experiment.heading(&self.origin),
            None => format!("{}, which this version does not know", self.origin.name),
        }
    }
}

/// The experiment's folder, new or that of an earlier one. What cannot begin leaves none.
fn open(arguments: &ReproduceArguments, session: &Session) -> Result<(SweepDirectory, Subject)> {
    if let Some(path) = &arguments.resume {
        let directory = SweepDirectory::open(path)?;
        let origin = directory.sweep().origin().cloned().ok_or_else(|| no_experiment(path))?;
        return Ok((directory, Subject { experiment: Experiment::find(&origin.name).ok(), origin }));
    }
    let experiment = Experiment::find(arguments.experiment.as_deref().unwrap_or_default())?;
    let form = Form { quick: arguments.quick, with: arguments.set.clone(), seeds: arguments.seeds };
    let directory = session.begin(experiment.sweep(&form)?)?;
    let origin = Origin { name: experiment.name.into(), quick: form.quick, with: form.with };
    Ok((directory, Subject { experiment: Some(experiment), origin }))
}

fn no_experiment(path: &Path) -> dualprop::Error {
    let problem = "it is a sweep over a grid, not an experiment; go on with it by `dualprop sweep --resume`";
    dualprop::Error::malformed(path, problem)
}

/// What is going to be trained, on what, and about how long that takes.
fn introduction(directory: &SweepDirectory, subject: &Subject, session: &Session) -> Result<String> {
    let sweep = directory.sweep();
    let mut text = format!("{}\n", subject.heading());
    if let Some(experiment) = &subject.experiment {
        text += &format!("  source    {}\n", experiment.source);
        let labels = ["setting"].into_iter().chain(std::iter::repeat(""));
        for (label, sentence) in labels.zip(experiment.setting) {
            text += &format!("  {label:<10}{sentence}\n");
        }
        let changes = experiment.changes(&subject.origin);
        if !changes.is_empty() {
            text += &format!("  changed   {}\n", changes.join(", "));
        }
    }
    let (arms, seeds) = (sweep.cells().len(), sweep.seeds().len());
    let expected = Speed::measure()?.seconds(sweep, session.workers)?;
    let time = expected.map_or("not known, since the data is not".into(), about);
    let expected = format!("{time} for all of it, on this machine as busy as it is now");
    text += &format!("  data      {}\n", data(sweep));
    text += &format!(
        "  trainings {}: {} of {}\n  expected  {expected}\n  folder    {}\n",
        arms * seeds,
        counted(arms, "arm"),
        counted(seeds, "seed"),
        directory.path().display()
    );
    Ok(text)
}

/// The data sets of all arms, each once.
fn data(sweep: &Sweep) -> String {
    let mut names: Vec<&str> = sweep.cells().iter().map(|cell| cell.params().data.dataset.as_str()).collect();
    names.dedup();
    names.join(", ")
}

/// A duration in the unit that fits it.
fn about(seconds: f64) -> String {
    const UNITS: [(f64, &str); 5] =
        [(86_400.0 * 30.0, "months"), (86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds")];
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds >= 1.5 * unit).unwrap_or((1.0, "seconds"));
    let number = seconds / unit;
    if number < 9.5 && unit > 1.0 { format!("about {number:.1} {name}") } else { format!("about {:.0} {name}", number.max(1.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_fits() {
        let found = [0.2, 40.0, 89.0, 100.0, 1200.0, 6000.0, 200_000.0, 1e7].map(about);
        let expected = [
            "about 1 seconds",
            "about 40 seconds",
            "about 89 seconds",
            "about 1.7 minutes",
            "about 20 minutes",
            "about 1.7 hours",
            "about 2.3 days",
            "about 3.9 months",
        ];
        assert_eq!(found, expected);
    }
}
