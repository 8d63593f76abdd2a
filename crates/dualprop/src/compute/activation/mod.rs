//! The activation f of a layer: its value, its derivative, and its increment without cancellation.

use crate::base::{Named, Real};

/// The nonlinearity f of the hidden layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// max(a, 0)
    Relu,
    /// a where a ≥ 0, else a / 100
    LeakyRelu,
    /// min(max(a, 0), 1)
    HardSigmoid,
    /// 1 / (1 + e⁻ᵃ)
    Sigmoid,
    /// tanh a
    Tanh,
    /// a
    Identity,
}

impl Named for Activation {
    const WHAT: &'static str = "activation";
    const ALL: &'static [(&'static str, Self)] = &[
        ("relu", Activation::Relu),
        ("leaky_relu", Activation::LeakyRelu),
        ("hard_sigmoid", Activation::HardSigmoid),
        ("sigmoid", Activation::Sigmoid),
        ("tanh", Activation::Tanh),
        ("identity", Activation::Identity),
    ];
}

/// Compiles `$body` once for each activation, so that a loop inside it has no branch on which one it is.
macro_rules! with_activation {
    ($activation:expr, $f:ident => $body:expr) => {
        match $activation {
            $crate::compute::Activation::Relu => {
                let $f = $crate::compute::Activation::Relu;
                $body
            }
            $crate::compute::Activation::LeakyRelu => {
                let $f = $crate::compute::Activation::LeakyRelu;
                $body
            }
            $crate::compute::Activation::HardSigmoid => {
                let $f = $crate::compute::Activation::HardSigmoid;
                $body
            }
            $crate::compute::Activation::Sigmoid => {
                let $f = $crate::compute::Activation::Sigmoid;
                $body
            }
            $crate::compute::Activation::Tanh => {
                let $f = $crate::compute::Activation::Tanh;
                $body
            }
            $crate::compute::Activation::Identity => {
                let $f = $crate::compute::Activation::Identity;
                $body
            }
        }
    };
}
pub(super) use with_activation;

/// The slope of the leaky ReLU below 0.
const LEAK: f64 = 0.01;

impl Activation {
    /// f(a)
    #[inline(always)]
    pub fn value<T: Real>(self, a: T) -> T {
        match self {
            Activation::Relu => a.at_least(T::ZERO),
            Activation::LeakyRelu if a < T::ZERO => T::from_f64(LEAK) * a,
            Activation::HardSigmoid => a.at_least(T::ZERO).at_most(T::ONE),
            Activation::Sigmoid => T::ONE / (T::ONE + (-a).exp()),
            Activation::Tanh => a.tanh(),
            Activation::LeakyRelu | Activation::Identity => a,
        }
    }

    /// f′(a); at a kink the slope of the flat side for ReLU and hard sigmoid, and 1 for the leaky ReLU.
    #[inline(always)]
    pub fn derivative<T: Real>(self, a: T) -> T {
        let one_if = |inside: bool| if inside { T::ONE } else { T::ZERO };
        match self {
            Activation::Relu => one_if(a > T::ZERO),
            Activation::LeakyRelu if a < T::ZERO => T::from_f64(LEAK),
            Activation::HardSigmoid => one_if(a > T::ZERO && a < T::ONE),
            Activation::Sigmoid => {
                let f = self.value(a);
                f * (T::ONE - f)
            }
            Activation::Tanh => {
                let f = a.tanh();
                (T::ONE - f) * (T::ONE + f)
            }
            Activation::LeakyRelu | Activation::Identity => T::ONE,
        }
    }

