//! A case from a file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::base::{Real, Result, file};
use crate::compute::Tensor;
use crate::inference::Inference;
use crate::network::{Parameters, Topology, tensor_file};

use super::inference::{check_size, inference, topology};
use super::settings::{COUNT, Settings};
use super::steps::{Training, training};
use super::tensors::Tensors;

/// A network, an inference, and one batch for it; or the batches of a short training.
#[derive(Debug, Clone)]
pub struct Case {
    path: PathBuf,
    settings: BTreeMap<String, String>,
    topology: Topology,
    inference: Inference,
    warnings: Vec<String>,
    parameters: Parameters<f64>,
    pub(super) training: Option<Training>,
    batch: usize,
    /// [steps, batch, H, W, C]; one step where there is no training.
    x: Vec<f64>,
    /// [steps, batch]
    labels: Vec<u32>,
}

impl Case {
    /// Reads a case.
    ///
    /// # Errors
    /// [`Error::Read`](crate::Error::Read) if the file cannot be read; else as [`Case::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        Case::parse(path, &file::read(path)?)
    }

    /// Reads a case from the bytes of a file, of which nothing is believed: what is allocated is bounded by their number.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) for a key, a tensor or a name that no case has, and
    /// [`Error::Malformed`](crate::Error::Malformed) for everything else that is wrong, both with the path, the key or
    /// tensor, and what was expected.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (header, data) = tensor_file::split(path, bytes)?;
        let mut settings = Settings::new(path, header.metadata().as_ref().unwrap_or(&HashMap::new()))?;
        let topology = topology(&mut settings)?;
        let depth = topology.depth();
        let tensors = Tensors::new(path, &header, data, depth)?;
        let (inference, warnings) = inference(&mut settings, depth, tensors.damping(depth)?)?;
        let training = training(&mut settings)?;
        let batch = settings.required("batch", &COUNT)?;
        let batch = usize::try_from(batch).ok().filter(|batch| *batch > 0);
        let batch = batch.ok_or_else(|| settings.wrong("batch", "expected at least one sample, and no more than `x` holds"))?;
        check_size(&settings, &topology, batch)?;

        let input = topology.input();
        let mut shape: Vec<usize> = training.iter().map(|training| training.steps).collect();
        shape.push(batch);
        let labels = tensors.labels(&shape, topology.outputs())?;
        shape.extend([input.height, input.width, input.channels]);
        let x = tensors.floats("x", &shape)?;
        let shapes: HashMap<String, Vec<usize>> = topology.parameters().into_iter().collect();
        let parameters = Parameters::collect(&topology, |name| Tensor::new(&shapes[name], tensors.floats(name, &shapes[name])?))?;
        let settings = settings.finish()?;
        Ok(Case { path: path.into(), settings, topology, inference, warnings, parameters, training, batch, x, labels })
    }

    /// What the case calls itself, or else its file.
    pub fn name(&self) -> String {
        let stem = || self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.settings.get("name").cloned().unwrap_or_else(stem)
    }

    /// The metadata, as they were given.
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// The network.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The inference.
    pub fn inference(&self) -> &Inference {
        &self.inference
    }

    /// Settings that are valid but rarely meant.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Kernels and biases; of a training those with which it starts.
    pub fn parameters(&self) -> &Parameters<f64> {
        &self.parameters
    }

    /// Whether this is a short training.
    pub fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// Samples of a batch.
    pub fn samples(&self) -> usize {
        self.batch
    }

    /// Inputs [batch, H, W, C] and one-hot targets [batch, outputs] of a step, counted from 0.
    pub fn batch<T: Real>(&self, step: usize) -> (Vec<T>, Vec<T>) {
        let (inputs, outputs) = (self.batch * self.topology.input().neurons(), self.topology.outputs());
        let x = self.x[step * inputs..][..inputs].iter().map(|&x| T::from_f64(x)).collect();
        let mut y = vec![T::ZERO; self.batch * outputs];
        let labels = &self.labels[step * self.batch..];
        y.chunks_mut(outputs).zip(labels).for_each(|(y, &label)| y[label as usize] = T::ONE);
        (x, y)
    }
}
