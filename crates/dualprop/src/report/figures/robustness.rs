//! How accuracy falls under attack.

use crate::base::{Error, Result};
use crate::report::figure::{Axis, Figure, Mark, Panel, Point, number};
use crate::report::subject::AttackedRow;
use crate::training::mean_and_deviation;

use super::{entry, stroke};

/// The most panels of a figure, and the most lines of each.
const MOST_PANELS: usize = 24;
const MOST_RUNS: usize = 14;

/// The curves of the rows of `dualprop robustness`: a panel for each attack and norm, a line for each run, over the budgets. None
/// if there is no row.
///
/// # Errors
/// [`Error::Setting`] for more of them than can be looked at.
pub(in crate::report) fn figure(name: &str, rows: &[AttackedRow]) -> Result<Option<Figure>> {
    let mut attacks: Vec<(String, &str)> = vec![];
    let mut runs: Vec<&str> = vec![];
    for row in rows {
        let attack = (row.attack(), row.norm.as_str());
        // One more than can be drawn is enough to know.
        if attacks.len() <= MOST_PANELS && !attacks.contains(&attack) {
            attacks.push(attack);
        }
        if runs.len() <= MOST_RUNS && !runs.contains(&row.run()) {
            runs.push(row.run());
        }
    }
    if attacks.len() > MOST_PANELS || runs.len() > MOST_RUNS {
        return Err(too_many(attacks.len(), runs.len()));
    }
    let Some(samples) = rows.first().map(|row| row.samples) else { return Ok(None) };
    let caption = format!(
        "Accuracy on {samples} samples under attack, over its budget in units of a pixel's range; the line is the mean over the models \
         of a run, each disc is one."
    );
    let mut figure = Figure::new(name, "Accuracy under attack", caption);
    for (attack, norm) in &attacks {
        let of_attack: Vec<&AttackedRow> = rows.iter().filter(|row| row.attack() == *attack && row.norm == *norm).collect();
        let x = Axis::from_zero("ε", of_attack.iter().map(|row| row.epsilon));
        let norm_name = if *norm == "linf" { "L∞" } else { "L₂" };
        let mut panel = Panel::new(format!("{attack}, {norm_name}"), x, Axis::from_to("accuracy in %", 0.0, 100.0));
        for (index, run) in runs.iter().enumerate() {
            let of_run: Vec<&&AttackedRow> = of_attack.iter().filter(|row| row.run() == *run).collect();
            let mut budgets: Vec<f64> = of_run.iter().map(|row| row.epsilon).collect();
            budgets.sort_by(f64::total_cmp);
            budgets.dedup();
            let at = |epsilon: f64| {
                let values: Vec<f64> = of_run.iter().filter(|row| row.epsilon == epsilon).map(|row| row.accuracy).collect();
                Some((epsilon, mean_and_deviation(&values).0))
            };
            panel.marks.push(Mark::Line { points: budgets.into_iter().map(at).collect(), stroke: stroke(index) });
            let disc = |row: &&&AttackedRow| Point {
                x: row.epsilon,
                y: row.accuracy,
                tip: format!("{run}, seed {}, ε = {}: {} %", row.seed, number(row.epsilon), number(row.accuracy)),
            };
            panel.marks.push(Mark::Points {
                points: of_run.iter().map(disc).collect(),
                colour: stroke(index).colour,
                radius: 2.6,
            });
        }
        figure.panels.push(panel);
    }
    figure.legend = runs.iter().enumerate().map(|(index, run)| entry(*run, stroke(index))).collect();
    Ok(Some(figure))
}

fn too_many(attacks: usize, runs: usize) -> Error {
    let problem = format!("a figure has at most {MOST_PANELS} attacks with their norms, and {MOST_RUNS} runs; give fewer");
    Error::setting("attacks and runs of the table", format!("{attacks} and {runs} or more"), problem)
}
