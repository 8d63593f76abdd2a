//! Training samples that vary from epoch to epoch.

use crate::base::Named;
use crate::base::random::{Purpose, Random};

use super::{Dataset, Normalizer};

/// How a training sample varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Augmentation {
    /// Not at all.
    None,
    /// The normalised image, with four rows and columns of zeros around it, is cut to its size at a random place.
    Crop,
    /// The same, and then mirrored left to right with probability ½, drawn independently of the place.
    CropFlip,
}

impl Named for Augmentation {
    const WHAT: &'static str = "augmentation";
    const ALL: &'static [(&'static str, Self)] =
        &[("none", Augmentation::None), ("crop", Augmentation::Crop), ("crop_flip", Augmentation::CropFlip)];
}

/// The rows and columns of zeros on each side.
const PADDING: usize = 4;

impl Augmentation {
    /// Writes the inputs of sample i as the epoch sees it to `x`: a function of seed, epoch and i alone.
    pub(super) fn write(self, x: &mut [f32], dataset: &Dataset, normalizer: &Normalizer, i: usize, (seed, epoch): (u64, u32)) {
        let (sample, shape) = (dataset.sample(i), dataset.input);
        if self == Augmentation::None {
            return x.iter_mut().zip(normalizer.inputs(sample)).for_each(|(x, input)| *x = input);
        }
        // Sample numbers fit: no data set of the field has 2³² samples, and a draw that repeats after so many harms nothing.
        let mut random = Random::new(seed, Purpose::Augmentation, epoch, i as u32);
        let (down, right) = (random.below(2 * PADDING + 1), random.below(2 * PADDING + 1));
        let flip = self == Augmentation::CropFlip && random.bits() & 1 == 1;
        let channels = shape.channels;
        for (row, x) in x.chunks_exact_mut(shape.width * channels).enumerate() {
            let row = (row + down).checked_sub(PADDING).filter(|row| *row < shape.height);
            for (column, x) in x.chunks_exact_mut(channels).enumerate() {
                let column = if flip { shape.width - 1 - column } else { column };
                let column = (column + right).checked_sub(PADDING).filter(|column| *column < shape.width);
                match row.zip(column) {
                    Some((row, column)) => {
                        let start = (row * shape.width + column) * channels;
                        x.iter_mut().zip(start..).for_each(|(x, place)| *x = normalizer.input(place, sample[place]));
                    }
                    None => x.fill(0.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Shape;

    const SIDE: usize = 5;

    /// One image of two channels whose pixels are all different and whose normalised values are none of them 0.
    fn image() -> (Dataset, Normalizer) {
        let pixels: Vec<u8> = (1..=2 * (SIDE * SIDE) as u8).collect();
        let dataset = Dataset::new("d", Shape::image(SIDE, SIDE, 2), 1, 255, pixels, vec![0]).unwrap();
        (dataset, Normalizer::from_parts(vec![0.0; 50], vec![2.0; 50]).unwrap())
    }

    fn seen(augmentation: Augmentation, epoch: u32) -> Vec<f32> {
        let (dataset, normalizer) = image();
        // What is not written stays what no input is.
        let mut x = vec![f32::NAN; dataset.input.neurons()];
        augmentation.write(&mut x, &dataset, &normalizer, 0, (7, epoch));
        x
    }

    /// The image moved by (down, right) pixels, zeros from outside, perhaps mirrored: written down anew from the definition.
    fn expected(down: i32, right: i32, flip: bool) -> Vec<f32> {
        let side = SIDE as i32;
        let mut x = vec![];
        for row in 0..side {
            for column in 0..side {
                let (r, c) = (row + down, if flip { side - 1 - column } else { column } + right);
                let inside = (0..side).contains(&r) && (0..side).contains(&c);
                for channel in 0..2 {
                    let pixel = 1 + (r * side + c) * 2 + channel;
                    x.push(if inside { pixel as f32 / 2.0 } else { 0.0 });
                }
            }
        }
        x
    }

    #[test]
    fn every_place_and_both_directions_occur_and_no_other_image() {
        let all: Vec<(bool, Vec<f32>)> = [false, true]
            .into_iter()
            .flat_map(|flip| (-4..=4).flat_map(move |down| (-4..=4).map(move |right| (flip, expected(down, right, flip)))))
            .collect();
        let mut counts = vec![0u32; all.len()];
        for epoch in 0..20_000 {
            let x = seen(Augmentation::CropFlip, epoch);
            counts[all.iter().position(|(_, image)| *image == x).unwrap()] += 1;
        }
        // 162 cells of 123 each on average, standard deviation 11.
        assert!(counts.iter().all(|&count| count > 60), "{counts:?}");
        let flipped: u32 = all.iter().zip(&counts).filter(|((flip, _), _)| *flip).map(|(_, count)| count).sum();
        // Standard deviation √(20000 / 4) = 71; five of them.
        assert!(flipped.abs_diff(10_000) < 355, "{flipped} of 20000 are mirrored");
    }

    #[test]
    fn a_crop_alone_is_never_mirrored_and_none_changes_nothing() {
        for epoch in 0..500 {
            let x = seen(Augmentation::Crop, epoch);
            assert!((-4..=4).any(|down| (-4..=4).any(|right| expected(down, right, false) == x)));
            assert_eq!(seen(Augmentation::None, epoch), expected(0, 0, false));
        }
    }
}
