//! Numbers as a figure writes them.

/// A number in as few digits as say it to about four places, with a minus sign that is as wide as a plus.
pub(in crate::report) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let size = value.abs();
    let text = if value == 0.0 {
        "0".into()
    } else if (1e-3..1e5).contains(&size) {
        let before = libm::floor(libm::log10(size)) as i32;
        trimmed(format!("{value:.*}", (3 - before).clamp(0, 6) as usize))
    } else {
        return scientific(value);
    };
    text.replace('-', "−")
}

/// A number as a multiple of a power of ten, `2.5×10⁻⁷`.
fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = trimmed(digits.into());
    let power = format!("10{}", exponent.chars().map(raised).collect::<String>());
    match digits.as_str() {
        "1" => power,
        "-1" => format!("−{power}"),
        _ => format!("{}×{power}", digits.replace('-', "−")),
    }
}

fn raised(c: char) -> char {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize])
}

/// Without zeros at the end of a fraction.
fn trimmed(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

/// A place in an SVG, to a hundredth.
pub(super) fn place(value: f64) -> String {
    let text = trimmed(format!("{value:.2}"));
    if text == "-0" { "0".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.5, "0.5"),
            (-0.25, "−0.25"),
            (98.765_43, "98.77"),
            (1234.5, "1234"),
            (0.01, "0.01"),
            (0.001_234_56, "0.001235"),
            (1e-7, "10⁻⁷"),
            (-2.5e12, "−2.5×10¹²"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!([place(1.0), place(-0.001), place(2.346)], ["1", "0", "2.35"]);
    }
}
