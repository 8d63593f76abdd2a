//! The affine map of a dense layer, its adjoint, and its weight product.
//!
//! ```text
//! forward         a  = s̄ K + b              [n, out] = [n, in] [in, out] + [out]
//! adjoint         fb = Δ Kᵀ                 [n, in]  = [n, out] [out, in]
//! weight product  ∂K = scale/n · s̄ᵀ Δ,  ∂b = scale/n · Σ Δ
//! ```

pub(super) mod cpu;
mod product;
