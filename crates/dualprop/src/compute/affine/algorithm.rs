//! How a convolution of f32 is computed: a choice by its extents alone, since it changes bits.

use crate::base::Named;
use crate::compute::pool::Team;

use super::above::Above;
use super::table::TABLE;
use super::winograd::{Four, Two};
use super::{Convolution, direct, winograd};

/// A way to compute the products of a convolution of f32. f64 is always computed directly, by other code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvolutionAlgorithm {
    /// Term by term.
    Direct,
    /// By the transforms of F(2 × 2, 3 × 3).
    Winograd2,
    /// By the transforms of F(4 × 4, 3 × 3).
    Winograd4,
}

impl Named for ConvolutionAlgorithm {
    const WHAT: &'static str = "algorithm of a convolution";
    const ALL: &'static [(&'static str, Self)] = &[
        ("direct", ConvolutionAlgorithm::Direct),
        ("winograd2", ConvolutionAlgorithm::Winograd2),
        ("winograd4", ConvolutionAlgorithm::Winograd4),
    ];
}

/// One of the three products of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapProduct {
    /// a = W s̄ + b
    Forward,
    /// fb = Wᵀ Δ
    Adjoint,
    /// ∂W = Σ Δ s̄ᵀ
    Weight,
}

impl Named for MapProduct {
    const WHAT: &'static str = "product of a map";
    const ALL: &'static [(&'static str, Self)] =
        &[("forward", MapProduct::Forward), ("adjoint", MapProduct::Adjoint), ("weight product", MapProduct::Weight)];
}

impl ConvolutionAlgorithm {
    /// The algorithm of a product: that of the table, or for an image that it does not have the transforms of F(4 × 4, 3 × 3)
    /// where they can be used and the image is no smaller than a tile.
    pub fn of(c: Convolution, product: MapProduct) -> Self {
        match TABLE.iter().find(|row| row.convolution == c) {
            Some(row) => row.algorithms[product as usize],
            None if ConvolutionAlgorithm::Winograd4.suits(c) && c.height.min(c.width) >= 4 => ConvolutionAlgorithm::Winograd4,
            None => ConvolutionAlgorithm::Direct,
        }
    }

    /// Whether it can compute the products of this convolution.
    pub fn suits(self, c: Convolution) -> bool {
        self == ConvolutionAlgorithm::Direct || winograd::suits(c)
    }

    /// Whether it can pool the image above while it computes it.
    pub(super) fn pools(self, c: Convolution) -> bool {
        self != ConvolutionAlgorithm::Direct || direct::pools(c)
    }

    /// How many numbers it needs to work with.
    pub(super) fn workspace(self, c: Convolution, samples: usize, threads: usize) -> usize {
        match self {
            ConvolutionAlgorithm::Direct => direct::workspace(c),
            ConvolutionAlgorithm::Winograd2 => winograd::workspace::<Two>(c, samples, threads),
            ConvolutionAlgorithm::Winograd4 => winograd::workspace::<Four>(c, samples, threads),
        }
    }

    /// output = W input + b, or without b; `turned` for the kernel of the other direction, [k, k, out, in], of which this is the
    /// adjoint.
    #[expect(clippy::too_many_arguments, reason = "a convolution has that many")]
    pub(super) fn convolve(
        self,
        team: &Team,
        c: Convolution,
        kernel: (&[f32], bool),
        bias: Option<&[f32]>,
        input: &[f32],
        above: Above,
        workspace: &mut [f32],
    ) {
        match self {
            ConvolutionAlgorithm::Direct => direct::convolve(team, c, kernel, bias, input, above, workspace),
            ConvolutionAlgorithm::Winograd2 => winograd::convolve::<Two>(team, c, kernel, bias, input, above, workspace),
            ConvolutionAlgorithm::Winograd4 => winograd::convolve::<Four>(team, c, kernel, bias, input, above, workspace),
        }
    }

    /// kernel = scale · Σ over all pixels of the difference times the patch below it.
    pub(super) fn weight_product(
        self,
        team: &Team,
        c: Convolution,
        inputs: (&[f32], &[f32]),
        scale: f32,
        kernel: &mut [f32],
        workspace: &mut [f32],
    ) {
        match self {
            ConvolutionAlgorithm::Direct => direct::weight_product(team, c, inputs, scale, kernel, workspace),
            ConvolutionAlgorithm::Winograd2 => winograd::weight_product::<Two>(team, c, inputs, scale, kernel, workspace),
            ConvolutionAlgorithm::Winograd4 => winograd::weight_product::<Four>(team, c, inputs, scale, kernel, workspace),
        }
    }
}
