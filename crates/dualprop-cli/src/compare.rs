//! `dualprop compare`

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use dualprop::analysis::PairedDifference;
use dualprop::base::Named;
use dualprop::report::comparison_figure;
use dualprop::training::{Against, ComparedRun, Comparison, Metric, compare, write_rows};
use serde::Serialize;

use crate::output;

const EXAMPLES: &str = "Examples:
  dualprop compare runs/digits runs/digits-2
  dualprop compare runs/dp runs/dp-transpose runs/backprop --metric test_loss --out compared.csv
  dualprop compare runs/a/alpha=0 runs/a/alpha=0.5 runs/a/alpha=1 --figure compared.svg

The first run is the baseline. Results of the same seed are paired; seeds that only one of two runs has are left out.";

/// `dualprop compare`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompareArguments {
    /// Run directories that are complete, the baseline first; cells of a sweep are such
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// What is compared: test_accuracy, test_top5, test_loss, validation_accuracy, mean_angle_deg, product_norm, seconds
    #[arg(long, value_name = "NAME", default_value = "test_accuracy")]
    pub(crate) metric: String,
    /// Write a row for each run, as .csv or .jsonl; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Draw the runs and their differences into this .svg; replaced if it exists
    #[arg(long, value_name = "FILE")]
    pub(crate) figure: Option<PathBuf>,
    /// Print one JSON object, with the number of every seed, instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

/// A row of the table; what is not defined is empty.
#[derive(Debug, Serialize)]
struct Row<'a> {
    run: &'a str,
    name: &'a str,
    metric: &'static str,
    n: usize,
    mean: f64,
    std: f64,
    difference: Option<f64>,
    difference_std: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    t: Option<f64>,
    t_p: Option<f64>,
    wilcoxon_p: Option<f64>,
    wilcoxon_smallest_p: Option<f64>,
    d_z: Option<f64>,
}

/// Compares, writes and prints.
pub(crate) fn run(arguments: &CompareArguments) -> Result<()> {
    let CompareArguments { runs, metric, out, figure, json } = arguments;
    let subjects: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    output::check_table(out.as_deref(), &subjects)?;
    output::check_figure(figure.as_deref())?;
    let found = compare(runs, Metric::parse(metric)?)?;
    for warning in &found.warnings {
        output::note(&format!("warning: {warning}\n"));
    }
    let rows = rows(&found);
    if let Some(out) = out {
        write_rows(out, &rows)?;
    }
    if let Some(path) = figure {
        dualprop::base::file::write_atomic(path, comparison_figure(&found).as_bytes())?;
    }
    output::print(&if *json { serde_json::to_string(&found)? + "\n" } else { describe(&found, &rows)? })
}

fn rows(found: &Comparison) -> Vec<Row<'_>> {
    let row = |run, difference| row(found.metric.name(), run, difference);
    let others = found.others.iter().map(|other| row(&other.run, Some(&other.difference)));
    std::iter::once(row(&found.baseline, None)).chain(others).collect()
}

fn row<'a>(metric: &'static str, run: &'a ComparedRun, difference: Option<&PairedDifference>) -> Row<'a> {
    let interval = difference.and_then(|difference| difference.interval);
    let t_test = difference.and_then(|difference| difference.t_test);
    let wilcoxon = difference.and_then(|difference| difference.wilcoxon);
    Row {
        run: &run.run,
        name: &run.name,
        metric,
        n: run.seeds.len(),
        mean: run.mean,
        std: run.deviation,
        difference: difference.map(|difference| difference.mean),
        difference_std: difference.and_then(|difference| difference.deviation),
        ci_low: interval.map(|interval| interval.0),
        ci_high: interval.map(|interval| interval.1),
        t: t_test.map(|test| test.t),
        t_p: t_test.map(|test| test.p),
        wilcoxon_p: wilcoxon.map(|test| test.p),
        wilcoxon_smallest_p: wilcoxon.map(|test| test.smallest_p),
        d_z: difference.and_then(|difference| difference.effect),
    }
}

fn describe(found: &Comparison, rows: &[Row]) -> Result<String> {
    let header = ["run", "n", "mean ± std", "difference ± std", "95 % interval", "t-test p", "Wilcoxon p (least)", "d_z"];
    // A percentage, an angle and a time are known well enough by hundredths.
    let decimals = if [Metric::TestLoss, Metric::ProductNorm].contains(&found.metric) { 4 } else { 2 };
    let cells = rows.iter().map(|row| cells(row, decimals));
    let lines: Vec<[String; 8]> = std::iter::once(header.map(String::from)).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let mut text = format!("{}, paired by seed\n", found.metric.name());
    for line in &lines {
        write!(text, "{:<1$}", line[0], width(0))?;
        line.iter().enumerate().skip(1).try_for_each(|(k, cell)| write!(text, "  {cell:>0$}", width(k)))?;
        writeln!(text)?;
    }
    writeln!(text)?;
    found.others.iter().for_each(|other| text += &left_out(&found.baseline, other));
    text += "A difference is a run's number minus that of the first run, over the seeds that both have; p is how likely one at least \
             as\nlarge is by chance alone, and Wilcoxon's p cannot fall below the least that so many pairs allow.\n";
    Ok(text)
}

fn cells(row: &Row, decimals: usize) -> [String; 8] {
    let number = |value: f64| format!("{value:.decimals$}");
    let none = || "-".to_string();
    let spread = |mean: f64, std: Option<f64>| match std {
        Some(std) => format!("{} ± {}", number(mean), number(std)),
        None => number(mean),
    };
    let p = |p: f64| if p < 1e-3 { format!("{p:.1e}") } else { format!("{p:.3}") };
    let wilcoxon = row.wilcoxon_p.zip(row.wilcoxon_smallest_p).map(|(found, least)| format!("{} ({})", p(found), p(least)));
    [
        row.run.into(),
        row.n.to_string(),
        spread(row.mean, (row.n > 1).then_some(row.std)),
        row.difference.map_or_else(none, |difference| spread(difference, row.difference_std)),
        row.ci_low.zip(row.ci_high).map_or_else(none, |(low, high)| format!("{} to {}", number(low), number(high))),
        row.t_p.map_or_else(none, p),
        wilcoxon.unwrap_or_else(none),
        row.d_z.map_or_else(none, |effect| format!("{effect:.2}")),
    ]
}

/// Which seeds do not count, and why there are no tests where there are none.
fn left_out(baseline: &ComparedRun, other: &Against) -> String {
    let mut text = String::new();
    for (seeds, run) in [(&other.only_in_baseline, baseline), (&other.only_here, &other.run)] {
        if !seeds.is_empty() {
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            let s = if seeds.len() > 1 { "s" } else { "" };
            let pair = format!("{} and {}", baseline.run, other.run.run);
            text += &format!("{pair}: seed{s} {} left out, which only {} has\n", seeds.join(", "), run.run);
        }
    }
    let run = &other.run.run;
    let difference = &other.difference;
    if difference.pairs < 2 {
        text += &format!("{run}: no tests, since a single pair says nothing of chance; train more seeds\n");
    } else if difference.t_test.is_none() {
        text += &format!("{run}: no t-test, since all its differences are the same\n");
    }
    text
}
