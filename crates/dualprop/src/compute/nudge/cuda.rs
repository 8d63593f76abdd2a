//! What the kernels of `nudge.cu` take.

use crate::compute::cuda::{Address, KernelParameters};

/// `nudge_linearised`: mean = a + shift g, difference = −pull g.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct NudgeLinearised<T> {
    pub n: u64,
    pub a: Address,
    pub gradient: Address,
    pub mean: Address,
    pub difference: Address,
    pub shift: T,
    pub pull: T,
}

/// f64 numbers that `nudge_proximal` needs for each number of the output.
pub(in crate::compute) const ROOM: usize = 9;

/// `nudge_proximal`: the exact minimiser and maximiser.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct NudgeProximal {
    pub samples: u64,
    pub outputs: u64,
    pub a: Address,
    pub target: Address,
    pub mean: Address,
    pub difference: Address,
    pub room: Address,
    pub alpha: f64,
    pub u_beta: f64,
    pub d_beta: f64,
    pub curvature: f64,
}

// SAFETY: these are the structs of the source, field by field; the tests compare their sizes and what the kernels do with them.
unsafe impl<T: Copy> KernelParameters for NudgeLinearised<T> {}
// SAFETY: as above.
unsafe impl KernelParameters for NudgeProximal {}
