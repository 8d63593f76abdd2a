//! Golden files, changed.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Case, TraceOptions, trace};
use crate::base::{Real, Result};
use crate::compute::Pool;

mod faults;
mod flaws;
mod meanings;

const PLAIN: &str = "mlp_a_dp_transpose_a0.25_b0.5_fwbwK3_relu_se";
const DAMPED: &str = "mlp_a_dp_damped_a1.0_b0.1_fwK15_relu_ce";
const TRAINING: &str = "training/train_mlp_a_dp_transpose_a0.5_fwK3_sgd";

/// What errors must name.
const PATH: &str = "some/case.safetensors";

/// A golden file, taken apart to be changed.
#[derive(Clone)]
struct Draft {
    metadata: BTreeMap<String, String>,
    /// name → (type, shape, bytes)
    tensors: BTreeMap<String, (String, Vec<usize>, Vec<u8>)>,
}

impl Draft {
    fn of(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.safetensors"));
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter();
        Draft {
            metadata: header.metadata().clone().unwrap().into_iter().collect(),
            tensors: tensors.map(|(k, v)| (k, (v.dtype().to_string(), v.shape().to_vec(), v.data().to_vec()))).collect(),
        }
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    fn unset(mut self, key: &str) -> Self {
        self.metadata.remove(key).unwrap();
        self
    }

    fn without(mut self, tensor: &str) -> Self {
        self.tensors.remove(tensor).unwrap();
        self
    }

    fn renamed(mut self, from: &str, to: &str) -> Self {
        let tensor = self.tensors.remove(from).unwrap();
        self.tensors.insert(to.into(), tensor);
        self
    }

    fn with<const N: usize>(mut self, name: &str, dtype: &str, shape: &[usize], elements: &[[u8; N]]) -> Self {
        self.tensors.insert(name.into(), (dtype.into(), shape.into(), elements.concat()));
        self
    }

    fn reshaped(mut self, name: &str, shape: &[usize]) -> Self {
        self.tensors.get_mut(name).unwrap().1 = shape.into();
        self
    }

    fn poked(mut self, name: &str, element: usize, bytes: [u8; 8]) -> Self {
        self.tensors.get_mut(name).unwrap().2[8 * element..][..8].copy_from_slice(&bytes);
        self
    }

    fn f64s(&self, name: &str) -> Vec<f64> {
        self.tensors[name].2.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        let (mut header, mut data) = (format!("{{\"__metadata__\":{}", serde_json::to_string(&self.metadata).unwrap()), vec![]);
        for (name, (dtype, shape, bytes)) in &self.tensors {
            let end = data.len() + bytes.len();
            header +=
                &format!(",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{},{end}]}}", data.len());
            data.extend(bytes);
        }
        header.push('}');
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
    }

    fn read(&self) -> Result<Case> {
        Case::parse(Path::new(PATH), &self.bytes())
    }

    fn trace<T: Real>(&self) -> BTreeMap<String, Vec<f64>> {
        let trace = trace::<T>(&self.read().unwrap(), TraceOptions::default(), &Pool::new(1).unwrap()).unwrap();
        trace.tensors().iter().map(|(name, tensor)| (name.clone(), tensor.data().to_vec())).collect()
    }
}

fn plain() -> Draft {
    Draft::of(PLAIN)
}
