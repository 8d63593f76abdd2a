//! Settings as Python gives them: by the names and with the checks of recipes, so that nothing is called, or refused, in two ways.

use dualprop::Error;
use dualprop::training::RecipeParams;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::error::{OrRaise, Result};

/// What a recipe needs beside the settings, and nothing of which is looked at.
const SKELETON: &str = "name = 'python'\n[data]\ndataset = 'digits'\n[network]\nlayers = ['dense 10']\n";

/// The recipe that these `section.key=value` make of the defaults; not yet checked.
pub(crate) fn params(overrides: &[String]) -> Result<RecipeParams> {
    RecipeParams::parse(SKELETON, "settings", overrides).or_raise()
}

/// Keyword arguments as `section.key=value`; what is None is left out.
///
/// # Errors
/// `TypeError` for a keyword that is none of `known`, and for a value that no recipe can have.
pub(crate) fn overrides(section: &str, known: &[&str], keywords: Option<&Bound<'_, PyDict>>) -> Result<Vec<String>> {
    let mut overrides = vec![];
    for (key, value) in keywords.into_iter().flatten() {
        let key: String = key.extract()?;
        if !known.contains(&key.as_str()) {
            return Err(PyTypeError::new_err(Error::unknown("setting", &key, known.iter().copied()).to_string()));
        }
        if !value.is_none() {
            overrides.push(format!("{section}.{key}={}", written(&key, &value)?));
        }
    }
    Ok(overrides)
}

/// A dictionary of settings, `{"learning.alpha": 0.5}` or `{"learning": {"alpha": 0.5}}`, as `key=value`.
///
/// # Errors
/// As [`overrides`]; what keys there are the recipe says.
pub(crate) fn flattened(prefix: &str, settings: &Bound<'_, PyDict>) -> Result<Vec<String>> {
    let mut overrides = vec![];
    for (key, value) in settings {
        let key = format!("{prefix}{}", key.extract::<String>()?);
        match value.cast::<PyDict>() {
            Ok(section) => overrides.extend(flattened(&format!("{key}."), section)?),
            Err(_) => overrides.push(format!("{key}={}", written(&key, &value)?)),
        }
    }
    Ok(overrides)
}

/// A value as TOML has it.
fn written(key: &str, value: &Bound<'_, PyAny>) -> Result<String> {
    let py = value.py();
    if value.is_instance_of::<PyBool>() {
        return Ok(value.is_truthy()?.to_string());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(serde_json::Value::from(text.to_string()).to_string());
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.call_method0("__int__")?.repr()?.to_string());
    }
    if value.is_instance_of::<PyFloat>() {
        // What is no number is written small.
        return Ok(format!("{:?}", value.extract::<f64>()?).to_lowercase());
    }
    // Lists, tuples and arrays; numbers of NumPy are numbers by what they become.
    if let Ok(plain) = value.call_method0("tolist") {
        return written(key, &plain);
    }
    if value.hasattr("__len__")? && value.hasattr("__iter__")? {
        let items = value.try_iter()?.map(|item| written(key, &item?));
        return Ok(format!("[{}]", items.collect::<Result<Vec<_>>>()?.join(", ")));
    }
    if let Ok(path) = py.import("os")?.call_method1("fspath", (value,)) {
        return written(key, &path);
    }
    let found = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("{key} is of type {found}, expected a number, a text, true or false, or a list of these")))
}
