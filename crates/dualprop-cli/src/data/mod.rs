//! `dualprop data`

mod import;

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
    /// Turn a data set into files that training reads in place, without loading them
    Import(import::ImportArguments),
}

/// Does what was asked for.
pub(crate) fn run(arguments: &DataArguments) -> Result<()> {
    match &arguments.command {
        DataCommand::Import(arguments) => import::run(arguments),
    }
}
