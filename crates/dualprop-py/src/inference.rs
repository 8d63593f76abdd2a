//! Dual propagation: settings of an inference, and what it makes of a batch.

use dualprop::analysis::{self, Alignment, LiftedOptions};
use dualprop::base::Named;
use dualprop::compute::disturbance::Scales;
use dualprop::compute::{Pool, Tensor};
use dualprop::inference::{Engine, Inference, Plan as Compiled, PlanOptions, Start};
use dualprop::network::{Parameters, Topology};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::array;
use crate::engine::{Computed, Engines};
use crate::error::{OrRaise, Result};
use crate::network::Network;
use crate::numbers::with_numbers;
use crate::plan::Plan;
use crate::pool::pool;
use crate::settings::{flattened, overrides, params};
use crate::states::{Settled, States};

/// An inference of dual propagation: how dyads settle, and with which gradients they end. With backpropagation as the limit of weak
/// nudges, ``rule="backprop"``.
///
/// All settings but ``rule`` are given by name; they are those of ``[learning]`` in recipes (``docs/recipes.md``), with the same
/// defaults.
///
/// Parameters
/// ----------
/// rule : str
///     "dp_transpose", "dp", "dp_damped", "general", "lpom", "adversarial" or "backprop".
/// alpha : float or list of float
///     The weight of s_plus in the mean, for all layers or for each hidden layer; 1/2 if it is left out.
/// beta : float
///     The strength of the nudge.
/// loss : str
///     "cross_entropy", "squared_error" or "half_squared_error".
/// nudge : str
///     "linearised_frozen", "linearised_live" or "proximal"; left out: the one that the authors use with the rule.
/// schedule : str
///     The order in which layers are updated: "forward_backward", "forward", "backward", "backward_forward", "odd_even",
///     "even_odd", "parallel" or "random".
/// passes : int
///     Passes of the schedule.
/// alpha_feedback, output_alpha, gain, divide_gain, damping, damped, power_iterations, damping_asymmetry, nudge_from_pass, start, pool_routing, feedback
///     As in recipes. ``start`` is "forward" or "zero" here: no states are kept from one call to the next.
/// disturbance : dict
///     What is not ideal in the device, as ``[disturbance]`` of recipes: ``{"state_noise": 0.01}``.
/// seed : int
///     Draws the random schedule, and with the number of a batch the disturbances.
///
/// Raises
/// ------
/// TypeError
///     For a setting that there is not.
/// ValueError
///     For a value that cannot be used, with what would do. What depends on the network is checked when there is one.
///
/// Examples
/// --------
/// >>> import numpy as np
/// >>> import dualprop
/// >>> network = dualprop.Network(4, [8, 3], dtype="float64")
/// >>> dp = dualprop.DualProp("dp_transpose", alpha=0.0, beta=0.1)
/// >>> x, y = np.ones((2, 4)), np.array([0, 2])
/// >>> states = dp.infer(network, x, y)
/// >>> np.allclose(states.difference[1], states.s_plus[1] - states.s_minus[1])
/// True
/// >>> dp.gradients(network, x, y)["kernel.1"].shape
/// (8, 3)
#[pyclass(module = "dualprop", frozen)]
pub(crate) struct DualProp {
    pub(crate) inference: Inference,
    /// The rule and the keywords, as they were given.
    given: (String, Option<Py<PyDict>>),
    engines: Engines,
}

/// The settings of an inference; others of `[learning]` are a training's.
const KNOWN: [&str; 20] = [
    "alpha",
    "beta",
    "loss",
    "nudge",
    "schedule",
    "passes",
    "alpha_feedback",
    "output_alpha",
    "gain",
    "divide_gain",
    "damping",
    "damped",
    "power_iterations",
    "damping_asymmetry",
    "nudge_from_pass",
    "start",
    "pool_routing",
    "feedback",
    "disturbance",
    "seed",
];

