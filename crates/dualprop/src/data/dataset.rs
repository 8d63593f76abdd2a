//! Labelled samples in memory.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::Mmap;

use crate::base::{Error, Result, memory};
use crate::network::Shape;

use super::Constants;

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
    /// Mean and standard deviation of each channel, of pixels from 0 to 1, by which its inputs are usually normalised.
    pub constants: Option<Constants>,
    /// Row-major [n, H, W, C].
    pixels: Pixels,
    labels: Vec<u32>,
}

/// Bytes in memory, or in a file that is mapped into it.
#[derive(Debug, Clone)]
pub(super) enum Pixels {
    Owned(Vec<u8>),
    Mapped { map: Arc<Mmap>, start: usize, length: usize },
}

impl Deref for Pixels {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Pixels::Owned(bytes) => bytes,
            Pixels::Mapped { map, start, length } => &map[*start..start + length],
        }
    }
}

impl PartialEq for Pixels {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
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
        Dataset::of_pixels(name, input, classes, largest, Pixels::Owned(pixels), labels)
    }

    /// [`Dataset::new`] with pixels wherever they are.
    pub(super) fn of_pixels(
        name: impl Into<String>,
        input: Shape,
        classes: usize,
        largest: u8,
        pixels: Pixels,
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
        // Pixels that may have any value are not looked at: they may be gigabytes in a file.
        if let Some(i) = (largest < u8::MAX).then(|| pixels.iter().position(|&pixel| pixel > largest)).flatten() {
            let neurons = pixels.len() / labels.len();
            let field = format!("{name}: pixel {} of sample {}", i % neurons, i / neurons);
            return Err(Error::setting(field, pixels[i], format!("expected at most {largest}")));
        }
        Ok(Dataset { name, input, classes, largest, constants: None, pixels, labels })
    }

    /// The same samples in the middle of images of this shape, with pixels of 0 around them.
    ///
    /// # Errors
    /// [`Error::Setting`] if they are larger, have other channels, or cannot stand in the middle.
    pub fn padded(&self, shape: Shape) -> Result<Cow<'_, Self>> {
        if shape == self.input {
            return Ok(Cow::Borrowed(self));
        }
        let Dataset { input, .. } = *self;
        let border = |inner: usize, outer: usize| outer.checked_sub(inner).filter(|rest| rest % 2 == 0).map(|rest| rest / 2);
        let borders = border(input.height, shape.height).zip(border(input.width, shape.width));
        let Some((above, left)) = borders.filter(|_| input.channels == shape.channels) else {
            let problem = format!("{} has samples of {:?}, which cannot stand in the middle of it", self.name, input.extents());
            return Err(Error::setting("input", format!("{:?}", shape.extents()), problem));
        };
        let size = (self.len() as u64).saturating_mul(shape.neurons() as u64);
        memory::require(&self.name, size, "pad to smaller images")?;
        let mut pixels = vec![0; self.len() * shape.neurons()];
        let row = input.width * input.channels;
        for (i, image) in pixels.chunks_exact_mut(shape.neurons()).enumerate() {
            for (y, from) in self.sample(i).chunks_exact(row).enumerate() {
                let start = ((y + above) * shape.width + left) * shape.channels;
                image[start..start + row].copy_from_slice(from);
            }
        }
        Ok(Cow::Owned(Dataset {
            pixels: Pixels::Owned(pixels),
            labels: self.labels.clone(),
            name: self.name.clone(),
            input: shape,
            ..*self
        }))
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
    fn samples_stand_in_the_middle_of_what_they_are_padded_to() {
        let dataset = Dataset::new("two", Shape::image(1, 2, 2), 4, 11, (1..9).collect(), vec![3, 0]).unwrap();
        let padded = dataset.padded(Shape::image(3, 4, 2)).unwrap();
        #[rustfmt::skip]
        let expected = [
            0, 0,   0, 0,   0, 0,   0, 0,
            0, 0,   5, 6,   7, 8,   0, 0,
            0, 0,   0, 0,   0, 0,   0, 0,
        ];
        assert_eq!((padded.sample(1), padded.labels(), padded.input), (&expected[..], dataset.labels(), Shape::image(3, 4, 2)));
        assert_eq!(*dataset.padded(dataset.input).unwrap(), dataset);
        for (height, width, channels) in [(3, 4, 1), (2, 4, 2), (3, 1, 2), (3, 5, 2)] {
            let error = dataset.padded(Shape::image(height, width, channels)).unwrap_err().to_string();
            assert!(error.contains("two has samples of [1, 2, 2]"), "{error}");
        }
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
