//! Several runs beside each other.

use crate::report::document::{Block, Section, Table};
use crate::report::figures::{angles, arms, curves};
use crate::report::subject::Run;
use crate::training::SeedResult;

use super::{hundredths, mean_text};
use crate::report::figure::number;

/// A table of their results, their accuracies and norms, and their curves.
pub(in crate::report) fn together(runs: &[&Run]) -> Vec<Section> {
    let mut table =
        Table::new("Mean ± standard deviation over the seeds.", &["run", "#seeds", "#test accuracy in %", "#‖∏ₖ Wₖ‖₂"]);
    for run in runs {
        let accuracies: Vec<f64> = results(run, |result| result.test.accuracy).into_iter().map(|(_, value)| value).collect();
        let norms: Vec<f64> = run.product_norms().into_iter().map(|(_, norm)| norm).collect();
        table.rows.push(vec![
            run.name.clone(),
            run.seeds.len().to_string(),
            mean_text(&accuracies, hundredths),
            mean_text(&norms, number),
        ]);
    }
    let arms_of = |value: &dyn Fn(&Run) -> Vec<(u64, f64)>| runs.iter().map(|run| (run.name.clone(), value(run))).collect();
    let quantities = [
        arms::Quantity {
            label: "test accuracy in %",
            logarithmic: false,
            arms: arms_of(&|run| results(run, |result| result.test.accuracy)),
        },
        arms::Quantity { label: "‖∏ₖ Wₖ‖₂", logarithmic: true, arms: arms_of(&Run::product_norms) },
    ];
    let mut blocks = vec![Block::Table(table)];
    blocks.extend(arms::figure("results", "Results", arms::CAPTION, &quantities).map(Block::Figure));
    let group = (String::new(), runs.iter().map(|run| (run.name.clone(), *run)).collect());
    let seeds = runs.iter().map(|run| run.seeds.len()).max().unwrap_or(1);
    let mut sections = vec![Section::new("All runs", blocks)];
    sections.extend(Section::of_figures("All curves", curves::of_runs(&[group], seeds).into_iter().chain(angles::maps(runs))));
    sections
}

fn results(run: &Run, value: fn(&SeedResult) -> f64) -> Vec<(u64, f64)> {
    run.summary.iter().flat_map(|summary| &summary.results).map(|result| (result.seed, value(result))).collect()
}
