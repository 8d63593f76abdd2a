//! Max pooling of 2 × 2 windows with stride 2, and its way back.
//!
//! An odd last row or column is dropped. The *routing* of a pool is the place of the winner in each window, 0 to 3 row by
//! row, the first of equal ones; with it the pool is a linear map, which picks the winner's number out of each window and whose
//! adjoint puts each number back where the winner was and zeros everywhere else.

use crate::base::Real;

use super::compiled::compiled;
use super::pool::Team;

#[cfg(feature = "cuda")]
pub(in crate::compute) mod cuda;

/// The extents of the image that is pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooling {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Pooling {
    /// Numbers of one sample before the pool.
    pub fn inputs(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Numbers of one sample after the pool.
    pub fn outputs(self) -> usize {
        (self.height / 2) * (self.width / 2) * self.channels
    }

    /// Numbers of a row of windows, before and after the pool.
    pub(super) fn rows(self) -> (usize, usize) {
        (2 * self.width * self.channels, (self.width / 2) * self.channels)
    }

    /// Where the windows of a row after the pool begin, counted over all samples: the first number of the row of windows.
    fn start(self, row: usize) -> usize {
        let rows = self.height / 2;
        row / rows * self.inputs() + row % rows * self.rows().0
    }

    /// The first number of each pixel of a window, from the start of its row of windows.
    fn window(self, column: usize) -> [usize; 4] {
        let (left, below) = (2 * column * self.channels, self.width * self.channels);
        [left, left + self.channels, left + below, left + below + self.channels]
    }
}

/// output = the largest number of each window of input, routing = its place.
pub(super) fn forward<T: Real>(team: &Team, pooling: Pooling, input: &[T], output: &mut [T], routing: &mut [u8]) {
    let (before, after) = pooling.rows();
    if after == 0 {
        return;
    }
    team.pairs(output, routing, after, |start, output, routing| {
        let start = pooling.start(start / after);
        forward_row(team.isa(), pooling, &input[start..start + before], output, routing);
    });
}

/// output = the number of input at the place of each window's winner: the pool as a linear map, its routing held.
pub(super) fn routed<T: Real>(team: &Team, pooling: Pooling, input: &[T], routing: &[u8], output: &mut [T]) {
    let (before, after) = pooling.rows();
    if after == 0 {
        return;
    }
    team.pieces(output, after, |start, output| {
        let (first, routing) = (pooling.start(start / after), &routing[start..start + after]);
        routed_row(team.isa(), pooling, &input[first..first + before], routing, output);
    });
}

/// output = each number of input at the place of its window's winner, zero elsewhere.
pub(super) fn backward<T: Real>(team: &Team, pooling: Pooling, input: &[T], routing: &[u8], output: &mut [T]) {
    let (Pooling { height, width, .. }, (_, after)) = (pooling, pooling.rows());
    let (inputs, outputs) = (pooling.inputs(), pooling.outputs());
    team.pieces(output, inputs, |start, output| {
        if height % 2 + width % 2 > 0 || after == 0 {
            output.fill(T::ZERO);
        }
        if after == 0 {
            return;
        }
        let first = start / inputs * outputs;
        let samples = first..first + outputs;
        backward_sample(team.isa(), pooling, &input[samples.clone()], &routing[samples], output);
    });
}

/// Channels that are handled together, as many as the widest registers hold of f32.
const LANES: usize = 16;

