//! Networks as ONNX: the forward pass, from pixels to logits, for a batch of any size.
//!
//! ```text
//! pixels ─ Sub ─ Div ─► x ─ Conv ─ MaxPool ─ f ─► s.1 ─ … ─ Flatten ─ Gemm ─ f ─► … ─ Gemm ─► logits
//! ```
//!
//! The library keeps images as NHWC and kernels as HWIO; in ONNX they are NCHW and OIHW. All numbers are written in ONNX's order, the
//! rows of the dense kernel that stands over an image too. So the graph is what ONNX networks usually are: it takes images as other
//! programs have them, and nothing is transposed each time that it runs.

mod proto;
#[cfg(test)]
mod tests;

use crate::base::protobuf::Message;
use crate::base::{Error, Named, Result};
use crate::compute::Activation;
use crate::compute::activation::LEAK;
use crate::compute::affine::Map;

use super::super::model_file::{MEAN, SCALE, describe};
use super::super::{Model, Shape, Topology};
use super::{ExportFormat, room};
use proto::{Attribute, Node};

/// The format that [`Model::to_onnx`] writes, as metadata `dualprop.format`: changed names and shapes of inputs, outputs and tensors
/// count it up.
const FORMAT: u32 = 1;

/// No protocol buffer may have more bytes: those who read them count with 31 bits.
const MOST_BYTES: usize = i32::MAX as usize;

const LOGITS: &str = "logits";
/// The bounds of a hard sigmoid.
const BOUNDS: [(&str, f32); 2] = [("zero", 0.0), ("one", 1.0)];

impl Model {
    /// Name and extents of the one input of [`Model::to_onnx`], without the axis of the samples: `pixels` where the model knows what
    /// must be done to them, else `x`; `[C, H, W]`, or `[C]` where there is no image.
    pub fn onnx_input(&self) -> (&'static str, Vec<usize>) {
        let Shape { height, width, channels } = self.topology.input();
        let is_flat = height == 1 && width == 1 && matches!(self.topology.map(1), Map::Dense { .. });
        let name = if self.preprocessing.is_some() { "pixels" } else { "x" };
        (name, if is_flat { vec![channels] } else { vec![channels, height, width] })
    }

    /// The network as an ONNX model (opset 17): float32 `pixels` or `x` `[n, C, H, W]` or `[n, C]` to `logits` `[n, outputs]`, for any
    /// number n of samples. Tensors have the names that they have in the model file, and the orders of ONNX; kernels that only feed
    /// back are left out. The same model gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Setting`] for a network of 2 GiB or more, which ONNX cannot hold in one file; [`Error::Shape`] if the parameters or
    /// the preprocessing are not those of the topology; [`Error::Memory`].
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        check_size(size_of::<f32>() * self.topology.clone().with_feedback(false).parameter_count())?;
        let tensors = self.tensors()?;
        let forward = tensors.iter().filter(|(name, _)| !name.starts_with("feedback."));
        let mut file = Message::with_capacity(room(forward.map(|(_, (_, numbers))| *numbers))?);
        let mut metadata = describe(&self.topology);
        metadata.insert("format", FORMAT.to_string());
        let sense = "A network trained by dual propagation: its forward pass.";
        proto::model(&mut file, sense, &metadata, |graph| {
            self.write_nodes(graph);
            proto::title(graph, "dualprop", &format!("{}, f = {}", metadata["layers"], metadata["activation"]));
            self.write_initializers(graph, |name| tensors[name].1);
            self.write_ends(graph);
        });
        let bytes = file.into_bytes();
        check_size(bytes.len()).map(|()| bytes)
    }

    fn write_nodes(&self, graph: &mut Message) {
        let (topology, (input, extents)) = (&self.topology, self.onnx_input());
        let mut chain = Chain { graph, value: input.into() };
        if self.preprocessing.is_some() {
            chain.then("Sub", &[MEAN], &[], "centred", "centred = pixels - input.mean");
            chain.then("Div", &[SCALE], &[], "x", "x = centred/input.scale");
        }
        let mut is_image = extents.len() == 3;
        for k in 1..=topology.depth() {
            let is_output = k == topology.depth();
            let affine = if is_output { LOGITS.into() } else { format!("a.{k}") };
            if topology.pool_below(k).is_some() {
                chain.pool(k - 1);
            }
            match topology.map(k) {
                Map::Convolution(c) => {
                    let pads = [("kernel_shape", vec![c.size; 2]), ("pads", vec![c.size / 2; 4])];
                    let attributes = pads.map(|(name, numbers)| (name, Attribute::Ints(numbers)));
                    chain.affine("Conv", k, &attributes, &affine, "the size of the image is kept");
                }
                Map::Dense { .. } => {
                    if std::mem::take(&mut is_image) {
                        chain.then("Flatten", &[], &[], "flat", "an image as a row: channels, rows, columns");
                    }
                    chain.affine("Gemm", k, &[], &affine, "a row for each sample");
                }
            }
            if topology.pool_above(k).is_some() {
                chain.pool(k);
            }
            if !is_output {
                chain.activate(topology.activation(), k);
            }
        }
    }

    fn write_initializers<'a>(&self, graph: &mut Message, numbers: impl Fn(&str) -> &'a [f32]) {
        let topology = &self.topology;
        if self.preprocessing.is_some() {
            let Shape { height, width, channels } = topology.input();
            let extents = [&[1], &self.onnx_input().1[..]].concat();
            for name in [MEAN, SCALE] {
                let channels_first = permuted(numbers(name), [1, height, width, channels], [0, 3, 1, 2]);
                proto::initializer(graph, name, &extents, channels_first);
            }
        }
        for k in 1..=topology.depth() {
            let (kernel, bias) = (format!("kernel.{}", k - 1), format!("bias.{}", k - 1));
            let values = numbers(&kernel);
            match topology.map(k) {
                Map::Convolution(c) => {
                    let permuted = permuted(values, [c.size, c.size, c.inputs, c.outputs], [3, 2, 0, 1]);
                    proto::initializer(graph, &kernel, &[c.outputs, c.inputs, c.size, c.size], permuted);
                }
                Map::Dense { inputs, outputs } => {
                    let Shape { height, width, channels } = below(topology, k);
                    let permuted = permuted(values, [height, width, channels, outputs], [2, 0, 1, 3]);
                    proto::initializer(graph, &kernel, &[inputs, outputs], permuted);
                }
            }
            proto::initializer(graph, &bias, &[topology.map(k).bias()], numbers(&bias).iter().copied());
        }
        if topology.activation() == Activation::HardSigmoid && topology.depth() > 1 {
            BOUNDS.iter().for_each(|(name, bound)| proto::initializer(graph, name, &[], std::iter::once(*bound)));
        }
    }

    fn write_ends(&self, graph: &mut Message) {
        let (name, extents) = self.onnx_input();
        let layout = if extents.len() == 3 { "channels first" } else { "flat" };
        let sense = if self.preprocessing.is_some() {
            format!("pixels as the data set has them, {layout}; mean and scale are part of the graph")
        } else {
            format!("inputs of the first layer, {layout}")
        };
        proto::input(graph, name, &extents, &sense);
        proto::output(graph, LOGITS, &[self.topology.outputs()], "outputs of the last layer, which is linear");
    }
}

