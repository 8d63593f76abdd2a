//! Figures and reports of what was measured.
//!
//! A [`Report`] reads runs, sweeps, experiments and tables of measurements, and becomes a folder: a page that needs nothing else, the
//! same as Markdown, and every figure as SVG and PNG. A figure is drawn once: the page embeds the file that a paper takes.

mod document;
mod figure;
mod figures;
mod files;
mod page;
mod sections;
mod subject;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::compute::Pool;
use crate::data::Folders;

use document::Document;
use subject::{Run, Subject};

pub use figures::comparison::comparison_figure;
pub use figures::stability::stability_map;

/// A report, made and not yet written.
pub struct Report {
    document: Document,
}

/// What of a run's models is looked at besides what the run has written down.
#[derive(Clone, Copy)]
pub struct Models<'a> {
    /// Where the data sets are.
    pub folders: &'a Folders,
    /// What predicts.
    pub pool: &'a Pool,
}

impl Report {
    /// Reads the subjects at these paths: run directories, folders of sweeps and experiments, and tables of `dualprop stability`,
    /// `robustness` and `alignment`. With `models`, the trained networks of the runs that are named are looked at as well: which
    /// classes they confuse, and how their states are distributed; data that is not here is no error, but said.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`] for a path at which there is none of them; as each is read; as a model is evaluated.
    pub fn of(paths: &[PathBuf], models: Option<&Models>) -> Result<Self> {
        let subjects = paths.iter().map(|path| Subject::load(path)).collect::<Result<Vec<_>>>()?;
        let mut document = Document { title: title(&subjects), ..Document::default() };
        let runs: Vec<&Run> = subjects.iter().filter_map(Subject::run).collect();
        if runs.len() > 1 {
            document.sections.extend(sections::together(&runs));
        }
        for (subject, path) in subjects.iter().zip(paths) {
            match subject {
                Subject::Run(run) => document.sections.extend(sections::of_run(run, models, subjects.len() > 1)?),
                Subject::Sweep(sweep) => {
                    document.lead.extend(sections::lead_of_sweep(sweep));
                    document.sections.extend(sections::of_sweep(sweep));
                }
                Subject::Rows(rows) => document.sections.extend(sections::of_rows(rows, path)?),
            }
        }
        document.lead.extend(runs.first().filter(|_| subjects.len() == 1).map(|run| sections::lead_of_run(run)));
        document.colophon.push(format!("Made by dualprop {} from {}.", env!("CARGO_PKG_VERSION"), joined(paths)));
        document.name_apart();
        Ok(Report { document })
    }

    /// How many figures it has.
    pub fn figures(&self) -> usize {
        self.document.figures().count()
    }

    /// Writes the report into a folder, which is made: `report.html`, `report.md`, and `figures/` with every figure as SVG and PNG. A
    /// report that was there is replaced, the page last, and figures of it that are no more are removed.
    ///
    /// # Errors
    /// As [`crate::training::check_report_folder`]; [`crate::Error::Busy`] while another process writes there; [`crate::Error::Write`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        files::write(&self.document, folder)
    }
}

fn title(subjects: &[Subject]) -> String {
    match subjects {
        [Subject::Run(run)] => run.name.clone(),
        [Subject::Sweep(sweep)] => sections::title_of_sweep(sweep),
        [Subject::Rows(rows)] => rows.title().into(),
        subjects => {
            let names: Vec<&str> = subjects.iter().filter_map(Subject::name).collect();
            if names.is_empty() { "Measurements".into() } else { names.join(", ") }
        }
    }
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
