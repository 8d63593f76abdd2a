//! The trainable numbers of a network: an ordered list of named tensors.

use sha2::{Digest, Sha256};

use crate::base::{Error, Real, Result};
use crate::compute::{ParameterId, Tensor};

use super::Topology;

/// Named tensors in the topology's order (`kernel.0`, `bias.0`, `kernel.1`, …, `feedback.1`, …); gradients and optimiser state are kept in
/// the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters<T> {
    names: Vec<String>,
    tensors: Vec<Tensor<T>>,
}

impl<T: Real> Parameters<T> {
    /// All zeros.
    pub fn zeros(topology: &Topology) -> Self {
        let (names, shapes): (Vec<_>, Vec<_>) = topology.parameters().into_iter().unzip();
        Parameters { names, tensors: shapes.iter().map(|shape| Tensor::zeros(shape)).collect() }
    }

    /// Takes each tensor of the topology from `find`, by name.
    ///
    /// # Errors
    /// Whatever `find` reports; [`Error::Shape`] for a tensor of another shape than the topology's.
    pub fn collect(topology: &Topology, mut find: impl FnMut(&str) -> Result<Tensor<T>>) -> Result<Self> {
        let mut parameters = Parameters { names: Vec::new(), tensors: Vec::new() };
        for (name, shape) in topology.parameters() {
            let tensor = find(&name)?;
            if tensor.shape() != shape {
                return Err(Error::shape(name, tensor.shape(), &shape));
            }
            parameters.names.push(name);
            parameters.tensors.push(tensor);
        }
        Ok(parameters)
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The tensors, in the order of the names.
    pub fn tensors(&self) -> &[Tensor<T>] {
        &self.tensors
    }

    /// The tensors, to be changed in place.
    pub fn tensors_mut(&mut self) -> &mut [Tensor<T>] {
        &mut self.tensors
    }

    /// Names and tensors together.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<T>)> {
        self.names.iter().map(String::as_str).zip(&self.tensors)
    }

    /// One tensor.
    pub fn get(&self, id: ParameterId) -> &Tensor<T> {
        &self.tensors[id.0]
    }

    /// One tensor by its name.
    pub fn named(&self, name: &str) -> Option<&Tensor<T>> {
        self.names.iter().position(|known| known == name).map(|index| &self.tensors[index])
    }

    /// The same values in another floating-point type.
    pub fn cast<U: Real>(&self) -> Parameters<U> {
        Parameters { names: self.names.clone(), tensors: self.tensors.iter().map(Tensor::cast).collect() }
    }

    /// The name of the first tensor with a number that is not finite.
    pub fn first_not_finite(&self) -> Option<&str> {
        self.iter().find(|(_, tensor)| !tensor.is_finite()).map(|(name, _)| name)
    }
}

impl Parameters<f32> {
    /// The SHA-256 of names, shapes and numbers, in hexadecimal: equal only where every bit is.
    pub fn sha256(&self) -> String {
        let mut sum = Sha256::new();
        for (name, tensor) in self.iter() {
            sum.update(format!("{name} {:?}\n", tensor.shape()));
            for block in tensor.data().chunks(1024) {
                sum.update(block.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
