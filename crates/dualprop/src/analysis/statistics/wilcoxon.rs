//! Wilcoxon's signed-rank test: whether differences lie evenly on both sides of 0, whatever their distribution.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

/// Up to so many differences the distribution is counted out; 2⁵⁰ patterns of signs are exact in f64.
const MOST_EXACT: usize = 50;

/// Wilcoxon's signed-rank test, two-sided. Pairs that do not differ are dropped; equal magnitudes share the mean of their ranks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Wilcoxon {
    /// W⁺, the sum of the ranks of the positive differences.
    pub positive_ranks: f64,
    /// Pairs that differ.
    pub pairs: usize,
    /// How likely a W⁺ at least as far from its mean is if each sign is a toss of a coin: exact up to 50 pairs, beyond them by the
    /// normal distribution, corrected for ties and continuity.
    pub p: f64,
    /// 2^{1−n}: the smallest p that n pairs can reach, all differing to the same side.
    pub smallest_p: f64,
}

impl Wilcoxon {
    /// Of differences, which are the same where they are no farther apart than `rounding`; none if all are 0.
    pub(super) fn of(differences: &[f64], rounding: f64) -> Option<Self> {
        let mut sorted: Vec<f64> = differences.iter().copied().filter(|difference| difference.abs() > rounding).collect();
        sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let pairs = sorted.len();
        if pairs == 0 {
            return None;
        }
        let doubled = doubled_ranks(&sorted, rounding);
        let positive = sorted.iter().zip(&doubled).filter(|(difference, _)| **difference > 0.0).map(|(_, rank)| rank).sum();
        let p = if pairs <= MOST_EXACT { exact(&doubled, positive) } else { approximate(&doubled, positive) };
        let smallest_p = 0.5f64.powi(pairs as i32 - 1);
        Some(Wilcoxon { positive_ranks: positive as f64 / 2.0, pairs, p, smallest_p })
    }
}

/// Twice the rank of each magnitude, which is whole also where ties share the mean of theirs.
fn doubled_ranks(sorted: &[f64], rounding: f64) -> Vec<usize> {
    let ties = sorted.chunk_by(|a, b| b.abs() - a.abs() <= rounding);
    let mut below = 0;
    let ranks = ties.flat_map(|tied| {
        let rank = 2 * below + tied.len() + 1;
        below += tied.len();
        std::iter::repeat_n(rank, tied.len())
    });
    ranks.collect()
}

/// Counts, for every sum, the patterns of signs that have it.
fn exact(doubled: &[usize], positive: usize) -> f64 {
    let total: usize = doubled.iter().sum();
    let mut patterns = vec![0.0; total + 1];
    patterns[0] = 1.0;
    for &rank in doubled {
        for sum in (rank..=total).rev() {
            patterns[sum] += patterns[sum - rank];
        }
    }
    // The distribution is symmetric: both tails weigh the same.
    let tail: f64 = patterns[..=positive.min(total - positive)].iter().sum();
    (2.0 * tail / 2f64.powi(doubled.len() as i32)).min(1.0)
}

