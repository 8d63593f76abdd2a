//! All that an exact resume needs, in one file that is written atomically.
//!
//! A safetensors file of format 1. Metadata: `format` "1"; `kind` "checkpoint"; `optimizer`, the optimiser with its constants;
//! `optimizer_steps`; `state_samples`, the rows of the states; `progress`, all counters and running sums as JSON. Tensors
//! (F32): `parameter.NAME`; `optimizer.MOMENT.NAME`; `best.NAME`, the parameters best on validation where they are not the
//! present ones; `state.mean.K` and `state.difference.K` where an inference starts from the states of the one before.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use crate::base::{Error, Result, file};
use crate::compute::Tensor;
use crate::learning::{Optimizer, OptimizerKind};
use crate::network::{Parameters, Topology, tensor_file};

use super::progress::Progress;

const FORMAT: &str = "1";

/// The state of a training between two batches.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) progress: Progress,
    pub(super) parameters: Parameters<f32>,
    pub(super) optimizer: Optimizer<f32>,
    /// The parameters best on validation, where they are not the present ones.
    pub(super) best: Option<Parameters<f32>>,
    /// Mean and difference of each layer, if the next inference starts from them.
    pub(super) states: Vec<(Vec<f32>, Vec<f32>)>,
    /// Rows of the states.
    pub(super) samples: usize,
}

/// A checkpoint that is about to be written, borrowed from a training.
pub(super) struct Borrowed<'a> {
    pub(super) progress: &'a Progress,
    pub(super) parameters: &'a Parameters<f32>,
    pub(super) optimizer: &'a Optimizer<f32>,
    pub(super) best: Option<&'a Parameters<f32>>,
    pub(super) states: Vec<(&'a [f32], &'a [f32])>,
    pub(super) samples: usize,
}

impl Borrowed<'_> {
    /// The bytes of the file; the same state gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`], naming `path`, if a running sum is not finite, such that no checkpoint could be read again.
    pub(super) fn to_bytes(&self, path: &Path, topology: &Topology, kind: OptimizerKind) -> Result<Vec<u8>> {
        let progress = serde_json::to_string(self.progress).map_err(|error| Error::malformed(path, error.to_string()))?;
        // JSON has no word for infinity: it would come back as null.
        if serde_json::from_str::<Progress>(&progress).ok().as_ref() != Some(self.progress) {
            return Err(Error::malformed(path, "a running sum of the training is not finite and cannot be kept"));
        }
        let metadata = [
            ("format", FORMAT.to_string()),
            ("kind", "checkpoint".into()),
            ("optimizer", format!("{kind:?}")),
            ("optimizer_steps", self.optimizer.steps().to_string()),
            ("state_samples", self.samples.to_string()),
            ("progress", progress),
        ];
        let metadata: BTreeMap<String, String> = metadata.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
        let groups = std::iter::once(("parameter".to_string(), self.parameters))
            .chain(self.optimizer.moments().into_iter().map(|(moment, moments)| (format!("optimizer.{moment}"), moments)))
            .chain(self.best.map(|best| ("best".to_string(), best)));
        let mut tensors: Vec<(String, Vec<usize>, &[f32])> = vec![];
        for (prefix, parameters) in groups {
            for (name, tensor) in parameters.iter() {
                tensors.push((format!("{prefix}.{name}"), tensor.shape().to_vec(), tensor.data()));
            }
        }
        for (k, (mean, difference)) in (1..).zip(&self.states) {
            let shape = vec![self.samples, topology.state(k).neurons()];
            tensors.push((format!("state.mean.{k}"), shape.clone(), mean));
            tensors.push((format!("state.difference.{k}"), shape, difference));
        }
        let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let entries = tensors.iter().map(|(name, shape, values)| (name.as_str(), shape.as_slice(), bytes(values)));
        Ok(tensor_file::join(&metadata, Dtype::F32, entries))
    }
}

