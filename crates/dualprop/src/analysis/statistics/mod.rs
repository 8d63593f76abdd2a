//! What two conditions that were tried in pairs, such as two recipes by the same seeds, say of their difference.

mod wilcoxon;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::base::{Error, Result};
pub use wilcoxon::Wilcoxon;

/// What the pairs say of the difference, other − baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedDifference {
    /// How many pairs there are.
    pub pairs: usize,
    /// The mean d̄ of the differences.
    pub mean: f64,
    /// Their standard deviation s, with n−1 in the denominator; none of a single pair.
    pub deviation: Option<f64>,
    /// The mean lies between these with a confidence of 95 %, if the differences are normal: d̄ ∓ t₀.₉₇₅ s/√n. None of a single pair.
    pub interval: Option<(f64, f64)>,
    /// Student's t-test; none of a single pair, and none where all differences are the same, since t is then 0/0 or infinite.
    pub t_test: Option<TTest>,
    /// Wilcoxon's signed-rank test; none of a single pair, and none where no pair differs.
    pub wilcoxon: Option<Wilcoxon>,
    /// Cohen's d_z = d̄/s; none where the t-test is none.
    pub effect: Option<f64>,
}

/// Student's t-test of the mean of differences against 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TTest {
    /// t = d̄ √n / s
    pub t: f64,
    /// n − 1
    pub degrees_of_freedom: usize,
    /// How likely a |t| at least as large is if the differences are normal with mean 0.
    pub p: f64,
}

impl PairedDifference {
    /// Compares values, pair by pair. Differences that differ only by how they were rounded are the same: what is a share of so many
    /// samples in both conditions ties as its counts do.
    ///
    /// # Errors
    /// [`Error::Shape`] for no pair, or not as many values of one as of the other; [`Error::Setting`] for a value that is not finite.
    pub fn of(baseline: &[f64], other: &[f64]) -> Result<Self> {
        let n = baseline.len();
        if n == 0 || other.len() != n {
            return Err(Error::shape("the other of two lists of paired values", &[other.len()], &[n.max(1)]));
        }
        let mut values = baseline.iter().chain(other);
        if let Some(value) = values.find(|value| !value.is_finite()) {
            return Err(Error::setting("a paired value", value, "expected a number that is finite"));
        }
        let differences: Vec<f64> = baseline.iter().zip(other).map(|(baseline, other)| other - baseline).collect();
        let largest = baseline.iter().chain(other).fold(0.0, |largest: f64, value| largest.max(value.abs()));
        Ok(Self::of_differences(&differences, 8.0 * f64::EPSILON * largest))
    }

