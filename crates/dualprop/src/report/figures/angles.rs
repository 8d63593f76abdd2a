//! Angles between local gradients and backpropagation's: over the epochs, and over the first batches, layer by layer.

use crate::report::figure::{Axis, Cell, Colour, Figure, Mark, Panel, Scale, Stroke, number};
use crate::report::subject::Run;
use crate::training::AlignmentRow;

use super::curves::spread;
use super::{Series, epochs};

/// A bar of the colours that lines of layers have.
pub(super) fn layer_scale(layers: usize) -> Scale {
    let ticks = if layers > 1 { vec![(0.0, "1".into()), (1.0, layers.to_string())] } else { vec![(0.5, "1".into())] };
    Scale { label: "layer".into(), ticks, colour: Colour::Ramp }
}

/// The stroke of layer k of so many.
pub(super) fn layer_stroke(k: usize, layers: usize) -> Stroke {
    Stroke::plain(Colour::Ramp(if layers > 1 { (k - 1) as f64 / (layers - 1) as f64 } else { 0.5 }))
}

/// The angle of each layer after each epoch; none if none was measured.
pub(in crate::report) fn curves(run: &Run) -> Option<Figure> {
    let layers = layers(run)?;
    let lines: Vec<Series> =
        (1..=layers).map(|k| run.over_epochs(|epoch| epoch.angles_deg.get(k - 1).copied().flatten())).collect();
    let x = epochs(&lines);
    let mut panel = Panel::new("", x, Axis::from_zero("angle in degrees", lines.iter().flat_map(Series::ys)));
    panel.size = (420.0, 240.0);
    for (k, line) in (1..).zip(&lines) {
        panel.marks.extend(line.marks(layer_stroke(k, layers), &format!("layer {k}"), "epoch"));
    }
    let caption = format!(
        "Angle between the local gradient of {} and backpropagation's, of every layer, over the measured steps of each epoch{}.",
        run.name,
        spread(run.seeds.len())
    );
    let mut figure = Figure::new("angles", "Angle to backpropagation", caption);
    figure.panels.push(panel);
    figure.scale = Some(layer_scale(layers));
    Some(figure)
}

/// How many layers have an angle.
fn layers(run: &Run) -> Option<usize> {
    let epochs = run.seeds.iter().flat_map(|seed| &seed.log.epochs);
    let measured = epochs.filter(|epoch| epoch.angles_deg.iter().any(Option::is_some));
    measured.map(|epoch| epoch.angles_deg.len()).max()
}

/// The angles of one run, layer by layer: at each x what was measured there.
struct Map {
    title: String,
    x_name: &'static str,
    columns: Vec<(f64, Vec<Option<f64>>)>,
}

/// Heat maps of the angles over all epochs, and over the first batches that the recipe asks for; of the first seed that has them.
pub(in crate::report) fn maps(runs: &[&Run]) -> Vec<Figure> {
    let of_epochs = |run: &Run| {
        let seed = run.seeds.iter().find(|seed| !seed.log.epochs.is_empty())?;
        let measured = seed.log.epochs.iter().filter(|epoch| epoch.angles_deg.iter().any(Option::is_some));
        let columns: Vec<_> = measured.map(|epoch| (f64::from(epoch.epoch), epoch.angles_deg.clone())).collect();
        // Of one epoch a map shows no more than the table does.
        (columns.len() > 1).then(|| Map { title: run.name.clone(), x_name: "epoch", columns })
    };
    let of_batches = |run: &Run| {
        let batches = run.params.analysis.as_ref().map_or(0, |analysis| analysis.first_batches);
        let seed = run.seeds.iter().find(|seed| !seed.log.steps.is_empty())?;
        let first = seed.log.steps.iter().filter(|step| step.step < batches);
        let columns: Vec<_> = first.map(|step| (step.step as f64 + 1.0, step.angles_deg.clone())).collect();
        (columns.len() > 1).then(|| Map { title: run.name.clone(), x_name: "batch", columns })
    };
    let epochs = runs.iter().filter_map(|run| of_epochs(run)).collect();
    let batches = runs.iter().filter_map(|run| of_batches(run)).collect();
    let texts = [
        ("angles-by-epoch", "Angle to backpropagation, epoch by epoch", "the mean of the measured steps of each epoch"),
        ("angles-by-batch", "Angle to backpropagation in the first batches", "each of the first batches of the training"),
    ];
    let drawn = [epochs, batches].into_iter().zip(texts);
    drawn.filter_map(|(maps, (name, title, what))| figure(maps, name, title, what)).collect()
}

