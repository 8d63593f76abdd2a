//! Single values of a recipe, checked.

use crate::base::{Error, Named, Result};

/// The value with this name; an error names the recipe's key.
pub(super) fn named<N: Named>(key: &str, name: &str) -> Result<N> {
    N::parse(name).map_err(|error| match error {
        Error::Unknown { name, nearest, known, .. } => Error::Unknown { what: key.into(), name, nearest, known },
        other => other,
    })
}

/// That a number is above 0, and stays so in single precision.
pub(super) fn positive(field: &str, value: f64) -> Result<()> {
    // As the training computes with it.
    match value as f32 > 0.0 && (value as f32).is_finite() {
        true => Ok(()),
        false => Err(Error::setting(field, value, "expected a number above 0 that single precision can hold")),
    }
}
