//! One level: the output alone is lifted, over a pre-activation that stays as it is.

use crate::base::{Error, Result};
use crate::compute::Loss;
use crate::compute::nudge::NudgeWeights;

/// The lifted objectives of one level, z with E(z) = ½‖z − a‖² above its least; means over the batch. What is unbounded is +∞.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct OneLevel {
    /// ℓ(a), that of the prediction.
    pub loss: f64,
    /// ROVR_β = min_z ℓ(z) + (E(z) − E*)/β
    pub rovr: f64,
    /// max_z ℓ(z) − (E(z) − E*)/β
    pub adversarial: f64,
    /// AROVR = α · ROVR_{αβ} + (1−α) · adversarial_{(1−α)β}
    pub arovr: f64,
    /// SPROVR = min_{z⁺} max_{z⁻} αℓ(z⁺) + (1−α)ℓ(z⁻) + (E(z⁺) − E(z⁻))/β
    pub sprovr: f64,
}

/// Evaluates them at the predictions a [n, outputs] for the targets y.
///
/// The extremes are found by the proximal nudge: for β beyond 2 the adversarial side of the cross-entropy may have several, and
/// the one reached from the prediction is taken.
///
/// # Errors
/// [`Error::Shape`] if there are not as many targets as outputs, or no whole number of samples.
pub fn one_level(loss: Loss, alpha: f64, beta: f64, outputs: usize, a: &[f64], y: &[f64]) -> Result<OneLevel> {
    if a.len() != y.len() || a.is_empty() || !a.len().is_multiple_of(outputs) {
        return Err(Error::shape("the targets", &[y.len()], &[a.len() / outputs.max(1), outputs]));
    }
    let mut sums = OneLevel { loss: 0.0, rovr: 0.0, adversarial: 0.0, arovr: 0.0, sprovr: 0.0 };
    let rest = 1.0 - alpha;
    for (a, y) in a.chunks(outputs).zip(y.chunks(outputs)) {
        let level = Level { loss, a, y };
        sums.loss += loss.value(a, y);
        sums.rovr += level.rovr(beta);
        sums.adversarial += level.adversarial(beta);
        sums.arovr += weighted(alpha, || level.rovr(alpha * beta)) + weighted(rest, || level.adversarial(rest * beta));
        sums.sprovr += level.sprovr(alpha, beta);
    }
    let mean = |sum: f64| sum / (a.len() / outputs) as f64;
    Ok(OneLevel {
        loss: mean(sums.loss),
        rovr: mean(sums.rovr),
        adversarial: mean(sums.adversarial),
        arovr: mean(sums.arovr),
        sprovr: mean(sums.sprovr),
    })
}

/// weight · value, 0 for the weight 0 even where the value is not finite or has no meaning.
pub(super) fn weighted(weight: f64, value: impl FnOnce() -> f64) -> f64 {
    if weight == 0.0 { 0.0 } else { weight * value() }
}

/// Whether max_z ℓ(z) − ‖z − a‖²/2β is finite, whatever a and y: the loss must curve less than the energy.
pub(super) fn is_bounded(loss: Loss, beta: f64) -> bool {
    NudgeWeights { alpha: 0.0, u: 0.0, d: 1.0, beta }.has_maximiser(loss)
}

/// One sample.
struct Level<'a> {
    loss: Loss,
    a: &'a [f64],
    y: &'a [f64],
}