/// The rows of `dualprop alignment` as a map.
pub(in crate::report) fn of_rows(name: &str, title: &str, rows: &[AlignmentRow]) -> Option<Figure> {
    let layers = rows.iter().map(|row| row.layer).filter(|layer| (1..=MOST_LAYERS).contains(layer)).max()?;
    let mut columns: Vec<(f64, Vec<Option<f64>>)> = vec![];
    for row in rows.iter().filter(|row| (1..=layers).contains(&row.layer)) {
        let x = row.batch as f64;
        if columns.last().is_none_or(|(last, _)| *last != x) {
            columns.push((x, vec![None; layers]));
        }
        if let Some((_, angles)) = columns.last_mut() {
            angles[row.layer - 1] = row.angle_deg;
        }
    }
    let map = Map { title: title.into(), x_name: "batch", columns };
    figure(vec![map], name, "Angle to backpropagation, batch by batch", "each batch, with the parameters held")
}

fn figure(maps: Vec<Map>, name: &str, title: &str, what: &str) -> Option<Figure> {
    let angles = maps.iter().flat_map(|map| &map.columns).flat_map(|(_, angles)| angles).flatten();
    let largest = angles.fold(0.0, |most: f64, angle| most.max(*angle));
    if maps.is_empty() {
        return None;
    }
    // Angles beyond this are as good as orthogonal; below it the scale ends at a round number.
    let most = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0].into_iter().find(|most| *most >= largest).unwrap_or(180.0);
    let caption = format!("Angle between the local gradient and backpropagation's, layer by layer, in {what}, in degrees.");
    let mut figure = Figure::new(name, title, caption);
    figure.columns = 2;
    figure.panels = maps.iter().map(|map| panel(map, most)).collect();
    figure.scale = Some(Scale::even("angle", (0.0, most), |value| format!("{}°", number(value))));
    Some(figure)
}

/// More layers and columns than these could not be told apart.
const MOST_LAYERS: usize = 256;
const MOST_COLUMNS: usize = 400;

fn panel(map: &Map, most: f64) -> Panel {
    let every = map.columns.len().div_ceil(MOST_COLUMNS).max(1);
    let columns: Vec<_> = map.columns.iter().step_by(every).collect();
    let layers = columns.iter().map(|(_, angles)| angles.len()).max().unwrap_or(1);
    let xs: Vec<f64> = columns.iter().map(|(x, _)| *x).collect();
    let (x, edges) = Axis::cells(map.x_name, &xs, false);
    let (y, _) = Axis::cells("layer", &(1..=layers).map(|k| k as f64).collect::<Vec<_>>(), false);
    let mut cells = vec![];
    for ((x, angles), edges) in columns.iter().zip(edges.windows(2)) {
        for (k, angle) in (1..).zip(angles) {
            let middle = f64::from(k);
            cells.push(Cell {
                x: (edges[0], edges[1]),
                y: (middle - 0.5, middle + 0.5),
                colour: angle.map_or(Colour::Missing, |angle| Colour::Viridis(angle / most)),
                label: angle.map_or(String::new(), |angle| format!("{angle:.0}")),
                tip: format!(
                    "{} {}, layer {k}: {}",
                    map.x_name,
                    number(*x),
                    angle.map_or("not defined".into(), |a| format!("{a:.2}°"))
                ),
            });
        }
    }
    let mut panel = Panel::new(&map.title, x, y);
    panel.size = (340.0, (16.0 * layers as f64).clamp(60.0, 280.0));
    panel.marks.push(Mark::Cells(cells));
    panel
}
