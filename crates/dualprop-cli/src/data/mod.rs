//! `dualprop data`

mod fetch;
mod import;
mod list;
mod verify;

use anyhow::Result;
use clap::{Args, Subcommand};

/// `dualprop data`
#[derive(Debug, Args)]
pub(crate) struct DataArguments {
    #[command(subcommand)]
    #[allow(missing_docs)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// List the known data sets, their licences and sizes, and which of them are here
    List(list::ListArguments),
    /// Fetch data sets from where they are published
    Fetch(fetch::FetchArguments),
    /// Hold the files that are here against the published sums
    Verify(verify::VerifyArguments),
    /// Turn a data set into files that training reads in place, without loading them
    Import(import::ImportArguments),
}

/// Does what was asked for.
pub(crate) fn run(arguments: &DataArguments) -> Result<()> {
    match &arguments.command {
        DataCommand::List(arguments) => list::run(arguments),
        DataCommand::Fetch(arguments) => fetch::run(arguments),
        DataCommand::Verify(arguments) => verify::run(arguments),
        DataCommand::Import(arguments) => import::run(arguments),
    }
}
