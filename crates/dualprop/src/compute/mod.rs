//! The operations of dual propagation, one folder each, and the device that executes a list of them.

pub mod activation;
pub mod affine;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod disturbance;
pub mod dyad;
mod gemm;
pub mod loss;
pub mod nudge;
pub mod pooling;
pub mod spectral;
pub mod update;

mod compiled;
mod cpu;
mod finite;
mod fusion;
mod noisy_copy;
mod pool;
mod program;
mod tensor;

pub use activation::Activation;
pub use cpu::Cpu;
pub use finite::all_finite;
pub use gemm::{Isa, fma_peak};
pub use loss::Loss;
pub use noisy_copy::noisy_copy;
pub use pool::Pool;
pub use program::{BufferId, NeuronsId, Op, ParameterId, Program, RoutingId, ScalarId};
pub use tensor::Tensor;
