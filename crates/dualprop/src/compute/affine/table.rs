//! The algorithms of the convolutions of the named networks.
//!
//! `dualprop bench --tune` prints these rows anew. A change of them changes the bits of trainings.

use super::Convolution;
use super::ConvolutionAlgorithm::{self, Direct, Winograd2, Winograd4};

/// A convolution with the algorithms of its forward pass, adjoint and weight product.
pub(super) struct Row {
    pub(super) convolution: Convolution,
    pub(super) algorithms: [ConvolutionAlgorithm; 3],
}

const fn row(
    height: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
    size: usize,
    algorithms: [ConvolutionAlgorithm; 3],
) -> Row {
    Row { convolution: Convolution { height, width, inputs, outputs, size }, algorithms }
}

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    row(32, 32, 3, 64, 3, [Direct, Direct, Direct]),
    row(16, 16, 64, 64, 3, [Winograd4, Winograd4, Winograd2]),
    row(16, 16, 64, 128, 3, [Winograd4, Winograd4, Winograd2]),
    row(8, 8, 128, 256, 3, [Winograd4, Winograd4, Winograd4]),
    row(4, 4, 256, 512, 3, [Winograd4, Winograd4, Winograd4]),
    row(2, 2, 512, 512, 3, [Direct, Direct, Direct]),
    row(32, 32, 3, 128, 3, [Direct, Direct, Direct]),
    row(16, 16, 128, 256, 3, [Winograd4, Winograd4, Winograd4]),
    row(8, 8, 256, 512, 3, [Winograd4, Winograd4, Winograd4]),
    row(4, 4, 512, 512, 3, [Winograd4, Winograd4, Winograd4]),
    row(16, 16, 128, 128, 3, [Winograd4, Winograd4, Winograd4]),
    row(4, 4, 256, 256, 3, [Winograd4, Winograd4, Winograd4]),
    row(2, 2, 256, 512, 3, [Direct, Direct, Direct]),
    row(8, 8, 256, 256, 3, [Winograd4, Winograd4, Winograd4]),
    row(32, 32, 64, 64, 3, [Winograd4, Winograd4, Winograd4]),
    row(28, 28, 1, 64, 3, [Direct, Direct, Direct]),
    row(14, 14, 64, 64, 3, [Winograd2, Winograd2, Winograd2]),
    row(28, 28, 1, 128, 3, [Direct, Direct, Direct]),
    row(14, 14, 128, 256, 3, [Winograd2, Winograd2, Winograd2]),
    row(7, 7, 256, 512, 3, [Winograd4, Winograd4, Winograd4]),
    row(3, 3, 512, 512, 3, [Direct, Direct, Direct]),
];

/// The convolutions that have a row.
#[cfg(test)]
pub(crate) fn tuned() -> Vec<Convolution> {
    TABLE.iter().map(|row| row.convolution).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_used_and_is_there_once() {
        for (i, row) in TABLE.iter().enumerate() {
            assert!(row.algorithms.iter().all(|algorithm| algorithm.suits(row.convolution)), "{:?}", row.convolution);
            assert!(TABLE[..i].iter().all(|other| other.convolution != row.convolution), "{:?}", row.convolution);
        }
    }
}
