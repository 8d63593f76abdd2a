//! Sweeps: a number over the keys of a grid.

use crate::report::figure::{Axis, Cell, Figure, Mark, Panel, Point, Scale, number};
use crate::training::mean_and_deviation;

use super::{Colour, entry, stroke};

/// A cell of a sweep: the values of its keys, and a number of each seed that finished.
pub(in crate::report) struct SweptCell<'a> {
    pub(in crate::report) values: &'a [String],
    pub(in crate::report) results: Vec<f64>,
}

/// A sweep as figures draw it.
pub(in crate::report) struct Swept<'a> {
    pub(in crate::report) keys: &'a [String],
    pub(in crate::report) cells: Vec<SweptCell<'a>>,
}

/// The most lines of a figure, and the most maps.
const MOST_LINES: usize = 14;
const MOST_MAPS: usize = 9;

impl Swept<'_> {
    fn numbers(&self, key: usize) -> Option<Vec<f64>> {
        let mut numbers: Vec<f64> = self.cells.iter().map(|cell| cell.values[key].parse().ok()).collect::<Option<_>>()?;
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        (numbers.len() > 1).then_some(numbers)
    }

    /// The keys whose values are numbers, those with most values first.
    fn numeric(&self) -> Vec<(usize, Vec<f64>)> {
        let mut keys: Vec<(usize, Vec<f64>)> =
            (0..self.keys.len()).filter_map(|key| self.numbers(key).map(|numbers| (key, numbers))).collect();
        keys.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.len()));
        keys
    }

    /// The values of all other keys, with their names.
    fn others(&self, cell: &SweptCell, without: &[usize]) -> String {
        let pairs = self.keys.iter().zip(cell.values).enumerate();
        let pairs = pairs.filter(|(key, _)| !without.contains(key)).filter(|(key, _)| self.varies(*key));
        pairs.map(|(_, (key, value))| format!("{} {value}", short(key))).collect::<Vec<_>>().join(", ")
    }

    fn varies(&self, key: usize) -> bool {
        self.cells.iter().any(|cell| cell.values[key] != self.cells[0].values[key])
    }

    /// The cells in groups that are alike in what is not among these keys.
    fn groups(&self, without: &[usize]) -> Vec<(String, Vec<&SweptCell<'_>>)> {
        let mut groups: Vec<(String, Vec<&SweptCell>)> = vec![];
        for cell in &self.cells {
            let label = self.others(cell, without);
            match groups.iter_mut().find(|(other, _)| *other == label) {
                Some((_, members)) => members.push(cell),
                None => groups.push((label, vec![cell])),
            }
        }
        groups
    }
}

/// The last part of a key.
pub(in crate::report) fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// Whether numbers are of such different sizes that only their logarithms can be told apart.
fn is_logarithmic(numbers: &[f64]) -> bool {
    matches!(numbers, [first, .., last] if *first > 0.0 && last / first >= 20.0)
}

/// The accuracy over the key with most numbers, a line for each combination of the others; none if there is no such key, or too
/// many lines.
pub(in crate::report) fn lines(swept: &Swept, label: &str) -> Option<Figure> {
    let (key, numbers) = swept.numeric().into_iter().next()?;
    let groups = swept.groups(&[key]);
    if groups.len() > MOST_LINES {
        return None;
    }
    let name = short(&swept.keys[key]);
    let x = Axis::chosen(name, &numbers, is_logarithmic(&numbers));
    let y = Axis::linear(label, swept.cells.iter().flat_map(|cell| cell.results.iter().copied())).with_margin();
    let mut panel = Panel::new("", x, y);
    panel.size = (420.0, 260.0);
    let caption =
        format!("Accuracy on the test samples over {}; the line is the mean over the seeds, each disc is one.", swept.keys[key]);
    let mut figure = Figure::new("sweep", format!("Accuracy over {name}"), caption);
    for (index, (group, cells)) in groups.iter().enumerate() {
        let mut means: Vec<(f64, f64)> = vec![];
        let mut seeds = vec![];
        for cell in cells.iter().filter(|cell| !cell.results.is_empty()) {
            let Ok(x) = cell.values[key].parse::<f64>() else { continue };
            means.push((x, mean_and_deviation(&cell.results).0));
            seeds.extend(cell.results.iter().map(|&y| {
                let group = if group.is_empty() { String::new() } else { format!(", {group}") };
                Point { x, y, tip: format!("{name} {}{group}: {}", number(x), number(y)) }
            }));
        }
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        panel.marks.push(Mark::Line { points: means.into_iter().map(Some).collect(), stroke: stroke(index) });
        panel.marks.push(Mark::Points { points: seeds, colour: stroke(index).colour, radius: 2.8 });
        if !group.is_empty() {
            figure.legend.push(entry(group, stroke(index)));
        }
    }
    figure.panels.push(panel);
    Some(figure)
}

