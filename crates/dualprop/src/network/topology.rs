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

/// The most parameters of a network: a few copies of them in f64 are still counted in bytes without overflow.
const MOST_ELEMENTS: usize = isize::MAX as usize / 256;

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
        let mut total = widths[0];
        for (k, pair) in widths.windows(2).enumerate() {
            let elements = pair[0].checked_mul(pair[1]).and_then(|kernel| kernel.checked_add(pair[1]));
            let sum = elements.and_then(|elements| elements.checked_add(total)).filter(|sum| *sum <= MOST_ELEMENTS);
            total = sum.ok_or_else(|| {
                let size = format!("{} x {}", pair[0], pair[1]);
                Error::setting(format!("kernel.{k}"), size, "with it the network has more elements than memory can address")
            })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_names_its_parameters_and_states() {
        let layers = vec![Layer::Dense { neurons: 5 }, Layer::Dense { neurons: 3 }];
        let topology = Topology::new(Shape::image(4, 2, 3), layers, Activation::Tanh).unwrap();
        let expected = [("kernel.0", vec![24, 5]), ("bias.0", vec![5]), ("kernel.1", vec![5, 3]), ("bias.1", vec![3])];
        assert_eq!(topology.parameters(), expected.map(|(name, shape)| (name.to_string(), shape)));
        assert_eq!((topology.parameter_count(), topology.depth(), topology.outputs()), (143, 2, 3));
        assert_eq!(topology.parameters()[topology.bias(2).0].0, "bias.1");
        assert_eq!((topology.state(0).batched(7), topology.state(1).batched(7)), (vec![7, 4, 2, 3], vec![7, 5]));
    }

    #[test]
    fn networks_that_cannot_be_are_refused() {
        let message = |input: Shape, widths: &[usize]| Topology::mlp(input, widths, Activation::Relu).unwrap_err().to_string();
        assert!(message(Shape::flat(3), &[]).starts_with("network.layers = []"));
        assert!(message(Shape::flat(0), &[2]).starts_with("network input = 0"));
        assert!(message(Shape::image(usize::MAX, 2, 1), &[2]).starts_with("network input = 0"));
        assert!(message(Shape::flat(3), &[2, 0]).starts_with("network.layers[1] = 0"));
        assert!(message(Shape::flat(1 << 40), &[1 << 40]).starts_with("kernel.0 = 1099511627776 x"));
        assert!(message(Shape::flat(1), &[1 << 53, 1, 1 << 53]).starts_with("kernel.2 = "));
    }

    #[test]
    fn layers_are_read_as_they_are_written() {
        let layer = Layer::Dense { neurons: 12 };
        assert_eq!(Layer::parse("layer", &layer.to_string()).unwrap(), layer);
        for text in ["dense", "dense 0", "dense -1", "dense x", "conv 3", "", "dense 1 2"] {
            assert!(Layer::parse("layer", text).unwrap_err().to_string().starts_with("layer = "), "{text}");
        }
    }
}
