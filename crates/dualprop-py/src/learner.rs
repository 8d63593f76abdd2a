//! Epochs over arrays: the loop beneath the estimators for scikit-learn.

use std::collections::HashMap;

use dualprop::compute::{Pool, Tensor, all_finite};
use dualprop::data::{Shuffle, epoch_order};
use dualprop::inference::{Engine, Inference};
use dualprop::learning::Optimizer as Updates;
use dualprop::network::{Parameters, Topology};
use numpy::PyUntypedArrayMethods;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::array::{self, Number, Rows};
use crate::attention::Attention;
use crate::engine::bound;
use crate::error::{DivergedError, OrRaise, Result};
use crate::inference::DualProp;
use crate::network::Network;
use crate::numbers::{Dtype, Numbers};
use crate::optimizer::kind_of;
use crate::pool::pool;

/// A network that learns from arrays, epoch by epoch.
#[pyclass(module = "dualprop._core")]
pub(crate) struct Learner {
    network: Py<Network>,
    topology: Topology,
    learning_rate: f64,
    batch_size: usize,
    work: Work,
}

/// Engine and optimiser of either type.
enum Work {
    F32(Engine<f32>, Updates<f32>),
    F64(Engine<f64>, Updates<f64>),
}

#[pymethods]
impl Learner {
    #[new]
    #[pyo3(signature = (network, dual_prop, batch_size, *, optimizer, learning_rate, constants = None, threads = 0))]
    #[allow(clippy::too_many_arguments)] // Python calls it by their names.
    fn new(
        py: Python<'_>,
        network: Py<Network>,
        dual_prop: &DualProp,
        batch_size: usize,
        optimizer: &str,
        learning_rate: f64,
        constants: Option<&Bound<'_, PyDict>>,
        threads: usize,
    ) -> Result<Self> {
        if batch_size == 0 {
            return Err(PyValueError::new_err("batch_size is 0, expected at least 1"));
        }
        let (kind, pool) = (kind_of(optimizer, learning_rate, constants)?, pool(threads)?);
        let (topology, dtype) = {
            let network = network.try_borrow(py).map_err(|_| PyValueError::new_err("the network is in use"))?;
            (network.topology.clone(), network.numbers.dtype())
        };
        let inference: &Inference = &dual_prop.inference;
        let work = match dtype {
            Dtype::F32 => Work::F32(bound(&topology, inference, batch_size, &pool).or_raise()?, Updates::new(kind, &topology)),
            Dtype::F64 => Work::F64(bound(&topology, inference, batch_size, &pool).or_raise()?, Updates::new(kind, &topology)),
        };
        Ok(Learner { network, topology, learning_rate, batch_size, work })
    }

    /// One pass over the samples, in an order drawn by seed and epoch; the mean loss before each update, weighted as the samples are.
    /// Ctrl-C and errors leave the network as the last complete batch made it.
    #[pyo3(signature = (x, y, *, sample_weight = None, shuffle = true, seed = 0, epoch = 1, threads = 0))]
    #[allow(clippy::too_many_arguments)] // Python calls it by their names.
    fn epoch(
        &mut self,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        sample_weight: Option<&Bound<'_, PyAny>>,
        shuffle: bool,
        seed: u64,
        epoch: u32,
        threads: usize,
    ) -> Result<f64> {
        let Learner { network, topology, learning_rate, batch_size, work } = self;
        let mut network = network.try_borrow_mut(x.py()).map_err(|_| PyValueError::new_err("the network is in use"))?;
        if network.topology != *topology {
            return Err(PyValueError::new_err("the network is another one by now"));
        }
        let order = Order { shuffle, seed, epoch, batch_size: *batch_size, learning_rate: *learning_rate };
        let pool = pool(threads)?;
        match (&mut network.numbers, work) {
            (Numbers::F32(parameters), Work::F32(engine, updates)) => {
                order.run(x, y, sample_weight, (engine, updates, parameters), &pool)
            }
            (Numbers::F64(parameters), Work::F64(engine, updates)) => {
                order.run(x, y, sample_weight, (engine, updates, parameters), &pool)
            }
            _ => Err(PyValueError::new_err("the network has numbers of another type by now")),
        }
    }

    /// What the optimiser remembers: its steps, and an array for each moment and parameter.
    fn state<'py>(&self, py: Python<'py>) -> Result<(u64, Bound<'py, PyDict>)> {
        let moments = PyDict::new(py);
        match &self.work {
            Work::F32(_, updates) => keep(updates, &moments)?,
            Work::F64(_, updates) => keep(updates, &moments)?,
        }
        let steps = match &self.work {
            Work::F32(_, updates) => updates.steps(),
            Work::F64(_, updates) => updates.steps(),
        };
        Ok((steps, moments))
    }

    /// Takes back what `state` gave, where it is of the same kind of optimiser: another one starts anew.
    fn restore(&mut self, state: (u64, Bound<'_, PyDict>)) -> Result<()> {
        let (steps, moments) = state;
        match &mut self.work {
            Work::F32(_, updates) => take_back(updates, &self.topology, steps, &moments),
            Work::F64(_, updates) => take_back(updates, &self.topology, steps, &moments),
        }
    }
}

