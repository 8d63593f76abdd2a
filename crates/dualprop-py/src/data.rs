//! Data sets: where they are, and as arrays.

use std::ops::ControlFlow;
use std::path::PathBuf;

use dualprop::data::remote::{FetchEvent, FetchOptions, Remote, fetch};
use dualprop::data::{Dataset, Folders, KNOWN, Source, import_arrays as import};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::attention::Attention;
use crate::error::{OrRaise, Result};

/// A part of a data set: images (n, height, width, channels) as bytes, and labels (n,).
type Part<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// The known data sets, each as a dict.
#[pyfunction]
pub(crate) fn data_sets(py: Python<'_>) -> Result<Vec<Bound<'_, PyDict>>> {
    let entry = |known: &dualprop::data::Known| {
        let dict = PyDict::new(py);
        dict.set_item("name", known.name)?;
        dict.set_item("input", known.input.extents())?;
        dict.set_item("classes", known.classes.len())?;
        dict.set_item("samples", known.published)?;
        dict.set_item("about", known.about)?;
        let remote = Remote::find(known.name).ok();
        dict.set_item("licence", remote.map(|remote| remote.licence))?;
        dict.set_item("citation", remote.map(|remote| remote.citation))?;
        Ok(dict)
    };
    KNOWN.iter().map(entry).collect()
}

/// A data set by its name, or an imported one by its path: a dict with ``name``, ``input``, ``classes``, ``largest``, ``train`` and
/// ``test``, each of the last two a pair of images and labels, or None.
#[pyfunction]
#[pyo3(signature = (name, data_dir = None))]
pub(crate) fn load_data<'py>(py: Python<'py>, name: &str, data_dir: Option<PathBuf>) -> Result<Bound<'py, PyDict>> {
    let folders = Folders::standard(data_dir);
    let read = || {
        let source = Source::find(name, &folders)?;
        Ok((source.training()?, source.test()?))
    };
    let (train, test) = py.detach(read).or_raise()?;
    let dict = PyDict::new(py);
    dict.set_item("name", &train.name)?;
    dict.set_item("input", train.input.extents())?;
    dict.set_item("classes", train.classes)?;
    dict.set_item("largest", train.largest)?;
    dict.set_item("train", arrays(py, &train)?)?;
    dict.set_item("test", test.as_ref().map(|test| arrays(py, test)).transpose()?)?;
    Ok(dict)
}

fn arrays<'py>(py: Python<'py>, dataset: &Dataset) -> Result<Part<'py>> {
    let [height, width, channels] = dataset.input.extents();
    let mut pixels = Vec::with_capacity(dataset.len() * dataset.input.neurons());
    (0..dataset.len()).for_each(|i| pixels.extend_from_slice(dataset.sample(i)));
    let images = PyArray1::from_vec(py, pixels).reshape([dataset.len(), height, width, channels])?.into_any();
    let labels: Vec<i64> = dataset.labels().iter().map(|&label| label.into()).collect();
    Ok((images, PyArray1::from_vec(py, labels).into_any()))
}

/// Fetches every file of a data set that is not here, or is wrong, and gives it its name when its sum is right; the folder of each file.
#[pyfunction]
#[pyo3(signature = (name, data_dir, mirrors, only_mirrors))]
pub(crate) fn fetch_data(
    py: Python<'_>,
    name: &str,
    data_dir: Option<PathBuf>,
    mirrors: Vec<String>,
    only_mirrors: bool,
) -> Result<Vec<PathBuf>> {
    let (remote, folders) = (Remote::find(name).or_raise()?, Folders::standard(data_dir));
    let none = || PyValueError::new_err("there is no folder for data sets on this machine; name one as data_dir");
    let folder = folders.iter().next().ok_or_else(none)?;
    let options = FetchOptions { mirrors, only_mirrors, ..FetchOptions::default() };
    let (mut files, mut raised, mut attention) = (vec![], None, Attention::default());
    let done = py.detach(|| {
        fetch(remote, folder, &options, &mut |event| {
            if let FetchEvent::Present(path) | FetchEvent::Done(path) = event {
                files.push(path.to_path_buf());
            }
            match attention.pay() {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    raised = Some(error);
                    ControlFlow::Break(())
                }
            }
        })
    });
    match raised {
        // What is here of a file is kept, and the next call goes on from there.
        Some(raised) => Err(raised),
        None => done.map(|_| files).or_raise(),
    }
}

/// Imports NPY files of images and labels into a folder, as ``dualprop data import`` does; how many samples each part has.
#[pyfunction]
#[pyo3(signature = (name, train, test, classes, folder))]
pub(crate) fn import_arrays(
    py: Python<'_>,
    name: &str,
    train: (PathBuf, PathBuf),
    test: Option<(PathBuf, PathBuf)>,
    classes: usize,
    folder: PathBuf,
) -> Result<Vec<(PathBuf, usize)>> {
    let test = test.as_ref().map(|(images, labels)| (images.as_path(), labels.as_path()));
    let parts = py.detach(|| import(name, (&train.0, &train.1), test, classes, &folder)).or_raise()?;
    Ok(parts.into_iter().map(|part| (part.path, part.samples)).collect())
}
