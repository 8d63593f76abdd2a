//! The data set that is part of the library: handwritten digits.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::base::{Error, Result};
use crate::network::Shape;

use super::Dataset;

/// Whom the embedded digits come from, as their licence asks to be told wherever they are passed on.
pub const ATTRIBUTION: &str = "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning \
    Repository, 1998, DOI 10.24432/C50P49; licensed under CC BY 4.0";

const COMPRESSED: &[u8] = include_bytes!("../../data/digits.csv.gz");
const SIDE: usize = 8;
const CLASSES: usize = 10;
/// A pixel counts the dark points, of 4 x 4, that the scanned digit has there.
const DARKEST: u8 = 16;

/// 1,797 handwritten digits of 8 x 8 pixels from 0 to 16, in ten classes: the test part of the UCI Machine Learning
/// Repository's *Optical Recognition of Handwritten Digits* ([`ATTRIBUTION`]).
///
/// # Errors
/// [`Error::Malformed`] if the library was built with a damaged copy.
pub fn digits() -> Result<Dataset> {
    let mut text = String::new();
    let unpacked = GzDecoder::new(COMPRESSED).read_to_string(&mut text);
    unpacked.map_err(|error| flawed(format!("cannot be unpacked: {error}")))?;
    parse(&text)
}

fn flawed(problem: impl Into<String>) -> Error {
    Error::malformed("data/digits.csv.gz (embedded)", problem)
}

/// Lines of 64 pixels and a label.
fn parse(text: &str) -> Result<Dataset> {
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let numbers: Option<Vec<u8>> = line.split(',').map(|field| field.parse().ok()).collect();
        match numbers.as_deref().and_then(|numbers| numbers.split_last()) {
            Some((&label, pixels)) if pixels.len() == SIDE * SIDE && pixels.iter().all(|&pixel| pixel <= DARKEST) => {
                x.extend(pixels);
                labels.push(u32::from(label));
            }
            _ => return Err(flawed(format!("line {}: expected {} numbers 0..{DARKEST} and a label", number + 1, SIDE * SIDE))),
        }
    }
    Dataset::new("digits", Shape::image(SIDE, SIDE, 1), CLASSES, DARKEST, x, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts that the UCI repository publishes for the test set.
    #[test]
    fn the_embedded_digits_are_the_published_ones() {
        let digits = digits().unwrap();
        assert_eq!((digits.len(), digits.input, digits.classes), (1797, Shape::image(8, 8, 1), 10));
        let mut counts = [0; 10];
        digits.labels().iter().for_each(|&label| counts[label as usize] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        // The first line of the published file, a zero.
        #[rustfmt::skip]
        let first = [
            0, 0, 5, 13, 9, 1, 0, 0,
            0, 0, 13, 15, 10, 15, 5, 0,
            0, 3, 15, 2, 0, 11, 8, 0,
            0, 4, 12, 0, 0, 8, 8, 0,
            0, 5, 8, 0, 0, 9, 8, 0,
            0, 4, 11, 0, 1, 12, 7, 0,
            0, 2, 14, 5, 10, 12, 0, 0,
            0, 0, 6, 13, 10, 0, 0, 0,
        ];
        assert_eq!(digits.sample(0), first);
        assert_eq!(digits.labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn damaged_lines_are_named() {
        let line = |pixel: &str, label: &str| format!("{}{pixel},{label}\n", "0,".repeat(63));
        assert_eq!(parse(&line("16", "9")).unwrap().len(), 1);
        for second in [line("17", "9"), line("-1", "9"), line("1,1", "9"), line("x", "9"), "\n".into(), "1,2\n".into()] {
            let text = parse(&(line("1", "1") + &second)).unwrap_err().to_string();
            assert!(text.contains("line 2: expected 64 numbers 0..16 and a label"), "{second}: {text}");
        }
        assert!(parse(&line("1", "10")).unwrap_err().to_string().contains("label of sample 0 = 10"));
    }
}
