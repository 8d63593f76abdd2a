//! From local gradients to better parameters: optimisers and the schedules of their learning rate.

mod levels;
mod optimizer;
mod rate;

pub use levels::quantize;
pub use optimizer::{Optimizer, OptimizerKind};
pub use rate::Rate;
