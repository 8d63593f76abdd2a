//! The stability map: the share of samples that settle, over (α, β) or over (α_m, α_f), with the closed form drawn into it.

use std::collections::HashSet;

use crate::analysis::stability::{StabilityRow, loop_gain, nudge_strength};
use crate::base::{Error, Named, Result};
use crate::compute::Loss;
use crate::inference::{Inference, Nudge, Rule, RuleKind};

use crate::report::figure::{Axis, Cell, Colour, Entry, Figure, Mark, Panel, Scale, Stroke, number};

/// The most maps of one figure.
const MOST_PANELS: usize = 12;

/// The most cells of one map.
const MOST_CELLS: usize = 1 << 14;

/// Points of a closed-form curve.
const POINTS: usize = 400;

/// The figure of these rows, as SVG: one map for each network kind, rule, nudge and schedule, over α and β, or, with `plane`, over the
/// general rule's α_f and α_m, with the closed form of linear networks drawn into it.
///
/// # Errors
/// [`Error::Setting`] for no rows, or more maps than can be looked at.
pub fn stability_map(rows: &[StabilityRow], plane: bool) -> Result<String> {
    figure("stability", rows, plane).map(|figure| figure.svg())
}

/// The figure of these rows: one map for each network kind, rule, nudge and schedule. Its axes are α and β, or, with
/// `plane`, the general rule's α_f and α_m, with a map for each β. Where theory has a threshold it is drawn: a solid line where
/// the network with the largest λ_max stops settling, a dashed one where that with the smallest does.
pub(in crate::report) fn figure(name: &str, rows: &[StabilityRow], plane: bool) -> Result<Figure> {
    let mut groups: Vec<(Key, Vec<&StabilityRow>)> = vec![];
    for row in rows {
        let key = Key::of(row, plane);
        // One more than can be drawn is enough to know.
        let is_full = groups.len() > MOST_PANELS;
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(row),
            None if is_full => {}
            None => groups.push((key, vec![row])),
        }
    }
    if !(1..=MOST_PANELS).contains(&groups.len()) {
        let problem = format!("a figure has from 1 to {MOST_PANELS}; name fewer rules, nudges, schedules, gains or depths");
        return Err(Error::setting("maps of the figure", groups.len(), problem));
    }
    let cells = |members: &[&StabilityRow]| {
        let count = |value: &dyn Fn(&StabilityRow) -> u64| members.iter().map(|row| value(row)).collect::<HashSet<_>>().len();
        // As many as its axes could have, whichever they are.
        let alphas = count(&|row| row.alpha.to_bits());
        alphas.saturating_mul(count(&|row| if plane { row.alpha_feedback.to_bits() } else { row.beta.to_bits() }))
    };
    if let Some(cells) = groups.iter().map(|(_, members)| cells(members)).find(|cells| *cells > MOST_CELLS) {
        let problem = format!("a map has at most {MOST_CELLS}; give fewer values of alpha or beta");
        return Err(Error::setting("cells of a map", cells, problem));
    }
    let maps: Vec<(Panel, Vec<Line>)> = groups.iter().map(|(_, members)| panel(members, plane)).collect();
    let dashed = maps.iter().flat_map(|(_, lines)| lines).any(|line| line.dashed);
    let any = maps.iter().any(|(_, lines)| !lines.is_empty());
    let first = &rows[0];
    let network = match first.network.as_str() {
        "random" => format!("random networks of width {}", first.width),
        name => name.to_string(),
    };
    let networks = if first.nets == 1 { "1 network".into() } else { format!("{} networks", first.nets) };
    let caption = format!(
        "Share of samples whose inference settles within {} passes, in percent: {network}, {networks} with {} samples in all, loss {}. \
         Grey: the inference is not defined.{}",
        first.most_passes,
        first.samples,
        first.loss,
        if any { " White: the closed form of linear networks, |α_m − α_f|·cβ·λ = 1." } else { "" }
    );
    let mut figure = Figure::new(name, "Where inference settles", caption);
    if any {
        let entry =
            |label: &str, dashed| Entry { label: label.into(), stroke: Stroke { colour: Colour::Ink, width: 1.8, dashed } };
        figure.legend.push(entry("closed form, |α_m − α_f|·cβ·λ = 1, for the largest λ of the networks", false));
        figure.legend.extend(dashed.then(|| entry("for the smallest", true)));
    }
    figure.panels = maps.into_iter().map(|(panel, _)| panel).collect();
    figure.scale = Some(Scale::even("settled", (0.0, 100.0), |value| format!("{} %", number(value))));
    Ok(figure)
}

