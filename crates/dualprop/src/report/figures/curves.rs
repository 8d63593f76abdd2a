//! Learning curves.

use crate::report::figure::{Axis, Figure, Panel, Stroke};
use crate::report::subject::Run;
use crate::training::EpochMetrics;

use super::{Colour, Series, entry, epochs, stroke};

/// One of the numbers of an epoch.
type Quantity = fn(&EpochMetrics) -> Option<f64>;

/// Loss and accuracy of one run, while it trained and on validation; none if it has no epoch.
pub(in crate::report) fn of_run(run: &Run) -> Option<Figure> {
    let [train, validation] = [Stroke::dashed(Colour::Series(0)), Stroke::plain(Colour::Series(1))];
    let quantities: [(&str, [Quantity; 2]); 2] = [
        ("loss", [|epoch| Some(epoch.train_loss), |epoch| Some(epoch.validation_loss)]),
        ("accuracy in %", [|epoch| Some(epoch.train_accuracy), |epoch| Some(epoch.validation_accuracy)]),
    ];
    let caption = format!(
        "Learning curves of {}: loss and accuracy on the batches of each epoch, every one before its update, and on the validation \
         samples after the epoch{}.",
        run.name,
        spread(run.seeds.len())
    );
    let mut figure = Figure::new("learning-curves", "Learning curves", caption);
    for (label, values) in quantities {
        let lines = values.map(|value| run.over_epochs(value));
        if lines.iter().all(Series::is_empty) {
            return None;
        }
        let x = epochs(&lines);
        let mut panel = Panel::new("", x, Axis::linear(label, lines.iter().flat_map(Series::ys)));
        for (line, (stroke, name)) in lines.iter().zip([(train, "training"), (validation, "validation")]) {
            panel.marks.extend(line.marks(stroke, name, "epoch"));
        }
        figure.panels.push(panel);
    }
    figure.legend = vec![entry("training", train), entry("validation", validation)];
    Some(figure)
}

/// Runs that are drawn into one panel, under a title, each with the label of its line.
pub(in crate::report) type Group<'a> = (String, Vec<(String, &'a Run)>);

/// A number of several runs over the epochs, in a panel for each group; lines with the same label have the same colour. A line that
/// ends before the others, of a training that diverged or collapsed, does not say how far the axis reaches: it would leave no room
/// for them. None if no run has it.
fn of_groups(groups: &[Group], [name, title, label, caption]: [&str; 4], logarithmic: bool, value: Quantity) -> Option<Figure> {
    let mut labels: Vec<&str> = vec![];
    for (label, _) in groups.iter().flat_map(|(_, runs)| runs) {
        if !labels.contains(&label.as_str()) {
            labels.push(label);
        }
    }
    let all: Vec<Vec<Series>> =
        groups.iter().map(|(_, runs)| runs.iter().map(|(_, run)| run.over_epochs(value)).collect()).collect();
    let lines = || all.iter().flatten().filter(|line| !line.is_empty());
    let end = |line: &Series| line.xs().fold(0.0, f64::max);
    let last = lines().map(end).reduce(f64::max)?;
    let ends_early = lines().any(|line| end(line) < last);
    let outside =
        if ends_early { " A line that ends early, where a training diverged or collapsed, may lie outside." } else { "" };
    let mut figure = Figure::new(name, title, format!("{caption}{outside}"));
    for ((group, runs), lines_of_group) in groups.iter().zip(&all).filter(|(_, lines)| lines.iter().any(|line| !line.is_empty()))
    {
        let x = epochs(lines());
        let ys = lines().filter(|line| end(line) == last).flat_map(Series::ys);
        let y = if logarithmic { Axis::logarithmic(label, ys) } else { Axis::linear(label, ys) };
        let mut panel = Panel::new(group, x, y);
        for (line, (label, _)) in lines_of_group.iter().zip(runs) {
            let index = labels.iter().position(|other| other == label).unwrap_or(0);
            panel.marks.extend(line.marks(stroke(index), label, "epoch"));
        }
        figure.panels.push(panel);
    }
    figure.legend = labels
        .iter()
        .enumerate()
        .filter(|(_, label)| !label.is_empty())
        .map(|(index, label)| entry(*label, stroke(index)))
        .collect();
    Some(figure)
}

/// The curves of several runs: accuracy on validation, loss while training, and ‖W_L…W_1‖ where it is defined.
pub(in crate::report) fn of_runs(groups: &[Group], seeds: usize) -> Vec<Figure> {
    let spread = spread(seeds);
    let accuracy = format!("Accuracy on the validation samples after each epoch{spread}.");
    let loss = format!("Mean loss of the batches of each epoch, every one before its update{spread}.");
    let norm =
        format!("Spectral norm of the product of all kernels after each epoch, a bound of the Lipschitz constant{spread}.");
    let kinds: [([&str; 4], bool, Quantity); 3] = [
        (["validation-accuracy", "Accuracy on validation", "accuracy in %", &accuracy], false, |epoch| {
            Some(epoch.validation_accuracy)
        }),
        (["training-loss", "Loss while training", "loss", &loss], true, |epoch| Some(epoch.train_loss)),
        (["product-norms", "Norm of the product of kernels", "‖∏ₖ Wₖ‖₂", &norm], true, |epoch| epoch.product_norm),
    ];
    kinds.into_iter().filter_map(|(texts, logarithmic, value)| of_groups(groups, texts, logarithmic, value)).collect()
}

/// What the band around a line is.
pub(super) fn spread(seeds: usize) -> &'static str {
    if seeds > 1 { "; the line is the mean over the seeds, the band reaches from the least to the greatest" } else { "" }
}
