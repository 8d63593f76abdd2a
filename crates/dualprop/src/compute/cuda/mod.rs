//! NVIDIA GPUs: a program as launches of our own kernels and calls of NVIDIA's libraries.
//!
//! ```text
//! Program ─► Memory (where everything lies) ─► Calls (kernels, products, convolutions) ─► a Backend that carries them out
//! ```
//!
//! The kernels stand beside the operations that they carry out (`dyad/dyad.cu` beside `dyad/cpu.rs`), and round like the CPU: nothing is
//! contracted into fused multiply-adds, so that a kernel without transcendental functions gives the same bits. Products and convolutions
//! are those of libraries, and are equal up to the order of their sums.

mod call;
mod compiler;
mod device;
mod driver;
mod gpu;
mod libraries;
mod lower;
mod memory;
mod precision;
mod source;

pub(in crate::compute) use call::KernelParameters;
pub use call::{Address, Call, Convolve, Direction, Kind, Launch, Parameters, Product};
pub use compiler::Compiler;
pub use device::{Backend, Cuda};
pub use driver::{Driver, Gpu};
pub use gpu::GpuBackend;
pub use libraries::{Found, NvidiaLibrary, Search};
use lower::{Calls, lower, lower_updates};
use memory::Memory;
pub use precision::Precision;
pub use source::source;

pub use super::update::cuda::Step;