compiled! {
    /// output = the largest number of each window of a row of them, routing = its place.
    pub(super) fn forward_row<T: Real>(pooling: Pooling, rows: &[T], output: &mut [T], routing: &mut [u8]) {
        let channels = pooling.channels;
        let windows = output.chunks_exact_mut(channels).zip(routing.chunks_exact_mut(channels));
        for (column, (best, winner)) in windows.enumerate() {
            let pixels = pooling.window(column).map(|start| &rows[start..start + channels]);
            let (many, few) = (best.as_chunks_mut::<LANES>(), winner.as_chunks_mut::<LANES>());
            for (i, (best, winner)) in many.0.iter_mut().zip(few.0).enumerate() {
                let pixels = pixels.map(|numbers| &numbers.as_chunks::<LANES>().0[i]);
                for lane in 0..LANES {
                    (best[lane], winner[lane]) = largest(pixels.map(|numbers| numbers[lane]));
                }
            }
            let first = channels / LANES * LANES;
            for (i, (best, winner)) in many.1.iter_mut().zip(few.1).enumerate() {
                (*best, *winner) = largest(pixels.map(|numbers| numbers[first + i]));
            }
        }
    }

    fn routed_row<T: Real>(pooling: Pooling, rows: &[T], routing: &[u8], output: &mut [T]) {
        let channels = pooling.channels;
        let windows = output.chunks_exact_mut(channels).zip(routing.chunks_exact(channels));
        for (column, (output, routing)) in windows.enumerate() {
            let pixels = pooling.window(column).map(|start| &rows[start..start + channels]);
            for (channel, (output, &place)) in output.iter_mut().zip(routing).enumerate() {
                *output = pixels[usize::from(place & 3)][channel];
            }
        }
    }

    fn backward_sample<T: Real>(pooling: Pooling, input: &[T], routing: &[u8], output: &mut [T]) {
        let (channels, (before, after)) = (pooling.channels, pooling.rows());
        let rows = input.chunks_exact(after).zip(routing.chunks_exact(after));
        for (output, (input, routing)) in output.chunks_exact_mut(before).zip(rows) {
            let windows = input.chunks_exact(channels).zip(routing.chunks_exact(channels));
            for (column, (input, routing)) in windows.enumerate() {
                for (place, start) in (0..).zip(pooling.window(column)) {
                    let (output, rest) = output[start..start + channels].as_chunks_mut::<LANES>();
                    let ((input, last), (routing, last_routing)) = (input.as_chunks(), routing.as_chunks());
                    for (output, (input, routing)) in output.iter_mut().zip(input.iter().zip(routing)) {
                        *output = winners(input, routing, place);
                    }
                    for (output, (&x, &winner)) in rest.iter_mut().zip(last.iter().zip(last_routing)) {
                        *output = if winner == place { x } else { T::ZERO };
                    }
                }
            }
        }
    }
}

/// The numbers whose windows have their winner at this place, and zeros. The places are widened first, since numbers of one
/// width are compared at once.
#[inline(always)]
fn winners<T: Real>(numbers: &[T; LANES], routing: &[u8; LANES], place: u8) -> [T; LANES] {
    let (mut places, mut winners) = ([0u32; LANES], [T::ZERO; LANES]);
    for lane in 0..LANES {
        places[lane] = u32::from(routing[lane]);
    }
    for lane in 0..LANES {
        let x = numbers[lane];
        winners[lane] = if places[lane] == u32::from(place) { x } else { T::ZERO };
    }
    winners
}

