//! Runs against a baseline: what each seed came to, and how far that is from the baseline's.

use crate::base::Named;
use crate::report::figure::{Axis, Colour, Figure, Mark, Panel, Point, Stroke, number};
use crate::training::{Against, ComparedRun, Comparison};

use super::arms::{self, Arm, Quantity};

/// The figure of a comparison, as SVG: the runs with their seeds, and beside them the differences of every other run from the
/// baseline, of each pair and in the mean, with the interval in which that is with a confidence of 95 %.
pub fn comparison_figure(comparison: &Comparison) -> String {
    let runs = std::iter::once(&comparison.baseline).chain(comparison.others.iter().map(|other| &other.run));
    let arm =
        |run: &ComparedRun| -> Arm { (run.run.clone(), run.seeds.iter().copied().zip(run.values.iter().copied()).collect()) };
    let metric = comparison.metric.name();
    let quantities = [Quantity { label: metric, logarithmic: false, arms: runs.map(arm).collect() }];
    let caption = "Each disc is a seed; right: its difference from the baseline's, their mean and its 95 % interval.";
    let figure = arms::figure("comparison", "Comparison", caption, &quantities);
    let mut figure = figure.unwrap_or_else(|| Figure::new("comparison", "Comparison", caption));
    figure.panels.extend(differences(comparison));
    figure.svg()
}

/// The differences; none where there is no other run.
fn differences(comparison: &Comparison) -> Option<Panel> {
    let pairs = |other: &Against| -> Vec<(u64, f64)> {
        let baseline = &comparison.baseline;
        let of_seed = |(&seed, &value): (&u64, &f64)| {
            let place = baseline.seeds.iter().position(|paired| *paired == seed)?;
            Some((seed, value - baseline.values[place]))
        };
        other.run.seeds.iter().zip(&other.run.values).filter_map(of_seed).collect()
    };
    let all: Vec<Vec<(u64, f64)>> = comparison.others.iter().map(pairs).collect();
    let ends = comparison.others.iter().filter_map(|other| other.difference.interval).flat_map(|(low, high)| [low, high]);
    let reach = all.iter().flatten().map(|(_, difference)| *difference).chain(ends);
    let labels: Vec<String> = (0..=all.len()).map(|_| String::new()).collect();
    let label = format!("difference of {}", comparison.metric.name());
    let mut panel = Panel::new("", Axis::from_zero(label, reach).with_margin(), Axis::names("", &labels).reversed().bare());
    panel.size = (260.0, (20.0 * labels.len() as f64).max(50.0));
    let last = all.len() as f64;
    let zero = Stroke { colour: Colour::Ink, width: 1.0, dashed: true };
    panel.marks.push(Mark::Line { points: vec![Some((0.0, -0.5)), Some((0.0, last + 0.5))], stroke: zero });
    // The baseline has the first place.
    for ((y, other), pairs) in (1..).map(f64::from).zip(&comparison.others).zip(&all) {
        let (colour, difference) = (Colour::Series(1), &other.difference);
        if let Some((low, high)) = difference.interval {
            let stroke = Stroke { colour, width: 1.4, dashed: false };
            panel.marks.push(Mark::Line { points: vec![Some((low, y)), Some((high, y))], stroke });
        }
        let stroke = Stroke { colour, width: 3.0, dashed: false };
        panel.marks.push(Mark::Line { points: [y - 0.32, y + 0.32].map(|y| Some((difference.mean, y))).into(), stroke });
        let disc = |&(seed, x): &(u64, f64)| Point { x, y, tip: format!("{}, seed {seed}: {}", other.run.run, number(x)) };
        panel.marks.push(Mark::Points { points: pairs.iter().map(disc).collect(), colour, radius: 3.2 });
    }
    (!all.is_empty()).then_some(panel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::PairedDifference;
    use crate::report::figure::parsed;
    use crate::training::Metric;

    #[test]
    fn every_seed_and_every_pair_has_a_disc() {
        let run = |name: &str, seeds: &[u64], values: &[f64]| ComparedRun {
            run: name.into(),
            name: name.into(),
            seeds: seeds.into(),
            values: values.into(),
            mean: 0.0,
            deviation: 0.0,
        };
        let other = Against {
            run: run("b", &[1, 2, 4], &[2.0, 3.5, 9.0]),
            only_in_baseline: vec![3],
            only_here: vec![4],
            difference: PairedDifference::of(&[1.0, 2.0], &[2.0, 3.5]).unwrap(),
        };
        let baseline = run("a", &[1, 2, 3], &[1.0, 2.0, 3.0]);
        let svg =
            comparison_figure(&Comparison { metric: Metric::TestAccuracy, baseline, others: vec![other], warnings: vec![] });
        let (tags, texts) = parsed(&svg);
        // Of each run its seeds and the tip of its mean; of the pairs one each.
        assert_eq!(tags.iter().filter(|tag| *tag == "circle").count(), 2 * (3 + 1) + 2);
        assert!(texts.iter().any(|text| text == "b, seed 2: 1.5"), "{texts:?}");
    }
}
