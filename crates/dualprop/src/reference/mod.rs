//! Dual propagation as the paper writes it: dense layers and convolutions, one sample at a time, f64, plain loops.
//!
//! This is the first thing to read, and what everything faster is tested against. It imports [`crate::base`] only, so that
//! it shares no formula with what it tests, and it does nothing for speed: both compartments are stored as they are, every
//! affine map is computed where it is needed, and nothing is skipped because it is known to be zero.
//!
//! # The whole of it
//! s_0 = x is the input, layers k = 1..L follow, a_k = A_k(s̄_{k−1}) = W_{k−1} s̄_{k−1} + b_{k−1} is a pre-activation, f the
//! activation of the hidden layers (the output has none), ℓ the loss and β the strength of its pull. Each neuron is a dyad:
//!
//! ```text
//! s̄_k = α s_k⁺ + (1−α) s_k⁻          Δ_k = s_k⁺ − s_k⁻          fb_k = g_k W_kᵀ Δ_{k+1}
//!
//! hidden   s_k⁺ ← f(a_k + w⁺ fb_k)       s_k⁻ ← f(a_k − w⁻ fb_k)       DP: (w⁺, w⁻) = (α, 1−α)    DP⊤: (1−α, α)
//! output   s_L⁺ = a_L − u β g            s_L⁻ = a_L + d β g            (u, d) likewise, g = ∂ℓ/∂a_L
//! learn    ∂J/∂W_{k−1} = −1/(βB) Σ Δ_k s̄_{k−1}ᵀ                       ∂J/∂b_{k−1} = −1/(βB) Σ Δ_k
//! ```
//!
//! What is fed back may go through a kernel of its own in the place of W_k: [`Settings::feedback`], [`kolen_pollack_step`],
//! [`noisy_copy`].
//!
//! # Where to find what
//! [`Network`] is the model, [`Settings`] a complete inference in numbers, [`infer`] settles the dyads of one sample into
//! [`States`], [`local_gradients`] reads the gradients off them and [`backprop`] is what these are compared with.
//!
//! [`Settings::neurons`] and [`Disturbance`] are what is not ideal in a device; the ideal one has neither.
//!
//! Everything here panics on shapes that do not fit: it is for tests and for readers, and checks nothing for users.

#![allow(clippy::needless_range_loop, reason = "the loops have the indices of the equations")]

mod activation;
mod disturbance;
mod feedback;
mod gradient;
mod inference;
mod layer;
mod loss;
mod network;
mod nudge;
mod optimizer;
pub mod schedule;
mod settings;

#[cfg(test)]
mod fixtures;

pub use activation::Activation;
pub use disturbance::{Disturbance, broken, few_bits, mismatch};
pub use feedback::{kolen_pollack_step, noisy_copy};
pub use gradient::{
    Gradient, backprop, contrastive_objective, cosine, feedback_alignment, finite_differences, local_gradients, mean_loss,
    zero_gradients,
};
pub use inference::{States, infer, infer_batch};
pub use layer::{Layer, Linear, MaxPool};
pub use loss::Loss;
pub use network::{Network, spectral_norm};
pub use nudge::proximal;
pub use optimizer::{adam_step, adamw_step, sgd_step, warmup_cosine};
pub use settings::{Nudge, PoolRouting, Settings, Start};
