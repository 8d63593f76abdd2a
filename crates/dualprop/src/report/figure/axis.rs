//! Axes: which numbers lie where, and which of them are written.

use super::number::number;

/// One axis of a panel.
#[derive(Debug, Clone)]
pub(in crate::report) struct Axis {
    pub(super) label: String,
    logarithmic: bool,
    /// From where to where it reaches, in the unit in which it is even.
    domain: (f64, f64),
    /// Places in that unit, with what is written there.
    ticks: Vec<(f64, String)>,
    /// Whether lines of a grid help to read it.
    pub(super) grid: bool,
}

impl Axis {
    /// An even axis that has all these values, and ends at round numbers where that costs little room.
    pub(in crate::report) fn linear(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values);
        let step = round_step((high - low) / 5.0);
        let (low, high) = (step * libm::floor(low / step + 1e-9), step * libm::ceil(high / step - 1e-9));
        Axis::from_to(label, low, high)
    }

    /// The same, from 0.
    pub(in crate::report) fn from_zero(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        Axis::linear(label, values.into_iter().chain([0.0]))
    }

    /// An even axis from one value to another, exactly.
    pub(in crate::report) fn from_to(label: impl Into<String>, low: f64, high: f64) -> Self {
        let step = round_step((high - low) / 5.0);
        let first = libm::ceil(low / step - 1e-9);
        let count = (libm::floor(high / step + 1e-9) - first).max(0.0) as usize + 1;
        let ticks = (0..count.min(50)).map(|k| step * (first + k as f64)).map(|at| (at, number(at)));
        Axis { label: label.into(), logarithmic: false, domain: (low, high), ticks: ticks.collect(), grid: true }
    }

    /// The same of what is counted: nothing is written between whole numbers.
    pub(in crate::report) fn counts(label: impl Into<String>, low: f64, high: f64) -> Self {
        let axis = Axis::from_to(label, low, high);
        Axis { ticks: axis.ticks.into_iter().filter(|(at, _)| libm::round(*at) == *at).collect(), ..axis }
    }

    /// An axis that is even in the logarithm; values that have none are ignored.
    pub(in crate::report) fn logarithmic(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = extent(values.into_iter().filter(|value| *value > 0.0).map(libm::log10));
        let margin = 0.02 * (high - low);
        let (low, high) = (low - margin, high + margin);
        let decades = high - low;
        // The fewer decades, the more of their numbers are written.
        let digits: &[f64] = if decades > 2.5 {
            &[1.0]
        } else if decades > 1.0 {
            &[1.0, 3.0]
        } else {
            &[1.0, 2.0, 3.0, 5.0, 7.0]
        };
        let every = (libm::ceil(decades / 7.0) as i32).max(1);
        let mut ticks = vec![];
        for decade in (libm::floor(low) as i32)..=(libm::ceil(high) as i32) {
            for digit in digits.iter().filter(|_| decade.rem_euclid(every) == 0) {
                let value = digit * libm::exp10(f64::from(decade));
                let at = libm::log10(value);
                if at >= low - 1e-9 && at <= high + 1e-9 {
                    ticks.push((at, number(value)));
                }
            }
        }
        if ticks.len() < 3 {
            // Within a part of a decade the round numbers are those of an even axis.
            let step = round_step((libm::exp10(high) - libm::exp10(low)) / 4.0);
            let first = libm::ceil(libm::exp10(low) / step) as usize;
            let round = (first..first + 10).map(|k| step * k as f64).filter(|value| (low..=high).contains(&libm::log10(*value)));
            ticks = round.map(|value| (libm::log10(value), number(value))).collect();
        }
        Axis { label: label.into(), logarithmic: true, domain: (low, high), ticks, grid: true }
    }

    /// An axis of numbers of which each that was chosen is written, with a little room beyond the outermost.
    pub(in crate::report) fn chosen(label: impl Into<String>, values: &[f64], logarithmic: bool) -> Self {
        let (axis, _) = Axis::cells(label, values, logarithmic);
        let even = |value: f64| if logarithmic { libm::log10(value) } else { value };
        let (low, high) = extent(values.iter().map(|&value| even(value)));
        Axis { domain: (low, high), grid: true, ..axis }.with_margin()
    }

    /// The same with a little more room at both ends, so that a disc there is seen whole.
    pub(in crate::report) fn with_margin(self) -> Self {
        let (low, high) = self.domain;
        let margin = 0.04 * (high - low);
        Axis { domain: (low - margin, high + margin), ..self }
    }

    /// An axis of cells around these values, which rise, with where the cells begin and end in the axis' own unit: half way between
    /// the values, and as far beyond the outermost ones.
    pub(in crate::report) fn cells(label: impl Into<String>, values: &[f64], logarithmic: bool) -> (Self, Vec<f64>) {
        let even = |value: f64| if logarithmic { libm::log10(value) } else { value };
        let places: Vec<f64> = values.iter().map(|&value| even(value)).collect();
        let edges = edges(&places);
        let ticks = shown(values).into_iter().map(|value| (even(value), number(value))).collect();
        let domain = (edges[0], edges[edges.len() - 1]);
        (Axis { label: label.into(), logarithmic, domain, ticks, grid: false }, edges)
    }

    /// An axis of names, the first at 0, the next at 1.
    pub(in crate::report) fn names(label: impl Into<String>, names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(index, name)| (index as f64, name.clone())).collect();
        let domain = (-0.5, names.len().max(1) as f64 - 0.5);
        Axis { label: label.into(), logarithmic: false, domain, ticks, grid: false }
    }

    /// The same from top to bottom, or from right to left.
    pub(in crate::report) fn reversed(self) -> Self {
        Axis { domain: (self.domain.1, self.domain.0), ..self }
    }

    /// The same with nothing written at its places.
    pub(in crate::report) fn without_ticks(self) -> Self {
        Axis { ticks: vec![], grid: false, ..self }
    }

    /// The same without anything written.
    pub(in crate::report) fn bare(self) -> Self {
        Axis { label: String::new(), ..self.without_ticks() }
    }

    /// Where a value lies, as a share of the axis; none for what has no place on it.
    pub(super) fn share(&self, value: f64) -> Option<f64> {
        let even = if self.logarithmic { libm::log10(value) } else { value };
        let share = self.share_of_even(even);
        (share.is_finite() && (-1e-6..=1.0 + 1e-6).contains(&share)).then_some(share)
    }

    /// The same of a place in the unit in which it is even.
    pub(super) fn share_of_even(&self, even: f64) -> f64 {
        (even - self.domain.0) / (self.domain.1 - self.domain.0)
    }

    /// The shares at which something is written, and what.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().map(|(at, text)| (self.share_of_even(*at), text.as_str()))
    }
}