#[pymethods]
impl DualProp {
    #[new]
    #[pyo3(
        signature = (rule = "dp_transpose", **settings),
        text_signature = "(rule='dp_transpose', *, alpha=None, beta=None, loss=None, nudge=None, schedule=None, passes=None, \
            alpha_feedback=None, output_alpha=None, gain=None, divide_gain=None, damping=None, damped=None, power_iterations=None, \
            damping_asymmetry=None, nudge_from_pass=None, start=None, pool_routing=None, feedback=None, disturbance=None, seed=0)"
    )]
    fn new(py: Python<'_>, rule: &str, settings: Option<&Bound<'_, PyDict>>) -> Result<Self> {
        let given = (rule.to_string(), settings.map(|settings| settings.copy()).transpose()?.map(Bound::unbind));
        let learning = settings.map_or_else(|| Ok(PyDict::new(py)), |settings| settings.copy())?;
        let taken = |key: &str| -> Result<Option<Bound<'_, PyAny>>> {
            let value = learning.get_item(key)?;
            if value.is_some() {
                learning.del_item(key)?;
            }
            Ok(value.filter(|value| !value.is_none()))
        };
        let seed = taken("seed")?.map_or(Ok(0), |seed| seed.extract::<u64>())?;
        let disturbance =
            taken("disturbance")?.map(|values| values.extract::<Bound<'_, PyDict>>().map_err(PyErr::from)).transpose()?;
        let mut sets = overrides("learning", &KNOWN, Some(&learning))?;
        sets.insert(0, format!("learning.rule={rule:?}"));
        if let Some(values) = &disturbance {
            sets.extend(flattened("disturbance.", values)?);
        }
        let mut params = params(&sets)?;
        let mut inference = Inference { seed, ..params.learning.inference().or_raise()? };
        if let Some(values) = &mut params.disturbance {
            let (disturbance, of_kernels) = values.check().or_raise()?;
            if of_kernels.is_some() {
                let text = "disturbance.weight_bits: kernels have levels in a training; choose them in a recipe, for Trainer";
                return Err(PyValueError::new_err(text));
            }
            inference.disturbance = disturbance;
        }
        if matches!(inference.start, Start::Previous | Start::Continued) {
            let text = format!(
                "start = {}: no states are kept from one call to the next; choose forward or zero, or train by a recipe",
                inference.start.name()
            );
            return Err(PyValueError::new_err(text));
        }
        Ok(DualProp { inference, given, engines: Engines::default() })
    }

    /// Settle the dyads of a batch.
    ///
    /// Parameters
    /// ----------
    /// network : Network
    /// x : array of the network's dtype, shape (n, inputs) or (n, height, width, channels)
    /// y : array, shape (n,) of integers or (n, outputs) of the network's dtype
    ///     Labels, or rows of targets.
    /// batch : int
    ///     The batch's number, which with the seed draws what disturbs it, relative to the scales of this very batch.
    /// threads : int
    ///     How many compute; 0 for one per core. Never changes a result.
    ///
    /// Returns
    /// -------
    /// States
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     For arrays that are no such batch, or settings that do not fit the network.
    /// MemoryError
    ///     If the states would not fit into memory.
    #[pyo3(signature = (network, x, y, *, batch = 0, threads = 0))]
    fn infer(&self, network: &Network, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>, batch: u64, threads: usize) -> Result<States> {
        let (py, batch) = (x.py(), Batch { x, y, sample_weight: None, number: batch, threads });
        with_numbers!(&network.numbers, parameters => self.settle(network, parameters, &batch, Settled::of)?.states(py))
    }

    /// The local gradients of a batch, by the parameters' names: means over the samples.
    ///
    /// Parameters
    /// ----------
    /// network, x, y, batch, threads
    ///     As of ``infer``.
    /// sample_weight : array, shape (n,)
    ///     What each sample counts in the mean; left out: all count alike. Neither states nor nudges depend on it.
    ///
    /// Returns
    /// -------
    /// dict of str to array
    ///     d J / d W_{k-1} = -1/beta difference_k mean_{k-1}^T, as ``kernel.{k-1}``, and so on; without parameters that learn nothing.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError, MemoryError
    ///     As ``infer``.
    #[pyo3(signature = (network, x, y, *, sample_weight = None, batch = 0, threads = 0))]
    fn gradients<'py>(
        &self,
        network: &Network,
        x: &Bound<'py, PyAny>,
        y: &Bound<'py, PyAny>,
        sample_weight: Option<&Bound<'py, PyAny>>,
        batch: u64,
        threads: usize,
    ) -> Result<Bound<'py, PyDict>> {
        let (py, batch) = (x.py(), Batch { x, y, sample_weight, number: batch, threads });
        with_numbers!(&network.numbers, parameters => {
            let gradients = self.settle(network, parameters, &batch, |engine| engine.gradients().to_vec())?;
            by_name(py, parameters, gradients)
        })
    }

    /// How the gradients of a batch compare with backpropagation's, layer by layer.
    ///
    /// Parameters
    /// ----------
    /// network, x, y, threads
    ///     As of ``infer``.
    ///
    /// Returns
    /// -------
    /// list of dict
    ///     For each layer k = 1..L: ``layer``, ``angle_deg``, ``cosine``, ``norm_ratio``, ``relative_error`` and ``sign_agreement``,
    ///     kernel and bias taken as one vector; nan where there is nothing to compare.
    #[pyo3(signature = (network, x, y, *, threads = 0))]
    fn alignment<'py>(
        &self,
        network: &Network,
        x: &Bound<'py, PyAny>,
        y: &Bound<'py, PyAny>,
        threads: usize,
    ) -> Result<Bound<'py, PyList>> {
        let limit = DualProp { inference: limit(&self.inference), given: Default::default(), engines: Engines::default() };
        let batch = Batch { x, y, sample_weight: None, number: 0, threads };
        let layers = with_numbers!(&network.numbers, parameters => {
            let own = self.settle(network, parameters, &batch, |engine| engine.gradients().to_vec())?;
            let backprop = limit.settle(network, parameters, &batch, |engine| engine.gradients().to_vec())?;
            analysis::align(&network.topology, &own, &backprop)
        });
        let rows = (1..).zip(layers).map(|(layer, alignment)| row(x.py(), layer, alignment));
        PyList::new(x.py(), rows.collect::<Result<Vec<_>>>()?)
    }

    /// The lifted objectives of a batch at this loss, alpha and beta, in float64: LPOM, its adversary, DP's, their average, the
    /// Lagrangian of DP-transpose, and those of one level (``docs/objectives.md``).
    ///
    /// Parameters
    /// ----------
    /// network, x, y, threads
    ///     As of ``infer``; a network of float32 is evaluated in float64.
    /// sweeps : int
    ///     The most sweeps of the searches over all layers.
    /// tolerance : float
    ///     The movement of a layer, relative to the distance of its compartments, below which a search ends.
    ///
    /// Returns
    /// -------
    /// list of dict
    ///     A row for each number, as ``dualprop objective`` writes them: ``alpha``, ``beta``, ``objective``, ``term``, ``layer``,
    ///     ``value`` (inf if it is unbounded), ``settled``.
    #[pyo3(signature = (network, x, y, *, sweeps = 100_000, tolerance = 1e-10, threads = 0))]
    fn objectives<'py>(
        &self,
        network: &Network,
        x: &Bound<'py, PyAny>,
        y: &Bound<'py, PyAny>,
        sweeps: usize,
        tolerance: f64,
        threads: usize,
    ) -> Result<Bound<'py, PyList>> {
        let (py, pool, options) = (x.py(), pool(threads)?, LiftedOptions { sweeps, tolerance });
        let rows = with_numbers!(&network.numbers, parameters => {
            let (x, y) = doubled(network, parameters, x, y)?;
            let parameters: Parameters<f64> = parameters.cast();
            py.detach(|| analysis::objectives(&network.topology, &parameters, (&x, &y), &self.inference, options, &pool))
        });
        let rows = rows.or_raise()?.rows().into_iter().map(|row| {
            let dict = PyDict::new(py);
            let settled = row.settled.map(|settled| serde_json::json!(settled).as_str().unwrap_or_default().to_string());
            dict.set_item("alpha", row.alpha)?;
            dict.set_item("beta", row.beta)?;
            dict.set_item("objective", row.objective)?;
            dict.set_item("term", row.term)?;
            dict.set_item("layer", row.layer)?;
            dict.set_item("value", row.value)?;
            dict.set_item("settled", settled)?;
            Ok(dict)
        });
        PyList::new(py, rows.collect::<Result<Vec<_>>>()?)
    }

    /// What a training step of this network computes, with what is redundant left out.
    ///
    /// Parameters
    /// ----------
    /// network : Network
    ///
    /// Returns
    /// -------
    /// Plan
    ///
    /// Examples
    /// --------
    /// >>> import dualprop
    /// >>> network = dualprop.Network(784, [512, 512, 10])
    /// >>> plan = dualprop.DualProp(alpha=0.0, schedule="forward", passes=16).plan(network)
    /// >>> plan.multiply_adds() < 3 * 784 * 512 * 2
    /// True
    fn plan(&self, network: &Network) -> Result<Plan> {
        let plan = Compiled::compile(&network.topology, &self.inference, PlanOptions::default()).or_raise()?;
        Ok(Plan { plan })
    }

    /// The loss's name.
    #[getter]
    pub(crate) fn loss(&self) -> &'static str {
        self.inference.loss.name()
    }

    /// The strength of the nudge.
    #[getter]
    fn beta(&self) -> f64 {
        self.inference.beta
    }

    /// The rule's name, as it was given.
    #[getter]
    fn rule(&self) -> &str {
        &self.given.0
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        let mut text = format!("DualProp({:?}", self.given.0);
        for (key, value) in self.given.1.iter().flat_map(|keywords| keywords.bind(py).iter()) {
            text += &format!(", {key}={}", value.repr()?);
        }
        Ok(text + ")")
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> Result<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let restore = py.get_type::<DualProp>().getattr("_restore")?;
        let keywords = self.given.1.as_ref().map(|keywords| keywords.bind(py).clone());
        Ok((restore, (self.given.0.clone(), keywords).into_pyobject(py)?))
    }

    /// What pickle has kept.
    #[staticmethod]
    fn _restore(py: Python<'_>, rule: &str, settings: Option<Bound<'_, PyDict>>) -> Result<Self> {
        DualProp::new(py, rule, settings.as_ref())
    }
}

