//! Measurements on an inference: how close its gradients are to backpropagation, and how settled its states are.

mod alignment;
mod objective;
mod settling;

pub use alignment::{Alignment, align, degrees};
pub use objective::contrastive_objective;
pub use settling::{Settling, settling};
