//! How much memory samples take, before they are read.

use crate::network::Shape;

/// How many bytes of memory the samples of a part take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// At most, while they are read.
    pub reading: u64,
    /// From then on.
    pub kept: u64,
}

impl Footprint {
    /// Of so many samples with these extents, padded to `input`; pixels that are mapped take nothing.
    pub(super) fn of(samples: usize, is_mapped: bool, extents: Shape, input: Shape) -> Self {
        let bytes = |shape: Shape| (samples as u64).saturating_mul(shape.neurons() as u64);
        let labels = (samples as u64).saturating_mul(size_of::<u32>() as u64);
        let read = if is_mapped { 0 } else { bytes(extents) };
        let padded = if input == extents { 0 } else { bytes(input) };
        // While files are read, one file's samples are there twice; and those that are padded are there as they were.
        let reading = if is_mapped { padded } else { read.saturating_add(read.max(padded)) };
        let kept = if input == extents { read } else { padded };
        Footprint { reading: reading.saturating_add(labels), kept: kept.saturating_add(labels) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Folders, Source};

    #[test]
    fn samples_take_what_is_read_and_what_is_padded() {
        let digits = Source::find("digits", &Folders::new(vec![])).unwrap();
        let input = digits.description().input;
        let (pixels, labels) = (1797 * 64, 1797 * 4);
        let [training, test] = digits.memory(input).unwrap();
        assert_eq!((training.kept, training.reading), (pixels + labels, 2 * pixels + labels));
        assert_eq!(test, Footprint::default());
        let padded = digits.memory(Shape::image(16, 16, 1)).unwrap()[0];
        assert_eq!((padded.kept, padded.reading), (4 * pixels + labels, 5 * pixels + labels));
        let mapped = Footprint::of(10, true, input, input);
        assert_eq!((mapped.kept, mapped.reading), (40, 40), "labels only");
    }
}
