//! A report as a folder of files.

use std::path::{Path, PathBuf};

use crate::base::{Error, Result, file};
use crate::training::report_folder::{FIGURES, LOCK, MARKDOWN, PAGE, check};

use super::document::Document;
use super::page;

/// Writes the document, and removes the figures of an earlier report that it does not have.
pub(super) fn write(document: &Document, folder: &Path) -> Result<()> {
    check(folder)?;
    let figures = folder.join(FIGURES);
    file::create_folder(&figures)?;
    let _held = file::lock(&folder.join(LOCK), folder)?;
    file::remove_unfinished(folder);
    file::remove_unfinished(&figures);
    let mut written: Vec<PathBuf> = vec![];
    for figure in document.figures() {
        for (extension, bytes) in [("svg", figure.svg().into_bytes()), ("png", figure.png())] {
            let path = figures.join(format!("{}.{extension}", figure.name));
            file::write_atomic(&path, &bytes)?;
            written.push(path);
        }
    }
    file::write_atomic(&folder.join(MARKDOWN), page::markdown(document).as_bytes())?;
    file::write_atomic(&folder.join(PAGE), page::html(document).as_bytes())?;
    for entry in file::entries(&figures)? {
        if !written.contains(&entry.path()) {
            std::fs::remove_file(entry.path()).map_err(|source| Error::Write { path: entry.path(), source })?;
        }
    }
    Ok(())
}
