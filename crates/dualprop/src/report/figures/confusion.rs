//! Which classes are taken for which.

use crate::report::figure::{Axis, Cell, Colour, Figure, Mark, Panel, Scale, number};

/// The most classes whose matrix can be looked at.
const MOST_CLASSES: usize = 120;

/// The matrix of these counts, a row for each true class with what its samples were taken for; none without classes, or with more
/// than can be drawn.
pub(in crate::report) fn figure(counts: &[Vec<u64>], names: &[String], what: &str) -> Option<Figure> {
    if !(1..=MOST_CLASSES).contains(&counts.len()) {
        return None;
    }
    let few = counts.len() <= 20;
    let of_class = |count: usize| (0..count).map(|class| class as f64).collect::<Vec<_>>();
    let axis = |label: &str| match few {
        true => Axis::names(label, names),
        // So many names cannot be read.
        false => Axis::cells(label, &of_class(counts.len()), false).0,
    };
    // Short names fit beneath the columns; of long ones only those beside the rows are written.
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let x = if few && longest > 6 { axis("predicted, in the same order").without_ticks() } else { axis("predicted") };
    let mut panel = Panel::new("", x, axis("true").reversed());
    let side = (34.0 * counts.len() as f64).clamp(120.0, 420.0);
    panel.size = (side, side);
    let mut cells = vec![];
    for (truth, row) in counts.iter().enumerate() {
        let all = row.iter().sum::<u64>().max(1) as f64;
        for (taken, &count) in row.iter().enumerate() {
            let share = count as f64 / all;
            let around = |class: usize| (class as f64 - 0.5, class as f64 + 0.5);
            cells.push(Cell {
                x: around(taken),
                y: around(truth),
                // By the root, or the few errors of a good network could not be told from none.
                colour: Colour::Viridis(share.sqrt()),
                label: if count > 0 { count.to_string() } else { String::new() },
                tip: format!("{} taken for {}: {count} ({} %)", names[truth], names[taken], number(100.0 * share)),
            });
        }
    }
    panel.marks.push(Mark::Cells(cells));
    let caption = format!("Confusion matrix of {what}: of the samples of each true class, how many were taken for which.");
    let mut figure = Figure::new("confusion", "Confusion matrix", caption);
    figure.panels.push(panel);
    figure.scale = Some(Scale {
        label: "of the class".into(),
        ticks: [0.0, 0.01, 0.1, 0.25, 0.5, 1.0].map(|share: f64| (share.sqrt(), format!("{} %", number(100.0 * share)))).into(),
        colour: Colour::Viridis,
    });
    Some(figure)
}
