//! Losses: value and gradient of one sample.

use crate::base::{Named, Real};

#[cfg(feature = "cuda")]
pub(in crate::compute) mod cuda;

/// The loss ℓ(z, y) of one sample with output z and target y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// −Σ y log softmax(z)
    CrossEntropy,
    /// Σ (z − y)²
    SquaredError,
    /// ½ Σ (z − y)²
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
    /// c of the squared errors c/2 ‖z−y‖²; none for the cross-entropy.
    pub fn curvature(self) -> Option<f64> {
        match self {
            Loss::CrossEntropy => None,
            Loss::SquaredError => Some(2.0),
            Loss::HalfSquaredError => Some(1.0),
        }
    }

    /// ℓ(z, y), in f64 whatever the type of the states.
    pub fn value<T: Real>(self, z: &[T], y: &[T]) -> f64 {
        match self.curvature() {
            Some(c) => 0.5 * c * z.iter().zip(y).map(|(z, y)| (z.to_f64() - y.to_f64()).powi(2)).sum::<f64>(),
            None => {
                // −Σ y (z − max − log Σ e^{z−max})
                let max = largest(z).to_f64();
                let log_sum = libm::log(z.iter().map(|z| libm::exp(z.to_f64() - max)).sum::<f64>());
                z.iter().zip(y).map(|(z, y)| y.to_f64() * (log_sum + max - z.to_f64())).sum()
            }
        }
    }

    /// ∂ℓ/∂z into `gradient`: (Σy) softmax(z) − y, or c (z − y).
    #[inline]
    pub fn gradient<T: Real>(self, z: &[T], y: &[T], gradient: &mut [T]) {
        match self.curvature() {
            Some(c) => {
                let c = T::from_f64(c);
                gradient.iter_mut().zip(z).zip(y).for_each(|((g, &z), &y)| *g = c * (z - y));
            }
            None => {
                softmax(z, gradient);
                // 1 for a class or a distribution; times 1 changes no bit.
                let mass: T = y.iter().copied().sum();
                gradient.iter_mut().zip(y).for_each(|(g, &y)| *g = mass * *g - y);
            }
        }
    }
}

/// softmax(z) into `p`: e^{z−max} / Σ e^{z−max}.
#[inline]
pub fn softmax<T: Real>(z: &[T], p: &mut [T]) {
    let max = largest(z);
    p.iter_mut().zip(z).for_each(|(p, &z)| *p = (z - max).exp());
    let sum: T = p.iter().copied().sum();
    p.iter_mut().for_each(|p| *p = *p / sum);
}

fn largest<T: Real>(z: &[T]) -> T {
    z.iter().copied().fold(z[0], |max, z| z.at_least(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_finite_differences_of_values() {
        let z = [0.3, -1.2, 2.0, 0.1];
        let targets = [[0.0, 1.0, 0.0, 0.0], [0.2, 0.3, 0.4, 0.1], [0.5, 0.0, 0.25, 0.0]];
        for ((name, loss), y) in Loss::ALL.iter().flat_map(|loss| targets.map(|y| (loss, y))) {
            let mut gradient = [0.0; 4];
            loss.gradient(&z, &y, &mut gradient);
            for i in 0..4 {
                let shifted = |h: f64| {
                    let mut z = z;
                    z[i] += h;
                    loss.value(&z, &y)
                };
                let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                assert!((difference - gradient[i]).abs() < 1e-9, "{name}, output {i}");
            }
        }
    }

    #[test]
    fn cross_entropy_survives_large_logits() {
        let mut gradient = [0.0f32; 2];
        Loss::CrossEntropy.gradient(&[1e4f32, -1e4], &[0.0, 1.0], &mut gradient);
        assert_eq!(gradient, [1.0, -1.0]);
        assert_eq!(Loss::CrossEntropy.value(&[1e4f32, -1e4], &[0.0, 1.0]), 2e4);
    }
}