/// From the least to the greatest of the values that are finite; something around them where they are one or none.
fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (value.min(low), value.max(high)));
    if low > high {
        (0.0, 1.0)
    } else if high - low <= 1e-12 * high.abs().max(low.abs()) {
        let around = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
        (low - around, high + around)
    } else {
        (low, high)
    }
}

/// 1, 2 or 5 times a power of ten, about this large.
fn round_step(about: f64) -> f64 {
    if !(about.is_finite() && about > 0.0) {
        return 1.0;
    }
    let power = libm::exp10(libm::floor(libm::log10(about)));
    let digit = about / power;
    power
        * if digit < 1.5 {
            1.0
        } else if digit < 3.5 {
            2.0
        } else if digit < 7.5 {
            5.0
        } else {
            10.0
        }
}

/// Half way between the places, and as far beyond the outermost ones.
fn edges(places: &[f64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return vec![0.0, 1.0] };
    let between: Vec<f64> = places.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).collect();
    let (Some(low), Some(high)) = (between.first(), between.last()) else { return vec![first - 0.5, first + 0.5] };
    [vec![2.0 * first - low], between.clone(), vec![2.0 * last - high]].concat()
}

/// The values that have a tick: all of few, else evenly chosen ones, with the last among them if that can be.
fn shown(values: &[f64]) -> Vec<f64> {
    let least = values.len().div_ceil(8).max(1);
    let step = (least..2 * least).find(|step| (values.len().max(1) - 1).is_multiple_of(*step)).unwrap_or(least);
    values.iter().copied().step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(axis: &Axis) -> Vec<&str> {
        axis.ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        assert_eq!(written(&Axis::linear("", [91.3, 97.8])), ["91", "92", "93", "94", "95", "96", "97", "98"]);
        assert_eq!(written(&Axis::from_to("", 1.0, 20.0)), ["5", "10", "15", "20"]);
        assert_eq!(written(&Axis::counts("", 1.0, 4.0)), ["1", "2", "3", "4"]);
        assert_eq!(written(&Axis::linear("", [0.0, 0.013])), ["0", "0.002", "0.004", "0.006", "0.008", "0.01", "0.012", "0.014"]);
        assert_eq!(written(&Axis::logarithmic("", [0.01, 10.0, -1.0, f64::NAN])), ["0.01", "0.1", "1", "10"]);
        assert_eq!(written(&Axis::logarithmic("", [2.0, 6.0])), ["2", "3", "5"]);
        assert_eq!(written(&Axis::logarithmic("", [7.1, 7.9])), ["7.2", "7.4", "7.6", "7.8"]);
        assert_eq!(written(&Axis::chosen("", &[0.0, 0.5, 1.0], false)), ["0", "0.5", "1"]);
        for axis in [Axis::linear("", []), Axis::linear("", [3.0]), Axis::logarithmic("", []), Axis::linear("", [f64::INFINITY])]
        {
            assert!(axis.ticks().count() > 1 && axis.ticks().all(|(share, _)| (0.0..=1.0 + 1e-9).contains(&share)), "{axis:?}");
        }
    }

    #[test]
    fn values_beyond_the_axis_have_no_place() {
        let axis = Axis::from_to("", 0.0, 4.0);
        assert_eq!(
            [axis.share(1.0), axis.share(4.0), axis.share(5.0), axis.share(f64::NAN)],
            [Some(0.25), Some(1.0), None, None]
        );
        assert_eq!(axis.reversed().share(1.0), Some(0.75));
        assert_eq!(Axis::logarithmic("", [1.0, 10.0]).share(0.0), None);
    }

    #[test]
    fn cells_reach_half_way_to_their_neighbours() {
        assert_eq!(Axis::cells("", &[0.0, 0.5, 1.0], false).1, [-0.25, 0.25, 0.75, 1.25]);
        assert_eq!(Axis::cells("", &[0.01, 1.0], true).1, [-3.0, -1.0, 1.0]);
        assert_eq!(Axis::cells("", &[2.0], false).1, [1.5, 2.5]);
        let (axis, _) = Axis::cells("", &(0..21).map(f64::from).collect::<Vec<_>>(), false);
        assert_eq!(written(&axis), ["0", "4", "8", "12", "16", "20"]);
    }
}
