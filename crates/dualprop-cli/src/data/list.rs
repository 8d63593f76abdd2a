//! `dualprop data list`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use dualprop::data::remote::REMOTES;
use dualprop::data::{Folders, KNOWN, Known, Source};
use serde_json::json;

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop data list
  dualprop data list --data-dir ~/data --json";

/// `dualprop data list`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArguments {
    /// Look for data sets in this folder, instead of $DUALPROP_DATA and the cache folder
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Print one JSON list
    #[arg(long)]
    json: bool,
}

/// What is known of a data set, and where it is.
struct Entry {
    known: &'static Known,
    licence: &'static str,
    citation: &'static str,
    /// Bytes to fetch, where that was published.
    bytes: Option<u64>,
    by_hand: bool,
    /// The folder that it was found in; none: it is part of the program, or nowhere.
    here: Option<PathBuf>,
}

/// Lists the known data sets.
pub(crate) fn run(arguments: &ListArguments) -> Result<()> {
    let folders = Folders::standard(arguments.data_dir.clone());
    let entries = KNOWN.iter().map(|known| Entry::of(known, &folders));
    if arguments.json {
        let list: Vec<serde_json::Value> = entries.map(|entry| entry.json()).collect();
        return output::print(&format!("{}\n", json!(list)));
    }
    let lines: String = entries.map(|entry| entry.line()).collect();
    let header = format!("{:<14}{:>20}{:>12}  {:<16}{}\n", "NAME", "SAMPLES", "SIZE", "HERE", "LICENCE");
    output::print(&format!("{header}{lines}\n`dualprop data fetch NAME` fetches one; `dualprop train` finds it by its name.\n"))
}

impl Entry {
    fn of(known: &'static Known, folders: &Folders) -> Self {
        let remote = REMOTES.iter().find(|remote| remote.name == known.name);
        let source = Source::find(known.name, folders).ok();
        Entry {
            known,
            licence: remote.map_or("CC BY 4.0", |remote| remote.licence),
            citation: remote.map_or(dualprop::data::ATTRIBUTION, |remote| remote.citation),
            bytes: remote.and_then(|remote| remote.bytes()).filter(|bytes| *bytes > 0),
            by_hand: remote.is_some_and(|remote| remote.by_hand.is_some()),
            here: source.filter(|_| remote.is_some()).map(|source| source.folder().to_path_buf()),
        }
    }

    fn embedded(&self) -> bool {
        REMOTES.iter().all(|remote| remote.name != self.known.name)
    }

    fn line(&self) -> String {
        let [training, test] = self.known.published;
        let samples = if test > 0 { format!("{training} + {test}") } else { training.to_string() };
        let size = self.bytes.map_or_else(|| "-".into(), |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)));
        let here = match (&self.here, self.embedded(), self.by_hand) {
            (Some(_), ..) => "yes",
            (None, true, _) => "in the program",
            (None, false, true) => "no, by hand",
            (None, false, false) => "no",
        };
        format!("{:<14}{samples:>20}{size:>12}  {here:<16}{}\n", self.known.name, self.licence)
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.known.name,
            "about": self.known.about,
            "shape": self.known.input.extents(),
            "classes": self.known.classes.len(),
            "samples": self.known.published,
            "licence": self.licence,
            "citation": self.citation,
            "bytes": self.bytes,
            "here": self.here,
        })
    }
}
