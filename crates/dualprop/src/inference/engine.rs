//! The engine: a plan bound to memory and threads, which settles one batch after another.

use crate::base::{Error, Real, Result};
use crate::compute::disturbance::Scales;
use crate::compute::update::Update;
use crate::compute::{Cpu, Op, Pool, Program, Tensor};
use crate::network::{Parameters, Topology};

use super::disturbance::Device;
use super::plan::Layout;
use super::{Damping, Inference, Plan};

/// Settles batches of dyads under one plan and yields their states and local gradients.
///
/// ```
/// use dualprop::compute::{Activation, Loss, Pool};
/// use dualprop::inference::{Engine, Inference, Plan, PlanOptions, Rule};
/// use dualprop::network::{BiasInitializer, Initializer, Shape, Topology, initialize};
///
/// let topology = Topology::mlp(Shape::flat(3), &[4, 2], Activation::Relu)?;
/// let parameters = initialize::<f64>(&topology, Initializer::HeNormal, BiasInitializer::Zero, 0);
/// let inference = Inference::new(Rule::dp_transpose(0.0), 0.1, Loss::CrossEntropy);
/// let plan = Plan::compile(&topology, &inference, PlanOptions::default())?;
///
/// let mut engine = Engine::new(plan, 1, &Pool::new(1)?)?;
/// engine.infer(&parameters, &[0.5, -1.0, 2.0], &[1.0, 0.0])?;
/// let (s_plus, s_minus) = engine.compartments(1);
/// assert_eq!(s_plus.len(), 4);
/// assert_eq!(engine.gradients()[0].shape(), [3, 4]);
/// # Ok::<(), dualprop::Error>(())
/// ```
pub struct Engine<T> {
    plan: Plan,
    device: Cpu<T>,
    /// The number of the coming batch, which keys what is drawn for it.
    batch: u64,
    /// α of every neuron, layer 1 first.
    alphas: Vec<Vec<f64>>,
}

