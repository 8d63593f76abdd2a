//! The order in which an epoch visits its samples.

use crate::base::Named;
use crate::base::random::{Purpose, Random};

/// What an epoch shuffles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// The samples.
    Samples,
    /// The order of the batches, each of the same consecutive samples in every epoch, as in the authors' Julia program.
    Batches,
}

impl Named for Shuffle {
    const WHAT: &'static str = "shuffle";
    const ALL: &'static [(&'static str, Self)] = &[("samples", Shuffle::Samples), ("batches", Shuffle::Batches)];
}

/// The samples of an epoch, batch after batch, the last incomplete batch dropped: another order for every seed and epoch, and
/// always the same for the same, whatever was trained before.
pub fn epoch_order(shuffle: Shuffle, indices: &[usize], batch_size: usize, seed: u64, epoch: u32) -> Vec<usize> {
    let mut random = Random::new(seed, Purpose::Shuffle, epoch, 0);
    let complete = indices.len() - indices.len() % batch_size;
    match shuffle {
        Shuffle::Samples => {
            let mut order = indices.to_vec();
            random.shuffle(&mut order);
            order.truncate(complete);
            order
        }
        Shuffle::Batches => {
            let mut batches: Vec<&[usize]> = indices[..complete].chunks(batch_size).collect();
            random.shuffle(&mut batches);
            batches.concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut order: Vec<usize>) -> Vec<usize> {
        order.sort_unstable();
        order
    }

    #[test]
    fn an_epoch_visits_every_sample_once_in_an_order_of_its_own() {
        let indices: Vec<usize> = (0..50).map(|i| 3 * i + 1).collect();
        for shuffle in [Shuffle::Samples, Shuffle::Batches] {
            let orders = [(0, 0), (0, 1), (1, 0)].map(|(seed, epoch)| epoch_order(shuffle, &indices, 5, seed, epoch));
            for order in &orders {
                assert_eq!(sorted(order.clone()), indices);
            }
            assert!(orders[0] != orders[1] && orders[0] != orders[2] && orders[1] != orders[2] && orders[0] != indices);
            assert_eq!(orders[1], epoch_order(shuffle, &indices, 5, 0, 1));
        }
    }

    #[test]
    fn batches_stay_together_where_they_are_what_is_shuffled() {
        let indices: Vec<usize> = (0..23).collect();
        let order = epoch_order(Shuffle::Batches, &indices, 5, 3, 1);
        assert!(order.chunks(5).all(|batch| batch[0].is_multiple_of(5) && batch.iter().zip(batch[0]..).all(|(a, b)| *a == b)));
        assert_eq!(sorted(order), (0..20).collect::<Vec<_>>(), "the last incomplete batch is dropped");
        assert_eq!(epoch_order(Shuffle::Samples, &indices, 5, 3, 1).len(), 20);
    }
}
