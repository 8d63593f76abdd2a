//! The energy G of an activation, of which f is the gradient of the conjugate: f = (∇G)⁻¹ = ∇G*.
//!
//! | f | G(s) | G*(a) |
//! |---|---|---|
//! | identity | s²/2 | a²/2 |
//! | ReLU | s²/2, s ≥ 0 | max(a, 0)²/2 |
//! | leaky ReLU, slope λ | s²/2, or s²/2λ below 0 | a²/2, or λa²/2 below 0 |
//! | hard sigmoid | s²/2, 0 ≤ s ≤ 1 | 0, a²/2, a − ½ below, in and above (0, 1) |
//! | sigmoid | s ln s + (1−s) ln(1−s) | ln(1 + eᵃ) |
//! | tanh | ½[(1+s) ln(1+s) + (1−s) ln(1−s)] | ln cosh a |
//!
//! Outside the range of f the energy is infinite.

use super::{Activation, LEAK};

impl Activation {
    /// G(s), ∞ outside the range of f.
    pub fn energy(self, s: f64) -> f64 {
        let within = |inside: bool, value: f64| if inside { value } else { f64::INFINITY };
        match self {
            Activation::Identity => 0.5 * s * s,
            Activation::Relu => within(s >= 0.0, 0.5 * s * s),
            Activation::LeakyRelu => 0.5 * s * s / if s < 0.0 { LEAK } else { 1.0 },
            Activation::HardSigmoid => within((0.0..=1.0).contains(&s), 0.5 * s * s),
            Activation::Sigmoid => within((0.0..=1.0).contains(&s), entropy(s) + entropy(1.0 - s)),
            Activation::Tanh => within((-1.0..=1.0).contains(&s), 0.5 * (entropy(1.0 + s) + entropy(1.0 - s))),
        }
    }

    /// G*(a) = max_s s·a − G(s).
    pub fn conjugate(self, a: f64) -> f64 {
        match self {
            Activation::Identity => 0.5 * a * a,
            Activation::Relu => 0.5 * a.max(0.0).powi(2),
            Activation::LeakyRelu => 0.5 * a * a * if a < 0.0 { LEAK } else { 1.0 },
            Activation::HardSigmoid if a > 1.0 => a - 0.5,
            Activation::HardSigmoid => 0.5 * a.max(0.0).powi(2),
            // The larger of the two exponents is taken out, so that none overflows.
            Activation::Sigmoid => a.max(0.0) + libm::log1p(libm::exp(-a.abs())),
            Activation::Tanh => a.abs() + libm::log1p(libm::exp(-2.0 * a.abs())) - std::f64::consts::LN_2,
        }
    }

    /// D(s, a) = G(s) + G*(a) − s·a ≥ 0, 0 where s = f(a): the energy of a state s above the least one for the pre-activation
    /// a (Fenchel and Young). Computed from s − f(a), so that near f(a) it is not a difference of nearly equal numbers.
    pub fn divergence(self, s: f64, a: f64) -> f64 {
        let f: f64 = self.value(a);
        let delta = s - f;
        match self {
            Activation::Identity => 0.5 * delta * delta,
            // f projects a onto the range: ½‖s−a‖² − ½‖f−a‖², of which the second term is never negative on the range.
            Activation::Relu | Activation::HardSigmoid if self.energy(s).is_finite() => 0.5 * delta * delta + delta * (f - a),
            Activation::LeakyRelu if (s < 0.0) == (a < 0.0) => 0.5 * delta * delta / if a < 0.0 { LEAK } else { 1.0 },
            // On two pieces no term is negative.
            Activation::LeakyRelu => self.energy(s) + self.conjugate(a) - s * a,
            Activation::Sigmoid if self.energy(s).is_finite() => relative_entropy(sigmoid(a), sigmoid(-a), delta),
            Activation::Tanh if self.energy(s).is_finite() => {
                0.5 * relative_entropy(2.0 * sigmoid(2.0 * a), 2.0 * sigmoid(-2.0 * a), delta)
            }
            _ => f64::INFINITY,
        }
    }

    /// The number of f⁻¹(s) that is nearest to `near`; where f is flat there are many, and outside its range none: NaN.
    pub fn inverse(self, s: f64, near: f64) -> f64 {
        match self {
            Activation::Identity => s,
            Activation::Relu | Activation::HardSigmoid if s == 0.0 => near.min(0.0),
            Activation::HardSigmoid if s == 1.0 => near.max(1.0),
            Activation::Relu | Activation::HardSigmoid if self.energy(s).is_finite() => s,
            Activation::LeakyRelu => s / if s < 0.0 { LEAK } else { 1.0 },
            Activation::Sigmoid => libm::log(s) - libm::log1p(-s),
            Activation::Tanh => 0.5 * (libm::log1p(s) - libm::log1p(-s)),
            _ => f64::NAN,
        }
    }
}

