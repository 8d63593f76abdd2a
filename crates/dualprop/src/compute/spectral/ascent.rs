//! The climb to the largest eigenvalue of a symmetric map of which only products with vectors are known.

use super::{Lent, dot, norm};
use crate::base::Real;

/// A climb of the Rayleigh quotient θ(v) = vᵀGv, ‖v‖ = 1, of a positive semidefinite G by conjugate gradients; what multiplies by
/// G stands outside. [`super::spectral_norm`] has the formulas.
///
/// A step is: [`RayleighAscent::look`] with G times [`RayleighAscent::vector`]; the end, where the residual that it returns is small
/// enough; [`RayleighAscent::turn`] with G times [`RayleighAscent::direction`].
pub(crate) struct RayleighAscent {
    v: Lent,
    theta: f64,
    residual: Lent,
    /// The residual of the step before.
    previous: Lent,
    direction: Lent,
    /// ‖d‖ before it was made a unit vector.
    length: f64,
}

impl RayleighAscent {
    /// Starts at a unit vector.
    pub(crate) fn new(v: Lent) -> Self {
        let [residual, previous, direction] = [(); 3].map(|()| Lent::zeros(v.len()));
        RayleighAscent { v, theta: 0.0, residual, previous, direction, length: 0.0 }
    }

    /// v, where the climb has come.
    pub(crate) fn vector(&self) -> &[f64] {
        &self.v
    }

    /// The last θ, a lower bound of the largest eigenvalue.
    pub(crate) fn theta(&self) -> f64 {
        self.theta
    }

    /// d, a unit vector orthogonal to v.
    pub(crate) fn direction(&self) -> &[f64] {
        &self.direction
    }

    /// Takes Gv and θ = vᵀGv, and says where to turn; returns ‖Gv − θv‖, which is 0 at an eigenvector. Where it is, there is no
    /// direction to turn to.
    pub(crate) fn look(&mut self, product: &[f64], theta: f64) -> f64 {
        self.theta = theta;
        std::mem::swap(&mut self.residual, &mut self.previous);
        for (residual, (product, v)) in self.residual.iter_mut().zip(product.iter().zip(self.v.iter())) {
            *residual = product - theta * v;
        }
        let size = norm(&self.residual);
        let before = dot(&self.previous, &self.previous);
        let change = dot(&self.residual, &self.residual) - dot(&self.residual, &self.previous);
        let turn = if before > 0.0 { change / before } else { 0.0 };
        add_scaled(&mut self.direction, turn.at_least(0.0), &self.residual);
        // d ⟂ v in exact arithmetic already; rounding would make the plane's basis oblique.
        let along = dot(&self.direction, &self.v);
        self.direction.iter_mut().zip(self.v.iter()).for_each(|(d, v)| *d -= along * v);
        // Not 0 where the residual is not: that is orthogonal to v as well as to the last direction.
        self.length = norm(&self.direction);
        self.direction.iter_mut().for_each(|d| *d /= self.length);
        size
    }

    /// Takes Gd and dᵀGd, and goes to the exact maximum of θ in the plane of v and d.
    pub(crate) fn turn(&mut self, product: &[f64], along: f64) {
        // In the basis (v, d) the quotient is the symmetric matrix [θ b; b c]; its leading eigenvector is at the angle φ.
        let b = dot(&self.v, product);
        let angle = 0.5 * libm::atan2(2.0 * b, self.theta - along);
        let (sine, cosine) = libm::sincos(angle);
        for (v, d) in self.v.iter_mut().zip(self.direction.iter_mut()) {
            (*v, *d) = (cosine * *v + sine * *d, self.length * (cosine * *d - sine * *v));
        }
        let drift = norm(&self.v);
        self.v.iter_mut().for_each(|v| *v /= drift);
    }
}

/// The vector divided by its length.
pub(crate) fn unit(mut v: Lent) -> Lent {
    let length = norm(&v);
    v.iter_mut().for_each(|v| *v /= length);
    v
}

/// `d ← r + factor · d`
fn add_scaled(d: &mut [f64], factor: f64, r: &[f64]) {
    d.iter_mut().zip(r).for_each(|(d, r)| *d = r + factor * *d);
}