impl Level<'_> {
    fn rovr(&self, beta: f64) -> f64 {
        let (z_plus, _) = self.nudged(beta, 0.0);
        self.loss.value(&z_plus, self.y) + self.excess(&z_plus) / beta
    }

    fn adversarial(&self, beta: f64) -> f64 {
        if !is_bounded(self.loss, beta) {
            return f64::INFINITY;
        }
        let (_, z_minus) = self.nudged(0.0, beta);
        self.loss.value(&z_minus, self.y) - self.excess(&z_minus) / beta
    }

    fn sprovr(&self, alpha: f64, beta: f64) -> f64 {
        let rest = 1.0 - alpha;
        if !is_bounded(self.loss, rest * beta) {
            return f64::INFINITY;
        }
        let (z_plus, z_minus) = self.nudged(alpha * beta, rest * beta);
        let losses = alpha * self.loss.value(&z_plus, self.y) + rest * self.loss.value(&z_minus, self.y);
        losses + (self.excess(&z_plus) - self.excess(&z_minus)) / beta
    }

    /// argmin_z plus·ℓ(z) + ½‖z−a‖² and argmax_z minus·ℓ(z) − ½‖z−a‖².
    fn nudged(&self, plus: f64, minus: f64) -> (Vec<f64>, Vec<f64>) {
        // With α = 0 and β = 1 the mean is z⁻ and the difference z⁺ − z⁻.
        let weights = NudgeWeights { alpha: 0.0, u: plus, d: minus, beta: 1.0 };
        let (mut z_minus, mut difference) = (vec![0.0; self.a.len()], vec![0.0; self.a.len()]);
        weights.displace(self.loss, self.a, self.y, &mut z_minus, &mut difference);
        (z_minus.iter().zip(&difference).map(|(z, d)| z + d).collect(), z_minus)
    }

    /// E(z) − E* = ½‖z − a‖²
    fn excess(&self, z: &[f64]) -> f64 {
        0.5 * z.iter().zip(self.a).map(|(z, a)| (z - a).powi(2)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Named;

    const A: [f64; 6] = [0.3, -1.2, 0.8, 2.0, 0.1, -0.4];
    const Y: [f64; 6] = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0];

    #[test]
    fn of_squared_errors_they_have_closed_forms() {
        let (c, beta) = (2.0, 0.3);
        let found = one_level(Loss::SquaredError, 0.25, beta, 3, &A, &Y).unwrap();
        let loss = 0.5 * c * A.iter().zip(&Y).map(|(a, y)| (a - y).powi(2)).sum::<f64>() / 2.0;
        let (rovr, adversarial) = (|beta: f64| loss / (1.0 + c * beta), |beta: f64| loss / (1.0 - c * beta));
        let expected = [loss, rovr(beta), adversarial(beta), 0.25 * rovr(0.25 * beta) + 0.75 * adversarial(0.75 * beta)];
        for (found, expected) in [found.loss, found.rovr, found.adversarial, found.arovr].into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-14, "{found}, expected {expected}");
        }
    }

    /// AROVR = SPROVR for every loss, α and β: α/(αβ) = (1−α)/((1−α)β) = 1/β.
    #[test]
    fn the_average_is_the_saddle_point() {
        for &(name, loss) in Loss::ALL {
            for alpha in [0.0, 0.2, 0.5, 0.9, 1.0] {
                for beta in [1e-3, 0.1, 0.45] {
                    let OneLevel { loss, rovr, adversarial, arovr, sprovr } = one_level(loss, alpha, beta, 3, &A, &Y).unwrap();
                    // The energies are divided by β.
                    assert!((arovr - sprovr).abs() < 1e-13, "{name} {alpha} {beta}: {arovr} {sprovr}");
                    assert!(rovr <= loss && loss <= adversarial, "{name} {beta}");
                    let end = if alpha == 1.0 { rovr } else { adversarial };
                    assert!(alpha.fract() != 0.0 || (arovr - end).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn beyond_the_curvature_the_adversary_wins_without_bound() {
        let found = one_level(Loss::HalfSquaredError, 0.5, 1.0, 3, &A, &Y).unwrap();
        assert_eq!(found.adversarial, f64::INFINITY);
        assert!(found.arovr.is_finite() && found.sprovr.is_finite());
        let found = one_level(Loss::HalfSquaredError, 0.5, 2.0, 3, &A, &Y).unwrap();
        assert_eq!((found.arovr, found.sprovr), (f64::INFINITY, f64::INFINITY));
        // A term of weight 0 is 0.
        assert!(one_level(Loss::HalfSquaredError, 1.0, 2.0, 3, &A, &Y).unwrap().arovr.is_finite());
        assert!(one_level(Loss::HalfSquaredError, 1.0, 2.0, 3, &A, &Y[..3]).is_err());
    }
}
