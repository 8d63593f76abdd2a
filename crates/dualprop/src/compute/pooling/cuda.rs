//! What the kernels of `pooling.cu` take.

use crate::compute::cuda::{Address, KernelParameters};

/// `pool`: the largest number of each window and its place.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Pool {
    pub samples: u64,
    pub height: u64,
    pub width: u64,
    pub channels: u64,
    pub bias: Address,
    pub kept: Address,
    pub input: Address,
    pub output: Address,
    pub routing: Address,
}

/// `routed_pool` and `unpool`: a pool whose winners are known, and its adjoint.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Routed {
    pub samples: u64,
    pub height: u64,
    pub width: u64,
    pub channels: u64,
    pub input: Address,
    pub routing: Address,
    pub output: Address,
}

// SAFETY: these are the structs of the source, field by field; the tests compare their sizes and what the kernels do with them.
unsafe impl KernelParameters for Pool {}
// SAFETY: as above.
unsafe impl KernelParameters for Routed {}
