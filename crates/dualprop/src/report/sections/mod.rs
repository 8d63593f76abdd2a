//! The parts of a report: tables and figures of what its subjects have measured, in the order in which somebody reads them.

mod run;
mod sweep;
mod together;

use std::collections::HashSet;
use std::path::Path;

use crate::base::Result;

use super::document::{Block, Section};
use super::figures::{angles, robustness, stability};
use super::subject::Rows;

pub(super) use run::{lead_of_run, of_run};
pub(super) use sweep::{lead_of_sweep, of_sweep, title_of_sweep};
pub(super) use together::together;

/// The figure of a table of measurements.
pub(super) fn of_rows(rows: &Rows, path: &Path) -> Result<Option<Section>> {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let figure = match rows {
        Rows::Stability(rows) => {
            // A plane varies α_m and α_f apart from each other.
            let alphas = |of_feedback: bool| {
                let of = rows.iter().filter(|row| row.rule == "general");
                of.map(|row| if of_feedback { row.alpha_feedback.to_bits() } else { row.alpha.to_bits() })
                    .collect::<HashSet<_>>()
                    .len()
            };
            let plane = alphas(true) > 1 && alphas(false) > 1;
            Some(stability::figure("stability", rows, plane)?)
        }
        Rows::Robustness(rows) => robustness::figure("robustness", rows)?,
        Rows::Alignment(rows) => angles::of_rows("alignment", &file, rows),
    };
    Ok(figure.map(|figure| Section::new(format!("{}: {file}", rows.title()), vec![Block::Figure(figure)])))
}

/// Mean and standard deviation over the seeds, of one seed its number.
fn mean_text(values: &[f64], text: fn(f64) -> String) -> String {
    match values {
        [] => "–".into(),
        [value] => text(*value),
        values => {
            let (mean, deviation) = crate::training::mean_and_deviation(values);
            format!("{} ± {}", text(mean), text(deviation))
        }
    }
}

/// A percentage to two places, without its sign.
fn hundredths(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "–".into() }
}