/// Puts every moment into a dict, by its name and the parameter's.
fn keep<T: Number>(updates: &Updates<T>, moments: &Bound<'_, PyDict>) -> Result<()> {
    for (moment, parameters) in updates.moments() {
        for (name, tensor) in parameters.iter() {
            moments.set_item((moment, name), array::of_tensor(moments.py(), tensor)?)?;
        }
    }
    Ok(())
}

fn take_back<T: Number>(updates: &mut Updates<T>, topology: &Topology, steps: u64, moments: &Bound<'_, PyDict>) -> Result<()> {
    let kinds: Vec<&str> = updates.moments().iter().map(|(moment, _)| *moment).collect();
    let mut kept: HashMap<(String, String), Tensor<T>> = HashMap::new();
    for (key, values) in moments {
        let values = array::read::<T>("a moment", &values)?;
        let tensor = Tensor::new(values.shape(), array::elements(&values)?.to_vec()).or_raise()?;
        kept.insert(key.extract()?, tensor);
    }
    if !kinds.iter().all(|kind| kept.keys().any(|(moment, _)| moment == kind)) {
        return Ok(());
    }
    let take = |moment: &str, name: &str| Ok(kept.remove(&(moment.to_string(), name.to_string())).unwrap_or_default());
    updates.restore(topology, steps, take).or_raise()
}

/// How an epoch goes through the samples.
struct Order {
    shuffle: bool,
    seed: u64,
    epoch: u32,
    batch_size: usize,
    learning_rate: f64,
}

impl Order {
    fn run<T: Number>(
        &self,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        sample_weight: Option<&Bound<'_, PyAny>>,
        of: (&mut Engine<T>, &mut Updates<T>, &mut Parameters<T>),
        pool: &Pool,
    ) -> Result<f64> {
        let topology = of.0.topology();
        let (inputs, samples) = array::inputs::<T>(topology, x)?;
        let targets = array::targets::<T>(y, samples, topology.outputs())?;
        let weights = array::weights(sample_weight, samples)?;
        let (inputs, targets) = (array::elements(&inputs)?, targets.rows()?);
        x.py().detach(|| self.carry_out(inputs, targets, weights.as_deref(), of, pool))
    }

    fn carry_out<T: Number>(
        &self,
        x: &[T],
        y: Rows<T>,
        weights: Option<&[f64]>,
        (engine, updates, parameters): (&mut Engine<T>, &mut Updates<T>, &mut Parameters<T>),
        pool: &Pool,
    ) -> Result<f64> {
        let (inputs, outputs) = (engine.topology().input().neurons(), engine.topology().outputs());
        let indices: Vec<usize> = (0..x.len() / inputs).collect();
        let order = match self.shuffle {
            // In batches of one none is incomplete, and none is dropped.
            true => epoch_order(Shuffle::Samples, &indices, 1, self.seed, self.epoch),
            false => indices,
        };
        let (mut batch, mut of_batch) = ((vec![], vec![]), vec![]);
        let (mut sum, mut counted, mut attention) = (0.0, 0.0, Attention::default());
        for chosen in order.chunks(self.batch_size) {
            batch.0.clear();
            batch.1.clear();
            of_batch.clear();
            for &i in chosen {
                batch.0.extend_from_slice(&x[i * inputs..(i + 1) * inputs]);
                y.append(i, outputs, &mut batch.1);
                of_batch.extend(weights.map(|weights| weights[i]));
            }
            let weight = if weights.is_some() { of_batch.iter().sum() } else { chosen.len() as f64 };
            // Samples that count nothing teach nothing.
            if weight > 0.0 {
                let (loss, broken) = match weights {
                    None => {
                        let mut update = updates.update(parameters, self.learning_rate, None);
                        engine.infer_and_update(&mut update, &batch.0, &batch.1).or_raise()?;
                        (engine.loss(), update.broken().is_some())
                    }
                    Some(_) => {
                        engine.infer_weighted(parameters, &batch.0, &batch.1, &of_batch).or_raise()?;
                        let broken = !engine.gradients().iter().all(|gradient| all_finite(pool, gradient.data()));
                        updates.step(parameters, engine.gradients(), self.learning_rate, None, pool);
                        (weighted_loss(engine, &batch.1, &of_batch) / weight, broken)
                    }
                };
                if broken || !loss.is_finite() {
                    let step = updates.steps();
                    let text = format!(
                        "the loss is {loss} at step {step}: the training diverged; try a lower learning_rate_init, a smaller beta, \
                         or scale the features"
                    );
                    return Err(DivergedError::new_err(text));
                }
                sum += loss * weight;
                counted += weight;
            }
            attention.pay()?;
        }
        Ok(sum / counted)
    }
}

/// Σ wᵢ ℓᵢ of the last batch.
fn weighted_loss<T: Number>(engine: &Engine<T>, y: &[T], weights: &[f64]) -> f64 {
    let outputs = engine.topology().outputs();
    let samples = engine.logits().chunks(outputs).zip(y.chunks(outputs)).zip(weights);
    samples.map(|((z, y), weight)| weight * engine.inference().loss.value(z, y)).sum()
}
