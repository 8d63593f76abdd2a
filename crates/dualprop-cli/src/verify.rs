//! `dualprop verify`

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use dualprop::data::Folders;
use dualprop::training::{Verification, verify};

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop verify runs/digits
  dualprop verify runs/mnist --data-dir ~/data --threads 1

The first epoch of every seed is trained again in a temporary folder; the run is only read.

Exit codes: 0 every bit is the same, 1 something differs, 2 wrong usage or input.";

/// `dualprop verify`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArguments {
    /// The folder of the run
    pub(crate) run: PathBuf,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads, 0 for one per core; never changes a result [default: those of the run]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// Trains the first epoch again and tells what differs.
pub(crate) fn run(arguments: &VerifyArguments) -> Result<()> {
    let folders = Folders::standard(arguments.data_dir.clone());
    let found = verify(&arguments.run, &folders, arguments.threads)?;
    output::print(&describe(&found)?)?;
    match found.iter().all(|seed| seed.differences.is_empty()) {
        true => Ok(()),
        false => {
            bail!("{}: it does not give the same bits again; environment.json in it says what it ran on", arguments.run.display())
        }
    }
}

/// Differences of a seed that are printed.
const SHOWN: usize = 20;

fn describe(found: &[Verification]) -> Result<String> {
    let mut text = String::new();
    for Verification { seed, lines, parameters_sha256, differences } in found {
        if differences.is_empty() {
            writeln!(text, "seed {seed}: the same bits ({lines} lines of metrics; parameters {parameters_sha256})")?;
            continue;
        }
        writeln!(text, "seed {seed}: {} of the numbers in {lines} lines of metrics differ", differences.len())?;
        // What was learnt comes first, then what was measured on the way.
        let (learnt, measured): (Vec<_>, Vec<_>) =
            differences.iter().partition(|difference| difference.key == "parameters_sha256");
        for difference in learnt.into_iter().chain(measured).take(SHOWN) {
            writeln!(text, "  line {}, {}", difference.line, difference.key)?;
            writeln!(text, "    kept      {}", difference.kept)?;
            writeln!(text, "    repeated  {}", difference.repeated)?;
        }
        if differences.len() > SHOWN {
            writeln!(text, "  and {} more", differences.len() - SHOWN)?;
        }
    }
    Ok(text)
}