/// A batch as it is handed in.
struct Batch<'a, 'py> {
    x: &'a Bound<'py, PyAny>,
    y: &'a Bound<'py, PyAny>,
    sample_weight: Option<&'a Bound<'py, PyAny>>,
    /// Keys what disturbs it.
    number: u64,
    threads: usize,
}

impl DualProp {
    /// Settles a batch while Python does something else, and takes from the engine what `take` wants. Nothing is left of what the
    /// engine has settled before.
    fn settle<T: Computed, R: Send>(
        &self,
        network: &Network,
        parameters: &Parameters<T>,
        batch: &Batch,
        take: impl FnOnce(&Engine<T>) -> R + Send,
    ) -> Result<R> {
        let (topology, pool): (&Topology, Pool) = (&network.topology, pool(batch.threads)?);
        let (inputs, samples) = array::inputs::<T>(topology, batch.x)?;
        let targets = array::targets::<T>(batch.y, samples, topology.outputs())?.rows()?.all(samples, topology.outputs());
        let (weights, number) = (array::weights(batch.sample_weight, samples)?, batch.number);
        let inputs = array::elements(&inputs)?;
        let settle = || {
            self.engines.with(topology, &self.inference, samples, &pool, |engine| {
                engine.set_batch(number);
                engine.set_scales(Scales::new(engine.scales().len()));
                match &weights {
                    None => engine.infer(parameters, inputs, &targets)?,
                    Some(weights) => engine.infer_weighted(parameters, inputs, &targets, weights)?,
                }
                Ok(take(engine))
            })
        };
        batch.x.py().detach(settle).or_raise()
    }
}

