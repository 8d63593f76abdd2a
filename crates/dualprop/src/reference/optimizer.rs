//! Optimisers and the learning-rate schedule, one tensor and one step at a time.

/// Gradient descent with momentum μ and weight decay λ, on one tensor:
/// m ← μ m + (g + λ w), then w ← w − η m.
///
/// `w`, its gradient `g` and the momentum `m` (zero before the first step) have the same size.
pub fn sgd_step(w: &mut [f64], g: &[f64], m: &mut [f64], eta: f64, mu: f64, lambda: f64) {
    assert!(w.len() == g.len() && w.len() == m.len(), "weights, gradient and momentum have the same size");
    for i in 0..w.len() {
        m[i] = mu * m[i] + (g[i] + lambda * w[i]);
        w[i] -= eta * m[i];
    }
}

/// Adam on one tensor at step t = 1, 2, …, with ε outside the root:
/// m ← β₁ m + (1−β₁) g, v ← β₂ v + (1−β₂) g², w ← w − η m̂ / (√v̂ + ε), where m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ).
///
/// `betas` is (β₁, β₂). `w`, its gradient `g` and the moments `m` and `v` (zero before the first step) have the same size.
#[allow(clippy::too_many_arguments, reason = "the formula has as many letters")]
pub fn adam_step(w: &mut [f64], g: &[f64], m: &mut [f64], v: &mut [f64], t: u32, eta: f64, betas: (f64, f64), epsilon: f64) {
    assert!(w.len() == g.len() && w.len() == m.len() && w.len() == v.len(), "weights, gradient and moments have the same size");
    assert!(t > 0, "Adam counts its steps from 1");
    let (beta1, beta2) = betas;
    for i in 0..w.len() {
        m[i] = beta1 * m[i] + (1.0 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1.0 - beta2) * g[i] * g[i];
        let m_hat = m[i] / (1.0 - libm::pow(beta1, f64::from(t)));
        let v_hat = v[i] / (1.0 - libm::pow(beta2, f64::from(t)));
        w[i] -= eta * m_hat / (v_hat.sqrt() + epsilon);
    }
}

/// AdamW on one tensor at step t = 1, 2, …: Adam, and the weight decay λ beside its direction instead of in the gradient,
/// w ← w − η (m̂ / (√v̂ + ε) + λ w).
#[allow(clippy::too_many_arguments, reason = "the formula has as many letters")]
pub fn adamw_step(
    w: &mut [f64],
    g: &[f64],
    m: &mut [f64],
    v: &mut [f64],
    t: u32,
    eta: f64,
    betas: (f64, f64),
    epsilon: f64,
    lambda: f64,
) {
    let before = w.to_vec();
    adam_step(w, g, m, v, t, eta, betas, epsilon);
    w.iter_mut().zip(before).for_each(|(w, before)| *w -= eta * lambda * before);
}

/// The learning rate η at `step` = 0, 1, …, as `optax.warmup_cosine_decay_schedule`: linear from `init` to `peak` over
/// `warmup_steps`, then along half a cosine to `last`, which is reached at `decay_steps` (the warm-up included) and stays.
///
/// As in optax the cosine scales `peak`: with `peak` = 0 it stays at 0.
pub fn warmup_cosine(step: u64, init: f64, peak: f64, last: f64, warmup_steps: u64, decay_steps: u64) -> f64 {
    assert!(decay_steps > warmup_steps, "decay_steps includes the warm-up and must be larger");
    if step < warmup_steps {
        return init + (peak - init) * step as f64 / warmup_steps as f64;
    }
    if peak == 0.0 {
        return 0.0;
    }
    let part = (step.min(decay_steps) - warmup_steps) as f64 / (decay_steps - warmup_steps) as f64;
    last + (peak - last) * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momentum_and_weight_decay_by_hand() {
        let (mut w, mut m) = ([1.0, -2.0], [0.5, 0.0]);
        sgd_step(&mut w, &[0.25, 1.0], &mut m, 0.5, 0.5, 0.25);
        // m = ½·½ + (¼ + ¼) and 0 + (1 − ½)
        assert_eq!((w, m), ([0.625, -2.25], [0.75, 0.5]));
    }

    /// The first step of Adam is η g / (|g| + ε), whatever β₁ and β₂.
    #[test]
    fn adam_first_moves_every_weight_by_the_learning_rate() {
        let (mut w, mut m, mut v) = ([1.0, 1.0], [0.0; 2], [0.0; 2]);
        adam_step(&mut w, &[4.0, -0.001], &mut m, &mut v, 1, 0.1, (0.9, 0.999), 1e-3);
        assert!((w[0] - (1.0 - 0.1 * 4.0 / 4.001)).abs() < 1e-15 && (w[1] - 1.05).abs() < 1e-15, "{w:?}");
    }

    /// Two steps with g = 1 then 0, β = (½, ¾), ε = 0: m̂ = ¼ / ¾, v̂ = 3/16 / (7/16).
    #[test]
    fn adam_corrects_its_bias() {
        let (mut w, mut m, mut v) = ([0.0], [0.0], [0.0]);
        adam_step(&mut w, &[1.0], &mut m, &mut v, 1, 1.0, (0.5, 0.75), 0.0);
        assert_eq!(w, [-1.0]);
        adam_step(&mut w, &[0.0], &mut m, &mut v, 2, 1.0, (0.5, 0.75), 0.0);
        assert!((w[0] + 1.0 + (1.0 / 3.0) / (3.0f64 / 7.0).sqrt()).abs() < 1e-15, "{w:?}");
    }

    #[test]
    fn decoupled_decay_by_hand() {
        let (mut w, mut m, mut v) = ([2.0, -1.0], [0.0; 2], [0.0; 2]);
        adamw_step(&mut w, &[1.0, 0.0], &mut m, &mut v, 1, 0.5, (0.5, 0.75), 1e-300, 0.25);
        // 2 − ½ (1 + ¼·2) and −1 − ½ (0 + ¼·(−1))
        assert_eq!(w, [1.25, -0.875]);
    }

    #[test]
    fn the_learning_rate_rises_falls_and_stays() {
        let rate = |step| warmup_cosine(step, 0.1, 1.0, 0.2, 4, 12);
        for (step, expected) in [(0, 0.1), (2, 0.55), (4, 1.0), (8, 0.6), (12, 0.2), (100, 0.2)] {
            assert!((rate(step) - expected).abs() < 1e-15, "step {step}: {}", rate(step));
        }
        assert_eq!(warmup_cosine(0, 0.5, 2.0, 1.0, 0, 1), 2.0);
        assert_eq!(warmup_cosine(3, 0.5, 0.0, 1.0, 1, 5), 0.0);
    }
}
