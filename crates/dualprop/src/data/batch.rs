//! What one training step sees.

use crate::base::Real;
use crate::base::random::{Purpose, Random};

use super::Dataset;

/// Samples, one-hot targets and labels of a batch, in memory that is used again for the next.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch<T> {
    /// Pixels, row-major [n, H, W, C].
    pub x: Vec<T>,
    /// 1 at the label and 0 elsewhere, row-major [n, classes].
    pub targets: Vec<T>,
    /// One per sample.
    pub labels: Vec<u32>,
}

impl<T: Real> Batch<T> {
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

    /// Replaces the content by these samples, in this order.
    ///
    /// # Panics
    /// If the data set has no such sample.
    pub fn fill(&mut self, dataset: &Dataset, indices: &[usize]) {
        self.x.clear();
        self.targets.clear();
        self.labels.clear();
        for &i in indices {
            let label = dataset.labels()[i];
            self.x.extend(dataset.sample(i).iter().map(|&x| T::from_f64(f64::from(x))));
            self.targets.extend((0..dataset.classes).map(|class| if class == label as usize { T::ONE } else { T::ZERO }));
            self.labels.push(label);
        }
    }
}

/// These samples in the order in which an epoch visits them: another one for every seed and epoch, and always the same for
/// the same, whatever was trained before.
pub fn epoch_order(indices: &[usize], seed: u64, epoch: u32) -> Vec<usize> {
    let mut order = indices.to_vec();
    Random::new(seed, Purpose::Shuffle, epoch, 0).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Shape;

    #[test]
    fn a_batch_holds_its_samples_and_reuses_its_memory() {
        let x: Vec<f32> = (0..10).map(|i| i as f32 / 3.0).collect();
        let dataset = Dataset::new("d", Shape::flat(2), 3, x.clone(), vec![2, 0, 1, 1, 0]).unwrap();
        let mut batch = Batch::<f64>::new();
        batch.fill(&dataset, &[4, 0, 2]);
        assert_eq!(batch.x, [8, 9, 0, 1, 4, 5].map(|i: usize| f64::from(x[i])));
        assert_eq!(batch.targets, [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(batch.labels, [0, 2, 1]);
        let memory = (batch.x.as_ptr(), batch.targets.as_ptr(), batch.labels.as_ptr());
        batch.fill(&dataset, &[3]);
        assert_eq!((batch.x.len(), batch.targets.as_slice(), batch.len()), (2, &[0.0, 1.0, 0.0][..], 1));
        assert_eq!(memory, (batch.x.as_ptr(), batch.targets.as_ptr(), batch.labels.as_ptr()));
    }

    #[test]
    fn an_epoch_visits_every_sample_once_in_an_order_of_its_own() {
        let indices: Vec<usize> = (0..50).map(|i| 3 * i + 1).collect();
        let orders = [(0, 0), (0, 1), (1, 0)].map(|(seed, epoch)| epoch_order(&indices, seed, epoch));
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, indices);
        }
        assert!(orders[0] != orders[1] && orders[0] != orders[2] && orders[1] != orders[2] && orders[0] != indices);
        assert_eq!(orders[1], epoch_order(&indices, 0, 1));
    }
}
