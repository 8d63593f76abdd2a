//! The output nudge: how the loss pulls at the dyad of the output layer.
//!
//! With feedback weights u on s⁺ and d on s⁻, and the pre-activation a of the output:
//!
//! * **linearised**: s⁺ = a − uβg, s⁻ = a + dβg, g a gradient of the loss; so Δ = −(u+d)βg, which is −βg where u + d = 1.
//! * **proximal**: s⁺ = argmin_s uβ ℓ(s) + ½‖s−a‖², s⁻ = argmax_s dβ ℓ(s) − ½‖s−a‖². For the squared errors c/2 ‖s−y‖² in
//!   closed form, s⁺ − a = −uβg/(1+uβc) and s⁻ − a = dβg/(1−dβc), which needs dβc < 1; for the cross-entropy by
//!   a safeguarded Newton iteration.

use crate::base::Real;

use super::Loss;

pub(super) mod cpu;
pub(crate) mod cross_entropy;
#[cfg(feature = "cuda")]
pub(in crate::compute) mod cuda;

/// The weights of an output nudge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NudgeWeights {
    /// α, the weight of s⁺ in the mean.
    pub alpha: f64,
    /// u, the weight of the nudge on s⁺.
    pub u: f64,
    /// d, the weight of the nudge on s⁻.
    pub d: f64,
    /// β, the strength.
    pub beta: f64,
}

impl NudgeWeights {
    /// The factor of g in the linearised mean, s̄ = a + shift·g: (−αu + (1−α)d)β.
    pub(super) fn shift(&self) -> f64 {
        ((1.0 - self.alpha) * self.d - self.alpha * self.u) * self.beta
    }

    /// The factor of −g in the linearised difference: (u+d)β, to the bit β where u = 1−x and d = x for some x.
    pub(super) fn pull(&self) -> f64 {
        (self.u + self.d) * self.beta
    }

    /// Whether s⁻ = argmax_s dβ ℓ(s) − ½‖s−a‖² exists, whatever a and y: the loss must curve less than the square.
    pub fn has_maximiser(&self, loss: Loss) -> bool {
        loss.curvature().is_none_or(|c| self.d * self.beta * c < 1.0)
    }

    /// Writes (s̄, Δ) of one sample's proximal nudge, with memory of its own.
    pub(crate) fn displace(&self, loss: Loss, a: &[f64], y: &[f64], mean: &mut [f64], difference: &mut [f64]) {
        self.proximal(loss, a, y, mean, difference, &mut Room::default());
    }

    /// Writes (s̄, Δ) of one sample's proximal nudge; the displacements are found in f64 whatever the type of the states.
    pub(super) fn proximal<T: Real>(&self, loss: Loss, a: &[T], y: &[T], mean: &mut [T], difference: &mut [T], room: &mut Room) {
        let (u_beta, d_beta) = (self.u * self.beta, self.d * self.beta);
        room.take(a, y);
        match loss.curvature() {
            Some(c) => {
                for (i, (a, y)) in a.iter().zip(y).enumerate() {
                    let g = c * (a.to_f64() - y.to_f64());
                    room.plus[i] = -u_beta * g / (1.0 + u_beta * c);
                    room.minus[i] = d_beta * g / (1.0 - d_beta * c);
                }
            }
            None => {
                room.newton.displace(u_beta, &room.a, &room.y, &mut room.plus);
                room.newton.displace(-d_beta, &room.a, &room.y, &mut room.minus);
            }
        }
        for (i, (mean, difference)) in mean.iter_mut().zip(difference).enumerate() {
            let shift = self.alpha * room.plus[i] + (1.0 - self.alpha) * room.minus[i];
            *mean = a[i] + T::from_f64(shift);
            *difference = T::from_f64(room.plus[i] - room.minus[i]).or_zero();
        }
    }
}

/// Working memory of one proximal nudge.
#[derive(Default)]
pub(super) struct Room {
    a: Vec<f64>,
    y: Vec<f64>,
    plus: Vec<f64>,
    minus: Vec<f64>,
    newton: cross_entropy::Newton,
}

impl Room {
    fn take<T: Real>(&mut self, a: &[T], y: &[T]) {
        let copy = |to: &mut Vec<f64>, from: &[T]| {
            to.clear();
            to.extend(from.iter().map(|x| x.to_f64()));
        };
        copy(&mut self.a, a);
        copy(&mut self.y, y);
        self.plus.resize(a.len(), 0.0);
        self.minus.resize(a.len(), 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stationarity of both compartments: s⁺ − a + uβ ℓ′(s⁺) = 0 and s⁻ − a − dβ ℓ′(s⁻) = 0.
    #[test]
    fn proximal_compartments_are_stationary() {
        let (a, y) = ([0.4, -1.0, 2.0], [1.0, 0.0, 0.0]);
        for (loss, beta) in [
            (Loss::SquaredError, 0.4),
            (Loss::HalfSquaredError, 0.9),
            (Loss::CrossEntropy, 1e-6),
            (Loss::CrossEntropy, 0.7),
            (Loss::CrossEntropy, 3.0),
        ] {
            let weights = NudgeWeights { alpha: 0.3, u: 0.6, d: 0.4, beta };
            let (mut mean, mut difference, mut g) = ([0.0; 3], [0.0; 3], [0.0; 3]);
            weights.proximal(loss, &a, &y, &mut mean, &mut difference, &mut Room::default());
            for (side, strength) in [(0.7, 0.6 * beta), (-0.3, -0.4 * beta)] {
                let s: Vec<f64> = (0..3).map(|i| mean[i] + side * difference[i]).collect();
                loss.gradient(&s, &y, &mut g);
                for i in 0..3 {
                    let residual = s[i] - a[i] + strength * g[i];
                    assert!(residual.abs() < 4e-15, "{loss:?} β {beta}: residual {residual}");
                }
            }
        }
    }

    #[test]
    fn a_small_proximal_nudge_is_the_linearised_one() {
        let (a, y) = ([0.4f32, -1.0, 2.0], [0.0f32, 1.0, 0.0]);
        let weights = NudgeWeights { alpha: 0.5, u: 0.5, d: 0.5, beta: 1e-6 };
        for loss in [Loss::SquaredError, Loss::CrossEntropy] {
            let (mut mean, mut difference, mut g) = ([0.0; 3], [0.0; 3], [0.0; 3]);
            weights.proximal(loss, &a, &y, &mut mean, &mut difference, &mut Room::default());
            loss.gradient(&a, &y, &mut g);
            for i in 0..3 {
                // First order in β, and f32 rounding.
                assert!((difference[i] + 1e-6 * g[i]).abs() <= 1e-6 * 4e-6 * (1.0 + g[i].abs()), "{loss:?}");
            }
        }
    }
}
