//! The activation f of a layer: its value, its derivative, and its increment without cancellation.

use crate::base::{Named, Real};

mod energy;

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
pub(crate) const LEAK: f64 = 0.01;

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
            Activation::Sigmoid => sigmoid_slope(a),
            Activation::Tanh => T::from_f64(4.0) * sigmoid_slope(a + a),
            Activation::LeakyRelu | Activation::Identity => T::ONE,
        }
    }

    /// f(a+h) − f(a), given f(a), without subtracting two nearly equal numbers: exact for h → 0 in any precision.
    ///
    /// * ReLU: max(h, −a) where a ≥ 0, else max(a+h, 0); hard sigmoid and leaky ReLU likewise by cases.
    /// * tanh: t f′/(1+f·t) with t = tanh h, and sigmoid: f′e/(1+f·e) with e = eʰ − 1, where |h| ≤ 1; f′ has no cancellation
    ///   either. Beyond, they could overflow, and the difference is taken of what is left to the nearer of f's two limits.
    #[inline(always)]
    pub fn increment<T: Real>(self, a: T, f: T, h: T) -> T {
        match self {
            Activation::Relu if a >= T::ZERO => h.at_least(-a),
            Activation::Relu => (a + h).at_least(T::ZERO),
            Activation::LeakyRelu => leaky_increment(a, h),
            Activation::HardSigmoid if a < T::ZERO => (a + h).at_least(T::ZERO).at_most(T::ONE),
            Activation::HardSigmoid if a > T::ONE => ((a - T::ONE) + h).at_least(-T::ONE).at_most(T::ZERO),
            Activation::HardSigmoid if a >= T::ZERO => h.at_least(-a).at_most(T::ONE - a),
            Activation::HardSigmoid => a, // NaN, which is not to be hidden
            Activation::Sigmoid if h.abs() <= T::ONE => {
                let e = h.exp_m1();
                self.derivative(a) * e / (T::ONE + f * e)
            }
            Activation::Tanh if h.abs() <= T::ONE => {
                let t = h.tanh();
                self.derivative(a) * t / (T::ONE + f * t)
            }
            Activation::Sigmoid => sigmoid_difference(a, h),
            // tanh a = 2 sigmoid(2a) − 1
            Activation::Tanh => T::from_f64(2.0) * sigmoid_difference(a + a, h + h),
            Activation::Identity => h,
        }
    }
}

/// sigmoid′(a) = q/(1+q)² with q = e^{−|a|}, which keeps its digits where sigmoid(a) is nearly 0 or 1.
#[inline(always)]
fn sigmoid_slope<T: Real>(a: T) -> T {
    let q = (-a.abs()).exp();
    q / ((T::ONE + q) * (T::ONE + q))
}

/// sigmoid(a+h) − sigmoid(a) for |h| > 1, on the side on which sigmoid(a) is small: sigmoid(−a) = 1 − sigmoid(a).
#[inline(always)]
fn sigmoid_difference<T: Real>(a: T, h: T) -> T {
    let f = |a: T| Activation::Sigmoid.value(a);
    if a > T::ZERO { f(-a) - f(-(a + h)) } else { f(a + h) - f(a) }
}

#[inline(always)]
fn leaky_increment<T: Real>(a: T, h: T) -> T {
    let leak = T::from_f64(LEAK);
    match (a >= T::ZERO, a + h >= T::ZERO) {
        (true, true) => h,
        (true, false) => leak * (a + h) - a,
        (false, true) => (a + h) - leak * a,
        (false, false) if a < T::ZERO => leak * h,
        (false, false) => a, // NaN, which is not to be hidden
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

    /// e^{−|a|}-accurate closed forms in f64: sinh(h/2) / (2 cosh(a/2) cosh((a+h)/2)) is sigmoid(a+h) − sigmoid(a), and
    /// sinh h / (cosh a cosh(a+h)) is tanh(a+h) − tanh a.
    #[test]
    fn increments_in_f32_keep_their_digits_where_f_is_saturated() {
        let sigmoid = |a: f64, h: f64| (h / 2.0).sinh() / (2.0 * (a / 2.0).cosh() * ((a + h) / 2.0).cosh());
        let tanh = |a: f64, h: f64| h.sinh() / (a.cosh() * (a + h).cosh());
        for a in [-15.0f32, -9.0, -3.0, -0.4, 0.0, 0.4, 2.1, 3.0, 9.0, 12.0, 15.0] {
            for h in [1e-9f32, 1e-3, -0.5, 1.0, 1.5, -1.5, 4.0] {
                for (f, exact) in
                    [(Activation::Sigmoid, sigmoid(a.into(), h.into())), (Activation::Tanh, tanh(a.into(), h.into()))]
                {
                    let got = f64::from(f.increment(a, f.value(a), h));
                    // exp(−2|a|) amplifies the rounding of its argument by 2|a|.
                    assert!((got - exact).abs() <= 1e-5 * exact.abs(), "{f:?}: a {a}, h {h}: {got}, expected {exact}");
                }
            }
        }
    }

    /// From above 1 the distance to 1 is exact: a = 1.5 and h = −½ − 2⁻²⁴ give −2⁻²⁴, where a + h would round to 1.
    #[test]
    fn a_hard_sigmoid_leaves_its_upper_side_without_rounding() {
        let h = -0.5 - 2f32.powi(-24);
        assert_eq!(Activation::HardSigmoid.increment(1.5f32, 1.0, h), -(2f32.powi(-24)));
    }

    #[test]
    fn a_zero_step_leaves_the_value_to_the_bit_and_nan_is_not_hidden() {
        for (name, f) in Activation::ALL {
            for a in POINTS {
                assert_eq!(f.increment(a, f.value(a), 0.0), 0.0, "{name} at {a}");
                assert_eq!(f.increment(a, f.value(a), -0.0), 0.0, "{name} at {a}");
                assert!(f.increment(a, f.value(a), f64::NAN).is_nan(), "{name} at {a}");
            }
            // The identity's increment does not depend on a; its value does.
            assert!(*f == Activation::Identity || f.increment(f64::NAN, f64::NAN, 0.5).is_nan(), "{name}");
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
