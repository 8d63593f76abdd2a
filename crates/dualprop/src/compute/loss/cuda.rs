//! What the kernel of `loss.cu` takes.

use crate::compute::cuda::{Address, KernelParameters};

/// `loss_gradient`: ∂ℓ/∂z of every sample.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct LossGradient<T> {
    pub samples: u64,
    pub outputs: u64,
    pub logits: Address,
    pub target: Address,
    pub gradient: Address,
    pub curvature: T,
}

// SAFETY: it is the struct of the source, field by field; the tests compare their sizes and what the kernel does with it.
unsafe impl<T: Copy> KernelParameters for LossGradient<T> {}
