//! What came out of an experiment, beside what was published.

use anyhow::Result;
use dualprop::training::{CellReading, Published, Quantity, SweepReading, mean_and_deviation};
use serde_json::{Value, json};

use super::Subject;
use crate::cells::{accuracy, counted, of_cell, spread, table};

/// What is known of an arm.
struct Arm<'a> {
    cell: CellReading<'a>,
    product_norm: (Option<(f64, f64)>, usize),
    published: Option<&'static Published>,
}

fn arms<'a>(reading: &'a SweepReading, subject: &Subject) -> Result<Vec<Arm<'a>>> {
    let arm = |cell: CellReading<'a>| {
        let norms = cell.product_norms()?;
        let product_norm = ((!norms.is_empty()).then(|| mean_and_deviation(&norms)), norms.len());
        let experiment = subject.experiment.as_ref();
        let published = experiment.and_then(|of| of.published_of(cell.values, Quantity::TestAccuracy));
        Ok(Arm { cell, product_norm, published })
    };
    reading.cells().map(arm).collect()
}

/// The table, with a row for each arm, and who published what is beside it.
pub(super) fn describe(reading: &SweepReading, subject: &Subject) -> Result<String> {
    let arms = arms(reading, subject)?;
    let has_norms = arms.iter().any(|arm| arm.product_norm.0.is_some());
    let has_top5 = subject.experiment.as_ref().is_some_and(|of| of.quantities.contains(&Quantity::TestTop5));
    let mut rows = vec![reading.columns().to_vec()];
    rows[0].push("test accuracy".into());
    rows[0].extend(has_top5.then(|| "top-5".into()));
    rows[0].extend(has_norms.then(|| "product norm".into()));
    rows[0].extend(["finished", "diverged", "collapsed", "published"].map(String::from));
    for Arm { cell, product_norm, published } in &arms {
        let Some(outcome) = cell.outcome else { continue };
        let finished = outcome.results.len();
        let mut row = cell.values.to_vec();
        row.push(accuracy(outcome));
        row.extend(has_top5.then(|| spread(outcome.test_top5(), finished, " %")));
        row.extend(has_norms.then(|| spread(product_norm.0, product_norm.1, "")));
        row.extend([finished, outcome.diverged.len(), outcome.collapsed()].map(|number| number.to_string()));
        row.push(published.map_or("not available".into(), |published| format!("{} %", published.value)));
        rows.push(row);
    }
    let mut text = format!("{}\n{}", subject.heading(), table(&rows));
    let (path, seeds) = (reading.path().display(), counted(reading.seeds().len(), "seed"));
    let spread = if reading.seeds().len() > 1 { ", mean ± standard deviation over those that finished" } else { "" };
    text += &format!("{seeds} of each{spread}; {path}/results.csv and {path}/results.jsonl have a row for each\n");
    for published in arms.iter().filter_map(|arm| arm.published) {
        text += &format!("published: {} of {} is {}\n", published.value, published.values.join(" "), published.source);
    }
    Ok(text)
}

/// The same for a program.
pub(super) fn machine_readable(reading: &SweepReading, subject: &Subject) -> Result<Value> {
    let mut cells = vec![];
    for Arm { cell, product_norm: (norm, _), published } in arms(reading, subject)? {
        let Some(outcome) = cell.outcome else { continue };
        let mut value = of_cell(reading.columns(), cell.name, cell.values, outcome);
        value["test_top5"] = outcome.test_top5().map(|(mean, _)| mean).into();
        value["product_norm"] = norm.map(|(mean, _)| mean).into();
        value["product_norm_std"] = norm.map(|(_, deviation)| deviation).into();
        value["published"] = published.map_or(Value::Null, |of| json!({ "test_accuracy": of.value, "source": of.source }));
        cells.push(value);
    }
    Ok(json!({
        "experiment": subject.origin.name,
        "title": subject.heading(),
        "quick": subject.origin.quick,
        "with": subject.origin.with,
        "sweep_directory": reading.path().display().to_string(),
        "seeds": reading.seeds(),
        "cells": cells,
    }))
}
