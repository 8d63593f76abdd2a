//! What the folder of a report holds: whoever replaces one, or a run with one in it, removes nothing else.

use std::path::Path;

use crate::base::{Error, Result, file};

/// The folder of the report in that of a run or a sweep.
pub(super) const REPORT: &str = "report";

/// The page, which is written last: where it is, the report is whole.
pub(crate) const PAGE: &str = "report.html";
/// The same as Markdown.
pub(crate) const MARKDOWN: &str = "report.md";
/// The folder of its figures.
pub(crate) const FIGURES: &str = "figures";
/// Locked by the process that writes it.
pub(crate) const LOCK: &str = "lock";

/// That a report can be written into this folder: it is not there yet, is empty, or holds a report and nothing else, for its files
/// would be replaced.
///
/// # Errors
/// [`Error::Malformed`] for a folder with anything else in it, and for what is no folder; [`Error::Read`].
pub fn check(folder: &Path) -> Result<()> {
    let refuse = |path: &Path, problem: &str| {
        Err(Error::malformed(path, format!("{problem}, and a report replaces nothing but reports; choose another folder")))
    };
    if !folder.exists() {
        return Ok(());
    }
    if !folder.is_dir() {
        return refuse(folder, "it is no folder");
    }
    for entry in file::entries(folder)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_link = entry.path().is_symlink();
        let is_ours = match name.as_str() {
            PAGE | MARKDOWN | LOCK => entry.path().is_file(),
            FIGURES => entry.path().is_dir(),
            name => file::is_unfinished(name),
        };
        if is_link || !is_ours {
            return refuse(&entry.path(), "it is no part of a report");
        }
    }
    let figures = folder.join(FIGURES);
    for entry in if figures.is_dir() { file::entries(&figures)? } else { vec![] } {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_figure = name.ends_with(".svg") || name.ends_with(".png") || file::is_unfinished(&name);
        if entry.path().is_symlink() || !entry.path().is_file() || !is_figure {
            return refuse(&entry.path(), "it is no figure");
        }
    }
    Ok(())
}
