//! Attacks on the input of a network: what an adversary adds to samples within a budget, and what chance adds.
//!
//! Distances are in units of a pixel's range, which is 1, whatever the normalisation; a perturbed pixel stays a possible pixel.
//!
//! ```text
//! gradient  x + ε ∂ℓ/∂x                                     in inputs, neither normalised nor cut (the authors' program, PAPER 1.7)
//! FGSM      x + ε sign ∂ℓ/∂x  (ℓ∞),  x + ε g/‖g‖₂  (ℓ₂)        Goodfellow et al. 2015
//! PGD       so many such steps of 2.5 ε/steps from a random point of the ball, each followed by the nearest point of it   Madry et al. 2018
//! noise     a random point: uniform in the cube (ℓ∞), uniform on the sphere (ℓ₂)
//! ```

mod attacker;
#[cfg(test)]
mod tests;

pub use attacker::Attacker;

use crate::base::{Error, Named, Real, Result};

/// How the size of a perturbation is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The largest change of a pixel.
    Linf,
    /// The root of the sum of their squares.
    L2,
}

impl Named for Norm {
    const WHAT: &'static str = "norm";
    const ALL: &'static [(&'static str, Self)] = &[("linf", Norm::Linf), ("l2", Norm::L2)];
}

/// What perturbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttackKind {
    /// The gradient itself.
    Gradient,
    /// One step as large as the budget.
    Fgsm,
    /// Many small ones.
    Pgd,
    /// Chance.
    Noise,
}

impl Named for AttackKind {
    const WHAT: &'static str = "attack";
    const ALL: &'static [(&'static str, Self)] =
        &[("gradient", AttackKind::Gradient), ("fgsm", AttackKind::Fgsm), ("pgd", AttackKind::Pgd), ("noise", AttackKind::Noise)];
}

/// An attack with its budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attack {
    /// What perturbs.
    pub kind: AttackKind,
    /// How the budget is measured; of no meaning for the gradient.
    pub norm: Norm,
    /// The budget, in units of a pixel's range.
    pub epsilon: f64,
    /// Steps of PGD.
    pub steps: usize,
}

/// The most steps; an attack has converged long before.
const MOST_STEPS: usize = 10_000;

impl Attack {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Error::Setting`] for a budget that is negative or not finite, or no or too many steps.
    pub fn check(&self) -> Result<()> {
        if !(self.epsilon >= 0.0 && self.epsilon.is_finite()) {
            return Err(Error::setting("epsilon", self.epsilon, "expected a finite number, 0 or more"));
        }
        if !(1..=MOST_STEPS).contains(&self.steps) {
            return Err(Error::setting("steps", self.steps, format!("expected 1 to {MOST_STEPS}")));
        }
        Ok(())
    }
}

/// Which inputs are possible, for each number of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRange<T> {
    /// The input that a pixel of 0 becomes.
    pub lower: Vec<T>,
    /// How much larger that of the largest pixel is; 0 for what is no pixel and stays as it is, such as the zeros around a padded
    /// image.
    pub extent: Vec<T>,
}

impl<T: Real> InputRange<T> {
    /// The input nearest to x at this place that a pixel can have. The sample's own input is always possible: a crop brings pixels to
    /// places with another normalisation.
    fn nearest(&self, place: usize, x: T, origin: T) -> T {
        let (lower, upper) = (self.lower[place], self.lower[place] + self.extent[place]);
        x.at_least(lower.at_most(origin)).at_most(upper.at_least(origin))
    }
}
