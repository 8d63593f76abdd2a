//! The dyad update, the heart of dual propagation, on one neuron.
//!
//! A dyad keeps its two messages, the mean s̄ = α s⁺ + (1−α) s⁻ and the difference Δ = s⁺ − s⁻, instead of its compartments:
//!
//! ```text
//! u⁺ = f(a + w⁺·fb) − f(a)        s⁺ = s̄ + (1−α) Δ
//! u⁻ = f(a − w⁻·fb) − f(a)        s⁻ = s̄ − α Δ
//! Δ  = u⁺ − u⁻
//! s̄  = f(a) + α u⁺ + (1−α) u⁻
//! ```
//!
//! The increments are formed without cancellation ([`Activation::increment`]), so that small β stays exact in f32. A
//! difference that is subnormal is 0 ([`Real::or_zero`]).
//! With damping (a proximal term L/2 ‖s − s_old‖² on each compartment) the compartments are
//! s^± = f((a + L s^±_old ± w^± fb)/(1+L)), which is the same update around the base point b = (a + L s̄)/(1+L) with the
//! steps h⁺ = (L(1−α)Δ + w⁺ fb)/(1+L) and h⁻ = −(LαΔ + w⁻ fb)/(1+L).

use crate::base::Real;

use super::Activation;

pub(super) mod cpu;
#[cfg(feature = "cuda")]
pub(in crate::compute) mod cuda;

/// How a dyad weighs its compartments (α) and what is fed back to them (w⁺, w⁻).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DyadWeights {
    /// α, the weight of s⁺ in the mean.
    pub alpha: f64,
    /// w⁺, the weight of the feedback on s⁺.
    pub w_plus: f64,
    /// w⁻, the weight of the feedback on s⁻.
    pub w_minus: f64,
    /// The limit of small feedback, which is backpropagation: Δ = (w⁺ + w⁻) f′(a) fb, s̄ = f(a).
    pub limit: bool,
}

impl DyadWeights {
    /// Whether s̄ = f(a) to the bit whatever is fed back: each compartment either does not count or is not nudged.
    pub fn mean_ignores_feedback(&self) -> bool {
        self.limit || (self.alpha == 0.0 || self.w_plus == 0.0) && (self.alpha == 1.0 || self.w_minus == 0.0)
    }
}

/// The weights of a layer whose neurons have each their own.
#[derive(Debug, Clone, PartialEq)]
pub struct NeuronWeights {
    /// α of every neuron.
    pub alpha: Vec<f64>,
    /// w⁺ of every neuron.
    pub w_plus: Vec<f64>,
    /// w⁻ of every neuron.
    pub w_minus: Vec<f64>,
}

impl NeuronWeights {
    /// Those of the i-th neuron.
    fn at(&self, i: usize) -> DyadWeights {
        DyadWeights { alpha: self.alpha[i], w_plus: self.w_plus[i], w_minus: self.w_minus[i], limit: false }
    }

    /// All of them in the type of the states.
    pub(super) fn bind<T: Real>(&self) -> Vec<Weights<T>> {
        (0..self.alpha.len()).map(|i| Weights::new(self.at(i))).collect()
    }
}

/// [`DyadWeights`] in the type of the states.
#[derive(Debug, Clone, Copy)]
pub(in crate::compute) struct Weights<T> {
    alpha: T,
    one_minus_alpha: T,
    w_plus: T,
    w_minus: T,
}

impl<T: Real> Weights<T> {
    pub(super) fn new(weights: DyadWeights) -> Self {
        Weights {
            alpha: T::from_f64(weights.alpha),
            one_minus_alpha: T::from_f64(1.0 - weights.alpha),
            w_plus: T::from_f64(weights.w_plus),
            w_minus: T::from_f64(weights.w_minus),
        }
    }

    /// (s̄, Δ) around the base point b with the steps h⁺ and h⁻.
    #[inline(always)]
    fn settle(&self, activation: Activation, b: T, h_plus: T, h_minus: T) -> (T, T) {
        let f = activation.value(b);
        let u_plus = activation.increment(b, f, h_plus);
        let u_minus = activation.increment(b, f, h_minus);
        (f + (self.alpha * u_plus + self.one_minus_alpha * u_minus), (u_plus - u_minus).or_zero())
    }

