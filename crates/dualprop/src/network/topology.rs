//! The shape of a network: its layers, the extents of its states, and the names of its parameters.

use std::fmt;

use crate::base::{Error, Result};
use crate::compute::{Activation, ParameterId};

/// The extents of one sample's state, in NHWC order; a dense state has height and width 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels, or the neurons of a dense layer.
    pub channels: usize,
}

impl Shape {
    /// An image of this size.
    pub fn image(height: usize, width: usize, channels: usize) -> Self {
        Shape { height, width, channels }
    }

    /// A flat vector of neurons.
    pub fn flat(neurons: usize) -> Self {
        Shape { height: 1, width: 1, channels: neurons }
    }

    /// Neurons in one sample's state.
    pub fn neurons(self) -> usize {
        self.height * self.width * self.channels
    }

    /// The extents for `samples` samples as files carry them: [n, H, W, C] for an image, [n, C] for a flat state.
    pub fn batched(self, samples: usize) -> Vec<usize> {
        match self {
            Shape { height: 1, width: 1, channels } => vec![samples, channels],
            Shape { height, width, channels } => vec![samples, height, width, channels],
        }
    }
}

/// The affine map into one layer of neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// a = W s̄ + b with a kernel [in, out]; an image below is flattened in NHWC order.
    Dense {
        /// Neurons of the layer.
        neurons: usize,
    },
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Dense { neurons } => write!(out, "dense {neurons}"),
        }
    }
}

impl Layer {
    /// The layer that recipes and model files write as this text: `dense N`.
    ///
    /// # Errors
    /// [`Error::Setting`] for any other text; `field` says where it stands.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let wrong = |problem| Error::setting(field, format!("{text:?}"), problem);
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["dense", neurons] => match neurons.parse() {
                Ok(neurons) if neurons > 0 => Ok(Layer::Dense { neurons }),
                _ => Err(wrong("expected a number of neurons above 0 after `dense`")),
            },
            _ => Err(wrong("expected a layer such as \"dense 128\"")),
        }
    }
}

/// A feed-forward chain of layers k = 1..L over an input s₀; f acts on layers 1..L−1, the output layer is linear.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    input: Shape,
    layers: Vec<Layer>,
    activation: Activation,
}

impl Topology {
    /// A network of at least one layer over this input.
    ///
    /// # Errors
    /// [`Error::Setting`] for no layers, an empty input or an empty layer, or more elements than memory can address.
    pub fn new(input: Shape, layers: Vec<Layer>, activation: Activation) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::setting("network.layers", "[]", "a network needs at least one layer, the output"));
        }
        let extents = [input.height, input.width, input.channels];
        let neurons = extents.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).unwrap_or(0);
        let mut widths = vec![neurons];
        widths.extend(layers.iter().map(|Layer::Dense { neurons }| *neurons));
        if let Some(empty) = widths.iter().position(|&width| width == 0) {
            let field = if empty == 0 { "network input".to_string() } else { format!("network.layers[{}]", empty - 1) };
            return Err(Error::setting(field, 0, "a layer needs at least one neuron, and no more than memory can address"));
        }
        let addressable = |pair: &[usize]| pair[0].checked_mul(pair[1]).is_some_and(|n| n <= isize::MAX as usize / 8);
        if let Some(k) = widths.windows(2).position(|pair| !addressable(pair)) {
            let size = format!("{} x {}", widths[k], widths[k + 1]);
            return Err(Error::setting(format!("kernel.{k}"), size, "more elements than memory can address"));
        }
        Ok(Topology { input, layers, activation })
    }

    /// A multilayer perceptron: dense layers of these widths, the last being the output.
    ///
    /// # Errors
    /// As [`Topology::new`].
    pub fn mlp(input: Shape, widths: &[usize], activation: Activation) -> Result<Self> {
        Topology::new(input, widths.iter().map(|&neurons| Layer::Dense { neurons }).collect(), activation)
    }

    /// The input's shape.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The layers, from the first above the input to the output.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The activation f of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// L, the number of layers, which is also the number of affine maps.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The shape of the state s_k; k = 0 is the input, k = L the output.
    pub fn state(&self, k: usize) -> Shape {
        match k.checked_sub(1).map(|index| self.layers[index]) {
            None => self.input,
            Some(Layer::Dense { neurons }) => Shape::flat(neurons),
        }
    }

    /// The number of outputs (classes).
    pub fn outputs(&self) -> usize {
        self.state(self.depth()).neurons()
    }

    /// The kernel of the map into layer k = 1..L: `kernel.{k−1}`.
    pub fn kernel(&self, k: usize) -> ParameterId {
        ParameterId(2 * (k - 1))
    }

    /// The bias of the map into layer k = 1..L: `bias.{k−1}`.
    pub fn bias(&self, k: usize) -> ParameterId {
        ParameterId(2 * (k - 1) + 1)
    }

    /// Name and shape of every parameter, in the order in which optimisers and files keep them.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let tensors = (1..=self.depth()).flat_map(|k| {
            let (inputs, outputs) = (self.state(k - 1).neurons(), self.state(k).neurons());
            [(format!("kernel.{}", k - 1), vec![inputs, outputs]), (format!("bias.{}", k - 1), vec![outputs])]
        });
        tensors.collect()
    }

    /// Total number of trainable numbers.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}
