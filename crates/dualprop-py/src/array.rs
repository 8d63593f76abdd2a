//! Arrays of NumPy, read where they lie and handed out without a copy; what is no such array is told so, never converted in silence.

use dualprop::base::Real;
use dualprop::compute::Tensor;
use dualprop::network::Topology;
use numpy::{
    Element, PyArray1, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::error::Result;

/// f32 or f64, as the library and NumPy have them.
pub(crate) trait Number: Real + Element {
    /// NumPy's name of the type.
    const DTYPE: &'static str;
}

impl Number for f32 {
    const DTYPE: &'static str = "float32";
}

impl Number for f64 {
    const DTYPE: &'static str = "float64";
}

/// An array that Rust reads where Python keeps it.
pub(crate) type Read<'py, T> = PyReadonlyArrayDyn<'py, T>;

/// The argument as an array of any type.
fn untyped<'a, 'py>(what: &str, argument: &'a Bound<'py, PyAny>) -> Result<&'a Bound<'py, PyUntypedArray>> {
    argument.cast::<PyUntypedArray>().map_err(|_| {
        let found = argument.get_type().name().map_or("something else".to_string(), |name| name.to_string());
        PyTypeError::new_err(format!("{what} is of type {found}, expected a NumPy array; np.asarray makes one"))
    })
}

/// The elements of an array of numbers of the type T, row-major, where they lie.
///
/// # Errors
/// `TypeError` for what is no array, or an array of other numbers; `ValueError` for one whose elements do not follow each other in
/// memory, or that Rust is writing to.
pub(crate) fn read<'py, T: Number>(what: &str, argument: &Bound<'py, PyAny>) -> Result<Read<'py, T>> {
    let array = untyped(what, argument)?;
    let Ok(typed) = array.cast::<PyArrayDyn<T>>() else {
        let found = array.dtype().str()?.to_string();
        let advice = format!("{what}.astype(np.{})", T::DTYPE);
        return Err(PyTypeError::new_err(format!(
            "{what} has dtype {found}, expected {}; convert it with {advice}",
            described::<T>(array)
        )));
    };
    if !array.is_c_contiguous() {
        let text = format!("{what} is not contiguous in memory, row by row; np.ascontiguousarray makes a copy that is");
        return Err(PyValueError::new_err(text));
    }
    typed.try_readonly().map_err(|error| PyValueError::new_err(format!("{what} cannot be read: {error}")))
}

/// The type that was expected, with the order of its bytes where that is what was wrong.
fn described<T: Number>(array: &Bound<'_, PyUntypedArray>) -> String {
    match array.dtype().is_native_byteorder() {
        Some(false) => format!("{} in this machine's order of bytes", T::DTYPE),
        _ => T::DTYPE.to_string(),
    }
}

/// Inputs x of a network, [n, H, W, C] or [n, H·W·C], with n; all of them finite.
///
/// # Errors
/// As [`read`]; `ValueError` for another shape, for no samples, and for a number that is not finite.
pub(crate) fn inputs<'py, T: Number>(topology: &Topology, x: &Bound<'py, PyAny>) -> Result<(Read<'py, T>, usize)> {
    let array = read::<T>("x", x)?;
    let (input, shape) = (topology.input(), array.shape());
    let fits = shape.len() > 1 && (shape[1..] == input.extents() || shape[1..] == [input.neurons()]);
    if !fits {
        let [height, width, channels] = input.extents();
        let image = if height * width == 1 { String::new() } else { format!(" or [n, {height}, {width}, {channels}]") };
        return Err(PyValueError::new_err(format!("x has shape {shape:?}, expected [n, {}]{image}", input.neurons())));
    }
    let samples = shape[0];
    some_samples("x", samples)?;
    finite("x", &array)?;
    Ok((array, samples))
}

/// Targets of samples: labels, or rows of numbers where Python keeps them.
pub(crate) enum Targets<'py, T: Number> {
    /// Of each sample its class, which is one.
    Labels(Vec<usize>),
    /// Of each sample a row of numbers.
    Rows(Read<'py, T>),
}

/// The same without Python, one sample after the other: the rows of all labels might be gigabytes.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a, T> {
    Labels(&'a [usize]),
    Rows(&'a [T]),
}

/// Targets: the labels 0..classes of n samples, or n rows of numbers.
///
/// # Errors
/// `TypeError` for labels that are no integers; `ValueError` for another number of samples, a label that is no class, and a number
/// that is not finite.
pub(crate) fn targets<'py, T: Number>(y: &Bound<'py, PyAny>, samples: usize, outputs: usize) -> Result<Targets<'py, T>> {
    let array = untyped("y", y)?;
    let shape = array.shape();
    if shape == [samples] && matches!(array.dtype().kind(), b'i' | b'u') {
        return Ok(Targets::Labels(classes(&labels(array)?, outputs)?));
    }
    if shape == [samples, outputs] {
        let rows = read::<T>("y", y)?;
        finite("y", &rows)?;
        return Ok(Targets::Rows(rows));
    }
    if shape == [samples] {
        let found = array.dtype().str()?.to_string();
        let text = format!("y has dtype {found}, expected integers 0 to {} as labels, or rows of {outputs} numbers", outputs - 1);
        return Err(PyTypeError::new_err(text));
    }
    let text = format!("y has shape {shape:?}, expected [{samples}] (labels) or [{samples}, {outputs}] (rows of targets)");
    Err(PyValueError::new_err(text))
}

