//! The library's errors as exceptions of Python: those that a Python programmer expects, with the library's text.

use std::io;

use dualprop::Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyArithmeticError, PyFileExistsError, PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

create_exception!(
    dualprop,
    DivergedError,
    PyArithmeticError,
    "A number stopped being finite: the training diverged. The text says which number, at which step, and what may help."
);

/// What a function that may fail gives.
pub(crate) type Result<T> = std::result::Result<T, PyErr>;

/// The exception that an error becomes.
pub(crate) fn exception(error: Error) -> PyErr {
    let text = error.to_string();
    of_kind(&error, text)
}

fn of_kind(error: &Error, text: String) -> PyErr {
    match error {
        Error::At { source, .. } => of_kind(source, text),
        // An error of the operating system becomes the subclass of OSError that its kind has.
        Error::Read { source, .. } | Error::Write { source, .. } => io::Error::new(source.kind(), text).into(),
        Error::Exists { path } => {
            let text = format!("{} exists already; choose another name, or replace it with force=True", path.display());
            PyFileExistsError::new_err(text)
        }
        Error::Busy { .. } => io::Error::new(io::ErrorKind::ResourceBusy, text).into(),
        Error::Fetch { .. } => io::Error::new(io::ErrorKind::ConnectionRefused, text).into(),
        Error::Diverged { .. } => DivergedError::new_err(text),
        Error::Memory { .. } => PyMemoryError::new_err(text),
        Error::Threads { .. } => PyRuntimeError::new_err(text),
        _ => PyValueError::new_err(text),
    }
}

/// A result of the library as one of Python's.
pub(crate) trait OrRaise<T> {
    /// Raises the exception that an error becomes.
    fn or_raise(self) -> Result<T>;
}

impl<T> OrRaise<T> for dualprop::Result<T> {
    fn or_raise(self) -> Result<T> {
        self.map_err(exception)
    }
}