fn approximate(doubled: &[usize], positive: usize) -> f64 {
    let n = doubled.len() as f64;
    let ties = doubled.chunk_by(|a, b| a == b).map(|tied| tied.len() as f64);
    let correction: f64 = ties.map(|t| t.powi(3) - t).sum();
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - correction / 48.0;
    let distance = (positive as f64 / 2.0 - n * (n + 1.0) / 4.0).abs();
    let z = (distance - 0.5).max(0.0) / variance.sqrt();
    (2.0 * Normal::standard().sf(z)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over all patterns of signs: the share of those whose W⁺ is at least as far from its mean.
    fn by_force(differences: &[f64]) -> f64 {
        let kept: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
        // The rank by its definition: how many are smaller, and half of those that are as large.
        let count = |d: f64, is: fn(f64, f64) -> bool| kept.iter().filter(|e| is(e.abs(), d.abs())).count() as f64;
        let ranks: Vec<f64> = kept.iter().map(|d| count(*d, |e, d| e < d) + (count(*d, |e, d| e == d) + 1.0) / 2.0).collect();
        let half = ranks.iter().sum::<f64>() / 2.0;
        let found: f64 = kept.iter().zip(&ranks).filter(|(d, _)| **d > 0.0).map(|(_, rank)| rank).sum();
        let sums = (0..1u32 << kept.len())
            .map(|signs| ranks.iter().enumerate().filter(|(i, _)| signs >> i & 1 == 1).map(|(_, rank)| rank).sum::<f64>());
        sums.filter(|sum| (sum - half).abs() >= (found - half).abs()).count() as f64 / f64::from(1u32 << kept.len())
    }

    #[test]
    fn exact_is_what_all_patterns_of_signs_say() {
        let values = [-3.0, 1.0, 1.0, -2.0, 0.0, 4.0, 2.0, -1.0, 3.5, 0.5];
        for n in 1..=8 {
            for start in 0..values.len() {
                let differences: Vec<f64> = values.iter().cycle().skip(start).take(n).copied().collect();
                match Wilcoxon::of(&differences, 0.0) {
                    None => assert!(differences.iter().all(|d| *d == 0.0)),
                    Some(found) => assert_eq!(found.p, by_force(&differences), "{differences:?}"),
                }
            }
        }
    }

    #[test]
    fn all_on_one_side_reach_the_smallest_p() {
        for n in 1..=50 {
            let differences: Vec<f64> = (0..n).map(|i| 1.0 + f64::from(i % 7)).collect();
            let found = Wilcoxon::of(&differences, 0.0).unwrap();
            assert_eq!((found.p, found.pairs), (found.smallest_p, n as usize), "{n}");
        }
    }

    #[test]
    fn ranks_and_large_samples_are_those_of_scipy() {
        // wilcoxon(d, correction=True, method="exact" and "approx") of scipy 1.17.1.
        let twelve = [-0.8, -3.775, -0.033, 1.977, -2.282, -3.195, 1.3, 1.054, -3.377, -1.99, 2.084, -0.353];
        let found = Wilcoxon::of(&twelve, 0.0).unwrap();
        assert_eq!((found.positive_ranks, found.p), (23.0, 0.2333984375));
        let sixty: Vec<f64> = SIXTY.iter().map(|tenths| f64::from(*tenths) / 10.0).collect();
        let found = Wilcoxon::of(&sixty, 1e-12).unwrap();
        assert!((found.p - SIXTY_P).abs() < 1e-8 * SIXTY_P, "{found:?}");
        let mirrored: Vec<f64> = sixty.iter().map(|d| -d).collect();
        assert_eq!(Wilcoxon::of(&mirrored, 1e-12).unwrap().p, found.p);
    }

    #[test]
    fn the_approximation_meets_the_exact_distribution() {
        let differences: Vec<f64> = (1..=50).map(|i| if i % 3 == 0 { f64::from(-i) } else { f64::from(i) }).collect();
        let doubled = doubled_ranks(&differences, 0.0);
        let positive = (1..=50usize).filter(|i| i % 3 != 0).map(|i| 2 * i).sum();
        let (exact, approximate) = (exact(&doubled, positive), approximate(&doubled, positive));
        assert!((exact - approximate).abs() < 0.05 * exact, "{exact} {approximate}");
    }

    const SIXTY: [i32; 60] = [
        -7, -36, -22, 14, 20, -13, -37, -17, 18, 16, -20, -37, -10, 21, 11, -25, -35, -4, 23, 6, -30, -32, 3, 23, -1, -34, -28,
        8, 22, -7, -36, -22, 14, 19, -13, -37, -17, 18, 16, -20, -37, -10, 21, 11, -25, -35, -4, 23, 6, -30, -32, 3, 23, -1, -34,
        -28, 9, 22, -7, -36,
    ];
    const SIXTY_P: f64 = 0.01143148208018714;
}
