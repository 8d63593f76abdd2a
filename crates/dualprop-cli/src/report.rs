//! `dualprop report`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::Error;
use dualprop::compute::Pool;
use dualprop::data::Folders;
use dualprop::report::{Models, Report};
use dualprop::training::check_report_folder;

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop report runs/digits                              runs/digits/report/report.html
  dualprop report runs/mnist runs/mnist-2 --out both       two runs beside each other
  dualprop report runs/digits-sweep                        a sweep, or an experiment of `dualprop reproduce`
  dualprop report stability.csv robustness.csv --out maps  tables that measuring commands have written by --out

The folder gets report.html, which needs no network and no other file, report.md, and figures/ with every figure as SVG and PNG.
Runs that are still at work may be looked at.";

/// `dualprop report`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReportArguments {
    /// Run directories, folders of sweeps and experiments, tables of `stability`, `robustness` and `alignment`
    #[arg(value_name = "RUN|SWEEP|TABLE", required = true)]
    pub(crate) subjects: Vec<PathBuf>,
    /// The folder of the report; an earlier report is replaced [default: report/ in the only run or sweep]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Leave out what needs the models of the runs and their data: confusion matrix, histograms of states, filters
    #[arg(long)]
    pub(crate) no_models: bool,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_models")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads that the models are evaluated by, 0 for one per core; never changes a result
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "no_models")]
    pub(crate) threads: usize,
}

/// Makes the report, and says where it is.
pub(crate) fn run(arguments: &ReportArguments) -> Result<()> {
    let folder = match (&arguments.out, &arguments.subjects[..]) {
        (Some(folder), _) => folder.clone(),
        // Of what is not there the report says so itself.
        (None, [subject]) if !subject.is_file() => subject.join("report"),
        (None, subjects) => {
            let problem = "give the folder of the report: it is about several things, or about a table";
            return Err(Error::setting("--out", format!("none for {} subjects", subjects.len()), problem).into());
        }
    };
    // Before anything is computed for it.
    check_report_folder(&folder)?;
    let (folders, pool) = (Folders::standard(arguments.data_dir.clone()), Pool::new(arguments.threads)?);
    let models = Models { folders: &folders, pool: &pool };
    let report = Report::of(&arguments.subjects, (!arguments.no_models).then_some(&models))?;
    report.write(&folder)?;
    let figures = report.figures();
    let plural = if figures == 1 { "" } else { "s" };
    output::print(&format!("{}: {figures} figure{plural}\n", folder.join("report.html").display()))
}