    /// (s̄, Δ) of the undamped update.
    #[inline(always)]
    pub(super) fn update(&self, activation: Activation, a: T, fb: T) -> (T, T) {
        self.settle(activation, a, self.w_plus * fb, -(self.w_minus * fb))
    }

    /// (s̄, Δ) of the update damped by `damping` = L from the old (s̄, Δ).
    #[inline(always)]
    pub(super) fn update_damped(&self, activation: Activation, a: T, fb: T, damping: T, old: (T, T)) -> (T, T) {
        let scale = T::ONE / (T::ONE + damping);
        let (mean, difference) = old;
        let h_plus = scale * (damping * (self.one_minus_alpha * difference) + self.w_plus * fb);
        let h_minus = -(scale * (damping * (self.alpha * difference) + self.w_minus * fb));
        self.settle(activation, scale * (a + damping * mean), h_plus, h_minus)
    }

    /// (s̄, Δ) in the limit of small feedback.
    #[inline(always)]
    pub(super) fn update_limit(&self, activation: Activation, a: T, fb: T) -> (T, T) {
        (activation.value(a), ((self.w_plus + self.w_minus) * (activation.derivative(a) * fb)).or_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Named;

    const WEIGHTS: DyadWeights = DyadWeights { alpha: 0.3, w_plus: 0.6, w_minus: 0.45, limit: false };

    #[test]
    fn compartments_are_the_nudged_activations() {
        let weights = Weights::<f64>::new(WEIGHTS);
        for (name, f) in Activation::ALL {
            for a in [-1.5, -0.2, 0.1, 0.8, 2.0] {
                for fb in [-3.0, -0.05, 0.0, 0.4, 2.5] {
                    let (mean, difference) = weights.update(*f, a, fb);
                    let (s_plus, s_minus) = (mean + 0.7 * difference, mean - 0.3 * difference);
                    assert!((s_plus - f.value(a + 0.6 * fb)).abs() < 1e-14, "{name} a {a} fb {fb}");
                    assert!((s_minus - f.value(a - 0.45 * fb)).abs() < 1e-14, "{name} a {a} fb {fb}");
                }
            }
        }
    }

    #[test]
    fn damping_pulls_each_compartment_towards_its_old_value() {
        let weights = Weights::<f64>::new(WEIGHTS);
        let (damping, old_plus, old_minus) = (1.7, 0.9, -0.4);
        let old = (0.3 * old_plus + 0.7 * old_minus, old_plus - old_minus);
        for (name, f) in Activation::ALL {
            for (a, fb) in [(0.5, 0.2), (-0.7, 1.1), (1.2, -2.0)] {
                let (mean, difference) = weights.update_damped(*f, a, fb, damping, old);
                let s_plus = f.value((a + damping * old_plus + 0.6 * fb) / (1.0 + damping));
                let s_minus = f.value((a + damping * old_minus - 0.45 * fb) / (1.0 + damping));
                assert!((mean + 0.7 * difference - s_plus).abs() < 1e-14, "{name}");
                assert!((mean - 0.3 * difference - s_minus).abs() < 1e-14, "{name}");
                assert_eq!(weights.update_damped(*f, a, fb, 0.0, old), weights.update(*f, a, fb), "{name}");
            }
        }
    }

    #[test]
    fn differences_are_never_subnormal() {
        let weights = Weights::<f32>::new(WEIGHTS);
        for (name, f) in Activation::ALL {
            for fb in [1e-36f32, 1e-38, 3e-39, 1e-45, 0.0] {
                let differences = [weights.update(*f, 0.5, fb).1, weights.update_limit(*f, 0.5, fb).1];
                assert!(differences.iter().all(|d| !d.is_subnormal()), "{name}, fb {fb}: {differences:?}");
                assert!(fb < 1e-36 || differences.iter().all(|&d| d > 0.0), "{name}: {differences:?}");
            }
            assert!(weights.update(*f, 0.5, f32::NAN).1.is_nan(), "{name}");
        }
    }

    #[test]
    fn the_limit_is_the_derivative_of_the_update() {
        let weights = Weights::<f64>::new(WEIGHTS);
        for (name, f) in Activation::ALL {
            let (a, fb) = (0.37, 1e-7);
            let (_, difference) = weights.update(*f, a, fb);
            let (mean, limit) = weights.update_limit(*f, a, fb);
            assert!((difference - limit).abs() < 1e-13 * 1.05, "{name}: {difference} {limit}");
            assert_eq!(mean, f.value(a), "{name}");
        }
    }
}
