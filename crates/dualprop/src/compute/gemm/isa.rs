//! Which instructions the products of f32 are made of.

use crate::base::{Error, Result};

/// A set of instructions that the kernels are written for. Every one gives the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512F: 32 registers of 16 numbers.
    Avx512,
    /// AVX2 with FMA: 16 registers of 8 numbers.
    Avx2,
    /// Whatever the compiler makes of [`f32::mul_add`]; slow on an x86-64 processor, where that is a function call.
    Portable,
}

/// Overrides what is found out about the processor.
const VARIABLE: &str = "DUALPROP_ISA";

impl Isa {
    /// All sets, the fastest first.
    pub const ALL: [Isa; 3] = [Isa::Avx512, Isa::Avx2, Isa::Portable];

    /// Its name in `DUALPROP_ISA` and in files.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }

    /// Whether this processor has it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        match self {
            Isa::Avx512 => is_x86_feature_detected!("avx512f"),
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Isa::Portable => true,
        }
    }

    /// Whether this processor has it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        self == Isa::Portable
    }

    /// That which `DUALPROP_ISA` names, or else the fastest that this processor has.
    ///
    /// # Errors
    /// [`Error::Unknown`] for another name; [`Error::Setting`] for instructions that this processor lacks.
    pub fn present() -> Result<Self> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Isa::fastest()),
            Some(name) => Isa::named(&name.to_string_lossy()),
        }
    }

    pub(in crate::compute) fn fastest() -> Self {
        Isa::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    fn named(name: &str) -> Result<Self> {
        let found = Isa::ALL.into_iter().find(|isa| isa.name() == name);
        let isa = found.ok_or_else(|| Error::unknown(VARIABLE, name, Isa::ALL.map(Isa::name)))?;
        match isa.is_available() {
            true => Ok(isa),
            false => Err(Error::setting(VARIABLE, name, "this processor lacks these instructions; leave the variable out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for isa in Isa::ALL {
            match Isa::named(isa.name()) {
                Ok(named) => assert!(named == isa && isa.is_available()),
                Err(error) => assert!(!isa.is_available() && error.to_string().contains("lacks")),
            }
        }
        assert!(Isa::fastest().is_available() && Isa::Portable.is_available());
        assert!(Isa::named("avx512f").unwrap_err().to_string().contains("did you mean `avx512`?"));
    }
}
