//! The settled states of a batch.

use dualprop::inference::Engine;
use numpy::PyArrayDyn;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{self, Number};
use crate::error::Result;

/// The states of a batch that has settled, layer by layer; made by ``DualProp.infer``.
///
/// Each of the four is a dict of arrays by the layer k = 1..L, of shape (n, neurons) or (n, height, width, channels).
///
/// Attributes
/// ----------
/// mean : dict of int to array
///     The mean of layer k, alpha s_plus + (1 - alpha) s_minus; ``mean[0]`` is the input.
/// difference : dict of int to array
///     s_plus - s_minus of layer k.
/// s_plus, s_minus : dict of int to array
///     The compartments of layer k.
/// logits : array, shape (n, outputs)
///     The first prediction; of a forward start that of the forward pass.
/// loss : float
///     Mean loss of ``logits``.
#[pyclass(module = "dualprop", frozen, get_all)]
pub(crate) struct States {
    /// By layer, the input included.
    mean: Py<PyDict>,
    /// By layer.
    difference: Py<PyDict>,
    /// By layer.
    s_plus: Py<PyDict>,
    /// By layer.
    s_minus: Py<PyDict>,
    /// (n, outputs)
    logits: Py<PyAny>,
    /// A mean.
    loss: f64,
}

#[pymethods]
impl States {
    /// L, the number of layers.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.difference.bind(py).len()
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        let samples: usize = self.logits.bind(py).len()?;
        Ok(format!("States({samples} samples, {} layers, loss {:.6})", self.__len__(py), self.loss))
    }
}

/// What an engine has settled, as vectors: what can be copied while Python does something else.
pub(crate) struct Settled<T> {
    shapes: Vec<Vec<usize>>,
    mean: Vec<Vec<T>>,
    difference: Vec<Vec<T>>,
    compartments: Vec<(Vec<T>, Vec<T>)>,
    logits: (Vec<T>, [usize; 2]),
    loss: f64,
}

impl<T: Number> Settled<T> {
    /// Of the last batch.
    pub(crate) fn of(engine: &Engine<T>) -> Self {
        let (samples, topology) = (engine.samples(), engine.topology());
        let layers = || 1..=topology.depth();
        Settled {
            shapes: (0..=topology.depth()).map(|k| topology.state(k).batched(samples)).collect(),
            mean: (0..=topology.depth()).map(|k| engine.mean(k).to_vec()).collect(),
            difference: layers().map(|k| engine.difference(k).to_vec()).collect(),
            compartments: layers().map(|k| engine.compartments(k)).collect(),
            logits: (engine.logits().to_vec(), [samples, topology.outputs()]),
            loss: engine.loss(),
        }
    }

    /// As Python sees them.
    pub(crate) fn states(self, py: Python<'_>) -> Result<States> {
        let Settled { shapes, mean, difference, compartments, logits: (logits, shape), loss } = self;
        let (s_plus, s_minus): (Vec<_>, Vec<_>) = compartments.into_iter().unzip();
        let by_layer = |first: usize, layers: Vec<Vec<T>>| {
            let dict = PyDict::new(py);
            for ((k, shape), layer) in shapes.iter().enumerate().skip(first).zip(layers) {
                let values: Bound<'_, PyArrayDyn<T>> = array::array(py, layer, shape)?;
                dict.set_item(k, values)?;
            }
            Ok::<_, PyErr>(dict.unbind())
        };
        Ok(States {
            mean: by_layer(0, mean)?,
            difference: by_layer(1, difference)?,
            s_plus: by_layer(1, s_plus)?,
            s_minus: by_layer(1, s_minus)?,
            logits: array::array(py, logits, &shape)?.into_any().unbind(),
            loss,
        })
    }
}
