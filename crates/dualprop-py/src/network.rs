//! Networks, with their parameters as arrays.

use std::path::PathBuf;

use dualprop::base::{Named, memory};
use dualprop::compute::Activation;
use dualprop::inference::Predictor;
use dualprop::network::{
    Architecture, BiasInitializer, Initializer, Layer, Model, Parameters, PoolOrder, Shape, Topology, initialize,
};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyTuple};

use crate::array::{self, Number};
use crate::error::{OrRaise, Result};
use crate::export;
use crate::layers::{layers_of, shape};
use crate::numbers::{Dtype, Numbers, set, with_numbers};
use crate::pool::pool;

/// A network of dense layers and convolutions, with its parameters as named arrays.
///
/// A mapping of the parameters' names to their values: ``network["kernel.0"]`` is a copy of the kernel into layer 1, and
/// ``network["kernel.0"] = array`` replaces it. Layers are counted k = 1..L from the first above the input; the map into layer k is
/// ``kernel.{k-1}`` and ``bias.{k-1}``, a_k = W s_{k-1} + b. The output layer is linear.
///
/// Parameters
/// ----------
/// input : int or (int, int, int)
///     Numbers of an input, or height, width and channels of an image.
/// layers : list of int or str
///     ``128`` or ``"dense 128"``, ``"conv 64"`` (3 x 3, same size), ``"conv 64 pool"`` (halved by a 2 x 2 max pool),
///     ``"conv 64 5x5 pool"``; the last is the output, and dense.
/// activation : str
///     Of the hidden layers: "relu", "leaky_relu", "hard_sigmoid", "sigmoid", "tanh" or "identity".
/// pool_order : str
///     Whether max pools come "before_activation" or "after_activation".
/// initializer : str
///     How kernels start: "lecun_normal", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "scaled_normal".
/// bias_initializer : str
///     How biases start: "zero" or "normal".
/// feedback : bool
///     Whether what is fed back goes through kernels of its own, ``feedback.{k-1}``, k = 2..L.
/// dtype : float32 or float64
///     The type of all numbers, inputs included.
/// seed : int
///     Draws the parameters: the same seed, the same network, in both types but for rounding.
///
/// Raises
/// ------
/// ValueError
///     For layers that make no network, and for unknown names.
///
/// Examples
/// --------
/// >>> import numpy as np
/// >>> import dualprop
/// >>> network = dualprop.Network(4, [8, 3], dtype="float64")
/// >>> list(network)
/// ['kernel.0', 'bias.0', 'kernel.1', 'bias.1']
/// >>> network["kernel.0"].shape
/// (4, 8)
/// >>> network["bias.1"] = np.array([0.0, 1.0, 0.0])
/// >>> network.predict(np.zeros((2, 4)))
/// array([[0., 1., 0.],
///        [0., 1., 0.]])
#[pyclass(module = "dualprop")]
pub(crate) struct Network {
    pub(crate) topology: Topology,
    pub(crate) numbers: Numbers,
    /// Mean and scale of every pixel, x ↦ (x − mean)/scale.
    preprocessing: Option<(Vec<f32>, Vec<f32>)>,
}

/// Samples of one forward pass.
const BATCH: usize = 256;

