//! Optimisers, for training loops of one's own.

use dualprop::compute::Tensor;
use dualprop::learning::{Optimizer as Updates, OptimizerKind};
use dualprop::network::{Parameters, Topology};
use numpy::PyUntypedArrayMethods;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{self, Number};
use crate::error::{OrRaise, Result};
use crate::network::Network;
use crate::numbers::{Dtype, Numbers};
use crate::pool::pool;
use crate::settings::{overrides, params};

/// An optimiser that remembers its moments: SGD, Adam or AdamW, as recipes have them in ``[optimizer]``.
///
/// Parameters
/// ----------
/// kind : str
///     "sgd", "adam" or "adamw".
/// learning_rate : float
///     The rate of every step that is not given another.
/// momentum : float
///     Of SGD; 0 if it is left out.
/// weight_decay : float
///     Of SGD (added to the gradient; 0 if it is left out) and AdamW (decoupled; 1e-4).
/// beta1, beta2, epsilon : float
///     Of Adam and AdamW; 0.9, 0.999 and 1e-8 if they are left out.
///
/// Raises
/// ------
/// ValueError
///     For an unknown kind, or a number that the kind does not have or cannot use.
///
/// Examples
/// --------
/// >>> import numpy as np
/// >>> import dualprop
/// >>> network = dualprop.Network(4, [8, 3], dtype="float64")
/// >>> dp, adam = dualprop.DualProp(alpha=0.0), dualprop.Optimizer("adam", 0.01)
/// >>> x, y = np.ones((2, 4)), np.array([2, 2])
/// >>> before = dp.infer(network, x, y).loss
/// >>> for _ in range(10):
/// ...     adam.step(network, dp.gradients(network, x, y))
/// >>> dp.infer(network, x, y).loss < before
/// True
#[pyclass(module = "dualprop")]
pub(crate) struct Optimizer {
    kind: OptimizerKind,
    learning_rate: f64,
    /// Of the first network that made a step.
    moments: Option<(Topology, Moments)>,
}

/// What an optimiser remembers of a network of either type.
enum Moments {
    F32(Updates<f32>),
    F64(Updates<f64>),
}

const KNOWN: [&str; 5] = ["momentum", "weight_decay", "beta1", "beta2", "epsilon"];

#[pymethods]
impl Optimizer {
    #[new]
    #[pyo3(
        signature = (kind = "adam", learning_rate = 1e-3, **constants),
        text_signature = "(kind='adam', learning_rate=0.001, *, momentum=None, weight_decay=None, beta1=None, beta2=None, epsilon=None)"
    )]
    fn new(kind: &str, learning_rate: f64, constants: Option<&Bound<'_, PyDict>>) -> Result<Self> {
        Ok(Optimizer { kind: kind_of(kind, learning_rate, constants)?, learning_rate, moments: None })
    }

    /// One step: every parameter of the network moves by its gradient.
    ///
    /// Parameters
    /// ----------
    /// network : Network
    ///     The first network is the one that the moments belong to.
    /// gradients : dict of str to array
    ///     As ``DualProp.gradients`` gives them, or others of the same names, shapes and dtype. What is not in it stays as it is.
    /// learning_rate : float
    ///     Of this step; left out: the optimiser's.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     For gradients that are not the network's or not finite, and for another network than the first. No number has changed
    ///     then.
    #[pyo3(signature = (network, gradients, *, learning_rate = None))]
    fn step(&mut self, network: &mut Network, gradients: &Bound<'_, PyDict>, learning_rate: Option<f64>) -> Result<()> {
        let rate = learning_rate.unwrap_or(self.learning_rate);
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(PyValueError::new_err(format!("learning_rate is {rate}, expected a finite number of at least 0")));
        }
        let Network { topology, numbers, .. } = network;
        let (of, moments) =
            self.moments.get_or_insert_with(|| (topology.clone(), Moments::new(self.kind, topology, numbers.dtype())));
        match (numbers, moments) {
            (Numbers::F32(parameters), Moments::F32(updates)) if of == topology => step(updates, parameters, gradients, rate),
            (Numbers::F64(parameters), Moments::F64(updates)) if of == topology => step(updates, parameters, gradients, rate),
            _ => Err(PyValueError::new_err("the optimizer's moments are of another network; make an optimizer for each")),
        }
    }

    /// Steps made so far.
    #[getter]
    fn steps(&self) -> u64 {
        match &self.moments {
            None => 0,
            Some((_, Moments::F32(updates))) => updates.steps(),
            Some((_, Moments::F64(updates))) => updates.steps(),
        }
    }

    fn __repr__(&self) -> String {
        format!("Optimizer({:?}, learning_rate={}, {} steps)", name(self.kind), self.learning_rate, self.steps())
    }
}

impl Moments {
    fn new(kind: OptimizerKind, topology: &Topology, dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Moments::F32(Updates::new(kind, topology)),
            Dtype::F64 => Moments::F64(Updates::new(kind, topology)),
        }
    }
}

fn name(kind: OptimizerKind) -> &'static str {
    match kind {
        OptimizerKind::Sgd { .. } => "sgd",
        OptimizerKind::Adam { .. } => "adam",
        OptimizerKind::AdamW { .. } => "adamw",
    }
}

/// The optimiser that a recipe with these values would have.
pub(crate) fn kind_of(kind: &str, learning_rate: f64, constants: Option<&Bound<'_, PyDict>>) -> Result<OptimizerKind> {
    let chosen = [format!("optimizer.kind={kind:?}"), format!("optimizer.learning_rate={learning_rate:?}")];
    params(&[&chosen[..], &overrides("optimizer", &KNOWN, constants)?].concat())?.optimizer_kind().or_raise()
}

/// Moves every parameter that has a gradient, if all of them can be moved.
fn step<T: Number>(
    updates: &mut Updates<T>,
    parameters: &mut Parameters<T>,
    gradients: &Bound<'_, PyDict>,
    rate: f64,
) -> Result<()> {
    let mut tensors = vec![Tensor::default(); parameters.names().len()];
    for (name, gradient) in gradients {
        let name: String = name.extract()?;
        let Some(place) = parameters.names().iter().position(|known| *known == name) else {
            let text = format!("gradients: {name:?} is no parameter; there are {}", parameters.names().join(", "));
            return Err(PyValueError::new_err(text));
        };
        let array = array::read::<T>(&name, &gradient)?;
        array::finite(&name, &array)?;
        let expected = parameters.tensors()[place].shape();
        if array.shape() != expected {
            let text = format!("gradients: {name} has shape {:?}, expected {expected:?}", array.shape());
            return Err(PyValueError::new_err(text));
        }
        tensors[place] = Tensor::new(expected, array::elements(&array)?.to_vec()).or_raise()?;
    }
    let pool = pool(0)?;
    gradients.py().detach(|| updates.step(parameters, &tensors, rate, None, &pool));
    Ok(())
}
