//! What a trace found.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;

use crate::base::{Named, Real, Result, file};
use crate::compute::Tensor;
use crate::inference::PoolRouting;
use crate::network::tensor_file;

use super::Case;

/// Named tensors, computed in f32 or f64, with the settings that led to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    dtype: Dtype,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor<f64>>,
    warnings: Vec<String>,
}

impl Trace {
    /// No tensors yet, to be computed in T.
    pub(super) fn new<T: Real>(case: &Case, pool_routing: PoolRouting) -> Self {
        let mut metadata = case.settings().clone();
        for (key, value) in [("format", "1"), ("dtype", T::NAME), ("pool_routing", pool_routing.name())] {
            metadata.insert(key.into(), value.into());
        }
        let dtype = if size_of::<T>() == 4 { Dtype::F32 } else { Dtype::F64 };
        Trace { dtype, metadata, tensors: BTreeMap::new(), warnings: case.warnings().to_vec() }
    }

    /// Adds a tensor; measures that are taken in f64 are rounded to the type of the file.
    pub(super) fn insert(&mut self, name: impl Into<String>, shape: &[usize], mut data: Vec<f64>) -> Result<()> {
        if self.dtype == Dtype::F32 {
            data.iter_mut().for_each(|x| *x = f64::from(*x as f32));
        }
        self.tensors.insert(name.into(), Tensor::new(shape, data)?);
        Ok(())
    }

    /// Adds a tensor that is finite in any network whose states are.
    pub(super) fn insert_finite<T: Real>(&mut self, name: impl Into<String>, shape: &[usize], data: &[T]) -> Result<()> {
        let name = name.into();
        if let Some(place) = data.iter().position(|x| !x.is_finite()) {
            self.warnings.push(format!("{name} has {} as element {place}: this case diverges", data[place]));
        }
        self.insert(name, shape, data.iter().map(|x| x.to_f64()).collect())
    }

    /// The settings of the case as they were given, and `format`, `dtype` and `pool_routing`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Every tensor by its name, with the numbers that the file has.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor<f64>> {
        &self.tensors
    }

    /// What is valid but rarely meant: settings, and states or gradients that are not finite.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The safetensors file; the same trace gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = |tensor: &Tensor<f64>| -> Vec<u8> {
            match self.dtype {
                Dtype::F32 => tensor.data().iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
                _ => tensor.data().iter().flat_map(|x| x.to_le_bytes()).collect(),
            }
        };
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape(), bytes(tensor)));
        tensor_file::join(&self.metadata, self.dtype, tensors)
    }

    /// Writes the safetensors file.
    ///
    /// # Errors
    /// [`Error::Write`](crate::Error::Write); what stood there before is unharmed.
    pub fn write(&self, path: &Path) -> Result<()> {
        file::write_atomic(path, &self.to_bytes())
    }
}