impl Checkpoint {
    /// Reads a checkpoint of a training of this network by this optimiser.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Malformed`], with the field and what was expected, for everything that can be wrong with the
    /// file: it is never trusted, and nothing larger than itself is allocated.
    pub(super) fn load(path: &Path, topology: &Topology, kind: OptimizerKind) -> Result<Self> {
        parse(path, &file::read(path)?, topology, kind).map_err(|error| match error {
            // A tensor of another shape is a flaw of this file.
            Error::Shape { .. } => Error::malformed(path, format!("{error}: it belongs to another network")),
            other => other,
        })
    }
}

fn parse(path: &Path, bytes: &[u8], topology: &Topology, kind: OptimizerKind) -> Result<Checkpoint> {
    let flaw = |problem: String| Error::malformed(path, problem);
    let (header, data) = tensor_file::split(path, bytes)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let field = |key: &str| metadata.get(key).ok_or_else(|| flaw(format!("metadata `{key}` is missing: it is no checkpoint")));
    for (key, expected) in [("format", FORMAT), ("kind", "checkpoint")] {
        let found = field(key)?;
        if found != expected {
            return Err(flaw(format!("metadata `{key}` is `{found}`, expected `{expected}`; a newer dualprop may read it")));
        }
    }
    let (found, expected) = (field("optimizer")?, format!("{kind:?}"));
    if *found != expected {
        return Err(flaw(format!("it was made by the optimizer {found}, but the recipe has {expected}")));
    }
    let number = |key: &str| {
        let text = field(key)?;
        text.parse::<u64>().map_err(|_| flaw(format!("metadata `{key}` is `{text}`, expected a whole number")))
    };
    let progress = serde_json::from_str(field("progress")?).map_err(|e| flaw(format!("metadata `progress`: {e}")))?;
    let samples = usize::try_from(number("state_samples")?).unwrap_or(usize::MAX);
    let tensors = Tensors { path, header: &header, data };
    let mut optimizer = Optimizer::new(kind, topology);
    optimizer
        .restore(topology, number("optimizer_steps")?, |moment, name| tensors.read(&format!("optimizer.{moment}.{name}")))?;
    let parameters = Parameters::collect(topology, |name| tensors.read(&format!("parameter.{name}")));
    let best = tensors.has("best.kernel.0").then(|| Parameters::collect(topology, |name| tensors.read(&format!("best.{name}"))));
    let state = |k: usize| {
        let read = |which: &str| {
            let tensor = tensors.read(&format!("state.{which}.{k}"))?;
            let expected = [samples, topology.state(k).neurons()];
            match tensor.shape() == expected {
                true => Ok(tensor.data().to_vec()),
                false => Err(flaw(format!("state.{which}.{k} has shape {:?}, expected {expected:?}", tensor.shape()))),
            }
        };
        Ok((read("mean")?, read("difference")?))
    };
    let layers = (1..=topology.depth()).filter(|_| tensors.has("state.mean.1"));
    let states = layers.map(state).collect::<Result<_>>()?;
    Ok(Checkpoint { progress, parameters: parameters?, optimizer, best: best.transpose()?, states, samples })
}

/// The tensors of a file.
struct Tensors<'a> {
    path: &'a Path,
    header: &'a Metadata,
    data: &'a [u8],
}

impl Tensors<'_> {
    fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    fn read(&self, name: &str) -> Result<Tensor<f32>> {
        let flaw = |problem: &str| Error::malformed(self.path, format!("tensor `{name}` {problem}"));
        let info = self.header.info(name).ok_or_else(|| flaw("is missing"))?;
        if info.dtype != Dtype::F32 {
            return Err(flaw("is not of type F32"));
        }
        let bytes = self.data.get(info.data_offsets.0..info.data_offsets.1).unwrap_or_default();
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        if values.iter().any(|x| !x.is_finite()) {
            return Err(flaw("holds a number that is not finite"));
        }
        Tensor::new(&info.shape, values)
    }
}
