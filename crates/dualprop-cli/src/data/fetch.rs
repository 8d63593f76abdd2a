//! `dualprop data fetch`

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::data::Folders;
use dualprop::data::remote::{FetchEvent, FetchOptions, Remote, fetch};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop data fetch mnist
  dualprop data fetch cifar-10 cifar-100 --data-dir ~/data
  dualprop data fetch svhn --mirror http://mirror.example.org/svhn

A file takes its name only when its SHA-256 is the published one. A fetch that was interrupted goes on with the next call.";

/// `dualprop data fetch`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FetchArguments {
    /// The data sets' names
    #[arg(required = true)]
    names: Vec<String>,
    /// The folder of data sets that takes them, instead of $DUALPROP_DATA or the cache folder
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// An address up to the files' names, tried before the known ones; may be repeated
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    /// Try no other address
    #[arg(long, requires = "mirror")]
    only_mirrors: bool,
    /// Trust a file of which no sum was published if it has this SHA-256
    #[arg(long, value_name = "SHA256")]
    accept_sum: Option<String>,
}

/// Fetches, and says where everything is.
pub(crate) fn run(arguments: &FetchArguments) -> Result<()> {
    let remotes = arguments.names.iter().map(|name| Remote::find(name)).collect::<dualprop::Result<Vec<_>>>()?;
    let folders = Folders::standard(arguments.data_dir.clone());
    let none = || dualprop::Error::setting("--data-dir", "none", "there is no folder for data sets on this machine; name one");
    let folder = folders.iter().next().ok_or_else(none)?;
    let options = FetchOptions {
        mirrors: arguments.mirror.clone(),
        only_mirrors: arguments.only_mirrors,
        accept: arguments.accept_sum.clone(),
        ..FetchOptions::default()
    };
    for remote in remotes {
        let mut shown = Shown { bar: None };
        fetch(remote, folder, &options, &mut |event| shown.hear(event))?;
        output::note(&format!("{}: {}; cite {}\n", remote.name, remote.licence, remote.citation));
    }
    Ok(())
}

/// A bar on a terminal, lines elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    fn hear(&mut self, event: FetchEvent) -> ControlFlow<()> {
        match event {
            FetchEvent::Started { url } => {
                output::note(&format!("{url}\n"));
                self.bar = std::io::stderr().is_terminal().then(bar);
            }
            FetchEvent::Progress { have, all } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(all.unwrap_or(have));
                    bar.set_position(have);
                }
            }
            FetchEvent::Failed { url, problem } => {
                self.clear();
                output::note(&format!("{url}: {problem}\n"));
            }
            FetchEvent::Done(path) => {
                self.clear();
                return printed(&format!("{}\n", path.display()));
            }
            FetchEvent::Present(path) => return printed(&format!("{}: here already\n", path.display())),
        }
        ControlFlow::Continue(())
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Nobody who listens is no reason to stop, a full disk is.
fn printed(text: &str) -> ControlFlow<()> {
    if output::print(text).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn bar() -> ProgressBar {
    let template = "{bar:20} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta}";
    ProgressBar::new(0).with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
