//! The Python package `dualprop`, its native part: arrays in, arrays out, errors as Python's exceptions.
//!
//! Nothing is computed here: every class holds a value of the library and translates. What is Python's own affair (estimators for
//! scikit-learn, PyTorch, reading run directories) is written in Python, in `python/dualprop`.

mod array;
mod attention;
mod data;
mod engine;
mod error;
mod export;
mod inference;
mod layers;
mod learner;
mod network;
mod numbers;
mod optimizer;
mod plan;
mod pool;
mod settings;
mod states;
mod training;

use pyo3::prelude::*;

/// The native part of `dualprop`; import from `dualprop` itself.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::data::{data_sets, fetch_data, import_arrays, load_data};
    #[pymodule_export]
    use super::error::DivergedError;
    #[pymodule_export]
    use super::inference::{DualProp, backprop};
    #[pymodule_export]
    use super::learner::Learner;
    #[pymodule_export]
    use super::network::Network;
    #[pymodule_export]
    use super::optimizer::Optimizer;
    #[pymodule_export]
    use super::plan::Plan;
    #[pymodule_export]
    use super::states::States;
    #[pymodule_export]
    use super::training::{recipe, recipe_values, recipes, train};

    /// The version of the library.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