/// Backpropagation of the same loss; its β is only a scale, and 1 is what no extreme β can spoil.
fn limit(inference: &Inference) -> Inference {
    Inference::new(dualprop::inference::Rule::backprop(), 1.0, inference.loss)
}

/// Backpropagation's gradients of a batch, by the same program as those of dual propagation.
///
/// Parameters
/// ----------
/// network, x, y, sample_weight, threads
///     As of ``DualProp.gradients``.
/// loss : str
///     "cross_entropy", "squared_error" or "half_squared_error".
///
/// Returns
/// -------
/// dict of str to array
#[pyfunction]
#[pyo3(signature = (network, x, y, *, loss = "cross_entropy", sample_weight = None, threads = 0))]
pub(crate) fn backprop<'py>(
    network: &Network,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    loss: &str,
    sample_weight: Option<&Bound<'py, PyAny>>,
    threads: usize,
) -> Result<Bound<'py, PyDict>> {
    let settings = PyDict::new(x.py());
    settings.set_item("loss", loss)?;
    settings.set_item("beta", 1.0)?;
    DualProp::new(x.py(), "backprop", Some(&settings))?.gradients(network, x, y, sample_weight, 0, threads)
}

/// Gradients by the names of their parameters.
fn by_name<'py, T: Computed>(
    py: Python<'py>,
    parameters: &Parameters<T>,
    gradients: Vec<Tensor<T>>,
) -> Result<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, gradient) in parameters.names().iter().zip(gradients).filter(|(_, gradient)| !gradient.data().is_empty()) {
        dict.set_item(name, array::of_tensor(py, &gradient)?)?;
    }
    Ok(dict)
}

/// The alignment of a layer as a row.
fn row<'py>(py: Python<'py>, layer: usize, alignment: Alignment) -> Result<Bound<'py, PyDict>> {
    let Alignment { cosine, norm_ratio, relative_error, sign_agreement } = alignment;
    let dict = PyDict::new(py);
    dict.set_item("layer", layer)?;
    let angle = if cosine.is_nan() { f64::NAN } else { analysis::degrees(cosine) };
    dict.set_item("angle_deg", angle)?;
    dict.set_item("cosine", cosine)?;
    dict.set_item("norm_ratio", norm_ratio)?;
    dict.set_item("relative_error", relative_error)?;
    dict.set_item("sign_agreement", sign_agreement)?;
    Ok(dict)
}

/// A batch of the type of the parameters' numbers, in double precision.
fn doubled<T: Computed>(
    network: &Network,
    _: &Parameters<T>,
    x: &Bound<'_, PyAny>,
    y: &Bound<'_, PyAny>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (inputs, samples) = array::inputs::<T>(&network.topology, x)?;
    let outputs = network.topology.outputs();
    let targets = array::targets::<T>(y, samples, outputs)?.rows()?.all(samples, outputs);
    let wide = |values: &[T]| values.iter().map(|x| x.to_f64()).collect();
    Ok((wide(array::elements(&inputs)?), wide(&targets)))
}
