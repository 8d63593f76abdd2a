//! The lifted objectives, of which dual propagation is the stationary point, as values.
//!
//! With the energy E_k(s_k, s_{k−1}) = G(s_k) − s_kᵀ a_k, a_k = W_{k−1} s_{k−1} + b_{k−1}, and its excess over the least one,
//! D_k(s_k, s_{k−1}) = E_k(s_k, s_{k−1}) − min_u E_k(u, s_{k−1}) = G(s_k) + G*(a_k) − s_kᵀ a_k ≥ 0 (PAPER 1.1, 1.2, 1.7):
//!
//! ```text
//! optimistic   LPOM      min_s  ℓ(s_L) + 1/β Σ_k D_k(s_k, s_{k−1})                                  = DP at α = 1
//! adversarial            max_s  ℓ(s_L) − 1/β Σ_k D_k(s_k, s_{k−1})                                  = DP at α = 0
//! nested DP    min_{s⁺} max_{s⁻} αℓ(s_L⁺) + (1−α)ℓ(s_L⁻) + 1/β Σ_k D_k(s_k⁺, s̄_{k−1}) − D_k(s_k⁻, s̄_{k−1})
//! average                α · optimistic at αβ + (1−α) · adversarial at (1−α)β, a term of weight 0 being 0
//! Lagrangian   DP⊤       ℓ(s̄_L) + 1/β Σ_k Δ_kᵀ (α f⁻¹(s_k⁺) + (1−α) f⁻¹(s_k⁻) − a_k(s̄_{k−1}))
//! ```
//!
//! For one level, a network whose output alone is lifted, they are ROVR, its adversarial counterpart, SPROVR and AROVR, of which
//! the last two are the same. `docs/objectives.md` derives all of it.

mod all;
mod dyads;
mod lagrangian;
mod lifted;
mod one_level;
mod terms;
#[cfg(test)]
mod tests;

pub use all::{ObjectiveRow, Objectives, objectives};
pub use lagrangian::{Lagrangian, lagrangian};
pub use lifted::{Lifted, LiftedOptions, Settled, lifted};
pub use one_level::{OneLevel, one_level};
pub use terms::LayerTerms;
