//! Samples as a file of a data set holds them.

use crate::network::Shape;

/// Images or flat samples of bytes, each with a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The extents of one sample.
    pub input: Shape,
    /// Row-major [n, H, W, C].
    pub pixels: Vec<u8>,
    /// One for each sample.
    pub labels: Vec<u32>,
}

impl Records {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Appends the samples of another file, of the same extents unless there are none yet.
    pub(super) fn append(&mut self, mut other: Records) {
        debug_assert!(self.is_empty() || self.input == other.input);
        self.input = other.input;
        self.pixels.append(&mut other.pixels);
        self.labels.append(&mut other.labels);
    }
}

/// Appends an image whose channels lie one after the other, [C, H, W], as [H, W, C].
pub(super) fn append_planes(planes: &[u8], channels: usize, pixels: &mut Vec<u8>) {
    let size = planes.len() / channels;
    pixels.extend((0..size).flat_map(|pixel| (0..channels).map(move |channel| planes[channel * size + pixel])));
}