#[pymethods]
impl Network {
    #[new]
    #[pyo3(signature = (input, layers, activation = "relu", *, pool_order = "before_activation", initializer = "lecun_normal",
        bias_initializer = "zero", feedback = false, dtype = None, seed = 0))]
    #[allow(clippy::too_many_arguments)] // Python calls it by their names.
    fn new(
        input: &Bound<'_, PyAny>,
        layers: &Bound<'_, PyAny>,
        activation: &str,
        pool_order: &str,
        initializer: &str,
        bias_initializer: &str,
        feedback: bool,
        dtype: Option<&Bound<'_, PyAny>>,
        seed: u64,
    ) -> Result<Self> {
        let (activation, pool_order) = (Activation::parse(activation).or_raise()?, PoolOrder::parse(pool_order).or_raise()?);
        let initializers = (Initializer::parse(initializer).or_raise()?, BiasInitializer::parse(bias_initializer).or_raise()?);
        let topology = Topology::new(shape(input)?, layers_of(layers)?, activation, pool_order).or_raise()?;
        Network::drawn(topology.with_feedback(feedback), initializers, dtype, seed)
    }

    /// A network by its name: "mlp", "minicnn", "cnn", "vgg_like", "vgg_like_2023", "vgg11" or "vgg16".
    ///
    /// Parameters
    /// ----------
    /// name : str
    ///     The name, as recipes have it in ``network.architecture``.
    /// input : int or (int, int, int)
    ///     As of the class.
    /// classes : int
    ///     Neurons of the output.
    /// dtype, seed
    ///     As of the class.
    ///
    /// Returns
    /// -------
    /// Network
    ///     With ReLU, and kernels drawn as "lecun_normal".
    ///
    /// Examples
    /// --------
    /// >>> import dualprop
    /// >>> dualprop.Network.named("mlp", 784, 10).layers
    /// ['dense 512', 'dense 512', 'dense 10']
    #[staticmethod]
    #[pyo3(signature = (name, input, classes, *, dtype = None, seed = 0))]
    fn named(name: &str, input: &Bound<'_, PyAny>, classes: usize, dtype: Option<&Bound<'_, PyAny>>, seed: u64) -> Result<Self> {
        let layers = Architecture::parse(name).or_raise()?.layers(classes);
        let topology = Topology::new(shape(input)?, layers, Activation::Relu, PoolOrder::default()).or_raise()?;
        Network::drawn(topology, (Initializer::LecunNormal, BiasInitializer::Zero), dtype, seed)
    }

    /// The network in a model file of ``dualprop train`` or ``Network.save``, in float32.
    ///
    /// Parameters
    /// ----------
    /// path : str or path
    ///     ``model.safetensors``.
    ///
    /// Returns
    /// -------
    /// Network
    ///
    /// Raises
    /// ------
    /// OSError
    ///     If the file cannot be read.
    /// ValueError
    ///     If it is no model, with the field that is wrong.
    #[staticmethod]
    fn load(path: PathBuf) -> Result<Self> {
        let Model { topology, parameters, preprocessing } = Model::load(&path).or_raise()?;
        Ok(Network { topology, numbers: Numbers::F32(parameters), preprocessing })
    }

    /// Write the network to a file, all of it or nothing: ``.safetensors`` (a model, as ``load`` reads it) or ``.onnx`` (see
    /// ``docs/export.md``).
    ///
    /// Parameters
    /// ----------
    /// path : str or path
    ///     The file, which is replaced if it is there; its ending says what is written.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     For another ending, and for a network of float64, which both files would round: ``astype("float32")`` says that it may.
    /// OSError
    ///     If the file cannot be written, or a number is not finite.
    fn save(&self, path: PathBuf) -> Result<()> {
        let model = self.model()?;
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => model.save(&path).or_raise(),
            Some("onnx") => export::onnx(&model, &path),
            _ => {
                let text = format!("{}: expected a file that ends in .safetensors or .onnx", path.display());
                Err(PyValueError::new_err(text))
            }
        }
    }

    /// The outputs z for inputs x, by a forward pass.
    ///
    /// Parameters
    /// ----------
    /// x : array of the network's dtype, shape (n, inputs) or (n, height, width, channels)
    ///     The inputs as the network sees them; ``inputs`` makes them of pixels.
    /// threads : int
    ///     How many compute; 0 for one per core. Never changes a result.
    ///
    /// Returns
    /// -------
    /// array of the same dtype, shape (n, outputs)
    ///     The logits, before any softmax.
    ///
    /// Raises
    /// ------
    /// TypeError, ValueError
    ///     For what are no such inputs, or none that are finite.
    #[pyo3(signature = (x, *, threads = 0))]
    fn predict<'py>(&self, x: &Bound<'py, PyAny>, threads: usize) -> Result<Bound<'py, PyAny>> {
        with_numbers!(&self.numbers, parameters => predict(&self.topology, parameters, x, threads))
    }

    /// Inputs of pixels: (pixels - mean) / scale where the model was trained so, else the pixels in the network's dtype.
    ///
    /// Parameters
    /// ----------
    /// pixels : array, shape (n, height, width, channels)
    ///     As ``dualprop.datasets.load`` has them.
    ///
    /// Returns
    /// -------
    /// array of the network's dtype and the same shape
    fn inputs<'py>(&self, py: Python<'py>, pixels: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
        let numbers = pixels.call_method1("astype", (self.dtype(),))?;
        let Some((mean, scale)) = self.preprocessing(py)? else { return Ok(numbers) };
        let centred = numbers.call_method1("__sub__", (mean,))?;
        centred.call_method1("__truediv__", (scale,))?.call_method1("astype", (self.dtype(),))
    }

    /// Mean and scale of every pixel, (height, width, channels) each, by which a model's inputs were normalised; None: they enter as
    /// they are.
    #[getter]
    fn preprocessing<'py>(&self, py: Python<'py>) -> Result<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let Some((mean, scale)) = &self.preprocessing else { return Ok(None) };
        let shape = self.topology.input().extents();
        let array = |values: &[f32]| array::array(py, values.to_vec(), &shape).map(Bound::into_any);
        Ok(Some((array(mean)?, array(scale)?)))
    }

    #[setter]
    fn set_preprocessing(&mut self, pair: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>) -> Result<()> {
        let Some((mean, scale)) = pair else {
            self.preprocessing = None;
            return Ok(());
        };
        let values = |what: &str, values: &Bound<'_, PyAny>| {
            let array = array::read::<f32>(what, values)?;
            array::finite(what, &array)?;
            let values = array::elements(&array)?.to_vec();
            match values.len() == self.topology.input().neurons() {
                true => Ok(values),
                false => Err(PyValueError::new_err(format!(
                    "{what} has {} numbers, the network {} inputs",
                    values.len(),
                    self.topology.input().neurons()
                ))),
            }
        };
        let (mean, scale) = (values("mean", &mean)?, values("scale", &scale)?);
        if let Some(i) = scale.iter().position(|scale| *scale <= 0.0) {
            return Err(PyValueError::new_err(format!("scale {i} is {}, expected numbers above 0", scale[i])));
        }
        self.preprocessing = Some((mean, scale));
        Ok(())
    }

    /// Spectral norms of the kernels.
    ///
    /// Returns
    /// -------
    /// dict
    ///     ``gammas``, the norm of the map into each layer k = 1..L; ``dampings``, L_k = max(0, (gamma_{k+1}^2 - 1)/2) of each hidden
    ///     layer; ``product``, the norm of W_L ... W_1, or None where a layer is a convolution. Dense maps to about 1e-13,
    ///     convolutions by 20 power iterations, a lower bound.
    fn spectral_norms<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let norms = py.detach(
            || with_numbers!(&self.numbers, parameters => dualprop::analysis::operator_norms(&self.topology, parameters)),
        );
        let dict = PyDict::new(py);
        dict.set_item("gammas", norms.gammas)?;
        dict.set_item("dampings", norms.dampings)?;
        dict.set_item("product", norms.product)?;
        Ok(dict)
    }

    /// A network with the same numbers, of its own.
    fn copy(&self) -> Self {
        let Network { topology, numbers, preprocessing } = self;
        Network { topology: topology.clone(), numbers: numbers.clone(), preprocessing: preprocessing.clone() }
    }

    /// A copy with numbers of this type.
    ///
    /// Parameters
    /// ----------
    /// dtype : float32 or float64
    fn astype(&self, dtype: &Bound<'_, PyAny>) -> Result<Self> {
        Ok(Network { numbers: self.numbers.cast(Dtype::of(dtype)?), ..self.copy() })
    }

    /// "float32" or "float64".
    #[getter]
    fn dtype(&self) -> &'static str {
        self.numbers.dtype().name()
    }

    /// Height, width and channels of an input; of a flat one (1, 1, n).
    #[getter]
    fn input(&self) -> (usize, usize, usize) {
        let [height, width, channels] = self.topology.input().extents();
        (height, width, channels)
    }

    /// The layers as recipes write them.
    #[getter]
    fn layers(&self) -> Vec<String> {
        self.topology.layers().iter().map(Layer::to_string).collect()
    }

    /// The activation of the hidden layers.
    #[getter]
    fn activation(&self) -> &'static str {
        self.topology.activation().name()
    }

    /// Where max pools stand.
    #[getter]
    fn pool_order(&self) -> &'static str {
        self.topology.pool_order().name()
    }

    /// Whether what is fed back goes through kernels of its own.
    #[getter]
    fn feedback(&self) -> bool {
        self.topology.has_feedback()
    }

    /// L, the number of layers.
    #[getter]
    fn depth(&self) -> usize {
        self.topology.depth()
    }

    /// How many numbers all parameters have.
    #[getter]
    fn parameter_count(&self) -> usize {
        self.topology.parameter_count()
    }

    /// The parameters' names, in order.
    fn keys(&self) -> Vec<String> {
        with_numbers!(&self.numbers, parameters => parameters.names().to_vec())
    }

    /// Copies of all parameters, in order.
    fn values<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>> {
        let arrays = self.keys().into_iter().map(|name| self.__getitem__(py, &name));
        PyList::new(py, arrays.collect::<Result<Vec<_>>>()?)
    }

    /// Names with copies of the parameters, in order.
    fn items<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>> {
        let pairs = self.keys().into_iter().map(|name| Ok((name.clone(), self.__getitem__(py, &name)?)));
        PyList::new(py, pairs.collect::<Result<Vec<_>>>()?)
    }

    fn __len__(&self) -> usize {
        with_numbers!(&self.numbers, parameters => parameters.names().len())
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<String>().is_ok_and(|name| self.keys().contains(&name))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyIterator>> {
        PyList::new(py, self.keys())?.try_iter()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> Result<Bound<'py, PyAny>> {
        with_numbers!(&self.numbers, parameters => match parameters.named(name) {
            Some(tensor) => Ok(array::of_tensor(py, tensor)?.into_any()),
            None => Err(self.no_such(name)),
        })
    }

    fn __setitem__(&mut self, name: &str, values: &Bound<'_, PyAny>) -> Result<()> {
        let no_such = self.no_such(name);
        with_numbers!(&mut self.numbers, parameters => set(parameters, name, values, no_such))
    }

    fn __repr__(&self) -> String {
        let [height, width, channels] = self.topology.input().extents();
        let input = if height * width == 1 { channels.to_string() } else { format!("({height}, {width}, {channels})") };
        format!("Network({input}, {:?}, {:?}, dtype={:?})", self.layers(), self.activation(), self.dtype())
    }

    fn __copy__(&self) -> Self {
        self.copy()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.copy()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> Result<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let values = PyDict::new(py);
        self.keys().into_iter().try_for_each(|name| values.set_item(&name, self.__getitem__(py, &name)?))?;
        let of = (self.input(), self.layers(), self.activation(), self.pool_order(), self.feedback(), self.dtype());
        let restore = py.get_type::<Network>().getattr("_restore")?;
        Ok((restore, (of, values, self.preprocessing(py)?).into_pyobject(py)?))
    }

    /// What pickle has kept.
    #[staticmethod]
    #[allow(clippy::type_complexity)] // It is what `__reduce__` gives.
    fn _restore(
        of: ((usize, usize, usize), Vec<String>, String, String, bool, String),
        values: &Bound<'_, PyDict>,
        preprocessing: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
    ) -> Result<Self> {
        let (input, layers, activation, pool_order, feedback, dtype) = of;
        let layers = layers.iter().map(|text| Layer::parse("layer", text).or_raise()).collect::<Result<_>>()?;
        let names = (Activation::parse(&activation).or_raise()?, PoolOrder::parse(&pool_order).or_raise()?);
        let topology = Topology::new(Shape::image(input.0, input.1, input.2), layers, names.0, names.1).or_raise()?;
        let topology = topology.with_feedback(feedback);
        let numbers = Numbers::zeros(&topology, Dtype::parse(&dtype).or_raise()?);
        let mut network = Network { topology, numbers, preprocessing: None };
        for (name, array) in values {
            network.__setitem__(&name.extract::<String>()?, &array)?;
        }
        network.set_preprocessing(preprocessing)?;
        Ok(network)
    }
}

