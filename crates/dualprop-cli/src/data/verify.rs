//! `dualprop data verify`

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use dualprop::data::remote::{Condition, REMOTES, Remote, verify};
use dualprop::data::{Folders, imported_files};

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop data verify
  dualprop data verify cifar-10 --data-dir ~/data

Exit code 1 if a file is not what it should be; what is missing is only listed.";

/// `dualprop data verify`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct VerifyArguments {
    /// The data sets' names [default: all]
    names: Vec<String>,
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

/// Checks every file; one that is wrong is an error, after all were checked.
pub(crate) fn run(arguments: &VerifyArguments) -> Result<()> {
    let folders = Folders::standard(arguments.data_dir.clone());
    let remotes: Vec<&Remote> = match arguments.names.is_empty() {
        true => REMOTES.iter().collect(),
        false => arguments.names.iter().map(|name| Remote::find(name)).collect::<dualprop::Result<_>>()?,
    };
    let mut wrong = 0;
    for remote in remotes {
        for finding in verify(remote, &folders)? {
            let path = finding.path.display();
            let line = match finding.condition {
                Condition::Right => format!("right    {path}\n"),
                Condition::Missing => format!("missing  {path}\n"),
                Condition::Unpublished { sha256 } => format!("unknown  {path}: no sum was published; its own is {sha256}\n"),
                Condition::Wrong { found, expected } => {
                    wrong += 1;
                    format!("WRONG    {path}: {found}, expected {expected}; `dualprop data fetch {}` replaces it\n", remote.name)
                }
                other => format!("{other:?}  {path}\n"),
            };
            output::print(&line)?;
        }
        for file in imported_files(remote.name, &folders) {
            let checked = file.and_then(|file| file.verify().map(|()| file));
            wrong += usize::from(checked.is_err());
            output::print(&match checked {
                Ok(file) => format!("right    {}\n", file.path().display()),
                Err(error) => format!("WRONG    {error}\n"),
            })?;
        }
    }
    match wrong {
        0 => Ok(()),
        1 => bail!("one file is not what it should be"),
        _ => bail!("{wrong} files are not what they should be"),
    }
}
