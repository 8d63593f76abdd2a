//! What is drawn: each file makes one kind of figure from what was measured.

pub(super) mod angles;
pub(super) mod arms;
pub(super) mod comparison;
pub(super) mod confusion;
pub(super) mod curves;
pub(super) mod filters;
pub(super) mod grids;
pub(super) mod norms;
pub(super) mod robustness;
pub(super) mod stability;
pub(super) mod states;

use super::figure::{Axis, Colour, Entry, Mark, Point, Stroke, number};

/// A number over the epochs, of several seeds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    /// x, the mean over the seeds that have it, and the least and the greatest of them.
    points: Vec<(f64, f64, f64, f64)>,
}

impl Series {
    /// The series of what each seed has: x and, where it is defined and finite, y.
    pub(super) fn of(seeds: &[Vec<(f64, Option<f64>)>]) -> Self {
        let mut xs: Vec<f64> = seeds.iter().flatten().map(|(x, _)| *x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let at = |x: f64| {
            let of_seed = |seed: &Vec<(f64, Option<f64>)>| {
                let place = seed.binary_search_by(|(other, _)| other.total_cmp(&x)).ok()?;
                seed[place].1.filter(|y| y.is_finite())
            };
            let ys: Vec<f64> = seeds.iter().filter_map(of_seed).collect();
            let (low, high) = ys.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (y.min(low), y.max(high)));
            (!ys.is_empty()).then(|| (x, ys.iter().sum::<f64>() / ys.len() as f64, low, high))
        };
        Series { points: xs.into_iter().filter_map(at).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub(super) fn xs(&self) -> impl Iterator<Item = f64> {
        self.points.iter().map(|point| point.0)
    }

    /// All that an axis must reach.
    pub(super) fn ys(&self) -> impl Iterator<Item = f64> {
        self.points.iter().flat_map(|&(_, _, low, high)| [low, high])
    }

    /// The band of the seeds, the line of their means, and what a closer look says, under this name.
    pub(super) fn marks(&self, stroke: Stroke, name: &str, x_name: &str) -> Vec<Mark> {
        let spread = self.points.iter().any(|&(_, _, low, high)| low < high);
        let mut marks = vec![];
        if spread {
            let points = self.points.iter().map(|&(x, _, low, high)| (x, low, high)).collect();
            marks.push(Mark::Band { points, colour: stroke.colour });
        }
        marks.push(Mark::Line { points: self.points.iter().map(|&(x, mean, ..)| Some((x, mean))).collect(), stroke });
        if let [(x, y, ..)] = self.points[..] {
            // A line of one point would not be seen.
            marks.push(Mark::Points { points: vec![Point { x, y, tip: String::new() }], colour: stroke.colour, radius: 2.5 });
        }
        let tip = |&(x, y, low, high): &(f64, f64, f64, f64)| {
            let range = if low < high { format!(" ({} to {})", number(low), number(high)) } else { String::new() };
            Point {
                x,
                y,
                tip: format!("{name}{}{x_name} {}: {}{range}", if name.is_empty() { "" } else { ", " }, number(x), number(y)),
            }
        };
        // More of them than anybody can tell apart would only make the file large.
        let every = self.points.len().div_ceil(200).max(1);
        marks.push(Mark::Tips(self.points.iter().step_by(every).map(tip).collect()));
        marks
    }
}

/// The stroke of the `index`th of several lines that have no order: dashed where the colours begin again.
fn stroke(index: usize) -> Stroke {
    const COLOURS: usize = 7;
    let colour = Colour::Series(index % COLOURS);
    if (index / COLOURS).is_multiple_of(2) { Stroke::plain(colour) } else { Stroke::dashed(colour) }
}

/// The axis of the epochs of these lines.
fn epochs<'a>(lines: impl IntoIterator<Item = &'a Series>) -> Axis {
    let (first, last) = lines
        .into_iter()
        .flat_map(Series::xs)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(first, last), x| (x.min(first), x.max(last)));
    match first < last {
        true => Axis::counts("epoch", first, last),
        // Of one epoch there is no way to the next; of none there is nothing to be drawn.
        false => Axis::counts("epoch", last.max(0.0), last.max(0.0) + 1.0),
    }
}

/// A line of the legend.
fn entry(label: impl Into<String>, stroke: Stroke) -> Entry {
    Entry { label: label.into(), stroke }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_the_mean_of_the_seeds_that_have_a_number() {
        let series = Series::of(&[
            vec![(1.0, Some(2.0)), (2.0, Some(4.0)), (3.0, None)],
            vec![(1.0, Some(4.0)), (2.0, Some(f64::NAN)), (4.0, Some(1.0))],
        ]);
        assert_eq!(series.points, [(1.0, 3.0, 2.0, 4.0), (2.0, 4.0, 4.0, 4.0), (4.0, 1.0, 1.0, 1.0)]);
        assert_eq!(series.marks(stroke(0), "", "epoch").len(), 3, "band, line, tips");
        assert!(Series::of(&[vec![(1.0, None)]]).is_empty());
        assert!(stroke(8).dashed && stroke(8).colour == stroke(1).colour);
    }
}
