//! Feedback kernels that learn, or copy, the forward ones.

use crate::base::random::Random;

use super::sgd_step;

/// J. Kolen and J. Pollack, *Backpropagation without weight transport*, 1994: a kernel W and the feedback kernel B beside it have the
/// same gradient g, learning rate η, momentum μ and weight decay λ, each its own momentum; [`sgd_step`] of both.
///
/// Without momentum W − B shrinks by 1 − ηλ, since g drops out of it.
#[allow(clippy::too_many_arguments, reason = "the formula has as many letters")]
pub fn kolen_pollack_step(
    w: &mut [f64],
    b: &mut [f64],
    g: &[f64],
    m_w: &mut [f64],
    m_b: &mut [f64],
    eta: f64,
    mu: f64,
    lambda: f64,
) {
    sgd_step(w, g, m_w, eta, mu, lambda);
    sgd_step(b, g, m_b, eta, mu, lambda);
}

/// B = W + σ · rms(W) · ξ with rms(W) = √(Σ w² / n) and ξ standard normal, drawn in the order of the weights.
pub fn noisy_copy(w: &[f64], sigma: f64, random: &mut Random) -> Vec<f64> {
    let mut squares = 0.0;
    for w in w {
        squares += w * w;
    }
    let rms = (squares / w.len() as f64).sqrt();
    w.iter().map(|w| w + sigma * rms * random.normal()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Purpose;

    #[test]
    fn the_difference_of_the_kernels_shrinks_by_the_decay_alone() {
        let (mut w, mut b, mut m) = ([1.0, -2.0], [5.0, 6.0], [0.0; 4]);
        for step in 1..=3 {
            let (m_w, m_b) = m.split_at_mut(2);
            kolen_pollack_step(&mut w, &mut b, &[0.25 * f64::from(step), -1.0], m_w, m_b, 0.5, 0.0, 0.25);
        }
        let shrunk = 0.875f64.powi(3);
        assert!((w[0] - b[0] + 4.0 * shrunk).abs() < 1e-15 && (w[1] - b[1] + 8.0 * shrunk).abs() < 1e-15, "{w:?} {b:?}");
    }

    #[test]
    fn noise_has_the_size_of_the_kernel() {
        let random = || Random::new(1, Purpose::Synthetic, 0, 0);
        let (mut same, w) = (random(), [3.0, -3.0, 3.0]);
        let expected: Vec<f64> = w.iter().map(|w| w + 1.5 * same.normal()).collect();
        assert!(noisy_copy(&w, 0.5, &mut random()).iter().zip(expected).all(|(b, expected)| (b - expected).abs() < 1e-15));
        assert_eq!(noisy_copy(&w, 0.0, &mut random()), w);
    }
}
