//! The proximal nudge of the softmax cross-entropy, by a safeguarded Newton iteration.
//!
//! Sought is the displacement p that makes φ(p) = c ℓ(a+p) + ½‖p‖² smallest; c = uβ for s⁺ and c = −dβ for s⁻. With
//! q = softmax(a+p) and M = Σ y (1 for a class) the gradient is F = p + c (M q − y) and the Hessian H = I + c M (diag q − q qᵀ).
//! The eigenvalues of diag q − q qᵀ lie in [0, ½]: φ is strictly convex for c M > −2. Beyond, it has several minima; the one
//! reached from p = 0 is found by steps p ← p − F, which cannot leap over a ridge since no curvature of φ exceeds 1 there, until
//! φ is convex and nearly flat around p; only then does Newton take over.

use crate::base::Real;
use crate::compute::loss::softmax;

/// Working memory of the iteration.
#[derive(Default)]
pub(crate) struct Newton {
    z: Vec<f64>,
    q: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    trial: Vec<f64>,
}

/// Newton converges quadratically once near; only a far start with |c| ≫ 2 takes more than a dozen iterations.
const MOST_ITERATIONS: usize = 200;

/// Steps p ← p − F; near a degenerate point they are slow, and what they reach there is as good as any.
const MOST_DESCENTS: usize = 10_000;

impl Newton {
    /// Writes the displacement p for the pre-activations `a`, the targets `y` and the signed strength `c`.
    pub(crate) fn displace(&mut self, c: f64, a: &[f64], y: &[f64], p: &mut [f64]) {
        for buffer in [&mut self.z, &mut self.q, &mut self.residual, &mut self.direction, &mut self.trial] {
            buffer.resize(a.len(), 0.0);
        }
        p.fill(0.0);
        if c == 0.0 {
            return;
        }
        let (mut value, mut size) = self.evaluate(c, a, y, p);
        let strength = c * y.iter().sum::<f64>();
        for _ in 0..if strength < -2.0 { MOST_DESCENTS } else { 0 } {
            if size <= 1e-4 && self.is_convex(strength) {
                break;
            }
            p.iter_mut().zip(&self.residual).for_each(|(p, f)| *p -= f);
            (value, size) = self.evaluate(c, a, y, p);
        }
        for _ in 0..MOST_ITERATIONS {
            if size <= 2.0 * f64::EPSILON * c.abs() {
                return;
            }
            let slope = self.find_direction(strength);
            let Some(step) = self.search(c, a, y, p, (value, size, slope)) else {
                return; // no step makes it smaller: this is as near as rounding allows
            };
            (value, size) = step;
            p.copy_from_slice(&self.trial);
        }
    }

    /// Whether H is positive definite at the present q: H = D + |c| q qᵀ, D = I − |c| diag q, for the strength c < 0. A rank-one
    /// term lifts one negative eigenvalue at most, and does so if det H = det D (1 + |c| qᵀ D⁻¹ q) is positive.
    fn is_convex(&self, c: f64) -> bool {
        let diagonal = || self.q.iter().map(|q| (1.0 + c * q, q));
        match diagonal().filter(|(d, _)| *d <= 0.0).count() {
            0 => true,
            1 => 1.0 - c * diagonal().map(|(d, q)| q * q / d).sum::<f64>() < 0.0,
            _ => false,
        }
    }

    /// φ(p), max |F|, and leaves q and F in place.
    fn evaluate(&mut self, c: f64, a: &[f64], y: &[f64], p: &[f64]) -> (f64, f64) {
        self.z.iter_mut().zip(a).zip(p).for_each(|((z, a), p)| *z = a + p);
        softmax(&self.z, &mut self.q);
        let mass: f64 = y.iter().sum();
        let mut size = 0.0f64;
        for i in 0..p.len() {
            self.residual[i] = p[i] + c * (mass * self.q[i] - y[i]);
            size = size.at_least(self.residual[i].abs());
        }
        let loss = crate::compute::Loss::CrossEntropy.value(&self.z, y);
        (c * loss + 0.5 * p.iter().map(|p| p * p).sum::<f64>(), size)
    }

    /// The Newton direction −H⁻¹F for the strength c (times M), or −F where that does not descend; returns its slope
    /// Fᵀ·direction < 0.
    ///
    /// H = D + c q_m e_m e_mᵀ − c q qᵀ with D = I + c diag(q) save D_m = 1, m the largest component of q: at most one q exceeds
    /// ½, so that D is positive for every c > −2. The rank-two rest is inverted by Woodbury's formula,
    /// H⁻¹ = D⁻¹ − D⁻¹U (I + S M)⁻¹ S Uᵀ D⁻¹ with U = [e_m, q], S = diag(c q_m, −c), M = Uᵀ D⁻¹ U.
    fn find_direction(&mut self, c: f64) -> f64 {
        let (q, f) = (&self.q, &self.residual);
        let m = (0..q.len()).fold(0, |m, i| if q[i] > q[m] { i } else { m });
        let diagonal = |i: usize| if i == m { 1.0 } else { 1.0 + c * q[i] };
        let (mut q_dinv_q, mut q_dinv_f, mut smallest) = (0.0, 0.0, f64::INFINITY);
        for i in 0..q.len() {
            let d = diagonal(i);
            smallest = smallest.at_most(d);
            q_dinv_q += q[i] * q[i] / d;
            q_dinv_f += q[i] * f[i] / d;
        }
        let (s_m, s_q) = (c * q[m], -c);
        // I + S M, a 2x2 matrix, and its solution for S Uᵀ D⁻¹ F.
        let (a, b) = (1.0 + s_m, s_m * q[m]);
        let (e, g) = (s_q * q[m], 1.0 + s_q * q_dinv_q);
        let determinant = a * g - b * e;
        let (r_m, r_q) = (s_m * f[m], s_q * q_dinv_f);
        let (x_m, x_q) = ((g * r_m - b * r_q) / determinant, (a * r_q - e * r_m) / determinant);
        for i in 0..q.len() {
            let u_x = x_q * q[i] + if i == m { x_m } else { 0.0 };
            self.direction[i] = -(f[i] - u_x) / diagonal(i);
        }
        let slope: f64 = f.iter().zip(&self.direction).map(|(f, d)| f * d).sum();
        if smallest > 0.0 && slope < 0.0 {
            return slope;
        }
        self.direction.iter_mut().zip(f).for_each(|(d, f)| *d = -f);
        -f.iter().map(|f| f * f).sum::<f64>()
    }

