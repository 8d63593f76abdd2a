//! The activation f of the hidden layers and its derivative.

use crate::base::Named;

/// An activation f, applied to each neuron by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// f(a) = max(a, 0)
    Relu,
    /// f(a) = a where a > 0, else 0.01 a
    LeakyRelu,
    /// f(a) = a within [0, 1], 0 below and 1 above
    HardSigmoid,
    /// f(a) = 1 / (1 + e⁻ᵃ)
    Sigmoid,
    /// f(a) = tanh a
    Tanh,
    /// f(a) = a
    Identity,
}

/// Slope of [`Activation::LeakyRelu`] at and below 0.
const LEAK: f64 = 0.01;

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

impl Activation {
    /// f(a).
    pub fn value(self, a: f64) -> f64 {
        match self {
            Activation::Relu if a < 0.0 => 0.0,
            Activation::LeakyRelu if a < 0.0 => LEAK * a,
            Activation::HardSigmoid if a < 0.0 => 0.0,
            Activation::HardSigmoid if a > 1.0 => 1.0,
            Activation::Relu | Activation::LeakyRelu | Activation::HardSigmoid | Activation::Identity => a,
            Activation::Sigmoid => 1.0 / (1.0 + libm::exp(-a)),
            Activation::Tanh => libm::tanh(a),
        }
    }

    /// f′(a); at a kink, the smaller of the two one-sided slopes.
    pub fn derivative(self, a: f64) -> f64 {
        let slope = |linear: bool| if linear { 1.0 } else { 0.0 };
        match self {
            Activation::Relu => slope(a > 0.0),
            Activation::LeakyRelu if a > 0.0 => 1.0,
            Activation::LeakyRelu => LEAK,
            Activation::HardSigmoid => slope(0.0 < a && a < 1.0),
            Activation::Sigmoid => self.value(a) * (1.0 - self.value(a)),
            Activation::Tanh => 1.0 - self.value(a) * self.value(a),
            Activation::Identity => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_the_slopes_of_the_values() {
        for (name, f) in Activation::ALL {
            for i in -40..40 {
                // Never nearer than 0.017 to the kinks at 0 and 1.
                let a = 0.1 * f64::from(i) + 0.033;
                let slope = (f.value(a + 1e-5) - f.value(a - 1e-5)) / 2e-5;
                assert!((f.derivative(a) - slope).abs() < 1e-10, "{name} at {a}: {} is not {slope}", f.derivative(a));
            }
        }
    }

    #[test]
    fn known_values() {
        for (f, a, value, derivative) in [
            (Activation::Relu, 0.0, 0.0, 0.0),
            (Activation::Relu, -2.0, 0.0, 0.0),
            (Activation::Relu, 2.0, 2.0, 1.0),
            (Activation::LeakyRelu, 0.0, 0.0, 0.01),
            (Activation::LeakyRelu, -2.0, -0.02, 0.01),
            (Activation::HardSigmoid, 0.0, 0.0, 0.0),
            (Activation::HardSigmoid, 0.25, 0.25, 1.0),
            (Activation::HardSigmoid, 1.0, 1.0, 0.0),
            (Activation::HardSigmoid, 1.5, 1.0, 0.0),
            (Activation::Sigmoid, 0.0, 0.5, 0.25),
            (Activation::Sigmoid, -1000.0, 0.0, 0.0),
            (Activation::Tanh, 0.0, 0.0, 1.0),
            (Activation::Identity, -3.0, -3.0, 1.0),
        ] {
            assert_eq!((f.value(a), f.derivative(a)), (value, derivative), "{} at {a}", f.name());
        }
    }

    #[test]
    fn a_broken_number_stays_visible() {
        for (name, f) in Activation::ALL {
            assert!(f.value(f64::NAN).is_nan(), "{name}");
        }
    }
}