impl<T: Real> Engine<T> {
    /// Reserves memory for batches of up to `capacity` samples.
    ///
    /// # Errors
    /// [`Error::Setting`] if β or a damping coefficient is too large or too small for the type T.
    pub fn new(plan: Plan, capacity: usize, pool: &Pool) -> Result<Self> {
        check_range::<T>(plan.inference(), plan.topology().depth())?;
        let device = Cpu::new(plan.program().clone(), capacity, pool.clone());
        let devices = Device::new(plan.topology(), plan.inference());
        let alphas = (1..=plan.topology().depth()).map(|k| devices.alpha(k)).collect();
        Ok(Engine { plan, device, batch: 0, alphas })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The network.
    pub fn topology(&self) -> &Topology {
        self.plan.topology()
    }

    /// The inference.
    pub fn inference(&self) -> &Inference {
        self.plan.inference()
    }

    /// Settles one batch: x [n, H, W, C] and dense targets y [n, outputs], row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Setting`] for inputs or parameters that do not fit.
    pub fn infer(&mut self, parameters: &Parameters<T>, x: &[T], y: &[T]) -> Result<()> {
        self.bind(x, y)?;
        self.execute(parameters.tensors())?;
        self.device.end_batch();
        Ok(())
    }

    /// As [`Engine::infer`], with what each sample counts: the gradients are Σ wᵢ gᵢ / Σ wᵢ, while β and the states are those of samples
    /// that count alike.
    ///
    /// # Errors
    /// As [`Engine::infer`]; [`Error::Shape`] for another number of weights than samples; [`Error::Setting`] for a weight that is
    /// negative or not finite, and where all are 0.
    pub fn infer_weighted(&mut self, parameters: &Parameters<T>, x: &[T], y: &[T], weights: &[f64]) -> Result<()> {
        let samples = samples_of(self.topology(), x)?;
        self.device.set_sample_weights(mean_one(weights, samples)?);
        let done = self.infer(parameters, x, y);
        self.device.set_sample_weights(vec![]);
        done
    }

    /// The whole plan.
    fn execute(&mut self, parameters: &[Tensor<T>]) -> Result<()> {
        if !self.plan.is_asynchronous() {
            return self.device.execute(0..self.plan.steps().len(), parameters);
        }
        self.pass_by_pass(parameters, |_, _| Ok(false))?;
        self.device.execute(self.plan.pass(self.plan.passes() + 1), parameters)
    }

    /// Sets the number of the coming batch, which with the seed and the place keys whatever disturbs it; 0 at first.
    pub fn set_batch(&mut self, batch: u64) {
        self.batch = batch;
    }

    /// What disturbances are relative to: the running scales of all batches so far.
    pub fn scales(&self) -> &Scales {
        self.device.scales()
    }

    /// Replaces what disturbances are relative to.
    pub fn set_scales(&mut self, scales: Scales) {
        self.device.set_scales(scales);
    }

    /// As [`Engine::infer`] with the parameters of the update, which changes each of them as soon as its gradient is known: to the
    /// same bits as afterwards, but without memory for what is used at once. [`Engine::gradients`] has no meaning then.
    ///
    /// # Errors
    /// As [`Engine::infer`].
    pub fn infer_and_update(&mut self, update: &mut Update<T>, x: &[T], y: &[T]) -> Result<()> {
        self.bind(x, y)?;
        match self.plan.is_asynchronous() {
            true => {
                self.execute(update.parameters())?;
                self.device.update(update);
            }
            false => self.device.execute_and_update(update)?,
        }
        self.device.end_batch();
        Ok(())
    }

    /// As [`Engine::infer`], and calls `after(engine, pass)` with the states of each pass 1..K.
    ///
    /// # Errors
    /// [`Error::Setting`] if the plan is not compiled for `every_pass`; as [`Engine::infer`]; and whatever `after` reports.
    pub fn infer_by_pass(
        &mut self,
        parameters: &Parameters<T>,
        x: &[T],
        y: &[T],
        mut after: impl FnMut(&Self, usize) -> Result<()>,
    ) -> Result<()> {
        self.infer_until(parameters, x, y, |engine, pass| after(engine, pass).map(|()| false))?;
        self.device.execute(self.plan.pass(self.plan.passes() + 1), parameters.tensors())
    }

    /// As [`Engine::infer_by_pass`], but ends after the pass for which `after` returns true, and computes no gradients.
    ///
    /// # Errors
    /// As [`Engine::infer_by_pass`].
    pub fn infer_until(
        &mut self,
        parameters: &Parameters<T>,
        x: &[T],
        y: &[T],
        after: impl FnMut(&Self, usize) -> Result<bool>,
    ) -> Result<()> {
        if !self.plan.every_pass() {
            let problem = "the plan leaves out what only its last pass needs; compile it with every_pass";
            return Err(Error::setting("every_pass", false, problem));
        }
        self.bind(x, y)?;
        self.pass_by_pass(parameters.tensors(), after)?;
        self.device.end_batch();
        Ok(())
    }

    /// The start and the passes of this batch, until `after` returns true.
    fn pass_by_pass(&mut self, parameters: &[Tensor<T>], mut after: impl FnMut(&Self, usize) -> Result<bool>) -> Result<()> {
        self.device.execute(self.plan.pass(0), parameters)?;
        let drawn = self.inference().passes_of_batch(self.topology().depth(), self.batch);
        for (pass, groups) in (1..).zip(&drawn) {
            for range in self.plan.updates(pass, groups) {
                self.device.execute(range, parameters)?;
            }
            if after(self, pass)? {
                break;
            }
        }
        Ok(())
    }

    fn bind(&mut self, x: &[T], y: &[T]) -> Result<()> {
        let samples = samples_of(self.topology(), x)?;
        let outputs = self.topology().outputs();
        if y.len() != samples * outputs {
            return Err(Error::shape("the targets", &[y.len()], &[samples, outputs]));
        }
        self.device.set_samples(samples)?;
        self.device.begin_batch(self.batch, 0);
        self.device.buffer_mut(self.plan.layout().input()).copy_from_slice(x);
        self.device.buffer_mut(self.plan.layout().target()).copy_from_slice(y);
        Ok(())
    }

    /// Samples of the last batch.
    pub fn samples(&self) -> usize {
        self.device.samples()
    }

    /// s̄_k = α s⁺ + (1−α) s⁻ of the last batch, [n, neurons]; k = 0 is the input.
    pub fn mean(&self, k: usize) -> &[T] {
        self.device.buffer(self.plan.layout().mean(k))
    }

    /// Δ_k = s⁺ − s⁻ of the last batch, [n, neurons], k = 1..L.
    pub fn difference(&self, k: usize) -> &[T] {
        self.device.buffer(self.plan.layout().difference(k))
    }

    /// (s⁺_k, s⁻_k) of the last batch, k = 1..L: s⁺ = s̄ + (1−α)Δ, s⁻ = s̄ − αΔ.
    pub fn compartments(&self, k: usize) -> (Vec<T>, Vec<T>) {
        let weight = |alpha: &f64| (T::from_f64(*alpha), T::from_f64(1.0 - *alpha));
        let weights: Vec<(T, T)> = self.alphas[k - 1].iter().map(weight).collect();
        let neurons = || self.mean(k).iter().zip(self.difference(k)).zip(weights.iter().cycle());
        let s_plus = neurons().map(|((&s, &d), &(_, rest))| s + rest * d).collect();
        (s_plus, neurons().map(|((&s, &d), &(alpha, _))| s - alpha * d).collect())
    }

    /// Replaces s̄_k and Δ_k, k = 1..L; what an inference that starts from the previous states continues from.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are not [n, neurons] for the batch size of `samples`.
    pub fn set_state(&mut self, samples: usize, k: usize, mean: &[T], difference: &[T]) -> Result<()> {
        let neurons = self.topology().state(k).neurons();
        self.device.set_samples(samples)?;
        for (what, state, id) in
            [("mean", mean, self.plan.layout().mean(k)), ("difference", difference, self.plan.layout().difference(k))]
        {
            if state.len() != samples * neurons {
                return Err(Error::shape(format!("the {what} of layer {k}"), &[state.len()], &[samples, neurons]));
            }
            self.device.buffer_mut(id).copy_from_slice(state);
        }
        Ok(())
    }

    /// Replaces the first prediction; what an inference that starts from `Continued` continues from.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is not [n, outputs] for the present batch size.
    pub fn set_prediction(&mut self, logits: &[T]) -> Result<()> {
        let expected = [self.samples(), self.topology().outputs()];
        if logits.len() != expected[0] * expected[1] {
            return Err(Error::shape("the prediction", &[logits.len()], &expected));
        }
        self.device.buffer_mut(self.plan.layout().logits()).copy_from_slice(logits);
        Ok(())
    }

    /// The first prediction of the last inference, [n, outputs]; from a forward start, that of the forward pass.
    pub fn logits(&self) -> &[T] {
        self.device.buffer(self.plan.layout().logits())
    }

    /// The mean loss of [`Engine::logits`].
    pub fn loss(&self) -> f64 {
        let outputs = self.topology().outputs();
        let target = self.device.buffer(self.plan.layout().target());
        let rows = self.logits().chunks(outputs).zip(target.chunks(outputs));
        rows.map(|(z, y)| self.inference().loss.value(z, y)).sum::<f64>() / self.samples() as f64
    }

    /// The local gradients of the last batch, batch means, in the order of the parameters; without elements for a parameter that
    /// learns nothing, such as a random feedback kernel; empty if the plan has none.
    pub fn gradients(&self) -> &[Tensor<T>] {
        self.device.gradients()
    }
}

/// These weights of samples, scaled to a mean of 1.
fn mean_one<T: Real>(weights: &[f64], samples: usize) -> Result<Vec<T>> {
    if weights.len() != samples {
        return Err(Error::shape("the sample weights", &[weights.len()], &[samples]));
    }
    if let Some(i) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        return Err(Error::setting(format!("weight of sample {i}"), weights[i], "expected a finite number of at least 0"));
    }
    let mean = weights.iter().sum::<f64>() / samples as f64;
    if !(mean > 0.0 && mean.is_finite()) {
        return Err(Error::setting("mean sample weight", mean, "expected a finite number above 0"));
    }
    Ok(weights.iter().map(|weight| T::from_f64(weight / mean)).collect())
}

