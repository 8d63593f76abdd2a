//! A sweep, or an experiment.

use crate::report::document::{Block, Section, Table};
use crate::report::figure::{Figure, number};
use crate::report::figures::{angles, arms, curves, grids, norms};
use crate::report::subject::{Run, SweptRun, SweptRuns, described, method};
use crate::training::{Quantity, SeedResult};

use super::{hundredths, mean_text};

/// The title of a report that is about this sweep.
pub(in crate::report) fn title_of_sweep(sweep: &SweptRuns) -> String {
    sweep.experiment.as_ref().map_or_else(|| sweep.name.clone(), |(experiment, origin)| experiment.heading(origin))
}

/// What is compared, and where it was published.
pub(in crate::report) fn lead_of_sweep(sweep: &SweptRuns) -> Vec<String> {
    match &sweep.experiment {
        Some((experiment, _)) => vec![format!("Experiment {}: {}.", experiment.name, experiment.source)],
        None => vec![format!("{} combinations of {}.", sweep.cells.len(), sweep.columns.join(", "))],
    }
}

/// Tables and figures of a sweep.
pub(in crate::report) fn of_sweep(sweep: &SweptRuns) -> Vec<Section> {
    let mut settings = setting(sweep).into_iter();
    let mut sections: Vec<Section> = settings.next().into_iter().collect();
    let mut blocks = vec![Block::Table(results(sweep))];
    let (over, missing) = (sweep.cells.iter().filter(|cell| cell.outcome.is_some()).count(), sweep.cells.len());
    if over < missing {
        blocks.insert(0, Block::Text(format!("Not complete: {over} of {missing} trainings of all seeds are over.")));
    }
    blocks.extend(figures(sweep).into_iter().map(Block::Figure));
    sections.push(Section::new("Results", blocks));
    sections.extend(Section::of_figures("Curves", all_curves(sweep)));
    sections.extend(Section::of_figures("Angles and norms", inner(sweep)));
    sections.extend(settings);
    sections
}

fn setting(sweep: &SweptRuns) -> Vec<Section> {
    let Some((experiment, origin)) = &sweep.experiment else { return vec![] };
    let texts = |lines: &[&str]| lines.iter().map(|text| Block::Text((*text).into())).collect::<Vec<_>>();
    let mut blocks = texts(experiment.setting);
    let changes = experiment.changes(origin);
    if !changes.is_empty() {
        blocks.push(Block::Text(format!("Changed in every arm: {}.", changes.join(", "))));
    }
    let seeds: Vec<String> = sweep.seeds.iter().map(u64::to_string).collect();
    blocks.push(Block::Text(format!("Seeds: {}.", seeds.join(", "))));
    let mut sections = vec![Section::new("Setting", blocks)];
    if !experiment.remarks.is_empty() {
        sections.push(Section::new("What differs, and what is not known", texts(experiment.remarks)));
    }
    sections
}

/// A row for each cell: its values, what came out, and what was published.
fn results(sweep: &SweptRuns) -> Table {
    let mut columns: Vec<&str> = sweep.columns.iter().map(String::as_str).collect();
    columns.extend(["#test accuracy in %", "#top-5 in %"]);
    let has_norms = sweep.cells.iter().any(|cell| !cell.product_norms().is_empty());
    columns.extend(has_norms.then_some("#‖∏ₖ Wₖ‖₂"));
    columns.extend(["#finished", "#diverged", "#collapsed"]);
    columns.extend(sweep.experiment.is_some().then_some("published"));
    let caption = "Mean ± standard deviation over the seeds that finished, on the test samples, with the parameters best on validation; \
                   the norm is that after the last epoch. A seed has collapsed when its accuracy fell below half of its best.";
    let mut table = Table::new(caption, &columns);
    for cell in &sweep.cells {
        let over = |value: fn(&SeedResult) -> f64| {
            mean_text(&cell.results(value).into_iter().map(|(_, value)| value).collect::<Vec<_>>(), hundredths)
        };
        let mut row: Vec<String> = match &sweep.experiment {
            Some(_) => cell.values.iter().map(|value| method(value).into()).collect(),
            None => cell.values.clone(),
        };
        row.extend([over(|result| result.test.accuracy), over(|result| result.test.top5)]);
        let norms: Vec<f64> = cell.product_norms().into_iter().map(|(_, norm)| norm).collect();
        row.extend(has_norms.then(|| mean_text(&norms, number)));
        let outcome = cell.outcome.as_ref();
        let count = |number: Option<usize>| number.map_or("–".into(), |number| number.to_string());
        row.push(count(outcome.map(|outcome| outcome.results.len())));
        row.push(count(outcome.map(|outcome| outcome.diverged.len())));
        row.push(count(outcome.map(|outcome| outcome.results.iter().filter(|result| result.collapsed.is_some()).count())));
        row.extend(sweep.experiment.as_ref().map(|(experiment, _)| {
            let published = experiment.published_of(&cell.values, Quantity::TestAccuracy);
            published.map_or("not available".into(), |published| format!("{} ({})", published.value, published.source))
        }));
        table.rows.push(row);
    }
    table
}