/// The largest of a window and its place. A number that is none wins, and stays, so that it cannot be overlooked. There is no
/// branch, so that many channels are compared at once.
#[inline(always)]
fn largest<T: Real>([mut largest, others @ ..]: [T; 4]) -> (T, u8) {
    let mut winner = 0;
    for (place, x) in (1..).zip(others) {
        let wins = (x > largest) | (x.is_nan() & !largest.is_nan());
        largest = if wins { x } else { largest };
        winner = if wins { place } else { winner };
    }
    (largest, winner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::Pool;

    fn pooled(pooling: Pooling, input: &[f64]) -> (Vec<f64>, Vec<u8>) {
        let samples = input.len() / pooling.inputs();
        let (mut output, mut routing) = (vec![0.0; samples * pooling.outputs()], vec![9; samples * pooling.outputs()]);
        Pool::new(2).unwrap().enter(|team| forward(team, pooling, input, &mut output, &mut routing));
        (output, routing)
    }

    /// Two samples of 3 x 5 pixels, of which the last row and column are dropped.
    #[test]
    fn a_pool_by_hand() {
        let pooling = Pooling { height: 3, width: 5, channels: 1 };
        #[rustfmt::skip]
        let input = [
            1.0, 2.0,   7.0, 7.0,   9.0,
            4.0, 3.0,   7.0, 8.0,   9.0,
            9.0, 9.0,   9.0, 9.0,   9.0,

            -1.0, -2.0,   0.0, 0.0,   9.0,
            -3.0, -4.0,   0.0, 0.0,   9.0,
            9.0, 9.0,     9.0, 9.0,   9.0,
        ];
        let (output, routing) = pooled(pooling, &input);
        assert_eq!((output, routing.clone()), (vec![4.0, 8.0, -1.0, 0.0], vec![2, 3, 0, 0]));
        let mut back = [5.0; 30];
        Pool::new(1).unwrap().enter(|team| backward(team, pooling, &[1.0, 2.0, 3.0, 4.0], &routing, &mut back));
        let mut expected = [0.0; 30];
        (expected[5], expected[8], expected[15], expected[17]) = (1.0, 2.0, 3.0, 4.0);
        assert_eq!(back, expected);
    }

    /// Of images with odd and even sides, and of more channels than are handled together.
    #[test]
    fn a_pool_whose_routing_is_held_is_linear_and_has_the_way_back_as_its_adjoint() {
        let mut random = Random::new(0, Purpose::Synthetic, 0, 0);
        for (height, width, channels) in [(2, 2, 1), (3, 5, 2), (6, 4, 3), (5, 8, 19), (1, 4, 2)] {
            let pooling = Pooling { height, width, channels };
            // Small whole numbers, whose sums and products are exact.
            let mut numbers = |n: usize| (0..n).map(|_| random.below(41) as f64 - 20.0).collect::<Vec<f64>>();
            let (state, v, u) = (numbers(3 * pooling.inputs()), numbers(3 * pooling.inputs()), numbers(3 * pooling.outputs()));
            let (output, routing) = pooled(pooling, &state);
            let (mut held, mut forth, mut back) = (vec![9.0; output.len()], vec![9.0; output.len()], vec![9.0; v.len()]);
            for threads in [1, 2] {
                Pool::new(threads).unwrap().enter(|team| {
                    routed(team, pooling, &state, &routing, &mut held);
                    routed(team, pooling, &v, &routing, &mut forth);
                    backward(team, pooling, &u, &routing, &mut back);
                });
                assert_eq!(held, output, "{pooling:?}");
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                assert_eq!(dot(&forth, &u), dot(&v, &back), "{pooling:?}");
            }
        }
    }

    #[test]
    fn channels_do_not_mix() {
        let pooling = Pooling { height: 2, width: 4, channels: 2 };
        let input: Vec<f64> = [1, 8, 2, 7, 3, 6, 4, 5, 9, 0, 8, 1, 7, 2, 6, 3].map(f64::from).to_vec();
        assert_eq!(pooled(pooling, &input), (vec![9.0, 8.0, 7.0, 6.0], vec![2, 0, 2, 0]));
    }

    #[test]
    fn what_is_no_number_wins() {
        let pooling = Pooling { height: 2, width: 2, channels: 1 };
        for place in 0..4 {
            let mut input = [1.0, 2.0, 3.0, 4.0];
            input[place] = f64::NAN;
            let (output, routing) = pooled(pooling, &input);
            assert!(output[0].is_nan() && usize::from(routing[0]) == place, "{place}");
        }
    }

    #[test]
    fn images_of_one_pixel_vanish() {
        let pooling = Pooling { height: 1, width: 1, channels: 3 };
        assert_eq!(pooled(pooling, &[1.0, 2.0, 3.0]), (vec![], vec![]));
    }
}