impl Network {
    fn drawn(
        topology: Topology,
        (kernels, biases): (Initializer, BiasInitializer),
        dtype: Option<&Bound<'_, PyAny>>,
        seed: u64,
    ) -> Result<Self> {
        let dtype = dtype.map_or(Ok(Dtype::F32), Dtype::of)?;
        let element = if dtype == Dtype::F32 { size_of::<f32>() } else { size_of::<f64>() };
        let needed = (topology.parameter_count() as u64).saturating_mul(element as u64);
        memory::require("the network", needed, "choose smaller layers").or_raise()?;
        let numbers = match dtype {
            Dtype::F32 => Numbers::F32(initialize(&topology, kernels, biases, seed)),
            Dtype::F64 => Numbers::F64(initialize(&topology, kernels, biases, seed)),
        };
        Ok(Network { topology, numbers, preprocessing: None })
    }

    /// The network as a model, whose numbers are float32.
    fn model(&self) -> Result<Model> {
        let Numbers::F32(parameters) = &self.numbers else {
            let text = "the network has dtype float64, and the file has float32; save network.astype(\"float32\"), or keep the arrays \
                        with np.savez";
            return Err(PyValueError::new_err(text));
        };
        let (topology, preprocessing) = (self.topology.clone(), self.preprocessing.clone());
        Ok(Model { topology, parameters: parameters.clone(), preprocessing })
    }