/// A line in units of the two axes; a gap where a point is none.
#[derive(Debug, Clone)]
struct Line {
    points: Vec<Option<(f64, f64)>>,
    dashed: bool,
}

/// What rows of one map have in common.
#[derive(PartialEq)]
struct Key<'a> {
    names: [&'a str; 6],
    gain: Option<f64>,
    depth: usize,
    /// β of a plane, α_f of another map of the general rule.
    third: Option<f64>,
}

impl<'a> Key<'a> {
    fn of(row: &'a StabilityRow, plane: bool) -> Self {
        let third = match plane {
            true => Some(row.beta),
            false => (row.rule == RuleKind::General.name()).then_some(row.alpha_feedback),
        };
        let names = [&row.network, row.activation, row.rule, row.nudge, row.schedule, row.loss];
        Key { names, gain: row.gain, depth: row.depth, third }
    }
}

fn panel(rows: &[&StabilityRow], plane: bool) -> (Panel, Vec<Line>) {
    let across = |row: &StabilityRow| if plane { row.alpha_feedback } else { row.alpha };
    let up = |row: &StabilityRow| if plane { row.alpha } else { row.beta };
    let distinct = |value: &dyn Fn(&StabilityRow) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(|row| value(row)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let (xs, ys) = (distinct(&across), distinct(&up));
    let ((x, x_edges), (y, y_edges)) = match plane {
        true => (Axis::cells("α_f, of the feedback", &xs, false), Axis::cells("α_m, of the mean", &ys, false)),
        false => (Axis::cells("α", &xs, false), Axis::cells("β", &ys, true)),
    };
    let row = rows[0];
    let mut rule = row.rule.to_string();
    if plane {
        rule += &format!(", β = {}", row.beta);
    } else if row.rule == RuleKind::General.name() {
        rule += &format!(", α_f = {}", row.alpha_feedback);
    }
    let gain = row.gain.map_or(String::new(), |gain| format!(", gain {gain}"));
    let layers = if row.depth == 1 { "1 layer".to_string() } else { format!("{} layers", row.depth) };
    let mut panel = Panel::new(format!("{rule}, {}", row.nudge), x, y);
    panel.subtitle = format!("{}, {}{gain}, {layers}", row.schedule, row.activation);
    panel.size = (270.0, 220.0);
    let mut cells = vec![];
    for (&y, up_edges) in ys.iter().zip(y_edges.windows(2)) {
        for (&x, across_edges) in xs.iter().zip(x_edges.windows(2)) {
            let found = rows.iter().find(|row| across(row) == x && up(row) == y);
            cells.push(cell(found.copied(), [x, y], [(across_edges[0], across_edges[1]), (up_edges[0], up_edges[1])], plane));
        }
    }
    panel.marks.push(Mark::Cells(cells));
    let lines = boundaries(row, plane);
    for Line { points, dashed } in &lines {
        // White on black, which stands out from every colour of the cells.
        for (colour, width) in [(Colour::Plain(0, 0, 0), 4.0), (Colour::Plain(255, 255, 255), 2.0)] {
            panel.marks.push(Mark::Line { points: points.clone(), stroke: Stroke { colour, width, dashed: *dashed } });
        }
    }
    (panel, lines)
}

fn cell(row: Option<&StabilityRow>, [x, y]: [f64; 2], edges: [(f64, f64); 2], plane: bool) -> Cell {
    let share = row.and_then(|row| row.share_settled);
    let names = if plane { ["α_f", "α_m"] } else { ["α", "β"] };
    let settled = share.map_or("not defined".into(), |share| format!("{} % settle", number(100.0 * share)));
    let passes = row.and_then(|row| row.max_passes).map_or(String::new(), |passes| format!(", in up to {passes} passes"));
    Cell {
        x: edges[0],
        y: edges[1],
        colour: share.map_or(Colour::Missing, Colour::Viridis),
        label: share.map_or("–".into(), |share| format!("{:.0}", 100.0 * share)),
        tip: format!("{} = {}, {} = {}: {settled}{passes}", names[0], number(x), names[1], number(y)),
    }
}

/// Where the loop gain is 1, for the largest λ_max and, if it is another, for the smallest.
fn boundaries(row: &StabilityRow, plane: bool) -> Vec<Line> {
    let (Some(most), Some(least)) = (row.lambda_most, row.lambda_least) else { return vec![] };
    let (Ok(kind), Ok(nudge), Ok(loss)) = (RuleKind::parse(row.rule), Nudge::parse(row.nudge), Loss::parse(row.loss)) else {
        return vec![];
    };
    let inference = |alpha: f64, feedback: f64, beta: f64| {
        let rule = match kind {
            RuleKind::Dp => Rule::dp(alpha),
            RuleKind::DpTranspose => Rule::dp_transpose(alpha),
            RuleKind::General => Rule::general(alpha, feedback),
            RuleKind::DpDamped | RuleKind::Backprop => return None,
        };
        Some(Inference { nudge, ..Inference::new(rule, beta, loss) })
    };
    let steps = || (0..=POINTS).map(|i| i as f64 / POINTS as f64);
    let curves = |lambda: f64, dashed: bool| -> Vec<Line> {
        let curve = |points: Vec<Option<(f64, f64)>>| Line { points, dashed };
        if !plane {
            let beta = |alpha| threshold(|beta| loop_gain(&inference(alpha, row.alpha_feedback, beta)?, lambda));
            return vec![curve(steps().map(|alpha| beta(alpha).map(|beta| (alpha, beta))).collect())];
        }
        let reach = |feedback: f64| {
            let strength = nudge_strength(&inference(feedback, feedback, row.beta)?)?;
            Some(1.0 / (strength * lambda)).filter(|reach| reach.is_finite())
        };
        let side = |sign: f64| curve(steps().map(|f| reach(f).map(|reach| (f, f + sign * reach))).collect());
        vec![side(1.0), side(-1.0)]
    };
    let mut lines = curves(most, false);
    if least < 0.999 * most {
        lines.extend(curves(least, true));
    }
    lines.retain(|line| line.points.iter().any(Option::is_some));
    lines
}

/// The β at which a gain that grows with it is 1, between 1e-9 and 1e9; a gain that is none lies beyond the threshold.
fn threshold(gain: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    let (mut below, mut above) = (-9.0, 9.0);
    let at = |exponent: f64| gain(libm::exp10(exponent)).unwrap_or(f64::INFINITY);
    if at(below) > 1.0 || at(above) < 1.0 {
        return None;
    }
    for _ in 0..60 {
        let middle = 0.5 * (below + above);
        if at(middle) < 1.0 { below = middle } else { above = middle }
    }
    Some(libm::exp10(below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::stability::{InferenceGrid, NetworkGrid};
    use crate::compute::{Activation, Pool};
    use crate::inference::Schedule;
    use crate::report::figure::parsed;

    fn rows(rules: Vec<RuleKind>, nudges: Vec<Nudge>) -> Vec<StabilityRow> {
        let networks = NetworkGrid {
            activations: vec![Activation::Identity],
            gains: vec![1.0],
            depths: vec![3],
            width: 6,
            nets: 2,
            samples: 1,
            seed: 0,
        };
        let inferences = InferenceGrid {
            rules,
            alphas: vec![0.0, 0.5, 1.0],
            alphas_feedback: vec![0.0, 0.5, 1.0],
            betas: vec![0.1, 0.9],
            schedules: vec![Schedule::ForwardBackward],
            nudges,
            loss: Loss::HalfSquaredError,
            passes: 30,
            seed: 0,
        };
        networks.run(&inferences, &Pool::new(1).unwrap()).unwrap()
    }

    #[test]
    fn a_map_has_its_cells_its_texts_and_the_closed_form() {
        let rows = rows(vec![RuleKind::Dp, RuleKind::DpTranspose], vec![Nudge::LinearisedLive]);
        let (tags, texts) = parsed(&stability_map(&rows, false).unwrap());
        // Of both maps 6 cells and a frame; the background and 48 steps of the scale.
        assert_eq!(tags.iter().filter(|tag| *tag == "rect").count(), 2 * (6 + 1) + 1 + 48);
        for text in [
            "dp, linearised_live",
            "dp_transpose, linearised_live",
            "forward_backward, identity, gain 1, 3 layers",
            "α",
            "β",
            "0.9",
            "settled",
        ] {
            assert!(texts.iter().any(|found| found == text), "{text} in {texts:?}");
        }
        assert!(
            texts.iter().any(|text| text.contains("cβ·λ = 1")) && texts.iter().any(|text| text == "for the smallest"),
            "{texts:?}"
        );
        // Under DP white lines on either side of ½, on black ones; under DP⊤ none.
        let white = |rows: &[StabilityRow]| {
            let svg = stability_map(rows, false).unwrap();
            svg.split('<').filter(|tag| tag.starts_with("path") && tag.contains("stroke=\"#ffffff\"")).count()
        };
        let (dp, dp_transpose) = rows.split_at(6);
        assert!(white(dp) >= 2 && white(dp_transpose) == 0, "{} and {}", white(dp), white(dp_transpose));
    }

    #[test]
    fn a_plane_has_a_map_for_each_beta() {
        let rows = rows(vec![RuleKind::General], vec![Nudge::LinearisedLive]);
        let (_, texts) = parsed(&stability_map(&rows, true).unwrap());
        for text in ["general, β = 0.1, linearised_live", "general, β = 0.9, linearised_live", "α_m, of the mean"] {
            assert!(texts.iter().any(|found| found == text), "{text} in {texts:?}");
        }
    }

    /// The closed form by hand: DP with c = 1 and λ = 4 at α = 0 has β = ¼ live, and β/(1−β)·4 = 1 at β = ⅕ proximal.
    #[test]
    fn boundaries_are_the_thresholds() {
        let mut row = rows(vec![RuleKind::Dp], vec![Nudge::LinearisedLive]).remove(0);
        (row.lambda_least, row.lambda_most) = (Some(4.0), Some(4.0));
        for (nudge, beta) in [(Nudge::LinearisedLive, 0.25), (Nudge::Proximal, 0.2)] {
            let row = StabilityRow { nudge: nudge.name(), ..row.clone() };
            let lines = boundaries(&row, false);
            let (x, y) = lines[0].points[0].unwrap();
            assert!(lines.len() == 1 && x == 0.0 && (y / beta - 1.0).abs() < 1e-9, "{nudge:?}: {y}");
            // At α = ½ there is no threshold.
            assert!(lines[0].points[POINTS / 2].is_none());
        }
        let plane = StabilityRow { rule: "general", beta: 0.5, ..row.clone() };
        let lines = boundaries(&plane, true);
        assert_eq!((lines[0].points[0], lines[1].points[POINTS]), (Some((0.0, 0.5)), Some((1.0, 0.5))));
        let frozen = StabilityRow { nudge: "linearised_frozen", ..row };
        assert!(boundaries(&frozen, false).is_empty() && boundaries(&frozen, true).is_empty());
    }

    #[test]
    fn more_maps_than_can_be_looked_at_are_refused() {
        let row = rows(vec![RuleKind::Dp], vec![Nudge::LinearisedLive]).remove(0);
        let many: Vec<StabilityRow> = (0..13).map(|depth| StabilityRow { depth, ..row.clone() }).collect();
        let error = stability_map(&many, false).unwrap_err().to_string();
        assert!(error.starts_with("maps of the figure = 13: "), "{error}");
        assert!(stability_map(&[], false).is_err());
    }
}