/// That the numbers of an inference are numbers of the type T, and neither 0 nor infinite where they are not in f64.
fn check_range<T: Real>(inference: &Inference, depth: usize) -> Result<()> {
    let out_of_range = |field, value: f64| {
        let problem = format!("it is out of the range of {}; use a moderate number, or compute in f64", T::NAME);
        Err(Error::setting(field, value, problem))
    };
    let finite = |value: f64| T::from_f64(value).is_finite();
    let usable = |value: f64| finite(value) && T::from_f64(value) != T::ZERO;
    let beta = inference.beta;
    if !usable(beta) || !usable(1.0 / beta) {
        return out_of_range("learning.beta", beta);
    }
    for k in 1..=depth {
        let divisor = beta * inference.rule.gain_product(k, depth);
        if !usable(divisor) || !usable(1.0 / divisor) {
            return out_of_range("learning.beta times the gains", divisor);
        }
    }
    if let Some(Damping::Given(values)) = &inference.rule.damping
        && let Some(value) = values.iter().find(|value| !finite(**value))
    {
        return out_of_range("learning.damping", *value);
    }
    Ok(())
}

/// These operations over the buffers of the layout.
pub(super) fn program(topology: &Topology, layout: &Layout, ops: Vec<Op>) -> Program {
    Program {
        buffers: layout.widths().to_vec(),
        routings: layout.routings().to_vec(),
        parameters: topology.parameters().into_iter().map(|(_, shape)| shape).collect(),
        scalars: topology.depth() - 1,
        neurons: vec![],
        disturbances: None,
        ops,
    }
}

/// How many samples these inputs are.
pub(super) fn samples_of<T>(topology: &Topology, x: &[T]) -> Result<usize> {
    let neurons = topology.input().neurons();
    match x.len() % neurons {
        0 => Ok(x.len() / neurons),
        _ => Err(Error::shape("the input", &[x.len()], &[0, neurons])),
    }
}
