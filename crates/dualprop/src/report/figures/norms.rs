//! Spectral norms of the layers and what damped dyads are held back by, over the epochs.

use crate::report::figure::{Axis, Figure, Panel, Stroke};
use crate::report::subject::Run;

use super::angles::{layer_scale, layer_stroke};
use super::curves::spread;
use super::{Colour, Series, entry, epochs};

/// γ_k and L_k after each epoch: where they were measured by 10 and by 20 power iterations, those, dashed and solid. None if no
/// epoch is there.
pub(in crate::report) fn of_run(run: &Run) -> Option<Figure> {
    let layers = run.seeds.iter().flat_map(|seed| &seed.log.epochs).map(|epoch| epoch.gammas.len()).max().filter(|n| *n > 0)?;
    let iterations = run.seeds.iter().flat_map(|seed| &seed.log.norms).map(|(_, row)| row.power_iterations);
    let has_iterations = iterations.clone().any(|iterations| iterations == 20);
    let mut gammas: Vec<(usize, Stroke, Series)> = vec![];
    let mut dampings = vec![];
    for k in 1..=layers {
        let solid = layer_stroke(k, layers);
        if has_iterations {
            for (power_iterations, stroke) in [(20, solid), (10, Stroke { dashed: true, ..solid })] {
                let of = |value: fn(&crate::training::NormRow) -> Option<f64>| run.over_norms(k, power_iterations, value);
                gammas.push((k, stroke, of(|row| Some(row.gamma))));
                dampings.push((k, stroke, of(|row| row.damping)));
            }
        } else {
            gammas.push((k, solid, run.over_epochs(|epoch| epoch.gammas.get(k - 1).copied())));
            dampings.push((k, solid, run.over_epochs(|epoch| epoch.dampings.get(k - 1).copied())));
        }
    }
    let iterations = if has_iterations { ", by 20 power iterations (solid) and by 10 (dashed)" } else { "" };
    let caption = format!(
        "Spectral norms γₖ = ‖Wₖ‖₂ of the layers of {}, and Lₖ = max(0, (γₖ₊₁² − 1)/2) of the hidden ones, after each \
         epoch{iterations}{}.",
        run.name,
        spread(run.seeds.len())
    );
    let mut figure = Figure::new("norms", "Spectral norms and dampings", caption);
    for (label, lines) in [("γₖ", gammas), ("Lₖ", dampings)] {
        let lines: Vec<_> = lines.into_iter().filter(|(_, _, line)| !line.is_empty()).collect();
        if lines.is_empty() {
            continue;
        }
        let x = epochs(lines.iter().map(|(_, _, line)| line));
        let mut panel = Panel::new("", x, Axis::from_zero(label, lines.iter().flat_map(|(_, _, line)| line.ys())));
        for (k, stroke, line) in &lines {
            panel.marks.extend(line.marks(*stroke, &format!("layer {k}"), "epoch"));
        }
        figure.panels.push(panel);
    }
    if has_iterations {
        figure.legend = vec![
            entry("20 power iterations", Stroke::plain(Colour::Ink)),
            entry("10 power iterations", Stroke::dashed(Colour::Ink)),
        ];
    }
    figure.scale = Some(layer_scale(layers));
    Some(figure)
}