/// Accuracies and norms: over the keys of a grid where they are numbers, else one cell beneath the other.
fn figures(sweep: &SweptRuns) -> Vec<Figure> {
    let numbers = |cell: &SweptRun| cell.results(|result| result.test.accuracy).into_iter().map(|(_, value)| value).collect();
    let cells = sweep.cells.iter().map(|cell| grids::SweptCell { values: &cell.values, results: numbers(cell) }).collect();
    let swept = grids::Swept { keys: &sweep.columns, cells };
    let mut figures: Vec<Figure> = vec![];
    if sweep.experiment.is_none() {
        figures.extend([grids::lines(&swept, "test accuracy in %"), grids::map(&swept, "accuracy in %")].into_iter().flatten());
    }
    if figures.is_empty() {
        let arms_of = |value: &dyn Fn(&SweptRun) -> Vec<(u64, f64)>| {
            sweep.cells.iter().map(|cell| (sweep.label(cell), value(cell))).collect()
        };
        let quantities = [
            arms::Quantity {
                label: "test accuracy in %",
                logarithmic: false,
                arms: arms_of(&|cell| cell.results(|result| result.test.accuracy)),
            },
            arms::Quantity { label: "‖∏ₖ Wₖ‖₂", logarithmic: true, arms: arms_of(&SweptRun::product_norms) },
        ];
        figures.extend(arms::figure("results", "Results", arms::CAPTION, &quantities));
    }
    figures
}

/// The most lines of a panel.
const MOST_LINES: usize = 14;

/// Learning curves, a panel for each value of the first column where there are several columns.
fn all_curves(sweep: &SweptRuns) -> Vec<Figure> {
    let mut groups: Vec<curves::Group> = vec![];
    let by_first = sweep.columns.len() > 1;
    for cell in &sweep.cells {
        let Some(run) = &cell.run else { continue };
        let (title, label) = match by_first {
            true => (described(&sweep.columns[0], &cell.values[0]), sweep.label_from(cell, 1)),
            false => (String::new(), sweep.label(cell)),
        };
        match groups.iter_mut().find(|(other, _)| *other == title) {
            Some((_, members)) => members.push((label, run)),
            None => groups.push((title, vec![(label, run)])),
        }
    }
    if groups.iter().any(|(_, members)| members.len() > MOST_LINES) {
        return vec![];
    }
    curves::of_runs(&groups, sweep.seeds.len())
}

/// What an experiment looks at besides: heat maps of the angles, and norms over the epochs.
fn inner(sweep: &SweptRuns) -> Vec<Figure> {
    let Some((experiment, _)) = &sweep.experiment else { return vec![] };
    let runs: Vec<&Run> = sweep.cells.iter().filter_map(|cell| cell.run.as_ref()).collect();
    let mut figures = vec![];
    if experiment.quantities.contains(&Quantity::Angles) {
        figures.extend(angles::maps(&runs));
    }
    if experiment.quantities.contains(&Quantity::Norms) {
        figures.extend(runs.iter().filter_map(|run| norms::of_run(run)));
    }
    figures
}