    fn no_such(&self, name: &str) -> PyErr {
        PyKeyError::new_err(format!("no parameter {name:?}; there are {}", self.keys().join(", ")))
    }
}

fn predict<'py, T: Number>(
    topology: &Topology,
    parameters: &Parameters<T>,
    x: &Bound<'py, PyAny>,
    threads: usize,
) -> Result<Bound<'py, PyAny>> {
    let (py, (x, samples), pool) = (x.py(), array::inputs::<T>(topology, x)?, pool(threads)?);
    let x = array::elements(&x)?;
    let (inputs, outputs) = (topology.input().neurons(), topology.outputs());
    let logits = py.detach(|| {
        // Of every layer its state and its pre-activation.
        let neurons: u64 = (0..=topology.depth()).map(|k| 2 * topology.state(k).neurons() as u64).sum();
        let needed = neurons.saturating_mul((samples.min(BATCH) * size_of::<T>()) as u64);
        memory::require("the prediction", needed, "predict fewer samples at a time")?;
        let mut predictor = Predictor::new(topology, samples.min(BATCH), &pool);
        let mut logits = Vec::with_capacity(samples * outputs);
        for x in x.chunks(BATCH * inputs) {
            logits.extend_from_slice(predictor.predict(parameters, x)?);
        }
        Ok(logits)
    });
    Ok(array::array(py, logits.or_raise()?, &[samples, outputs])?.into_any())
}
