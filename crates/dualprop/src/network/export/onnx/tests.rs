//! What is written, taken apart by a reader of its own; that runtimes find the same outputs is `scripts/check_onnx.py`'s.

use std::collections::HashMap;

use super::super::super::{Layer, Model, PoolOrder, Shape, Topology};
use super::super::tests::counting;
use super::*;
use crate::base::protobuf::tests::fields;

/// Operator, inputs, output, and the numbers of its attributes by their names.
#[derive(Debug, Clone, PartialEq)]
struct ReadNode {
    operator: String,
    inputs: Vec<String>,
    output: String,
    attributes: HashMap<String, Vec<f32>>,
}

/// A file of ONNX.
#[derive(Debug, Default)]
struct Read {
    versions: Vec<u64>,
    metadata: HashMap<String, String>,
    nodes: Vec<ReadNode>,
    tensors: HashMap<String, (Vec<u64>, Vec<f32>)>,
    /// Names and extents of input and output.
    ends: Vec<(String, Vec<String>)>,
}

fn text(content: &[u8]) -> String {
    String::from_utf8(content.to_vec()).unwrap()
}

fn int(content: &[u8]) -> u64 {
    u64::from_le_bytes(content.try_into().unwrap())
}

fn floats(content: &[u8]) -> Vec<f32> {
    content.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The contents of one field, wherever it stands.
fn all(message: &[u8], field: u64) -> Vec<Vec<u8>> {
    fields(message).into_iter().filter(|(number, _)| *number == field).map(|(_, content)| content).collect()
}

fn only(message: &[u8], field: u64) -> Vec<u8> {
    let [content] = &all(message, field)[..] else { panic!("field {field} is not there once") };
    content.clone()
}

fn read_node(node: &[u8]) -> ReadNode {
    let attribute = |attribute: &Vec<u8>| {
        let numbers = match int(&only(attribute, 20)) {
            1 => floats(&only(attribute, 2)),
            7 => all(attribute, 8).iter().map(|number| int(number) as f32).collect(),
            other => panic!("an attribute of kind {other}"),
        };
        (text(&only(attribute, 1)), numbers)
    };
    let output = text(&only(node, 2));
    assert_eq!(output, text(&only(node, 3)), "the node's name");
    ReadNode {
        operator: text(&only(node, 4)),
        inputs: all(node, 1).iter().map(|name| text(name)).collect(),
        output,
        attributes: all(node, 5).iter().map(attribute).collect(),
    }
}

fn read_end(value: &[u8]) -> (String, Vec<String>) {
    let tensor = only(&only(value, 2), 1);
    assert_eq!(int(&only(&tensor, 1)), 1, "it is not float32");
    let extent = |extent: &Vec<u8>| match &fields(extent)[..] {
        [(1, number)] => int(number).to_string(),
        [(2, name)] => text(name),
        other => panic!("{other:?}"),
    };
    (text(&only(value, 1)), all(&only(&tensor, 2), 1).iter().map(extent).collect())
}

fn read(model: &Model) -> Read {
    let bytes = model.to_onnx().unwrap();
    let mut read = Read { versions: vec![int(&only(&bytes, 1)), int(&only(&only(&bytes, 8), 2))], ..Read::default() };
    read.metadata = all(&bytes, 14).iter().map(|entry| (text(&only(entry, 1)), text(&only(entry, 2)))).collect();
    let graph = only(&bytes, 7);
    read.nodes = all(&graph, 1).iter().map(|node| read_node(node)).collect();
    for tensor in all(&graph, 5) {
        let extents: Vec<u64> = all(&tensor, 1).iter().map(|extent| int(extent)).collect();
        let numbers = floats(&only(&tensor, 9));
        assert_eq!((int(&only(&tensor, 2)), numbers.len() as u64), (1, extents.iter().product()));
        assert!(read.tensors.insert(text(&only(&tensor, 8)), (extents, numbers)).is_none());
    }
    read.ends = [11, 12].map(|field| read_end(&only(&graph, field))).into();
    read
}

fn network(input: Shape, layers: &[&str], activation: Activation, order: PoolOrder) -> Topology {
    let layers = layers.iter().map(|text| Layer::parse("layer", text).unwrap()).collect();
    Topology::new(input, layers, activation, order).unwrap()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// Node by node: the operator, what it takes, and what it leaves.
fn chain(read: &Read) -> Vec<String> {
    read.nodes.iter().map(|node| format!("{}({}) {}", node.operator, node.inputs.join(" "), node.output)).collect()
}

#[test]
fn a_flat_network_is_a_chain_of_products() {
    let topology = network(Shape::flat(3), &["dense 2", "dense 4"], Activation::Tanh, PoolOrder::default());
    let read = read(&counting(topology.with_feedback(true), false));
    assert_eq!(read.versions, [8, 17]);
    assert_eq!(chain(&read), ["Gemm(x kernel.0 bias.0) a.1", "Tanh(a.1) s.1", "Gemm(s.1 kernel.1 bias.1) logits"]);
    assert_eq!(read.ends, [("x".into(), strings(&["n", "3"])), ("logits".into(), strings(&["n", "4"]))]);
    assert_eq!(read.tensors.len(), 4, "kernels that only feed back are left out");
    assert_eq!(read.tensors["kernel.1"], (vec![2, 4], (0..8).map(|i| i as f32).collect()));
    assert_eq!(read.tensors["bias.0"], (vec![2], vec![0.0, 1.0]));
    let expected =
        [("format", "1"), ("activation", "tanh"), ("input_shape", "[1, 1, 3]"), ("layers", r#"["dense 2","dense 4"]"#)];
    assert_eq!(read.metadata, expected.map(|(key, value)| (format!("dualprop.{key}"), value.to_string())).into());
}

#[test]
fn pools_stand_where_the_order_says() {
    let of_order = |order| {
        let layers = ["conv 4 5x5 pool", "conv 2 pool", "dense 3"];
        read(&counting(network(Shape::image(9, 6, 2), &layers, Activation::Relu, order), true))
    };
    let (before, after) = (of_order(PoolOrder::BeforeActivation), of_order(PoolOrder::AfterActivation));
    let expected = [
        "Sub(pixels input.mean) centred",
        "Div(centred input.scale) x",
        "Conv(x kernel.0 bias.0) a.1",
        "MaxPool(a.1) p.1",
        "Relu(p.1) s.1",
        "Conv(s.1 kernel.1 bias.1) a.2",
        "MaxPool(a.2) p.2",
        "Relu(p.2) s.2",
        "Flatten(s.2) flat",
        "Gemm(flat kernel.2 bias.2) logits",
    ];
    assert_eq!(chain(&before), expected);
    let mut swapped = expected;
    (swapped[3], swapped[4], swapped[5]) = ("Relu(a.1) s.1", "MaxPool(s.1) p.1", "Conv(p.1 kernel.1 bias.1) a.2");
    (swapped[6], swapped[7], swapped[8]) = ("Relu(a.2) s.2", "MaxPool(s.2) p.2", "Flatten(p.2) flat");
    assert_eq!(chain(&after), swapped);
    assert_eq!(before.tensors, after.tensors);
    let attributes = |numbers: &[(&str, &[f32])]| numbers.iter().map(|(name, list)| (name.to_string(), list.to_vec())).collect();
    assert_eq!(before.nodes[2].attributes, attributes(&[("kernel_shape", &[5.0; 2]), ("pads", &[2.0; 4])]));
    assert_eq!(before.nodes[3].attributes, attributes(&[("kernel_shape", &[2.0; 2]), ("strides", &[2.0; 2])]));
    assert_eq!(before.ends[0], ("pixels".into(), strings(&["n", "2", "9", "6"])));
}

/// Every number is found at the place that its own place in the library's order says.
#[test]
fn numbers_are_in_the_order_of_onnx() {
    let layers = ["conv 4 5x5 pool", "dense 3"];
    let read = read(&counting(network(Shape::image(9, 6, 2), &layers, Activation::Relu, PoolOrder::AfterActivation), true));
    let (extents, mean) = &read.tensors["input.mean"];
    assert_eq!((extents[..].as_ref(), read.tensors["input.scale"].1[0]), (&[1, 2, 9, 6][..], 1.0));
    for (y, x, c) in [(0, 0, 1), (8, 5, 1), (3, 4, 0)] {
        assert_eq!(mean[(c * 9 + y) * 6 + x], ((y * 6 + x) * 2 + c) as f32);
    }
    let (extents, kernel) = &read.tensors["kernel.0"];
    assert_eq!(extents[..], [4, 2, 5, 5]);
    for (y, x, i, o) in [(0, 0, 0, 1), (0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 0), (4, 3, 1, 3)] {
        assert_eq!(kernel[((o * 2 + i) * 5 + y) * 5 + x], (((y * 5 + x) * 2 + i) * 4 + o) as f32);
    }
    // The dense kernel stands over an image of 4 x 3 pixels.
    let (extents, kernel) = &read.tensors["kernel.1"];
    assert_eq!(extents[..], [48, 3]);
    for (y, x, c, o) in [(0, 0, 1, 0), (0, 1, 0, 0), (1, 0, 0, 2), (3, 2, 3, 2)] {
        assert_eq!(kernel[((c * 4 + y) * 3 + x) * 3 + o], (((y * 3 + x) * 4 + c) * 3 + o) as f32);
    }
}

#[test]
fn activations_are_the_librarys() {
    let of = |activation| {
        let layers = ["dense 2", "dense 2", "dense 1"];
        read(&counting(network(Shape::flat(1), &layers, activation, PoolOrder::default()), false))
    };
    for (activation, expected) in [
        (Activation::Relu, "Relu(a.1) s.1"),
        (Activation::LeakyRelu, "LeakyRelu(a.1) s.1"),
        (Activation::HardSigmoid, "Clip(a.1 zero one) s.1"),
        (Activation::Sigmoid, "Sigmoid(a.1) s.1"),
        (Activation::Tanh, "Tanh(a.1) s.1"),
        (Activation::Identity, "Identity(a.1) s.1"),
    ] {
        assert_eq!(chain(&of(activation))[1], expected);
    }
    assert_eq!(of(Activation::LeakyRelu).nodes[1].attributes["alpha"], [0.01]);
    let bounds = of(Activation::HardSigmoid);
    assert_eq!((&bounds.tensors["zero"], &bounds.tensors["one"]), (&(vec![], vec![0.0]), &(vec![], vec![1.0])));
}

/// An image of one pixel is one where a convolution stands over it, and else a flat input.
#[test]
fn inputs_of_one_pixel_have_the_axes_that_their_map_needs() {
    let input = |layers: &[&str]| {
        let topology = network(Shape::flat(5), layers, Activation::Relu, PoolOrder::default());
        let read = read(&counting(topology, true));
        let mut nodes = read.nodes.iter();
        (read.ends[0].1.join(" "), read.tensors["input.mean"].0.clone(), nodes.any(|node| node.operator == "Flatten"))
    };
    assert_eq!(input(&["dense 2"]), ("n 5".into(), vec![1, 5], false));
    assert_eq!(input(&["conv 2 1x1", "dense 2"]), ("n 5 1 1".into(), vec![1, 5, 1, 1], true));
}

#[test]
fn a_network_of_two_gibibytes_is_refused_before_anything_is_made_of_it() {
    let topology = network(Shape::flat(1 << 15), &["dense 16384"], Activation::Relu, PoolOrder::default());
    let parameters = counting(network(Shape::flat(1), &["dense 1"], Activation::Relu, PoolOrder::default()), false).parameters;
    let text = Model { topology, parameters, preprocessing: None }.to_onnx().unwrap_err().to_string();
    let expected = "export format = onnx: the network has 2048 MiB, and a file of ONNX is smaller than 2048; export it as npz";
    assert_eq!(text, expected);
}
