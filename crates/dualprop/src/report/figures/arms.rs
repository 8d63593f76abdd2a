//! What came out of several trainings, one beneath the other: each seed a disc, their mean a line with its deviation.

use crate::report::figure::{Axis, Colour, Figure, Mark, Panel, Point, Stroke, number};
use crate::training::mean_and_deviation;

/// What the marks are.
pub(in crate::report) const CAPTION: &str =
    "Each disc is a seed; the upright line is their mean, the flat one their standard deviation.";

/// A training under its label, with a number of each of its seeds.
pub(in crate::report) type Arm = (String, Vec<(u64, f64)>);

/// A panel of such numbers.
pub(in crate::report) struct Quantity<'a> {
    /// What the axis says.
    pub(in crate::report) label: &'a str,
    pub(in crate::report) logarithmic: bool,
    /// Of all arms in their order; an arm without numbers keeps its place.
    pub(in crate::report) arms: Vec<Arm>,
}

/// The figure of these quantities side by side, of the same arms; none if no arm has a number.
pub(in crate::report) fn figure(name: &str, title: &str, caption: &str, quantities: &[Quantity]) -> Option<Figure> {
    let quantities: Vec<&Quantity> =
        quantities.iter().filter(|quantity| quantity.arms.iter().any(|(_, values)| !values.is_empty())).collect();
    let first = quantities.first()?;
    let count = first.arms.len();
    let is_empty = first.arms.iter().any(|(_, values)| values.is_empty());
    let empty = if is_empty { " No seed of a row without discs has finished." } else { "" };
    let mut figure = Figure::new(name, title, format!("{caption}{empty}"));
    figure.columns = 2;
    for (index, quantity) in quantities.iter().enumerate() {
        let labels: Vec<String> = quantity.arms.iter().map(|(label, _)| label.clone()).collect();
        let y = Axis::names("", &labels).reversed();
        let values = quantity.arms.iter().flat_map(|(_, values)| reach(values, quantity.logarithmic));
        let x =
            if quantity.logarithmic { Axis::logarithmic(quantity.label, values) } else { Axis::linear(quantity.label, values) };
        let x = x.with_margin();
        // The names stand beside the first panel only.
        let mut panel = Panel::new("", x, if index == 0 { y } else { y.bare() });
        panel.size = (260.0, (20.0 * count as f64).max(50.0));
        for (place, (label, values)) in quantity.arms.iter().enumerate() {
            panel.marks.extend(marks(place as f64, label, values));
        }
        figure.panels.push(panel);
    }
    Some(figure)
}

/// All that the axis must reach: the values, and the ends of their deviation where they have a place on it.
fn reach(values: &[(u64, f64)], logarithmic: bool) -> Vec<f64> {
    let mut reach: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    if reach.len() > 1 {
        let (mean, deviation) = mean_and_deviation(&reach);
        let ends = [mean - deviation, mean + deviation];
        reach.extend(ends.into_iter().filter(|end| !logarithmic || *end > 0.2 * mean));
    }
    reach
}

fn marks(y: f64, label: &str, values: &[(u64, f64)]) -> Vec<Mark> {
    if values.is_empty() {
        return vec![];
    }
    let numbers: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    let (mean, deviation) = mean_and_deviation(&numbers);
    let colour = Colour::Series(0);
    let point = |x: f64, tip: String| Point { x, y, tip };
    let seeds = values.iter().map(|(seed, value)| point(*value, format!("{label}, seed {seed}: {}", number(*value)))).collect();
    let mut marks = vec![];
    if values.len() > 1 {
        let whisker = Stroke { colour, width: 1.4, dashed: false };
        marks.push(Mark::Line { points: vec![Some((mean - deviation, y)), Some((mean + deviation, y))], stroke: whisker });
        let stroke = Stroke { colour, width: 3.0, dashed: false };
        marks.push(Mark::Line { points: vec![Some((mean, y - 0.32)), Some((mean, y + 0.32))], stroke });
    }
    marks.push(Mark::Points { points: seeds, colour, radius: 3.2 });
    if values.len() > 1 {
        let tip = format!("{label}: {} ± {} over {} seeds", number(mean), number(deviation), values.len());
        marks.push(Mark::Tips(vec![point(mean, tip)]));
    }
    marks
}
