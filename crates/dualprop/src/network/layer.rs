//! The layers of a network, as recipes and model files write them.

use std::fmt;

use crate::base::{Error, Named, Result};

/// The affine map into one layer of neurons, and the max pool that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// `conv C`, `conv C pool`, `conv C 5x5`, `conv C 5x5 pool`: a convolution with stride 1 that keeps the size of the image
    /// ('same'), kernel [k, k, in, out].
    Conv {
        /// Channels of the layer.
        channels: usize,
        /// k, an odd number.
        size: usize,
        /// Whether its images are then halved by a 2 × 2 max pool.
        pool: bool,
    },
    /// `dense N`: a = W s̄ + b with a kernel [in, out]; an image below is flattened in NHWC order.
    Dense {
        /// Neurons of the layer.
        neurons: usize,
    },
}

/// The kernel of a convolution whose text does not say another: 3 × 3.
const USUAL_SIZE: usize = 3;

/// The largest k: a recipe that asks for more has a slip of the pen.
const LARGEST_SIZE: usize = 99;

/// Whether a layer's max pool comes before its activation or after it. For one state the order makes no difference, f being
/// monotone; for a dyad it does, since its compartments are what is pooled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolOrder {
    /// Convolution, pool, activation, as in *Two Tales* (2024): the neurons of the layer are those of the smaller image.
    #[default]
    BeforeActivation,
    /// Convolution, activation, pool, as in *Dual Propagation* (2023): the neurons are those of the larger image, and the
    /// map into the next layer begins with the pool.
    AfterActivation,
}

impl Named for PoolOrder {
    const WHAT: &'static str = "pool order";
    const ALL: &'static [(&'static str, Self)] =
        &[("before_activation", PoolOrder::BeforeActivation), ("after_activation", PoolOrder::AfterActivation)];
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Dense { neurons } => write!(out, "dense {neurons}"),
            Layer::Conv { channels, size, pool } => {
                write!(out, "conv {channels}")?;
                if *size != USUAL_SIZE {
                    write!(out, " {size}x{size}")?;
                }
                out.write_str(if *pool { " pool" } else { "" })
            }
        }
    }
}

impl Layer {
    /// A 3 × 3 convolution.
    pub fn conv(channels: usize, pool: bool) -> Self {
        Layer::Conv { channels, size: USUAL_SIZE, pool }
    }

    /// A dense layer.
    pub fn dense(neurons: usize) -> Self {
        Layer::Dense { neurons }
    }

    /// The layer that is written as this text.
    ///
    /// # Errors
    /// [`Error::Setting`] for any other text; `field` says where it stands.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let wrong = |problem: String| Error::setting(field, format!("{text:?}"), problem);
        let count = |word: &str, what: &str| match word.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(wrong(format!("expected a number of {what} above 0, found `{word}`"))),
        };
        let conv = |channels: &str, size: Option<&str>, pool: bool| {
            let channels = count(channels, "channels")?;
            let size = size.map_or(Ok(USUAL_SIZE), |text| {
                let size = text.split_once('x').filter(|(a, b)| a == b).and_then(|(a, _)| a.parse().ok());
                let size = size.filter(|size| size % 2 == 1 && *size <= LARGEST_SIZE);
                size.ok_or_else(|| wrong(format!("expected an odd kernel such as 3x3 or 5x5, or `pool`, found `{text}`")))
            })?;
            Ok(Layer::Conv { channels, size, pool })
        };
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["dense", neurons] => Ok(Layer::Dense { neurons: count(neurons, "neurons")? }),
            ["conv", channels] => conv(channels, None, false),
            ["conv", channels, "pool"] => conv(channels, None, true),
            ["conv", channels, size] => conv(channels, Some(size), false),
            ["conv", channels, size, "pool"] => conv(channels, Some(size), true),
            _ => {
                Err(wrong("expected a layer such as \"dense 128\", \"conv 64\", \"conv 64 pool\" or \"conv 64 5x5 pool\"".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read_as_they_are_written() {
        for text in ["dense 12", "conv 64", "conv 64 pool", "conv 8 5x5", "conv 8 1x1 pool"] {
            assert_eq!(Layer::parse("layer", text).unwrap().to_string(), text);
        }
        assert_eq!(Layer::parse("layer", " conv  64 3x3 ").unwrap(), Layer::conv(64, false));
        for text in [
            "dense",
            "dense 0",
            "dense -1",
            "dense x",
            "conv",
            "conv 0",
            "",
            "dense 1 2",
            "conv 3 pool pool",
            "conv 3 4x4",
            "conv 3 3x5",
            "conv 3 3",
            "conv 3 101x101",
            "conv 3 pool 3x3",
            "pool",
            "dense 3 pool",
        ] {
            assert!(Layer::parse("layer", text).unwrap_err().to_string().starts_with("layer = "), "{text}");
        }
    }
}
