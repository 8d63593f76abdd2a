//! What the kernels of `bias.cu` take.

use crate::compute::cuda::{Address, KernelParameters};

/// `add_bias` of states, `add_bias_wide` of losses' numbers: a += b.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct AddBias {
    pub n: u64,
    pub channels: u64,
    pub bias: Address,
    pub a: Address,
}

/// Rows that one thread of `part_sums` adds up: fixed, since it decides the order of the sums.
pub(in crate::compute) const ROWS_OF_PART: u64 = 256;

/// `part_sums`: sums over so many rows each.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct PartSums {
    pub rows: u64,
    pub channels: u64,
    pub rows_of_part: u64,
    pub difference: Address,
    pub parts: Address,
}

/// `bias_gradient`: scale times the sum of the parts.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct BiasGradient<T> {
    pub parts: u64,
    pub channels: u64,
    pub sums: Address,
    pub gradient: Address,
    pub scale: T,
}

// SAFETY: these are the structs of the source, field by field; the tests compare their sizes and what the kernels do with them.
unsafe impl KernelParameters for AddBias {}
// SAFETY: as above.
unsafe impl KernelParameters for PartSums {}
// SAFETY: as above.
unsafe impl<T: Copy> KernelParameters for BiasGradient<T> {}
