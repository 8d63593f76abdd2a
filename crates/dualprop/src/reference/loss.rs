//! The loss ℓ of one sample, a function of the output z (the logits) and of a dense target y.

use crate::base::Named;

/// A loss ℓ(z, y), summed over the outputs of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// ℓ = −Σ yᵢ log softmax(z)ᵢ; the components of y are not negative and need not sum to 1.
    CrossEntropy,
    /// ℓ = Σ (zᵢ − yᵢ)²
    SquaredError,
    /// ℓ = ½ Σ (zᵢ − yᵢ)²
    HalfSquaredError,
}

impl Named for Loss {
    const WHAT: &'static str = "loss";
    const ALL: &'static [(&'static str, Self)] = &[
        ("cross_entropy", Loss::CrossEntropy),
        ("squared_error", Loss::SquaredError),
        ("half_squared_error", Loss::HalfSquaredError),
    ];
}

impl Loss {
    /// ℓ(z, y).
    pub fn value(self, z: &[f64], y: &[f64]) -> f64 {
        assert_eq!(z.len(), y.len(), "an output and its target have the same size");
        let squares = |z: &[f64]| z.iter().zip(y).map(|(z, y)| (z - y) * (z - y)).sum::<f64>();
        match self {
            Loss::CrossEntropy => {
                // −log softmax(z)ᵢ = log Σⱼ exp(zⱼ) − zᵢ
                let log_sum = log_sum_exp(z);
                z.iter().zip(y).map(|(z, y)| y * (log_sum - z)).sum()
            }
            Loss::SquaredError => squares(z),
            Loss::HalfSquaredError => 0.5 * squares(z),
        }
    }

    /// ∂ℓ/∂z: (Σ y) softmax(z) − y for the cross-entropy, else 2(z − y) or z − y.
    pub fn gradient(self, z: &[f64], y: &[f64]) -> Vec<f64> {
        assert_eq!(z.len(), y.len(), "an output and its target have the same size");
        match self {
            Loss::CrossEntropy => {
                let mass: f64 = y.iter().sum();
                softmax(z).iter().zip(y).map(|(p, y)| mass * p - y).collect()
            }
            Loss::SquaredError => z.iter().zip(y).map(|(z, y)| 2.0 * (z - y)).collect(),
            Loss::HalfSquaredError => z.iter().zip(y).map(|(z, y)| z - y).collect(),
        }
    }
}

/// softmax(z)ᵢ = exp(zᵢ) / Σⱼ exp(zⱼ), with the largest z taken out of both so that nothing overflows.
pub(super) fn softmax(z: &[f64]) -> Vec<f64> {
    let largest = largest(z);
    let e: Vec<f64> = z.iter().map(|z| libm::exp(z - largest)).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|e| e / sum).collect()
}

/// log Σⱼ exp(zⱼ)
fn log_sum_exp(z: &[f64]) -> f64 {
    let largest = largest(z);
    largest + libm::log(z.iter().map(|z| libm::exp(z - largest)).sum::<f64>())
}

fn largest(z: &[f64]) -> f64 {
    z.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_slopes_of_the_values() {
        let z = [0.3, -1.2, 2.0, 0.7];
        for y in [[0.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.3, 0.4], [0.5, 0.0, 1.5, 0.0]] {
            for (name, loss) in Loss::ALL {
                for (i, gradient) in loss.gradient(&z, &y).into_iter().enumerate() {
                    let shifted = |h: f64| {
                        let mut z = z;
                        z[i] += h;
                        loss.value(&z, &y)
                    };
                    let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                    assert!((gradient - slope).abs() < 1e-9, "{name}, output {i}: {gradient} is not {slope}");
                }
            }
        }
    }

    #[test]
    fn known_values() {
        let (z, y) = ([1.0, 3.0], [0.0, 1.0]);
        assert_eq!(Loss::SquaredError.value(&z, &y), 5.0);
        assert_eq!(Loss::HalfSquaredError.value(&z, &y), 2.5);
        // −log(e³ / (e¹ + e³)) = log(1 + e⁻²)
        assert!((Loss::CrossEntropy.value(&z, &y) - 0.126_928_011_042_972_5).abs() < 1e-15);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let (z, y) = ([2000.0, -2000.0], [0.0, 1.0]);
        assert_eq!(Loss::CrossEntropy.value(&z, &y), 4000.0);
        assert_eq!(Loss::CrossEntropy.gradient(&z, &y), [1.0, -1.0]);
    }
}