    /// f(a+h) − f(a), given f(a), without subtracting two nearly equal numbers: exact for h → 0 in any precision.
    ///
    /// * ReLU: max(h, −a) where a ≥ 0, else max(a+h, 0); hard sigmoid and leaky ReLU likewise by cases.
    /// * tanh: t(1−f²)/(1+f·t) with t = tanh h.
    /// * sigmoid: f(1−f)e/(1+f·e) with e = eʰ − 1.
    ///
    /// The last two are used for |h| ≤ 1; beyond, nothing cancels in the plain difference, and they would overflow.
    #[inline(always)]
    pub fn increment<T: Real>(self, a: T, f: T, h: T) -> T {
        match self {
            Activation::Relu if a >= T::ZERO => h.at_least(-a),
            Activation::Relu => (a + h).at_least(T::ZERO),
            Activation::LeakyRelu => leaky_increment(a, h),
            Activation::HardSigmoid if a < T::ZERO => (a + h).at_least(T::ZERO).at_most(T::ONE),
            Activation::HardSigmoid if a > T::ONE => ((a - T::ONE) + h).at_least(-T::ONE).at_most(T::ZERO),
            Activation::HardSigmoid => h.at_least(-a).at_most(T::ONE - a),
            Activation::Sigmoid if h.abs() <= T::ONE => {
                let e = h.exp_m1();
                f * (T::ONE - f) * e / (T::ONE + f * e)
            }
            Activation::Tanh if h.abs() <= T::ONE => {
                let t = h.tanh();
                t * ((T::ONE - f) * (T::ONE + f)) / (T::ONE + f * t)
            }
            Activation::Sigmoid | Activation::Tanh => self.value(a + h) - f,
            Activation::Identity => h,
        }
    }
}

#[inline(always)]
fn leaky_increment<T: Real>(a: T, h: T) -> T {
    let leak = T::from_f64(LEAK);
    match (a >= T::ZERO, a + h >= T::ZERO) {
        (true, true) => h,
        (false, false) => leak * h,
        (true, false) => leak * (a + h) - a,
        (false, true) => (a + h) - leak * a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [f64; 13] = [-30.0, -3.0, -1.0, -0.4, -1e-9, 0.0, 1e-9, 0.3, 0.5, 1.0, 1.7, 4.0, 40.0];

    #[test]
    fn increment_is_the_difference_of_values() {
        for (name, f) in Activation::ALL {
            for a in POINTS {
                for h in [-200.0, -5.0, -1.0, -0.3, -1e-8, 0.0, 1e-8, 0.3, 1.0, 2.5, 200.0] {
                    let (expected, got) = (f.value(a + h) - f.value(a), f.increment(a, f.value(a), h));
                    // The plain difference itself loses up to eps * max(|f|, |a+h|).
                    let tolerance = 4.0 * f64::EPSILON * (1.0 + a.abs() + h.abs());
                    assert!((got - expected).abs() <= tolerance, "{name}: a {a}, h {h}: {got}, expected {expected}");
                }
            }
        }
    }

    #[test]
    fn small_increments_are_exact_in_f32() {
        for (name, f) in Activation::ALL {
            for a in [-1.3f32, 0.4, 2.1] {
                let h = 1e-9f32;
                let exact = f.derivative(f64::from(a)) * f64::from(h);
                let got = f64::from(f.increment(a, f.value(a), h));
                // f(1-f) and 1-f^2 are formed from an f rounded to f32, whose error they amplify by at most 1/(1-f) < 60 here.
                assert!((got - exact).abs() <= 1e-5 * exact.abs(), "{name}: a {a}: {got}, expected {exact}");
            }
        }
    }

    #[test]
    fn a_zero_step_leaves_the_value_to_the_bit_and_nan_is_not_hidden() {
        for (name, f) in Activation::ALL {
            for a in POINTS {
                assert_eq!(f.increment(a, f.value(a), 0.0), 0.0, "{name} at {a}");
                assert_eq!(f.increment(a, f.value(a), -0.0), 0.0, "{name} at {a}");
                assert!(f.increment(a, f.value(a), f64::NAN).is_nan(), "{name} at {a}");
            }
            assert!(f.value(f64::NAN).is_nan(), "{name}");
        }
    }

    #[test]
    fn derivative_is_the_limit_of_the_increment() {
        for (name, f) in Activation::ALL {
            for a in [-2.0f64, -0.6, 0.2, 0.7, 1.9] {
                let h = 1e-7;
                let slope = (f.increment(a, f.value(a), h) - f.increment(a, f.value(a), -h)) / (2.0 * h);
                assert!((slope - f.derivative(a)).abs() < 1e-9, "{name} at {a}: {slope}");
            }
        }
    }
}
