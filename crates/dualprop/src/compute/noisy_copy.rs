//! A copy of a kernel with noise on every weight.

use crate::base::Real;
use crate::base::random::Random;

use super::Pool;
use super::pool::Team;

/// Numbers that one thread copies at a time: fixed, so that the pieces are the same for any number of threads.
const PIECE: usize = 1 << 12;

/// to = from + σ · rms(from) · ξ, ξ standard normal, element i its i-th draw from `stream`; with σ = 0 a copy to the bit.
///
/// rms(w) = √(Σ w² / n), summed in f64 in the order of the elements. Most of the time goes into the normal numbers, one for each weight.
///
/// # Panics
/// If the slices differ in length.
pub fn noisy_copy<T: Real>(pool: &Pool, from: &[T], to: &mut [T], sigma: f64, stream: &Random) {
    assert_eq!(from.len(), to.len(), "a copy has the length of what it copies");
    if sigma == 0.0 {
        to.copy_from_slice(from);
        return;
    }
    let squares: f64 = from.iter().map(|w| w.to_f64() * w.to_f64()).sum();
    let scale = sigma * (squares / from.len() as f64).sqrt();
    pool.enter(|team: &Team| {
        team.pieces(to, PIECE, |start, to| {
            // A normal number takes one block of the stream. Beyond 2³² weights, which no memory holds, it would begin again.
            let mut random = stream.clone().skipping(start as u32);
            for (to, from) in to.iter_mut().zip(&from[start..]) {
                *to = T::from_f64(from.to_f64() + scale * random.normal());
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Purpose;

    fn stream() -> Random {
        Random::new(3, Purpose::FeedbackNoise, 1, 2)
    }

    fn copied(threads: usize, from: &[f64], sigma: f64) -> Vec<f64> {
        let mut to = vec![f64::NAN; from.len()];
        noisy_copy(&Pool::new(threads).unwrap(), from, &mut to, sigma, &stream());
        to
    }

    #[test]
    fn every_weight_has_its_own_draw_for_any_number_of_threads() {
        let from: Vec<f64> = (0..2 * PIECE + 5).map(|i| (i % 7) as f64 - 3.0).collect();
        let rms = (from.iter().map(|w| w * w).sum::<f64>() / from.len() as f64).sqrt();
        let mut random = stream();
        let expected: Vec<f64> = from.iter().map(|w| w + 0.25 * rms * random.normal()).collect();
        for threads in [1, 2, 3] {
            assert_eq!(copied(threads, &from, 0.25), expected, "{threads} threads");
        }
        // Of 8197 draws the deviation is known to 0.8 %; four of that.
        let deviation = (expected.iter().zip(&from).map(|(b, w)| (b - w).powi(2)).sum::<f64>() / from.len() as f64).sqrt();
        assert!((deviation / (0.25 * rms) - 1.0).abs() < 0.032, "{deviation}");
    }

    #[test]
    fn without_noise_it_is_a_copy_to_the_bit() {
        let from = [-0.0, 0.0, 1.5, f64::MIN_POSITIVE];
        assert!(copied(1, &from, 0.0).iter().zip(&from).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn a_kernel_of_zeros_has_no_noise() {
        assert_eq!(copied(1, &[0.0; 3], 0.5), [0.0; 3]);
    }
}
