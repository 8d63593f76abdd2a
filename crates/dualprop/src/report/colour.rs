//! Colours that people with colour-blindness can tell apart, and that keep their order in grey.

use plotters::style::RGBColor;

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

/// The colour of a share from 0 to 1, between the steps of viridis; of what is not defined, grey.
pub(super) fn of_share(share: Option<f64>) -> RGBColor {
    let Some(share) = share.filter(|share| share.is_finite()) else { return RGBColor(205, 205, 205) };
    let place = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let (a, b, part) = (VIRIDIS[below], VIRIDIS[below + 1], place - below as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Black or white, whichever can be read on this colour.
pub(super) fn on(RGBColor(red, green, blue): RGBColor) -> RGBColor {
    let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if light > 125.0 { RGBColor(0, 0, 0) } else { RGBColor(255, 255, 255) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_run_from_dark_to_light_and_what_is_none_is_grey() {
        assert_eq!(of_share(Some(0.0)), RGBColor(68, 1, 84));
        assert_eq!(of_share(Some(1.0)), RGBColor(253, 231, 37));
        assert_eq!(of_share(Some(1.0 / 18.0)), RGBColor(70, 21, 102));
        let RGBColor(r, g, b) = of_share(None);
        assert!(r == g && g == b && of_share(Some(f64::NAN)) == of_share(None));
        assert_eq!((on(of_share(Some(0.0))), on(of_share(Some(1.0)))), (RGBColor(255, 255, 255), RGBColor(0, 0, 0)));
    }
}
