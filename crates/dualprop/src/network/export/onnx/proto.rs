//! The messages of ONNX that a network needs, by the numbers of their fields in `onnx.proto`.
//!
//! ```text
//! ModelProto       1 ir_version, 2 producer_name, 3 producer_version, 6 doc_string, 7 graph, 8 opset_import: { 2 version },
//!                  14 metadata_props: { 1 key, 2 value }
//! GraphProto       1 node, 2 name, 5 initializer, 10 doc_string, 11 input, 12 output
//! NodeProto        1 input, 2 output, 3 name, 4 op_type, 5 attribute, 6 doc_string
//! AttributeProto   1 name, 2 f, 8 ints, 20 type
//! TensorProto      1 dims, 2 data_type, 8 name, 9 raw_data
//! ValueInfoProto   1 name, 2 type: { 1 tensor_type: { 1 elem_type, 2 shape: { 1 dim: { 1 dim_value, 2 dim_param } } } }, 3 doc_string
//! ```

use std::collections::BTreeMap;

use crate::base::protobuf::Message;

/// float32, as tensors have it.
const FLOAT: u64 = 1;
/// The kinds of an attribute.
const KIND_FLOAT: u64 = 1;
const KIND_INTS: u64 = 7;

/// IR version and set of operators of ONNX 1.12, which runtimes have read since 2022.
const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;

/// The axis of the samples, of which there may be any number.
const SAMPLES: &str = "n";

/// A whole file: the graph that `graph` writes, what it is, and what is known of it.
pub(super) fn model(
    file: &mut Message,
    sense: &str,
    metadata: &BTreeMap<&'static str, String>,
    graph: impl FnOnce(&mut Message),
) {
    file.int(1, IR_VERSION);
    file.text(2, "dualprop");
    file.text(3, env!("CARGO_PKG_VERSION"));
    file.text(6, sense);
    file.message(7, graph);
    file.message(8, |operators| operators.int(2, OPSET));
    for (key, value) in metadata {
        file.message(14, |entry| {
            entry.text(1, &format!("dualprop.{key}"));
            entry.text(2, value);
        });
    }
}

/// The name of a graph, and what it computes.
pub(super) fn title(graph: &mut Message, name: &str, sense: &str) {
    graph.text(2, name);
    graph.text(10, sense);
}

/// What an operator is told beside its inputs.
pub(super) enum Attribute {
    /// A number.
    Float(f32),
    /// Whole numbers.
    Ints(Vec<usize>),
}

/// output = operator(inputs); the node has the name of its output.
pub(super) struct Node<'a> {
    /// The operator.
    pub(super) operator: &'a str,
    pub(super) inputs: &'a [&'a str],
    pub(super) output: &'a str,
    pub(super) attributes: &'a [(&'a str, Attribute)],
    /// The equation, or what is meant.
    pub(super) sense: &'a str,
}

impl Node<'_> {
    /// Adds the node to a graph.
    pub(super) fn write(&self, graph: &mut Message) {
        graph.message(1, |node| {
            self.inputs.iter().for_each(|input| node.text(1, input));
            node.text(2, self.output);
            node.text(3, self.output);
            node.text(4, self.operator);
            for (name, value) in self.attributes {
                node.message(5, |attribute| {
                    attribute.text(1, name);
                    match value {
                        Attribute::Float(number) => attribute.float(2, *number),
                        Attribute::Ints(numbers) => numbers.iter().for_each(|&number| attribute.int(8, number as u64)),
                    }
                    attribute.int(20, if matches!(value, Attribute::Float(_)) { KIND_FLOAT } else { KIND_INTS });
                });
            }
            node.text(6, self.sense);
        });
    }
}

/// Numbers that a graph holds by this name.
pub(super) fn initializer(graph: &mut Message, name: &str, extents: &[usize], numbers: impl Iterator<Item = f32>) {
    graph.message(5, |tensor| {
        extents.iter().for_each(|&extent| tensor.int(1, extent as u64));
        tensor.int(2, FLOAT);
        tensor.text(8, name);
        tensor.floats(9, numbers);
    });
}

/// The input of a graph: [n, extents…].
pub(super) fn input(graph: &mut Message, name: &str, extents: &[usize], sense: &str) {
    graph.message(11, |value| batch(value, name, extents, sense));
}

/// The output of a graph: [n, extents…].
pub(super) fn output(graph: &mut Message, name: &str, extents: &[usize], sense: &str) {
    graph.message(12, |value| batch(value, name, extents, sense));
}

fn batch(value: &mut Message, name: &str, extents: &[usize], sense: &str) {
    value.text(1, name);
    value.message(2, |kind| {
        kind.message(1, |tensor| {
            tensor.int(1, FLOAT);
            tensor.message(2, |shape| {
                shape.message(1, |extent| extent.text(2, SAMPLES));
                extents.iter().for_each(|&n| shape.message(1, |extent| extent.int(1, n as u64)));
            });
        });
    });
    value.text(3, sense);
}
