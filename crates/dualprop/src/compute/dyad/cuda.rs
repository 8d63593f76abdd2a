//! What the kernels of `dyad.cu` take.

use crate::compute::Activation;
use crate::compute::cuda::{Address, KernelParameters};

/// `activate`: mean = f(a), after a has got its biases.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Activate {
    pub n: u64,
    pub channels: u64,
    pub bias: Address,
    pub a: Address,
    pub mean: Address,
    pub activation: i32,
}

/// `dyad`: the update of every dyad.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Dyad<T> {
    pub n: u64,
    pub neurons: u64,
    pub a: Address,
    pub fb: Address,
    pub mean: Address,
    pub difference: Address,
    pub damping: Address,
    pub each: Address,
    pub alpha: T,
    pub one_minus_alpha: T,
    pub w_plus: T,
    pub w_minus: T,
    pub activation: i32,
    pub limit: i32,
}

/// `plus`: s⁺ = mean + weight · difference.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Plus<T> {
    pub n: u64,
    pub mean: Address,
    pub difference: Address,
    pub plus: Address,
    pub weight: T,
}

/// `constant`: one number becomes this value.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Constant<T> {
    pub at: Address,
    pub value: T,
}

// SAFETY: these are the structs of the source, field by field; the tests compare their sizes and what the kernels do with them.
unsafe impl KernelParameters for Activate {}
// SAFETY: as above.
unsafe impl<T: Copy> KernelParameters for Dyad<T> {}
// SAFETY: as above.
unsafe impl<T: Copy> KernelParameters for Plus<T> {}
// SAFETY: as above.
unsafe impl<T: Copy> KernelParameters for Constant<T> {}

/// The number of an activation in `activation.cu`.
pub(in crate::compute) fn number(activation: Activation) -> i32 {
    match activation {
        Activation::Relu => 0,
        Activation::LeakyRelu => 1,
        Activation::HardSigmoid => 2,
        Activation::Sigmoid => 3,
        Activation::Tanh => 4,
        Activation::Identity => 5,
    }
}
