//! How the states of the layers are distributed.

use crate::report::figure::{Axis, Colour, Figure, Mark, Panel, number};
use crate::training::LayerStates;

/// Columns of a histogram.
const COLUMNS: usize = 40;

/// The most layers that are shown.
const MOST_LAYERS: usize = 18;

/// Histograms of s̄_k and Δ_k of the layers; none without any. The share of numbers that are exactly 0 is told apart, for it would
/// hide all others.
pub(in crate::report) fn figures(layers: &[LayerStates], what: &str) -> Vec<Figure> {
    let figure = |name: &str, title: &str, which: &str, values: fn(&LayerStates) -> &[f32]| {
        let caption = format!(
            "Histograms of {which} of every layer, {what}. A column is the share of the numbers that are not exactly 0; how many are \
             is written above."
        );
        let mut figure = Figure::new(format!("states-{name}"), title, caption);
        figure.panels = (1..).zip(layers).take(MOST_LAYERS).map(|(k, layer)| panel(k, values(layer))).collect();
        figure
    };
    let drawn = [
        figure("means", "Means s̄", "the means α s⁺ + (1−α) s⁻", |layer| &layer.mean),
        figure("differences", "Differences Δ", "the differences s⁺ − s⁻", |layer| &layer.difference),
    ];
    drawn.into_iter().filter(|figure| !figure.panels.is_empty()).collect()
}

fn panel(k: usize, values: &[f32]) -> Panel {
    let moved: Vec<f64> =
        values.iter().map(|&value| f64::from(value)).filter(|value| *value != 0.0 && value.is_finite()).collect();
    let (low, high) = moved.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (x.min(low), x.max(high)));
    let (low, high) = if low < high { (low, high) } else { (-1.0, 1.0) };
    let step = (high - low) / COLUMNS as f64;
    let mut counts = [0usize; COLUMNS];
    for value in &moved {
        counts[(((value - low) / step) as usize).min(COLUMNS - 1)] += 1;
    }
    let share = |count: usize| 100.0 * count as f64 / moved.len().max(1) as f64;
    let columns: Vec<((f64, f64), f64)> = (0..COLUMNS)
        .map(|column| ((low + column as f64 * step, low + (column + 1) as f64 * step), share(counts[column])))
        .collect();
    let x = Axis::from_to("", low, high);
    let y = Axis::from_zero("%", columns.iter().map(|(_, y)| *y));
    let mut panel = Panel::new(format!("layer {k}"), x, y);
    let zeros = values.iter().filter(|value| **value == 0.0).count();
    panel.subtitle = format!("{} % are 0", number(100.0 * zeros as f64 / values.len().max(1) as f64));
    panel.size = (180.0, 110.0);
    panel.marks.push(Mark::Columns { columns, colour: Colour::Series(0) });
    panel
}
