//! What one training step sees.

use crate::compute::Pool;

use super::{Augmentation, Dataset, Normalizer};

/// Samples, one-hot targets and labels of a batch, in memory that is used again for the next.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Inputs, row-major [n, H, W, C].
    pub x: Vec<f32>,
    /// 1 at the label and 0 elsewhere, row-major [n, classes].
    pub targets: Vec<f32>,
    /// One per sample.
    pub labels: Vec<u32>,
}

impl Batch {
    /// A batch without samples.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many samples it holds.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Replaces the content by these samples, in this order, as they are.
    ///
    /// # Panics
    /// If the data set has no such sample, or the normaliser is not one of its size.
    pub fn fill(&mut self, dataset: &Dataset, normalizer: &Normalizer, indices: &[usize], pool: &Pool) {
        self.fill_augmented(dataset, normalizer, indices, (Augmentation::None, 0, 0), pool);
    }

    /// Replaces the content by these samples, in this order, as this (augmentation, seed, epoch) sees them.
    ///
    /// # Panics
    /// As [`Batch::fill`].
    pub fn fill_augmented(
        &mut self,
        dataset: &Dataset,
        normalizer: &Normalizer,
        indices: &[usize],
        (augmentation, seed, epoch): (Augmentation, u64, u32),
        pool: &Pool,
    ) {
        let neurons = dataset.input.neurons();
        assert_eq!(normalizer.mean().len(), neurons, "a normaliser of another input");
        // Whatever is left from the last batch is overwritten.
        self.x.resize(indices.len() * neurons, 0.0);
        pool.pieces(&mut self.x, SAMPLES * neurons, |start, x| {
            let samples = x.chunks_exact_mut(neurons).zip(&indices[start / neurons..]);
            samples.for_each(|(x, &i)| augmentation.write(x, dataset, normalizer, i, (seed, epoch)));
        });
        self.targets.clear();
        self.labels.clear();
        for &i in indices {
            let label = dataset.labels()[i];
            self.targets.extend((0..dataset.classes).map(|class| if class == label as usize { 1.0 } else { 0.0 }));
            self.labels.push(label);
        }
    }
}

/// Samples that one task prepares.
const SAMPLES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Shape;

    #[test]
    fn a_batch_holds_its_samples_and_reuses_its_memory() {
        let dataset = Dataset::new("d", Shape::flat(2), 3, 9, (0..10).collect(), vec![2, 0, 1, 1, 0]).unwrap();
        let normalizer = Normalizer::from_parts(vec![0.0; 2], vec![2.0; 2]).unwrap();
        let (mut batch, pool) = (Batch::new(), Pool::new(1).unwrap());
        batch.fill(&dataset, &normalizer, &[4, 0, 2], &pool);
        assert_eq!(batch.x, [4.0, 4.5, 0.0, 0.5, 2.0, 2.5]);
        assert_eq!(batch.targets, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(batch.labels, [0, 2, 1]);
        let memory = (batch.x.as_ptr(), batch.targets.as_ptr(), batch.labels.as_ptr());
        batch.fill(&dataset, &normalizer, &[3], &pool);
        assert_eq!((batch.x.len(), batch.targets.as_slice(), batch.len()), (2, &[0.0, 1.0, 0.0][..], 1));
        assert_eq!(memory, (batch.x.as_ptr(), batch.targets.as_ptr(), batch.labels.as_ptr()));
    }
}
