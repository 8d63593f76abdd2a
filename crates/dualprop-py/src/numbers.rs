//! Parameters of either type of number, which Python sees as one.

use dualprop::base::Named;
use dualprop::network::{Parameters, Topology};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArrayMethods, dtype};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::array::{self, Number};
use crate::error::Result;

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dtype {
    F32,
    F64,
}

impl Named for Dtype {
    const WHAT: &'static str = "dtype";
    const ALL: &'static [(&'static str, Self)] = &[(f32::DTYPE, Dtype::F32), (f64::DTYPE, Dtype::F64)];
}

impl Dtype {
    /// What NumPy takes for one of the two: a name, a type, or a dtype.
    ///
    /// # Errors
    /// `TypeError` for everything else.
    pub(crate) fn of(argument: &Bound<'_, PyAny>) -> Result<Self> {
        let py = argument.py();
        let found = PyArrayDescr::new(py, argument.clone())?;
        if found.is_equiv_to(&dtype::<f32>(py)) {
            return Ok(Dtype::F32);
        }
        match found.is_equiv_to(&dtype::<f64>(py)) {
            true => Ok(Dtype::F64),
            false => Err(PyTypeError::new_err(format!("dtype is {}, expected float32 or float64", found.str()?))),
        }
    }
}

/// Parameters of one of the two types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    F32(Parameters<f32>),
    F64(Parameters<f64>),
}

/// Does the same with parameters of either type.
macro_rules! with_numbers {
    ($numbers:expr, $parameters:ident => $work:expr) => {
        match $numbers {
            $crate::numbers::Numbers::F32($parameters) => $work,
            $crate::numbers::Numbers::F64($parameters) => $work,
        }
    };
}
pub(crate) use with_numbers;

impl Numbers {
    /// All 0.
    pub(crate) fn zeros(topology: &Topology, dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Numbers::F32(Parameters::zeros(topology)),
            Dtype::F64 => Numbers::F64(Parameters::zeros(topology)),
        }
    }

    /// Their type.
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Numbers::F32(_) => Dtype::F32,
            Numbers::F64(_) => Dtype::F64,
        }
    }

    /// The same numbers, rounded where that is needed.
    pub(crate) fn cast(&self, dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Numbers::F32(with_numbers!(self, parameters => parameters.cast())),
            Dtype::F64 => Numbers::F64(with_numbers!(self, parameters => parameters.cast())),
        }
    }
}

/// Replaces a parameter by the numbers of an array, which are all finite.
pub(crate) fn set<T: Number>(
    parameters: &mut Parameters<T>,
    name: &str,
    values: &Bound<'_, PyAny>,
    no_such: PyErr,
) -> Result<()> {
    let Some(index) = parameters.names().iter().position(|known| known == name) else { return Err(no_such) };
    let array = array::read::<T>(name, values)?;
    array::finite(name, &array)?;
    let tensor = &mut parameters.tensors_mut()[index];
    if array.shape() != tensor.shape() {
        let text = format!("{name} has shape {:?}, expected {:?}", array.shape(), tensor.shape());
        return Err(PyValueError::new_err(text));
    }
    tensor.data_mut().copy_from_slice(array::elements(&array)?);
    Ok(())
}