    /// Of differences that are the same where they are no farther apart than `rounding`.
    fn of_differences(differences: &[f64], rounding: f64) -> Self {
        let (pairs, n) = (differences.len(), differences.len() as f64);
        let mean = differences.iter().sum::<f64>() / n;
        let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
        let are_the_same = differences.iter().all(|difference| (difference - mean).abs() <= rounding);
        let deviation = (pairs > 1).then(|| if are_the_same { 0.0 } else { (squares / (n - 1.0)).sqrt() });
        let student = (pairs > 1).then(|| StudentsT::new(0.0, 1.0, n - 1.0).expect("its degrees of freedom are positive"));
        let spread = deviation.filter(|deviation| *deviation > 0.0);
        let half = deviation.zip(student).map(|(deviation, student)| student.inverse_cdf(0.975) * deviation / n.sqrt());
        PairedDifference {
            pairs,
            mean,
            deviation,
            interval: half.map(|half| (mean - half, mean + half)),
            t_test: spread.zip(student).map(|(deviation, student)| {
                let t = mean * n.sqrt() / deviation;
                TTest { t, degrees_of_freedom: pairs - 1, p: (2.0 * student.sf(t.abs())).min(1.0) }
            }),
            wilcoxon: deviation.and_then(|_| Wilcoxon::of(differences, rounding)),
            effect: spread.map(|deviation| mean / deviation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-10 * expected.abs().max(1e-3)
    }

    #[test]
    fn numbers_are_those_of_scipy() {
        // ttest_rel and its confidence_interval, wilcoxon(method="exact") of scipy 1.17.1.
        let (before, after) = ([97.5, 96.9, 98.1, 97.0, 97.8], [96.8, 97.1, 97.2, 96.5, 97.0]);
        let five = PairedDifference::of(&before, &after).unwrap();
        let (t, (low, high)) = (five.t_test.unwrap(), five.interval.unwrap());
        assert!(near(t.t, -2.7485276322201977) && near(t.p, 0.051452230641961506), "{t:?}");
        assert!(near(low, -1.0854849131699387) && near(high, 0.005484913169937489), "{low} {high}");
        assert!(near(five.effect.unwrap(), -1.2291789247361806));
        assert!(near(five.wilcoxon.unwrap().p, 0.125));
        let (before, after) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [2.0, 2.0, 1.0, 5.0, 7.0, 5.0, 9.0, 11.0]);
        let eight = PairedDifference::of(&before, &after).unwrap();
        let (t, (low, high)) = (eight.t_test.unwrap(), eight.interval.unwrap());
        assert!(near(t.t, 1.270977818604485) && near(t.p, 0.2443409520077099), "{t:?}");
        assert!(near(low, -0.6453573089433062) && near(high, 2.1453573089433062), "{low} {high}");
        assert!(near(eight.effect.unwrap(), 0.4493585171364586));
    }

    #[test]
    fn students_tails_and_quantiles_are_those_of_scipy() {
        // 2 * stats.t.sf(t, df) and stats.t.ppf(0.975, df) of scipy 1.17.1.
        for (df, t, p) in [
            (1.0, 0.5, 0.7048327646991335),
            (4.0, 40.0, 2.3340163226012678e-6),
            (30.0, 1e-3, 0.9992087357664851),
            (99.0, 3.3, 0.001344764746399179),
        ] {
            let found = 2.0 * StudentsT::new(0.0, 1.0, df).unwrap().sf(t);
            assert!((found - p).abs() < 1e-9 * p, "{df} {t}: {found}");
        }
        for (df, quantile) in [
            (1.0, 12.706204736174694),
            (2.0, 4.302652729749462),
            (4.0, 2.7764451051977934),
            (9.0, 2.262157162798205),
            (49.0, 2.0095752371292392),
            (1000.0, 1.9623390808264083),
        ] {
            let found = StudentsT::new(0.0, 1.0, df).unwrap().inverse_cdf(0.975);
            assert!((found - quantile).abs() < 1e-9 * quantile, "{df}: {found}");
        }
    }

    #[test]
    fn two_and_three_pairs_are_those_of_the_closed_forms() {
        // n = 2: t has the Cauchy distribution, p = 1 − 2/π atan |t|.
        let two = PairedDifference::of(&[0.0, 0.0], &[1.0, 3.0]).unwrap();
        let t = two.t_test.unwrap();
        assert!(near(t.t, 2.0) && near(t.p, 1.0 - 2.0 / std::f64::consts::PI * 2f64.atan()), "{t:?}");
        assert!(near(two.effect.unwrap(), 2f64.sqrt()) && two.wilcoxon.unwrap().p == 0.5);
        // n = 3: p = 1 − |t| / √(t² + 2).
        let three = PairedDifference::of(&[0.0; 3], &[1.0, 2.0, 3.0]).unwrap();
        let t = three.t_test.unwrap();
        assert!(near(t.t, 12f64.sqrt()) && near(t.p, 1.0 - (12f64 / 14.0).sqrt()), "{t:?}");
        assert!(three.wilcoxon.unwrap().p == 0.25 && (three.mean, three.deviation) == (2.0, Some(1.0)));
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let one = PairedDifference::of(&[1.0], &[1.5]).unwrap();
        assert_eq!((one.mean, one.deviation, one.interval, one.t_test, one.effect), (0.5, None, None, None, None));
        assert_eq!(one.wilcoxon, None);
        // The same differences but for their rounding: 0.1 + 0.2 is not 0.3.
        let same = PairedDifference::of(&[0.1, 97.0, 0.0], &[0.1 + 0.2, 97.2, 0.2]).unwrap();
        assert_eq!((same.deviation, same.t_test, same.effect), (Some(0.0), None, None));
        assert_eq!((same.interval, same.wilcoxon.unwrap().p), (Some((same.mean, same.mean)), 0.25));
        let none = PairedDifference::of(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!((none.mean, none.deviation, none.t_test, none.wilcoxon), (0.0, Some(0.0), None, None));
        for (baseline, other) in [(&[][..], &[][..]), (&[1.0], &[1.0, 2.0]), (&[f64::NAN], &[1.0])] {
            assert!(PairedDifference::of(baseline, other).is_err());
        }
    }

    #[test]
    fn who_is_the_baseline_changes_signs_only() {
        let (a, b) = ([3.0, 1.5, 2.0, 9.0, 4.5], [2.0, 2.5, 1.0, 3.0, 4.5]);
        let (there, back) = (PairedDifference::of(&a, &b).unwrap(), PairedDifference::of(&b, &a).unwrap());
        assert_eq!((there.mean, there.effect.unwrap()), (-back.mean, -back.effect.unwrap()));
        assert_eq!((there.t_test.unwrap().p, there.wilcoxon.unwrap().p), (back.t_test.unwrap().p, back.wilcoxon.unwrap().p));
        assert_eq!(there.interval.unwrap().0, -back.interval.unwrap().1);
    }
}
