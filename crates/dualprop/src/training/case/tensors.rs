//! The tensors of a case: every name is known, every shape, type and number as it must be.

use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use crate::base::{Error, Result};

/// Tensors of which there is one: those of a case, and those that only a trace writes.
const SINGLE: [&str; 13] = [
    "x",
    "labels",
    "damping",
    "logits",
    "loss",
    "contrastive_objective",
    "cosine_to_backprop",
    "spectral_norm",
    "step_loss",
    "step_learning_rate",
    "pass_residual",
    "pass_difference_ratio",
    "pass_straddling",
];

/// Tensors of which there is one for each map i = 0..L−1.
const OF_MAP: [&str; 8] =
    ["kernel", "bias", "grad_kernel", "grad_bias", "bp_grad_kernel", "bp_grad_bias", "trained_kernel", "trained_bias"];

/// Tensors of which there is one for each layer k = 1..L.
const OF_LAYER: [&str; 2] = ["s_plus", "s_minus"];

/// The tensors of a file, of which nothing is believed.
pub(super) struct Tensors<'a> {
    path: &'a Path,
    header: &'a Metadata,
    data: &'a [u8],
}

impl<'a> Tensors<'a> {
    /// The tensors of a file, all of whose offsets lie within its data, for a network of `depth` layers.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that no case has; [`Error::Malformed`] where a kernel or a bias is missing, so that
    /// nothing of a merely claimed depth is ever allocated.
    pub(super) fn new(path: &'a Path, header: &'a Metadata, data: &'a [u8], depth: usize) -> Result<Self> {
        let tensors = Tensors { path, header, data };
        if let Some(name) = header.offset_keys().iter().find(|name| !is_known(name, depth)) {
            return Err(tensors.unknown(name, depth));
        }
        for i in 0..depth {
            for name in [format!("kernel.{i}"), format!("bias.{i}")] {
                if header.info(&name).is_none() {
                    return Err(tensors.flaw(&name, "is missing"));
                }
            }
        }
        Ok(tensors)
    }

    /// A tensor of finite numbers that a case may leave out.
    fn optional_floats(&self, name: &str, shape: &[usize]) -> Result<Option<Vec<f64>>> {
        let Some((dtype, bytes)) = self.bytes(name, shape)? else { return Ok(None) };
        let values: Vec<f64> = match dtype {
            Dtype::F64 => bytes.as_chunks().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect(),
            Dtype::F32 => bytes.as_chunks().0.iter().map(|chunk| f64::from(f32::from_le_bytes(*chunk))).collect(),
            other => return Err(self.flaw(name, &format!("is of type {other}, expected F64 or F32"))),
        };
        match values.iter().position(|x| !x.is_finite()) {
            None => Ok(Some(values)),
            Some(place) => Err(self.flaw(name, &format!("has {} as element {place}, expected finite numbers", values[place]))),
        }
    }

    /// A tensor of finite numbers.
    pub(super) fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let missing = || self.flaw(name, &format!("is missing, expected one of shape {shape:?}"));
        self.optional_floats(name, shape)?.ok_or_else(missing)
    }

    /// L_k of the states that the maps k = 0..L−1 leave, if the case gives them.
    pub(super) fn damping(&self, depth: usize) -> Result<Option<Vec<f64>>> {
        let values = self.optional_floats("damping", &[depth])?;
        match values.iter().flatten().position(|value| *value < 0.0) {
            None => Ok(values),
            Some(place) => Err(self.flaw("damping", &format!("is negative in element {place}, expected 0 or more"))),
        }
    }

    /// The labels, each of them one of `classes`.
    pub(super) fn labels(&self, shape: &[usize], classes: usize) -> Result<Vec<u32>> {
        let name = "labels";
        let missing = || self.flaw(name, &format!("is missing, expected one of shape {shape:?}"));
        let (dtype, bytes) = self.bytes(name, shape)?.ok_or_else(missing)?;
        let values: Vec<i64> = match dtype {
            Dtype::I64 => bytes.as_chunks().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect(),
            Dtype::I32 => bytes.as_chunks().0.iter().map(|chunk| i64::from(i32::from_le_bytes(*chunk))).collect(),
            Dtype::U8 => bytes.iter().map(|&byte| i64::from(byte)).collect(),
            other => return Err(self.flaw(name, &format!("is of type {other}, expected I64, I32 or U8"))),
        };
        let class = |(place, &value): (usize, &i64)| {
            let label = u32::try_from(value).ok().filter(|label| (*label as usize) < classes);
            let expected = || format!("has {value} as element {place}, expected 0 to {}", classes - 1);
            label.ok_or_else(|| self.flaw(name, &expected()))
        };
        values.iter().enumerate().map(class).collect()
    }

    /// Type and bytes of a tensor, if there is one.
    fn bytes(&self, name: &str, shape: &[usize]) -> Result<Option<(Dtype, &'a [u8])>> {
        let Some(info) = self.header.info(name) else { return Ok(None) };
        if info.shape != shape {
            let problem = format!("has shape {:?}, but the metadata ask for {shape:?}", info.shape);
            return Err(self.flaw(name, &problem));
        }
        let (start, end) = info.data_offsets;
        let bytes = self.data.get(start..end).ok_or_else(|| self.flaw(name, "lies beyond the end of the file"))?;
        Ok(Some((info.dtype, bytes)))
    }

    fn flaw(&self, name: &str, problem: &str) -> Error {
        Error::malformed(self.path, format!("tensor `{name}` {problem}"))
    }

    /// The nearest known name is looked for among those with the same number.
    fn unknown(&self, name: &str, depth: usize) -> Error {
        let number = name.rsplit_once('.').map_or("0", |(_, number)| number);
        let numbered: Vec<String> = OF_MAP.iter().chain(&OF_LAYER).map(|stem| format!("{stem}.{number}")).collect();
        let known = SINGLE.iter().copied().chain(numbered.iter().map(String::as_str).filter(|known| is_known(known, depth)));
        Error::unknown(format!("tensor in {}", self.path.display()), name, known)
    }
}

fn is_known(name: &str, depth: usize) -> bool {
    let Some((stem, number)) = name.split_once('.') else { return SINGLE.contains(&name) };
    match number.parse::<usize>() {
        Ok(i) if i.to_string() == number => {
            OF_MAP.contains(&stem) && i < depth || OF_LAYER.contains(&stem) && (1..=depth).contains(&i)
        }
        _ => false,
    }
}
