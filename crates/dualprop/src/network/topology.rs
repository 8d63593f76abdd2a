//! The shape of a network: its layers, the extents of its states, and the names of its parameters.

use crate::base::{Error, Result};
use crate::compute::affine::{Convolution, Map};
use crate::compute::pooling::Pooling;
use crate::compute::{Activation, ParameterId};

use super::{Layer, PoolOrder};

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

    /// [height, width, channels]
    pub fn extents(self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Neurons in one sample's state; none if they cannot be counted.
    fn elements(self) -> Option<usize> {
        self.extents().iter().try_fold(1usize, |product, &n| product.checked_mul(n))
    }

    /// What a 2 × 2 pool leaves.
    pub(super) fn halved(self) -> Self {
        Shape { height: self.height / 2, width: self.width / 2, ..self }
    }

    /// The pool of images of this shape.
    fn pooling(self) -> Pooling {
        Pooling { height: self.height, width: self.width, channels: self.channels }
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

/// The most numbers of a network's parameters, and of a sample's states: a few copies of them in f64 are still counted in
/// bytes without overflow.
const MOST_ELEMENTS: usize = isize::MAX as usize / 256;

/// A feed-forward chain of layers k = 1..L over an input s₀; f acts on layers 1..L−1, the output layer is linear.
///
/// The map into layer k is a pool of the state below where that layer's pool comes after its activation, then the affine
/// map, then a pool where the layer's own comes before its activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    input: Shape,
    layers: Vec<Layer>,
    activation: Activation,
    pool_order: PoolOrder,
    /// Element k is the state of layer k, 0 the input.
    states: Vec<Shape>,
    /// Element k−1 is the linear map into layer k.
    maps: Vec<Map>,
    /// Whether what is fed back goes through kernels of its own.
    has_feedback: bool,
}

impl Topology {
    /// A network of at least one layer over this input, the last of them dense.
    ///
    /// # Errors
    /// [`Error::Setting`] for no layers, an empty input or an empty layer, a convolution above a dense layer or as the
    /// output, an image that pools have made vanish, or more elements than memory can address.
    pub fn new(input: Shape, layers: Vec<Layer>, activation: Activation, pool_order: PoolOrder) -> Result<Self> {
        let Some(Layer::Dense { .. }) = layers.last() else {
            let problem = "a network needs at least one layer, the output, and that must be dense";
            return Err(Error::setting("network.layers", format!("{:?}", texts(&layers)), problem));
        };
        if !input.elements().is_some_and(|elements| elements > 0 && elements <= MOST_ELEMENTS) {
            let problem = "it needs at least one number, and no more than memory can address";
            return Err(Error::setting("network input", format!("{:?}", input.extents()), problem));
        }
        let (mut states, mut maps) = (vec![input], vec![]);
        // What the next map acts on: the state below, pooled where that is still to be done.
        let mut below = input;
        let (mut parameters, mut neurons) = (0usize, input.neurons());
        for (index, layer) in layers.iter().enumerate() {
            let wrong = |problem: &str| Error::setting(format!("network.layers[{index}]"), format!("\"{layer}\""), problem);
            let (map, before, after) = match *layer {
                Layer::Dense { neurons } => {
                    (Map::Dense { inputs: below.neurons(), outputs: neurons }, Shape::flat(neurons), Shape::flat(neurons))
                }
                Layer::Conv { .. } if matches!(index.checked_sub(1).map(|i| layers[i]), Some(Layer::Dense { .. })) => {
                    return Err(wrong("a convolution needs an image below it, and a dense layer has none"));
                }
                Layer::Conv { channels, size, pool } => {
                    let Shape { height, width, channels: inputs } = below;
                    let image = Shape { channels, ..below };
                    let after = if pool { image.halved() } else { image };
                    if after.height == 0 || after.width == 0 {
                        let problem = format!("its image is {height} x {width}, of which a 2 x 2 pool leaves nothing");
                        return Err(wrong(&format!("{problem}; leave out `pool` here or below")));
                    }
                    (Map::Convolution(Convolution { height, width, inputs, outputs: channels, size }), image, after)
                }
            };
            if before.channels == 0 {
                return Err(wrong("a layer needs at least one neuron"));
            }
            let sum = |total: usize, more: Option<usize>| more.and_then(|more| total.checked_add(more));
            let kernel = map.kernel().iter().try_fold(1usize, |product, &n| product.checked_mul(n));
            let fits = |sum: Option<usize>| sum.filter(|sum| *sum <= MOST_ELEMENTS);
            let counts = fits(sum(parameters, sum(map.bias(), kernel))).zip(fits(sum(neurons, before.elements())));
            let Some(counts) = counts else {
                let size: Vec<String> = map.kernel().iter().map(ToString::to_string).collect();
                let problem = "with it the network has more elements than memory can address";
                return Err(Error::setting(format!("kernel.{index}"), size.join(" x "), problem));
            };
            (parameters, neurons) = counts;
            states.push(if pool_order == PoolOrder::BeforeActivation { after } else { before });
            maps.push(map);
            below = after;
        }
        Ok(Topology { input, layers, activation, pool_order, states, maps, has_feedback: false })
    }

    /// A multilayer perceptron: dense layers of these widths, the last being the output.
    ///
    /// # Errors
    /// As [`Topology::new`].
    pub fn mlp(input: Shape, widths: &[usize], activation: Activation) -> Result<Self> {
        let layers = widths.iter().map(|&neurons| Layer::Dense { neurons }).collect();
        Topology::new(input, layers, activation, PoolOrder::default())
    }

    /// The same network with kernels of their own for what is fed back, one of the shape of the forward kernel for each map into a
    /// layer k = 2..L; or without them.
    #[must_use]
    pub fn with_feedback(self, separate: bool) -> Self {
        Topology { has_feedback: separate, ..self }
    }

    /// Whether what is fed back goes through kernels of its own.
    pub fn has_feedback(&self) -> bool {
        self.has_feedback
    }

    /// Whether both are the same function of input, kernels and biases, however they feed back.
    pub fn is_alike(&self, other: &Topology) -> bool {
        *self == other.clone().with_feedback(self.has_feedback)
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

    /// Where the pools stand.
    pub fn pool_order(&self) -> PoolOrder {
        self.pool_order
    }

    /// The shape of the state s_k; k = 0 is the input, k = L the output.
    pub fn state(&self, k: usize) -> Shape {
        self.states[k]
    }

    /// The linear part W_{k−1} of the map into layer k = 1..L, without pools.
    pub fn map(&self, k: usize) -> Map {
        self.maps[k - 1]
    }

    /// The pool that the state below goes through before it enters the affine map into layer k = 1..L.
    pub fn pool_below(&self, k: usize) -> Option<Pooling> {
        match k.checked_sub(2).map(|index| self.layers[index]) {
            Some(Layer::Conv { pool: true, .. }) if self.pool_order == PoolOrder::AfterActivation => {
                Some(self.state(k - 1).pooling())
            }
            _ => None,
        }
    }

    /// The pool that follows the affine map into layer k = 1..L, before its activation.
    pub fn pool_above(&self, k: usize) -> Option<Pooling> {
        match (self.layers[k - 1], self.maps[k - 1]) {
            (Layer::Conv { pool: true, .. }, Map::Convolution(c)) if self.pool_order == PoolOrder::BeforeActivation => {
                Some(Pooling { height: c.height, width: c.width, channels: c.outputs })
            }
            _ => None,
        }
    }

    /// Whether no layer is a convolution.
    pub fn is_dense(&self) -> bool {
        self.maps.iter().all(|map| matches!(map, Map::Dense { .. }))
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

    /// The kernel through which layer k = 2..L feeds back, `feedback.{k−1}`, if it has one of its own; layer 1 feeds nothing back.
    pub fn feedback(&self, k: usize) -> Option<ParameterId> {
        (self.has_feedback && k > 1).then(|| ParameterId(2 * self.depth() + k - 2))
    }

    /// Name and shape of every parameter, in the order in which optimisers and files keep them: `kernel.0`, `bias.0`,
    /// `kernel.1`, …, and then `feedback.1`, `feedback.2`, … where there are any.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let tensors =
            self.maps.iter().enumerate().flat_map(|(index, map)| {
                [(format!("kernel.{index}"), map.kernel()), (format!("bias.{index}"), vec![map.bias()])]
            });
        let separate = self.maps.iter().enumerate().skip(1).filter(|_| self.has_feedback);
        tensors.chain(separate.map(|(index, map)| (format!("feedback.{index}"), map.kernel()))).collect()
    }

    /// Total number of parameters, those of feedback kernels included.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

fn texts(layers: &[Layer]) -> Vec<String> {
    layers.iter().map(Layer::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_names_its_parameters_and_states() {
        let topology = Topology::mlp(Shape::image(4, 2, 3), &[5, 3], Activation::Tanh).unwrap();
        let expected = [("kernel.0", vec![24, 5]), ("bias.0", vec![5]), ("kernel.1", vec![5, 3]), ("bias.1", vec![3])];
        assert_eq!(topology.parameters(), expected.map(|(name, shape)| (name.to_string(), shape)));
        assert_eq!((topology.parameter_count(), topology.depth(), topology.outputs()), (143, 2, 3));
        assert_eq!(topology.parameters()[topology.bias(2).0].0, "bias.1");
        assert_eq!((topology.state(0).batched(7), topology.state(1).batched(7)), (vec![7, 4, 2, 3], vec![7, 5]));
    }

    #[test]
    fn feedback_kernels_come_last_and_change_nothing_before_them() {
        let layers = layers(&["conv 4 pool", "conv 6 5x5", "dense 3"]);
        let tied = Topology::new(Shape::image(4, 4, 2), layers, Activation::Relu, PoolOrder::default()).unwrap();
        let separate = tied.clone().with_feedback(true);
        let (of_tied, all) = (tied.parameters(), separate.parameters());
        assert_eq!(all[..of_tied.len()], of_tied);
        let expected = [("feedback.1", vec![5, 5, 4, 6]), ("feedback.2", vec![24, 3])];
        assert_eq!(all[of_tied.len()..], expected.map(|(name, shape)| (name.to_string(), shape)));
        assert_eq!((1..=3).map(|k| tied.feedback(k)).collect::<Vec<_>>(), [None; 3]);
        assert_eq!(separate.feedback(1), None);
        for k in 2..=3 {
            assert_eq!(all[separate.feedback(k).unwrap().0].0, format!("feedback.{}", k - 1));
        }
        assert!(tied != separate && tied.is_alike(&separate) && separate.is_alike(&tied));
        assert!(!separate.is_alike(&Topology::mlp(Shape::flat(3), &[3], Activation::Relu).unwrap()));
        assert_eq!(separate.with_feedback(false), tied);
    }

    fn layers(texts: &[&str]) -> Vec<Layer> {
        texts.iter().map(|text| Layer::parse("layer", text).unwrap()).collect()
    }

    #[test]
    fn pools_stand_before_or_after_the_activation() {
        let network = |order| {
            let layers = layers(&["conv 4 pool", "conv 6 5x5", "conv 8 pool", "dense 3"]);
            Topology::new(Shape::image(9, 6, 2), layers, Activation::Relu, order).unwrap()
        };
        let (before, after) = (network(PoolOrder::BeforeActivation), network(PoolOrder::AfterActivation));
        let states = |topology: &Topology| (0..=4).map(|k| topology.state(k).extents()).collect::<Vec<_>>();
        assert_eq!(states(&before), [[9, 6, 2], [4, 3, 4], [4, 3, 6], [2, 1, 8], [1, 1, 3]]);
        assert_eq!(states(&after), [[9, 6, 2], [9, 6, 4], [4, 3, 6], [4, 3, 8], [1, 1, 3]]);
        assert_eq!(before.parameters(), after.parameters());
        let expected = [vec![3, 3, 2, 4], vec![5, 5, 4, 6], vec![3, 3, 6, 8], vec![16, 3]];
        assert_eq!(before.parameters().into_iter().step_by(2).map(|(_, shape)| shape).collect::<Vec<_>>(), expected);
        let sizes = |pool: Option<Pooling>| pool.map(|pool| [pool.height, pool.width, pool.channels]);
        let above = |topology: &Topology| (1..=4).map(|k| sizes(topology.pool_above(k))).collect::<Vec<_>>();
        let below = |topology: &Topology| (1..=4).map(|k| sizes(topology.pool_below(k))).collect::<Vec<_>>();
        assert_eq!((above(&before), below(&before)), (vec![Some([9, 6, 4]), None, Some([4, 3, 8]), None], vec![None; 4]));
        assert_eq!((above(&after), below(&after)), (vec![None; 4], vec![None, Some([9, 6, 4]), None, Some([4, 3, 8])]));
    }

    #[test]
    fn networks_that_cannot_be_are_refused() {
        let message = |input: Shape, texts: &[&str]| {
            let layers = layers(texts);
            Topology::new(input, layers, Activation::Relu, PoolOrder::default()).unwrap_err().to_string()
        };
        assert!(message(Shape::flat(3), &[]).starts_with("network.layers = []"));
        assert!(message(Shape::image(3, 3, 1), &["conv 3"]).starts_with("network.layers = [\"conv 3\"]"));
        assert!(message(Shape::flat(0), &["dense 2"]).starts_with("network input = [1, 1, 0]"));
        assert!(message(Shape::image(usize::MAX, 2, 1), &["dense 2"]).starts_with("network input = ["));
        assert!(message(Shape::flat(1 << 40), &["dense 1099511627776"]).starts_with("kernel.0 = 1099511627776 x"));
        let text = message(Shape::flat(1), &["dense 9007199254740992", "dense 1", "dense 9007199254740992"]);
        assert!(text.starts_with("kernel.2 = "), "{text}");
        let text = message(Shape::image(4, 4, 1), &["conv 1 pool", "conv 1 pool", "conv 1 pool", "dense 2"]);
        assert!(text.starts_with("network.layers[2] = \"conv 1 pool\": its image is 1 x 1"), "{text}");
        let text = message(Shape::image(4, 4, 1), &["dense 4", "conv 1", "dense 2"]);
        assert!(text.starts_with("network.layers[1] = \"conv 1\": a convolution needs an image"), "{text}");
        let text = message(Shape::image(1 << 20, 1 << 20, 1), &["conv 1099511627776 1x1", "dense 2"]);
        assert!(text.starts_with("kernel.0 = 1 x 1 x 1 x 1099511627776"), "{text}");
        let empty = Topology::mlp(Shape::flat(3), &[2, 0], Activation::Relu).unwrap_err().to_string();
        assert!(empty.starts_with("network.layers[1] = \"dense 0\""), "{empty}");
    }
}
