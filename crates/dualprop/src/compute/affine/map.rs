//! The linear part of an affine map.

use super::convolution::Convolution;

/// W of a layer's affine map, by its extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// A kernel `[in, out]`.
    Dense {
        /// Numbers of one sample below.
        inputs: usize,
        /// Numbers of one sample above.
        outputs: usize,
    },
    /// A kernel `[k, k, in, out]` that slides over an image.
    Convolution(Convolution),
}

impl Map {
    /// Numbers of one sample below.
    pub fn inputs(self) -> usize {
        match self {
            Map::Dense { inputs, .. } => inputs,
            Map::Convolution(c) => c.pixels() * c.inputs,
        }
    }

    /// Numbers of one sample above.
    pub fn outputs(self) -> usize {
        match self {
            Map::Dense { outputs, .. } => outputs,
            Map::Convolution(c) => c.pixels() * c.outputs,
        }
    }

    /// The extents of the kernel; the last is that of the bias.
    pub fn kernel(self) -> Vec<usize> {
        match self {
            Map::Dense { inputs, outputs } => vec![inputs, outputs],
            Map::Convolution(c) => vec![c.size, c.size, c.inputs, c.outputs],
        }
    }

    /// Numbers of the bias: one for each neuron of a dense layer, for each channel of a convolution.
    pub fn bias(self) -> usize {
        match self {
            Map::Dense { outputs, .. } => outputs,
            Map::Convolution(c) => c.outputs,
        }
    }

    /// How many numbers below a number above is a sum of, and how many above one below has a part in: what initialisers call
    /// the fans. Borders, where a convolution has fewer, are not counted.
    pub fn fans(self) -> (usize, usize) {
        match self {
            Map::Dense { inputs, outputs } => (inputs, outputs),
            Map::Convolution(c) => (c.patch(), c.size * c.size * c.outputs),
        }
    }

    /// Multiply-adds of one sample, in either direction and for the weight product; those with the zeros around an image are
    /// counted, as everywhere in the field.
    pub fn multiply_adds(self) -> u64 {
        match self {
            Map::Dense { inputs, outputs } => inputs as u64 * outputs as u64,
            Map::Convolution(c) => c.pixels() as u64 * c.patch() as u64 * c.outputs as u64,
        }
    }
}
