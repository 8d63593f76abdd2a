//! Parameter updates, element by element: the last operation of a training step.
//!
//! Every function walks over slices of equal length: parameters `w`, gradients `g` (batch means) and the optimiser's own
//! numbers. Constants come in f64 and are rounded to T once; nothing is fused, so that the bits are the same everywhere.

#[cfg(feature = "cuda")]
pub(in crate::compute) mod cuda;
mod pending;

use crate::base::Real;

use super::compiled::compiled;
pub use pending::{Update, UpdateRule};

/// The constants of [`adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConstants {
    /// β₁, how much of the first moment stays.
    pub beta1: f64,
    /// β₂, how much of the second moment stays.
    pub beta2: f64,
    /// ε, added outside the root.
    pub epsilon: f64,
    /// λ, the decoupled weight decay; 0 for Adam itself.
    pub weight_decay: f64,
}

compiled! {
    /// Stochastic gradient descent with momentum μ and coupled weight decay λ (which enters the momentum, as
    /// `optax.add_decayed_weights` before `optax.sgd` does, and the authors' programs with it; biases decay too):
    ///
    /// ```text
    /// m ← (g + λ w) + μ m
    /// w ← w − η m
    /// ```
    ///
    /// A momentum that decays has reached zero where it is no normal number any more ([`Real::or_zero`]).
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn sgd<T: Real>(w: &mut [T], g: &[T], m: &mut [T], learning_rate: f64, momentum: f64, weight_decay: f64) {
        assert!(g.len() == w.len() && m.len() == w.len(), "parameters, gradients and momenta must be of equal length");
        let [eta, mu, lambda] = [learning_rate, momentum, weight_decay].map(T::from_f64);
        for ((w, &g), m) in w.iter_mut().zip(g).zip(m) {
            *m = ((g + lambda * *w) + mu * *m).or_zero();
            *w -= eta * *m;
        }
    }

    /// Adam with bias correction and ε outside the root, as `optax.adam` (D. Kingma and J. Ba, *Adam*, ICLR 2015, algorithm
    /// 1); `step` is t = 1, 2, …; with λ > 0 AdamW, whose weight decay stays out of the moments, as `optax.adamw` (I.
    /// Loshchilov and F. Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019, algorithm 2, with the rate η in the place
    /// of its η_t α):
    ///
    /// ```text
    /// m ← β₁ m + (1 − β₁) g
    /// v ← β₂ v + (1 − β₂) g²
    /// w ← w − η ((m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε) + λ w)
    /// ```
    ///
    /// The corrections are multiplied by, for a division takes ten times as long. A moment that decays has reached zero where
    /// it is no normal number any more ([`Real::or_zero`]).
    ///
    /// # Panics
    /// If the slices differ in length, or `step` is 0, at which the correction would divide by zero.
    pub fn adam<T: Real>(
        w: &mut [T],
        g: &[T],
        m: &mut [T],
        v: &mut [T],
        learning_rate: f64,
        step: u64,
        constants: AdamConstants,
    ) {
        assert!(g.len() == w.len() && m.len() == w.len() && v.len() == w.len(), "all slices must be of equal length");
        assert!(step > 0, "the steps of Adam are counted from 1");
        let AdamConstants { beta1, beta2, epsilon, weight_decay } = constants;
        let [keep1, take1, keep2, take2] = [beta1, 1.0 - beta1, beta2, 1.0 - beta2].map(T::from_f64);
        let [correct1, correct2] = [beta1, beta2].map(|beta| T::from_f64(1.0 / (1.0 - libm::pow(beta, step as f64))));
        let [eta, epsilon, lambda] = [learning_rate, epsilon, weight_decay].map(T::from_f64);
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            *m = (keep1 * *m + take1 * g).or_zero();
            *v = (keep2 * *v + take2 * (g * g)).or_zero();
            // With λ = 0 nothing is added but ±0, which changes no bit of what follows.
            *w -= eta * ((correct1 * *m) / ((correct2 * *v).sqrt() + epsilon) + lambda * *w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pending::PIECE;
    use super::*;
    use crate::compute::{Isa, ParameterId, Pool, Tensor};

    #[test]
    fn sgd_makes_two_steps_worked_out_by_hand() {
        let (mut w, mut m) = ([1.0f64, -2.0], [0.0, 0.0]);
        // η = ½, μ = ¼, λ = 1/8: exact in binary.
        sgd(Isa::fastest(), &mut w, &[0.5, 1.0], &mut m, 0.5, 0.25, 0.125);
        assert_eq!((m, w), ([0.625, 0.75], [0.6875, -2.375]));
        sgd(Isa::fastest(), &mut w, &[1.0, 0.0], &mut m, 0.5, 0.25, 0.125);
        assert_eq!(m, [1.0 + 0.6875 / 8.0 + 0.625 / 4.0, -2.375 / 8.0 + 0.75 / 4.0]);
        assert_eq!(w, [0.6875 - m[0] / 2.0, -2.375 - m[1] / 2.0]);
    }

    /// With a constant gradient and λ = 0, t steps from m = 0 move w by −η g Σ_{i=1..t} (1 − μⁱ)/(1 − μ).
    #[test]
    fn momentum_adds_up_to_its_geometric_series() {
        let (mut w, mut m) = ([0.0f64], [0.0]);
        (0..50).for_each(|_| sgd(Isa::fastest(), &mut w, &[2.0], &mut m, 0.1, 0.9, 0.0));
        let series: f64 = (1..=50).map(|i| (1.0 - 0.9f64.powi(i)) / 0.1).sum();
        assert!((w[0] + 0.1 * 2.0 * series).abs() < 1e-12, "{}", w[0]);
    }

    /// With no gradient a momentum shrinks by μ in every step, and is 0 before it is subnormal; so is Adam's second moment.
    #[test]
    fn what_decays_becomes_zero_and_never_subnormal() {
        let (mut w, mut m) = ([0.0f32], [1e-30]);
        let (mut w2, mut m2, mut v2) = ([0.0f32], [1e-30], [1e-30]);
        for t in 1..=2000 {
            sgd(Isa::fastest(), &mut w, &[0.0], &mut m, 0.1, 0.9, 0.0);
            adam(Isa::fastest(), &mut w2, &[0.0], &mut m2, &mut v2, 0.1, t, ADAM);
            assert!([m[0], m2[0], v2[0]].iter().all(|x| !x.is_subnormal()), "step {t}: {m:?} {m2:?} {v2:?}");
        }
        assert_eq!((m, m2, v2), ([0.0], [0.0], [0.0]));
        sgd(Isa::fastest(), &mut w, &[f32::NAN], &mut m, 0.1, 0.9, 0.0);
        assert!(m[0].is_nan(), "a broken number is not hidden");
    }

    const ADAM: AdamConstants = AdamConstants { beta1: 0.9, beta2: 0.99, epsilon: 0.125, weight_decay: 0.0 };

    /// The bias correction makes the corrected moments of a constant gradient g and g², so every step is η g / (|g| + ε).
    #[test]
    fn adam_moves_by_the_same_amount_under_a_constant_gradient() {
        let (mut w, mut m, mut v) = ([0.0f64, 0.0], [0.0; 2], [0.0; 2]);
        for t in 1..=20 {
            adam(Isa::fastest(), &mut w, &[3.0, -0.25], &mut m, &mut v, 0.5, t, ADAM);
            let expected = [-0.5 * t as f64 * 3.0 / 3.125, 0.5 * t as f64 * 0.25 / 0.375];
            assert!(w.iter().zip(expected).all(|(w, expected)| (w - expected).abs() < 1e-12), "step {t}: {w:?}, {expected:?}");
        }
    }

    /// Second step with g₂ = 0 by hand: m̂ = β₁(1−β₁)g/(1−β₁²) = β₁g/(1+β₁), v̂ = β₂g²/(1+β₂).
    #[test]
    fn adam_remembers_both_moments() {
        let (mut w, mut m, mut v) = ([0.0f64], [0.0], [0.0]);
        adam(Isa::fastest(), &mut w, &[2.0], &mut m, &mut v, 0.5, 1, ADAM);
        let first = w[0];
        adam(Isa::fastest(), &mut w, &[0.0], &mut m, &mut v, 0.5, 2, ADAM);
        let expected = 0.5 * (0.9 * 2.0 / 1.9) / ((0.99 * 4.0 / 1.99f64).sqrt() + 0.125);
        assert!((first - w[0] - expected).abs() < 1e-14, "{} instead of {expected}", first - w[0]);
    }

    /// Both moments see the gradient alone: with g = 0 every step multiplies w by 1 − ηλ.
    #[test]
    fn decoupled_decay_shrinks_weights_and_leaves_the_moments_alone() {
        let (mut w, mut m, mut v) = ([2.0f64], [0.0], [0.0]);
        let constants = AdamConstants { weight_decay: 0.25, ..ADAM };
        (1..=3).for_each(|t| adam(Isa::fastest(), &mut w, &[0.0], &mut m, &mut v, 0.5, t, constants));
        assert_eq!((w, m, v), ([2.0 * 0.875f64.powi(3)], [0.0], [0.0]));
        adam(Isa::fastest(), &mut w, &[3.0], &mut m, &mut v, 0.5, 4, constants);
        let (mut m0, mut v0) = ([0.0], [0.0]);
        adam(Isa::fastest(), &mut [1.0], &[3.0], &mut m0, &mut v0, 0.5, 4, ADAM);
        assert_eq!((m, v), (m0, v0));
    }

    #[test]
    fn pieces_are_the_whole_whatever_the_number_of_threads() {
        let n = 2 * PIECE + 7;
        let g: Vec<f32> = (0..n).map(|i| (i % 113) as f32 / 64.0 - 0.5).collect();
        let step = |threads| {
            let tensors =
                |[long, short]: [f32; 2]| [Tensor::new(&[n], vec![long; n]).unwrap(), Tensor::new(&[5], vec![short; 5]).unwrap()];
            let (mut w, mut m) = (tensors([0.5, 1.5]), tensors([0.25, 0.0]));
            let rule = UpdateRule::Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 5e-4 };
            let pool = Pool::new(threads).unwrap();
            let mut update = Update::new(rule, &mut w, [&mut m, &mut []]);
            update.apply(&pool, ParameterId(0), &g);
            assert_eq!(update.broken(), None);
            update.apply(&pool, ParameterId(1), &[1.0, 1.0, f32::INFINITY, 1.0, 1.0]);
            assert_eq!(update.broken(), Some(ParameterId(1)));
            [&w[0], &m[0], &w[1], &m[1]].map(|tensor| tensor.data().to_vec())
        };
        let (mut w, mut m) = (vec![0.5f32; n], vec![0.25f32; n]);
        sgd(Isa::fastest(), &mut w, &g, &mut m, 0.1, 0.9, 5e-4);
        for threads in [1, 2, 3, 8] {
            let got = step(threads);
            assert!(got[0] == w && got[1] == m && got[2][4] != 1.5, "{threads} threads");
            assert!(got[2..].iter().flatten().map(|x| x.to_bits()).eq(step(1)[2..].iter().flatten().map(|x| x.to_bits())));
        }
    }

    #[test]
    fn f32_follows_f64() {
        let g: Vec<f64> = (0..100).map(|i| f64::from(i - 40) / 64.0).collect();
        let narrow: Vec<f32> = g.iter().map(|&g| g as f32).collect();
        let (mut w, mut m, mut v) = (vec![0.5; 100], vec![0.0; 100], vec![0.0; 100]);
        let (mut w32, mut m32, mut v32) = (vec![0.5f32; 100], vec![0.0; 100], vec![0.0; 100]);
        for t in 1..=10 {
            adam(Isa::fastest(), &mut w, &g, &mut m, &mut v, 0.01, t, ADAM);
            adam(Isa::fastest(), &mut w32, &narrow, &mut m32, &mut v32, 0.01, t, ADAM);
        }
        // Ten steps of about 0.01 onto a number near 0.5, each rounded by at most 2^-25.
        assert!(w.iter().zip(&w32).all(|(w, w32)| (w - f64::from(*w32)).abs() < 1e-6));
    }
}
