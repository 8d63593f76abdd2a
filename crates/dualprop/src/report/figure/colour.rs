//! Colours that people with colour-blindness can tell apart, and that keep their order in grey.

/// What something is drawn in; each has a class besides, by which a dark page lightens it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) enum Colour {
    /// Text and frames.
    Ink,
    /// Text of less weight, and ticks.
    Faint,
    /// Lines of a grid.
    Grid,
    /// The page behind everything.
    Paper,
    /// One of several that have no order.
    Series(usize),
    /// A share from 0 to 1, from dark to light.
    Viridis(f64),
    /// A share from 0 to 1 of what is drawn as lines: without the ends of the scale, which vanish in paper or ink.
    Ramp(f64),
    /// A number from −1 to 1 around a middle: blue, white, red.
    Diverging(f64),
    /// What is not defined.
    Missing,
    /// These components.
    Plain(u8, u8, u8),
}

/// The palette of Okabe and Ito (2008), without its black and its yellow, which paper swallows.
const SERIES: [(u8, u8, u8); 7] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (110, 110, 110)];

/// Viridis at ten even steps from 0 to 1.
const VIRIDIS: [(u8, u8, u8); 10] = [
    (68, 1, 84),
    (72, 40, 120),
    (62, 74, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (109, 205, 89),
    (180, 222, 44),
    (253, 231, 37),
];

/// Dark blue, white and dark red, which keep their order for every kind of colour-blindness.
const DIVERGING: [(u8, u8, u8); 3] = [(5, 48, 97), (247, 247, 247), (103, 0, 31)];

impl Colour {
    fn components(self) -> (u8, u8, u8) {
        match self {
            Colour::Ink => (30, 30, 30),
            Colour::Faint => (95, 95, 95),
            Colour::Grid => (226, 226, 226),
            Colour::Paper => (255, 255, 255),
            Colour::Series(index) => SERIES[index % SERIES.len()],
            Colour::Viridis(share) => between(&VIRIDIS, share),
            Colour::Ramp(share) => between(&VIRIDIS, 0.1 + 0.75 * share.clamp(0.0, 1.0)),
            Colour::Diverging(number) => between(&DIVERGING, 0.5 + 0.5 * number),
            Colour::Missing => (205, 205, 205),
            Colour::Plain(red, green, blue) => (red, green, blue),
        }
    }

    /// As an attribute of SVG.
    pub(super) fn hex(self) -> String {
        let (red, green, blue) = self.components();
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// The class by which a page may change it; none for what means a number.
    pub(super) fn class(self) -> Option<String> {
        match self {
            Colour::Ink => Some("ink".into()),
            Colour::Faint => Some("faint".into()),
            Colour::Grid => Some("grid".into()),
            Colour::Paper => Some("paper".into()),
            Colour::Series(index) => Some(format!("s{}", index % SERIES.len())),
            Colour::Ramp(_) => Some("ramp".into()),
            Colour::Viridis(_) | Colour::Diverging(_) | Colour::Missing | Colour::Plain(..) => None,
        }
    }

    /// Black or white, whichever can be read on this colour.
    pub(super) fn on(self) -> Colour {
        let (red, green, blue) = self.components();
        let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
        if light > 125.0 { Colour::Plain(0, 0, 0) } else { Colour::Plain(255, 255, 255) }
    }
}

/// The colour at a share of the way along these steps; what is no number has that of what is missing.
fn between(steps: &[(u8, u8, u8)], share: f64) -> (u8, u8, u8) {
    if !share.is_finite() {
        return Colour::Missing.components();
    }
    let place = share.clamp(0.0, 1.0) * (steps.len() - 1) as f64;
    let below = (place as usize).min(steps.len() - 2);
    let (a, b, part) = (steps[below], steps[below + 1], place - below as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_run_from_dark_to_light_and_what_is_none_is_grey() {
        assert_eq!(Colour::Viridis(0.0).hex(), "#440154");
        assert_eq!(Colour::Viridis(7.0).hex(), "#fde725");
        assert_eq!(Colour::Viridis(1.0 / 18.0).hex(), "#461566");
        assert_eq!(Colour::Viridis(f64::NAN).hex(), Colour::Missing.hex());
        assert_eq!([-1.0, 0.0, 1.0].map(|number| Colour::Diverging(number).hex()), ["#053061", "#f7f7f7", "#67001f"]);
        assert_eq!(
            (Colour::Viridis(0.0).on(), Colour::Viridis(1.0).on()),
            (Colour::Plain(255, 255, 255), Colour::Plain(0, 0, 0))
        );
    }

    #[test]
    fn only_what_means_no_number_may_be_changed_by_the_page() {
        assert_eq!(Colour::Series(8).class().as_deref(), Some("s1"));
        assert!(Colour::Viridis(0.5).class().is_none() && Colour::Missing.class().is_none());
    }
}
