//! Labelled samples in memory.

use crate::base::{Error, Result};
use crate::network::Shape;

/// Samples of bytes with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What it is called in recipes and messages.
    pub name: String,
    /// The extents of one sample.
    pub input: Shape,
    /// How many classes there are; labels are 0..classes.
    pub classes: usize,
    /// The largest value that a pixel can have.
    pub largest: u8,
    /// Row-major [n, H, W, C].
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl Dataset {
    /// Checks and keeps the samples: `pixels` are row-major [n, H, W, C], from 0 to `largest`, with one label per sample.
    ///
    /// # Errors
    /// [`Error::Setting`] for no samples, an input without pixels, a label that is not below `classes`, or a pixel above
    /// `largest`; [`Error::Shape`] for another number of pixels than the labels and the input's extents ask for.
    pub fn new(
        name: impl Into<String>,
        input: Shape,
        classes: usize,
        largest: u8,
        pixels: Vec<u8>,
        labels: Vec<u32>,
    ) -> Result<Self> {
        let name = name.into();
        if labels.is_empty() {
            return Err(Error::setting(name, "no samples", "a data set needs at least one"));
        }
        let extents = [labels.len(), input.height, input.width, input.channels];
        // An overflowing product is no vector's length; an empty sample would make `sample` divide the void.
        let expected = extents.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if expected == Some(0) {
            return Err(Error::setting(
                format!("{name}: input"),
                format!("{:?}", &extents[1..]),
                "a sample needs at least one pixel",
            ));
        }
        if expected != Some(pixels.len()) {
            return Err(Error::shape(format!("{name}: pixels"), &[pixels.len()], &extents));
        }
        if let Some(i) = labels.iter().position(|&label| label as usize >= classes) {
            let problem = format!("there are {classes} classes, so labels must be below {classes}");
            return Err(Error::setting(format!("{name}: label of sample {i}"), labels[i], problem));
        }
        if let Some(i) = pixels.iter().position(|&pixel| pixel > largest) {
            let neurons = pixels.len() / labels.len();
            let field = format!("{name}: pixel {} of sample {}", i % neurons, i / neurons);
            return Err(Error::setting(field, pixels[i], format!("expected at most {largest}")));
        }
        Ok(Dataset { name, input, classes, largest, pixels, labels })
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never true: a data set has at least one sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of sample i, row-major [H, W, C].
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn sample(&self, i: usize) -> &[u8] {
        let neurons = self.input.neurons();
        &self.pixels[i * neurons..(i + 1) * neurons]
    }

    /// The labels of all samples.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_where_they_were_put() {
        let dataset = Dataset::new("three", Shape::image(2, 1, 2), 4, 11, (0..12).collect(), vec![3, 0, 1]).unwrap();
        assert_eq!(dataset.len(), 3);
        assert_eq!(dataset.sample(1), [4, 5, 6, 7]);
        assert_eq!(dataset.labels(), [3, 0, 1]);
    }

    #[test]
    fn every_flaw_is_named() {
        let error = |input, classes, pixels: &[u8], labels: &[u32]| {
            Dataset::new("d", input, classes, 9, pixels.to_vec(), labels.to_vec()).unwrap_err().to_string()
        };
        let flat = Shape::flat(2);
        assert_eq!(error(flat, 2, &[], &[]), "d = no samples: a data set needs at least one");
        assert_eq!(error(Shape::flat(0), 2, &[], &[1]), "d: input = [1, 1, 0]: a sample needs at least one pixel");
        assert_eq!(error(flat, 2, &[0; 3], &[0, 1]), "d: pixels has shape [3], expected [2, 1, 1, 2]");
        let huge = Shape::image(usize::MAX, 2, 1);
        assert!(error(huge, 2, &[0; 3], &[0]).starts_with("d: pixels has shape [3], expected [1, "));
        let text = error(flat, 2, &[0; 4], &[0, 2]);
        assert_eq!(text, "d: label of sample 1 = 2: there are 2 classes, so labels must be below 2");
        let text = error(flat, 2, &[0, 9, 2, 10], &[0, 1]);
        assert_eq!(text, "d: pixel 1 of sample 1 = 10: expected at most 9");
    }
}
