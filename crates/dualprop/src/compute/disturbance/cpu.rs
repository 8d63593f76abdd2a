//! Disturbances on the CPU.

use crate::base::Real;
use crate::compute::pool::Team;

use super::{Disturbances, Key, Moment, Occasion, Scales};

/// Samples that one task disturbs.
const ROWS: usize = 4;

/// What a device knows of its disturbances beside the program: which batch it is at, and the running scales.
#[derive(Debug, Clone, Default)]
pub(in crate::compute) struct Course {
    batch: u64,
    first: u32,
    /// Updates of each layer in this batch.
    updates: Vec<u32>,
    pub(in crate::compute) scales: Scales,
    /// Mean squares of each layer's s̄ and Δ at its last update in this batch, of Δ at the last that was not at rest.
    measured: Vec<[Option<f64>; 2]>,
}

impl Course {
    pub(in crate::compute) fn new(depth: usize) -> Self {
        Course { updates: vec![0; depth], scales: Scales::new(depth), measured: vec![[None; 2]; depth], ..Course::default() }
    }

    /// A batch begins; its samples are counted from `first`.
    pub(in crate::compute) fn begin(&mut self, batch: u64, first: u32) {
        (self.batch, self.first) = (batch, first);
        self.updates.fill(0);
        self.measured.fill([None; 2]);
    }

    /// A batch is over: it enters the running scales.
    pub(in crate::compute) fn end(&mut self) {
        self.scales.take(&self.measured);
    }

    /// Disturbs the dyads of layer k, [n, neurons] each, after an update.
    pub(in crate::compute) fn disturb<T: Real>(
        &mut self,
        team: &Team,
        disturbances: &Disturbances,
        (k, occasion): (usize, Occasion),
        neurons: usize,
        mean: &mut [T],
        difference: &mut [T],
    ) {
        let present = mean_squares(team, neurons, mean, difference);
        let measured = &mut self.measured[k - 1];
        measured[0] = Some(present[0]);
        if occasion != Occasion::Rest {
            measured[1] = Some(present[1]);
        }
        let update = self.updates[k - 1];
        self.updates[k - 1] = update.wrapping_add(1);
        let key = Key { seed: disturbances.seed, batch: self.batch, layer: k as u32, update, first: self.first };
        let moment = Moment { key, occasion, scales: self.scales.roots(k, present) };
        let disturbance = &disturbances.layers[k - 1];
        team.pairs(mean, difference, ROWS * neurons, |start, mean, difference| {
            for (row, (mean, difference)) in (start / neurons..).zip(mean.chunks_mut(neurons).zip(difference.chunks_mut(neurons)))
            {
                disturbance.disturb(&moment, row, mean, difference);
            }
        });
    }
}

/// The mean squares of s̄ and Δ over the batch, row by row in order, whatever the number of threads.
fn mean_squares<T: Real>(team: &Team, neurons: usize, mean: &[T], difference: &[T]) -> [f64; 2] {
    let mut rows = vec![[0.0; 2]; mean.len() / neurons];
    team.pieces(&mut rows, ROWS, |start, rows| {
        for (row, sums) in (start..).zip(rows) {
            let of = |state: &[T]| state[row * neurons..][..neurons].iter().map(|s| s.to_f64() * s.to_f64()).sum::<f64>();
            *sums = [of(mean), of(difference)];
        }
    });
    let count = mean.len() as f64;
    [0, 1].map(|which| rows.iter().map(|sums| sums[which]).sum::<f64>() / count)
}