/// Nodes one after the other, each of what the last one has left.
struct Chain<'a> {
    graph: &'a mut Message,
    value: String,
}

impl Chain<'_> {
    fn then(&mut self, operator: &str, more: &[&str], attributes: &[(&str, Attribute)], output: &str, sense: &str) {
        let inputs = [&[self.value.as_str()], more].concat();
        Node { operator, inputs: &inputs, output, attributes, sense }.write(self.graph);
        self.value = output.into();
    }

    /// The affine map into layer k.
    fn affine(&mut self, operator: &str, k: usize, attributes: &[(&str, Attribute)], output: &str, remark: &str) {
        let (kernel, bias) = (format!("kernel.{}", k - 1), format!("bias.{}", k - 1));
        let sense = format!("{output} = {} * {kernel} + {bias}; {remark}", self.value);
        self.then(operator, &[&kernel, &bias], attributes, output, &sense);
    }

    /// The pool that belongs to layer k.
    fn pool(&mut self, k: usize) {
        let attributes = ["kernel_shape", "strides"].map(|name| (name, Attribute::Ints(vec![2; 2])));
        let sense = format!("p.{k} = the largest of each 2 x 2 of {}; an odd last row or column is dropped", self.value);
        self.then("MaxPool", &[], &attributes, &format!("p.{k}"), &sense);
    }

    /// f as `compute::activation` defines it; NaN is not looked after.
    fn activate(&mut self, f: Activation, k: usize) {
        let (operator, attributes) = match f {
            Activation::Relu => ("Relu", vec![]),
            Activation::LeakyRelu => ("LeakyRelu", vec![("alpha", Attribute::Float(LEAK as f32))]),
            // ONNX's own HardSigmoid has another slope.
            Activation::HardSigmoid => ("Clip", vec![]),
            Activation::Sigmoid => ("Sigmoid", vec![]),
            Activation::Tanh => ("Tanh", vec![]),
            Activation::Identity => ("Identity", vec![]),
        };
        let bounds = if f == Activation::HardSigmoid { &BOUNDS.map(|(name, _)| name)[..] } else { &[] };
        let sense = format!("s.{k} = f({}), f = {}", self.value, f.name());
        self.then(operator, bounds, &attributes, &format!("s.{k}"), &sense);
    }
}

/// What the affine map into layer k acts on.
fn below(topology: &Topology, k: usize) -> Shape {
    let state = topology.state(k - 1);
    if topology.pool_below(k).is_some() { state.halved() } else { state }
}

/// The numbers of a row-major array of this shape in the row-major order of the array whose axes are these of its axes.
fn permuted(numbers: &[f32], shape: [usize; 4], axes: [usize; 4]) -> impl Iterator<Item = f32> {
    let strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
    let ([a, b, c, d], [s, t, u, v]) = (axes.map(|axis| shape[axis]), axes.map(|axis| strides[axis]));
    let places = (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| i * s + j * t + k * u)));
    places.flat_map(move |place| (0..d).map(move |l| numbers[place + l * v]))
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= MOST_BYTES {
        return Ok(());
    }
    let problem = format!("the network has {} MiB, and a file of ONNX is smaller than 2048; export it as npz", bytes >> 20);
    Err(Error::setting("export format", ExportFormat::Onnx.name(), problem))
}
