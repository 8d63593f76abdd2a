//! Measurements on an inference and on a network: how close the local gradients are to backpropagation, how settled the
//! states, and how much the layers stretch what passes through them.

mod alignment;
mod finite_differences;
mod objective;
mod operator_norms;
mod settling;
pub mod stability;

pub use alignment::{Alignment, align, degrees};
pub use finite_differences::{FiniteDifferences, finite_differences};
pub use objective::contrastive_objective;
pub use operator_norms::{OperatorNorms, operator_norms};
pub use settling::{DyadStatistics, Settling, dyad_statistics, settling};
