//! Trained networks for other programs: as ONNX, which runs them, and as NPZ, which NumPy reads.

mod npz;
mod onnx;

use std::path::Path;

use crate::base::{Named, Result, memory};

use super::Model;

/// A format that a model is exported in; nothing here reads it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// The forward pass, by [`Model::to_onnx`].
    Onnx,
    /// All tensors of the model file, by [`Model::to_npz`].
    Npz,
}

impl Named for ExportFormat {
    const WHAT: &'static str = "export format";
    const ALL: &'static [(&'static str, Self)] = &[("onnx", ExportFormat::Onnx), ("npz", ExportFormat::Npz)];
}

impl ExportFormat {
    /// The format that a file of this name has, by its ending.
    pub fn of(path: &Path) -> Option<Self> {
        path.extension().and_then(|ending| ExportFormat::parse(ending.to_str()?).ok())
    }

    /// The bytes of the file; the same model gives the same bytes.
    ///
    /// # Errors
    /// As [`Model::to_onnx`] and [`Model::to_npz`].
    pub fn encode(self, model: &Model) -> Result<Vec<u8>> {
        match self {
            ExportFormat::Onnx => model.to_onnx(),
            ExportFormat::Npz => model.to_npz(),
        }
    }
}

/// More bytes than a tensor takes that has no numbers: names, shapes, and the nodes of a layer with what they say.
const BESIDE_NUMBERS: usize = 2048;

/// At least the bytes of a file with these tensors, which can be had.
///
/// # Errors
/// [`Error::Memory`] where they cannot.
fn room<'a>(tensors: impl Iterator<Item = &'a [f32]>) -> Result<usize> {
    let bytes = tensors.map(|numbers| size_of_val(numbers) + BESIDE_NUMBERS).sum();
    memory::require("the exported model", bytes as u64, "use a machine with more memory").map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{Parameters, Shape, Topology};
    use super::*;
    use crate::compute::{Activation, Tensor};

    /// A model of this network whose numbers count up from 0 in each tensor, but for its scales, which do so from 1.
    pub(super) fn counting(topology: Topology, is_standardised: bool) -> Model {
        let count = |from: usize, n: usize| (from..from + n).map(|i| i as f32).collect::<Vec<f32>>();
        let mut shapes = topology.parameters().into_iter().map(|(_, shape)| shape);
        let parameters = Parameters::collect(&topology, |_| {
            let shape = shapes.next().unwrap();
            Tensor::new(&shape, count(0, shape.iter().product()))
        });
        let neurons = topology.input().neurons();
        let preprocessing = is_standardised.then(|| (count(0, neurons), count(1, neurons)));
        Model { parameters: parameters.unwrap(), topology, preprocessing }
    }

    #[test]
    fn a_format_is_known_by_its_name_and_by_the_ending_of_a_file() {
        assert_eq!(ExportFormat::of(Path::new("runs/a.b/model.onnx")), Some(ExportFormat::Onnx));
        assert_eq!(ExportFormat::of(Path::new("model.npz")), Some(ExportFormat::Npz));
        assert_eq!(["onnx", "model.safetensors", "model.ONNX", ""].map(|name| ExportFormat::of(Path::new(name))), [None; 4]);
    }

    #[test]
    fn a_model_that_is_not_its_topologys_is_refused_in_both_formats() {
        let wide = Topology::mlp(Shape::flat(3), &[2, 5], Activation::Tanh).unwrap();
        let narrow = counting(Topology::mlp(Shape::flat(3), &[2, 2], Activation::Tanh).unwrap(), true);
        let cut = Model { preprocessing: Some((vec![0.0; 3], vec![1.0; 2])), ..narrow.clone() };
        for (_, format) in ExportFormat::ALL {
            let text = |model: &Model| format.encode(model).unwrap_err().to_string();
            assert_eq!(text(&Model { topology: wide.clone(), ..narrow.clone() }), "kernel.1 has shape [2, 2], expected [2, 5]");
            assert_eq!(text(&cut), "input.scale has shape [2], expected [1, 1, 3]");
            assert_eq!(format.encode(&narrow).unwrap(), format.encode(&narrow).unwrap());
        }
    }

    /// Nothing is written before it is known how long it is, but within the memory that is asked for beforehand.
    #[test]
    fn no_file_is_longer_than_the_memory_that_is_asked_for() {
        let model = counting(Topology::mlp(Shape::image(2, 2, 3), &[3; 40], Activation::HardSigmoid).unwrap(), true);
        let tensors = model.tensors().unwrap();
        let most = room(tensors.values().map(|(_, numbers)| *numbers)).unwrap();
        for (name, format) in ExportFormat::ALL {
            let bytes = format.encode(&model).unwrap();
            assert!(bytes.len() < most, "{name}: {} of {most} bytes", bytes.len());
        }
    }
}