/// The mean accuracy as a map over the two keys with most numbers, one for each combination of the others; none if there are no two
/// such keys, or too many maps.
pub(in crate::report) fn map(swept: &Swept, label: &str) -> Option<Figure> {
    let mut numeric = swept.numeric().into_iter();
    let ((across, xs), (up, ys)) = (numeric.next()?, numeric.next()?);
    let groups = swept.groups(&[across, up]);
    if groups.len() > MOST_MAPS || xs.len() * ys.len() < 4 {
        return None;
    }
    let mean = |cell: &SweptCell| (!cell.results.is_empty()).then(|| mean_and_deviation(&cell.results).0);
    let means: Vec<f64> = swept.cells.iter().filter_map(mean).collect();
    let (low, high) = means.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (x.min(low), x.max(high)));
    if means.is_empty() {
        return None;
    }
    let [x_name, y_name] = [across, up].map(|key| short(&swept.keys[key]));
    let caption = format!(
        "Mean accuracy on the test samples over {} and {}. Grey: every seed diverged, or none is finished.",
        swept.keys[across], swept.keys[up]
    );
    let mut figure = Figure::new("sweep-map", format!("Accuracy over {x_name} and {y_name}"), caption);
    for (title, cells) in &groups {
        let (x, x_edges) = Axis::cells(x_name, &xs, is_logarithmic(&xs));
        let (y, y_edges) = Axis::cells(y_name, &ys, is_logarithmic(&ys));
        let mut panel = Panel::new(title, x, y);
        panel.size = ((46.0 * xs.len() as f64).clamp(150.0, 420.0), (30.0 * ys.len() as f64).clamp(90.0, 300.0));
        let mut drawn = vec![];
        for cell in cells {
            let at = |key: usize, numbers: &[f64]| {
                let value: f64 = cell.values[key].parse().ok()?;
                numbers.iter().position(|number| *number == value)
            };
            let (Some(column), Some(row)) = (at(across, &xs), at(up, &ys)) else { continue };
            let mean = mean(cell);
            let said = mean.map_or("no result".into(), |mean| format!("{} %", number(mean)));
            drawn.push(Cell {
                x: (x_edges[column], x_edges[column + 1]),
                y: (y_edges[row], y_edges[row + 1]),
                colour: mean.map_or(Colour::Missing, |mean| Colour::Viridis((mean - low) / (high - low).max(1e-9))),
                label: mean.map_or("–".into(), |mean| format!("{mean:.1}")),
                tip: format!("{x_name} {}, {y_name} {}: {said}", number(xs[column]), number(ys[row])),
            });
        }
        panel.marks.push(Mark::Cells(drawn));
        figure.panels.push(panel);
    }
    figure.scale = Some(Scale::even(label, (low, high), number));
    Some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_are_over_the_key_with_most_numbers() {
        let keys = texts(&["learning.rule", "learning.alpha", "learning.beta"]);
        let values: Vec<Vec<String>> = ["dp", "dp_transpose"]
            .iter()
            .flat_map(|rule| ["0", "1"].map(|alpha| [*rule, alpha]))
            .flat_map(|[rule, alpha]| ["0.01", "0.1", "1"].map(|beta| texts(&[rule, alpha, beta])))
            .collect();
        let cells = values.iter().map(|values| SweptCell { values, results: vec![90.0, 91.0] }).collect();
        let swept = Swept { keys: &keys, cells };
        let svg = lines(&swept, "accuracy in %").unwrap().svg();
        assert!(svg.contains(">beta</text>") && svg.contains("rule dp_transpose, alpha 1"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 24);
        let maps = map(&swept, "accuracy").unwrap();
        assert_eq!(maps.panels.len(), 2);
        assert_eq!(maps.panels[0].title, "rule dp");
    }

    #[test]
    fn what_has_no_numbers_has_no_lines() {
        let keys = texts(&["learning.rule"]);
        let values = [texts(&["dp"]), texts(&["backprop"])];
        let cells = values.iter().map(|values| SweptCell { values, results: vec![1.0] }).collect();
        assert!(lines(&Swept { keys: &keys, cells }, "").is_none());
    }
}
