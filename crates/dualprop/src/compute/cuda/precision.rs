//! The types that a GPU computes with.

use crate::base::Named;

/// What numbers are, and what products are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32, products too.
    F32,
    /// f32 in memory; products read 10 bits of each mantissa (TF32) and add in f32.
    Tf32,
    /// Means, differences and what is computed of them in bfloat16; parameters, sums, losses and optimiser in f32.
    Bf16,
    /// f64
    F64,
}

impl Named for Precision {
    const WHAT: &'static str = "precision";
    const ALL: &'static [(&'static str, Self)] =
        &[("f32", Precision::F32), ("tf32", Precision::Tf32), ("bf16", Precision::Bf16), ("f64", Precision::F64)];
}

impl Precision {
    /// Bytes of a parameter, a gradient or a loss.
    pub fn real(self) -> u64 {
        if self == Precision::F64 { 8 } else { 4 }
    }

    /// Bytes of a state.
    pub fn state(self) -> u64 {
        if self == Precision::Bf16 { 2 } else { self.real() }
    }

    /// Whether products read another type than parameters have.
    pub fn is_narrow(self) -> bool {
        self.state() != self.real()
    }

    /// What the sources of the kernels are told of it.
    pub fn definitions(self) -> [&'static str; 2] {
        [
            if self == Precision::F64 { "-DREAL=double" } else { "-DREAL=float" },
            if self.is_narrow() { "-DBF16=1" } else { "-DBF16=0" },
        ]
    }
}