    /// Halves the step until the gradient halves or φ falls enough; leaves the new point in `trial`. None if no step does.
    fn search(&mut self, c: f64, a: &[f64], y: &[f64], p: &[f64], now: (f64, f64, f64)) -> Option<(f64, f64)> {
        let (value, size, slope) = now;
        // ℓ is a difference of numbers as large as the logits.
        let largest = a.iter().zip(p).fold(1.0f64, |largest, (a, p)| largest.at_least((a + p).abs()));
        let rounding = 64.0 * f64::EPSILON * (value.abs() + c.abs() * largest);
        let mut step = 1.0;
        for _ in 0..40 {
            let mut trial = std::mem::take(&mut self.trial);
            trial.iter_mut().zip(p).zip(&self.direction).for_each(|((t, p), d)| *t = p + step * d);
            let found = self.evaluate(c, a, y, &trial);
            self.trial = trial;
            // Near the solution φ no longer resolves the progress but the gradient does; only there may it decide, since a
            // small gradient farther off could belong to a saddle.
            if found.1 <= 0.5 * size && found.0 <= value + rounding || found.0 < value + 1e-4 * step * slope {
                return Some(found);
            }
            step *= 0.5;
        }
        self.evaluate(c, a, y, p);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};

    #[test]
    fn displacements_are_stationary_to_rounding_for_any_strength() {
        let mut random = Random::new(5, Purpose::Synthetic, 0, 0);
        let mut newton = Newton::default();
        for trial in 0..500 {
            let classes = 2 + random.below(9);
            let gain = [0.1, 1.0, 8.0][trial % 3];
            let a: Vec<f64> = (0..classes).map(|_| gain * random.normal()).collect();
            let mut y = vec![0.0; classes];
            y[random.below(classes)] = 1.0;
            for c in [1e-9, 0.1, 2.0, 50.0, -1e-9, -0.5, -1.0, -1.9, -2.0, -6.0, -50.0] {
                let mut p = vec![0.0; classes];
                newton.displace(c, &a, &y, &mut p);
                let (_, size) = newton.evaluate(c, &a, &y, &p);
                // softmax of logits of size |a+p| is itself uncertain by eps·|a+p|.
                let scale = 1.0 + a.iter().zip(&p).map(|(a, p)| (a + p).abs()).fold(0.0, f64::max);
                assert!(size <= 8.0 * f64::EPSILON * c.abs() * scale, "c {c}, a {a:?}: residual {size}");
            }
        }
    }

    /// Among so many there are cases in which a full Newton step leaps to another minimum than the nearest.
    #[test]
    fn beyond_the_convex_range_the_minimum_is_the_one_reached_by_descent() {
        let mut random = Random::new(6, Purpose::Synthetic, 0, 0);
        let mut newton = Newton::default();
        for trial in 0..400 {
            let classes = 2 + trial % 5;
            let a: Vec<f64> = (0..classes).map(|_| 0.3 * random.normal()).collect();
            let mut y = vec![0.0; classes];
            y[random.below(classes)] = 1.0;
            for c in [-2.5, -3.0, -4.0, -6.0, -12.0, -50.0] {
                let mut p = vec![0.0; classes];
                newton.displace(c, &a, &y, &mut p);
                let s = crate::reference::proximal(crate::reference::Loss::CrossEntropy, &a, &y, c);
                let distance = (0..classes).map(|i| (a[i] + p[i] - s[i]).abs()).fold(0.0, f64::max);
                assert!(distance < 1e-9, "c {c}, a {a:?}: {distance}");
            }
        }
    }

    #[test]
    fn the_minimum_is_a_minimum() {
        let (a, y) = ([0.2, -0.1, 0.9], [0.0, 0.0, 1.0]);
        let mut newton = Newton::default();
        for c in [0.5, 4.0, -0.8, -1.9, -5.0] {
            let mut p = [0.0; 3];
            newton.displace(c, &a, &y, &mut p);
            let (best, _) = newton.evaluate(c, &a, &y, &p);
            for i in 0..3 {
                for h in [-1e-3, 1e-3] {
                    let mut near = p;
                    near[i] += h;
                    assert!(newton.evaluate(c, &a, &y, &near).0 > best, "c {c}");
                }
            }
        }
    }
}