impl<T: Number> Targets<'_, T> {
    /// Without Python.
    pub(crate) fn rows(&self) -> Result<Rows<'_, T>> {
        match self {
            Targets::Labels(labels) => Ok(Rows::Labels(labels)),
            Targets::Rows(rows) => elements(rows).map(Rows::Rows),
        }
    }
}

impl<T: Number> Rows<'_, T> {
    /// Appends the row of a sample, `outputs` numbers.
    pub(crate) fn append(self, sample: usize, outputs: usize, to: &mut Vec<T>) {
        match self {
            Rows::Labels(labels) => to.extend((0..outputs).map(|class| if class == labels[sample] { T::ONE } else { T::ZERO })),
            Rows::Rows(rows) => to.extend_from_slice(&rows[sample * outputs..(sample + 1) * outputs]),
        }
    }

    /// The rows of the first `samples`.
    pub(crate) fn all(self, samples: usize, outputs: usize) -> Vec<T> {
        let mut rows = Vec::with_capacity(samples * outputs);
        (0..samples).for_each(|sample| self.append(sample, outputs, &mut rows));
        rows
    }
}

/// Integers of any size, in any order of bytes, as those of this machine.
fn labels(array: &Bound<'_, PyUntypedArray>) -> Result<Vec<i64>> {
    let wide = array.call_method1("astype", ("int64",))?;
    wide.cast::<PyArray1<i64>>().map_err(PyErr::from)?.to_vec().map_err(PyErr::from)
}

/// Labels that are classes.
fn classes(labels: &[i64], outputs: usize) -> Result<Vec<usize>> {
    let class = |(i, &label): (usize, &i64)| {
        usize::try_from(label)
            .ok()
            .filter(|&class| class < outputs)
            .ok_or_else(|| PyValueError::new_err(format!("y[{i}] is {label}, expected a class from 0 to {}", outputs - 1)))
    };
    labels.iter().enumerate().map(class).collect()
}

/// What each of `samples` samples counts, if that is given.
///
/// # Errors
/// `TypeError` for what are no numbers; `ValueError` for another shape. What weights must be, the library says.
pub(crate) fn weights(argument: Option<&Bound<'_, PyAny>>, samples: usize) -> Result<Option<Vec<f64>>> {
    let Some(argument) = argument else { return Ok(None) };
    let array = untyped("sample_weight", argument)?;
    if array.shape() != [samples] {
        let text = format!("sample_weight has shape {:?}, expected [{samples}]", array.shape());
        return Err(PyValueError::new_err(text));
    }
    if !matches!(array.dtype().kind(), b'i' | b'u' | b'f') {
        let text = format!("sample_weight has dtype {}, expected numbers", array.dtype().str()?);
        return Err(PyTypeError::new_err(text));
    }
    let wide = array.call_method1("astype", ("float64",))?;
    Ok(Some(wide.cast::<PyArray1<f64>>().map_err(PyErr::from)?.to_vec().map_err(PyErr::from)?))
}

/// The elements of an array that [`read`] has accepted.
pub(crate) fn elements<'a, T: Number>(array: &'a Read<'_, T>) -> Result<&'a [T]> {
    array.as_slice().map_err(|error| PyValueError::new_err(error.to_string()))
}

fn some_samples(what: &str, samples: usize) -> Result<()> {
    match samples {
        0 => Err(PyValueError::new_err(format!("{what} has no samples, expected at least one"))),
        _ => Ok(()),
    }
}

/// That all numbers are finite, or where the first is that is not.
pub(crate) fn finite<T: Number>(what: &str, array: &Read<'_, T>) -> Result<()> {
    let numbers = elements(array)?;
    // Blocks without an early end are compared many numbers at a time.
    if numbers.chunks(1024).all(|block| block.iter().fold(true, |finite, x| finite & x.is_finite())) {
        return Ok(());
    }
    let place = numbers.iter().position(|x| !x.is_finite()).unwrap_or(0);
    let text = format!("{what}{:?} is {}, expected finite numbers", place_in(array.shape(), place), numbers[place]);
    Err(PyValueError::new_err(text))
}

/// The indices of an element of a row-major array.
fn place_in(shape: &[usize], mut place: usize) -> Vec<usize> {
    let mut indices = vec![0; shape.len()];
    for (index, &extent) in indices.iter_mut().zip(shape).rev() {
        (*index, place) = (place % extent, place / extent);
    }
    indices
}

/// These numbers as an array of this shape, which takes over their memory.
pub(crate) fn array<'py, T: Number>(py: Python<'py>, numbers: Vec<T>, shape: &[usize]) -> Result<Bound<'py, PyArrayDyn<T>>> {
    PyArray1::from_vec(py, numbers).reshape(shape)
}

/// A copy of a tensor.
pub(crate) fn of_tensor<'py, T: Number>(py: Python<'py>, tensor: &Tensor<T>) -> Result<Bound<'py, PyArrayDyn<T>>> {
    array(py, tensor.data().to_vec(), tensor.shape())
}