/// p ln p, 0 at 0.
fn entropy(p: f64) -> f64 {
    if p == 0.0 { 0.0 } else { p * libm::log(p) }
}

fn sigmoid(a: f64) -> f64 {
    Activation::Sigmoid.value(a)
}

/// (p+δ) ln((p+δ)/p) + (q−δ) ln((q−δ)/q) = p φ(δ/p) + q φ(−δ/q).
fn relative_entropy(p: f64, q: f64, delta: f64) -> f64 {
    let part = |p: f64, delta: f64| if delta == 0.0 { 0.0 } else { p * phi(delta / p) };
    part(p, delta) + part(q, -delta)
}

/// φ(t) = (1+t) ln(1+t) − t, without cancellation near 0; 1 at −1 and below, where rounding may have carried t.
fn phi(t: f64) -> f64 {
    if t <= -1.0 {
        return 1.0;
    }
    if t.abs() > 0.01 {
        return (1.0 + t) * libm::log1p(t) - t;
    }
    // Σ_{n≥2} (−t)ⁿ / (n(n−1)); the first term left out is below 1e-20 of the first.
    (2..=10).rev().fold(0.0, |sum, n| 1.0 / f64::from(n * (n - 1)) - t * sum) * t * t
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Named;

    const PLACES: [f64; 13] = [-9.0, -2.5, -1.0, -0.7, -0.2, -1e-3, 0.0, 1e-3, 0.3, 0.8, 1.0, 1.4, 6.0];

    fn each(mut check: impl FnMut(Activation, f64, f64)) {
        for &(_, f) in Activation::ALL {
            for a in PLACES {
                for s in PLACES.map(|b| f.value(b)) {
                    check(f, s, a);
                }
            }
        }
    }

    #[test]
    fn the_divergence_is_that_of_energy_and_conjugate() {
        each(|f, s, a| {
            let expected = f.energy(s) + f.conjugate(a) - s * a;
            let error = (f.divergence(s, a) - expected).abs();
            assert!(error < 1e-14 * (1.0 + f.energy(s) + f.conjugate(a) + (s * a).abs()), "{f:?} {s} {a}: {error:e}");
            assert!(f.divergence(s, a) >= 0.0);
        });
        assert_eq!(Activation::Relu.divergence(-0.1, 1.0), f64::INFINITY);
        assert_eq!(Activation::HardSigmoid.divergence(1.1, 1.0), f64::INFINITY);
        assert_eq!(Activation::Tanh.divergence(-1.1, 1.0), f64::INFINITY);
    }

    #[test]
    fn the_activation_is_the_slope_of_the_conjugate_and_gives_the_least_divergence() {
        each(|f, _, a| {
            let h = 1e-6;
            let slope = (f.conjugate(a + h) - f.conjugate(a - h)) / (2.0 * h);
            assert!((slope - f.value(a)).abs() < 1e-6, "{f:?} {a}");
            assert_eq!(f.divergence(f.value(a), a), 0.0, "{f:?} {a}");
        });
    }

    /// Near f(a) the divergence is half the second derivative of G times the square, to all digits.
    #[test]
    fn a_small_divergence_keeps_its_digits() {
        for (f, a) in [(Activation::Sigmoid, 0.4), (Activation::Tanh, -0.6), (Activation::Identity, 2.0), (Activation::Relu, 1.5)]
        {
            let (value, h) = (f.value(a), 1e-9);
            let s = value + h;
            let expected = 0.5 * (s - value) * (s - value) / f.derivative(a);
            assert!((f.divergence(s, a) / expected - 1.0).abs() < 1e-8, "{f:?}: {:e}", f.divergence(s, a));
        }
    }

    #[test]
    fn the_inverse_is_one_and_where_there_are_many_the_nearest() {
        for &(_, f) in Activation::ALL {
            for a in PLACES.into_iter().filter(|a| a.abs() < 3.0) {
                assert!((f.inverse(f.value(a), a) - a).abs() < 1e-12, "{f:?} {a}: {}", f.inverse(f.value(a), a));
            }
        }
        assert_eq!(Activation::Relu.inverse(0.0, 0.4), 0.0);
        assert_eq!(Activation::HardSigmoid.inverse(1.0, 0.4), 1.0);
        assert!(Activation::Relu.inverse(-1.0, 0.0).is_nan());
    }
}
