//! Sums of differences over samples and pixels: the gradient of a bias.

use crate::base::Real;
use crate::compute::compiled::compiled;
use crate::compute::pool::Team;

/// Parts into which many rows are cut, each with sums of its own.
const PARTS: usize = 8;

/// Rows up to which they are added one after the other.
const FEW_ROWS: usize = 1024;

/// Columns that one task adds up where the rows are few.
const COLUMNS: usize = 256;

/// How many numbers [`bias_gradient`] needs to work with.
pub(super) fn workspace(outputs: usize) -> usize {
    PARTS * outputs
}

/// bias = scale · Σ over the rows of the differences; how the rows are cut depends on their number alone.
pub(super) fn bias_gradient<T: Real>(team: &Team, differences: &[T], scale: T, bias: &mut [T], workspace: &mut [T]) {
    let outputs = bias.len();
    let rows = differences.len() / outputs;
    if rows <= FEW_ROWS {
        team.pieces(bias, COLUMNS, |first, sums| {
            sums.fill(T::ZERO);
            add_rows(team.isa(), differences, outputs, first, sums);
            sums.iter_mut().for_each(|sum| *sum *= scale);
        });
        return;
    }
    let size = rows.div_ceil(PARTS) * outputs;
    let sums = &mut workspace[..PARTS * outputs];
    team.pieces(sums, outputs, |start, sums| {
        let first = start / outputs * size;
        sums.fill(T::ZERO);
        add_rows(team.isa(), &differences[first.min(differences.len())..differences.len().min(first + size)], outputs, 0, sums);
    });
    bias.fill(T::ZERO);
    for part in sums.chunks_exact(outputs) {
        bias.iter_mut().zip(part).for_each(|(sum, &x)| *sum += x);
    }
    bias.iter_mut().for_each(|sum| *sum *= scale);
}

compiled! {
    /// sums += the numbers from `first` of every row, as many as there are sums.
    fn add_rows<T: Real>(rows: &[T], outputs: usize, first: usize, sums: &mut [T]) {
        for row in rows.chunks_exact(outputs) {
            for (sum, &x) in sums.iter_mut().zip(&row[first..]) {
                *sum += x;
            }
        }
    }
}
