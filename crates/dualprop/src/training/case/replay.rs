//! The engine carries out a case.

use crate::analysis::{align, contrastive_objective, settling};
use crate::base::{Error, Real, Result, memory};
use crate::compute::Pool;
use crate::compute::spectral::{Power, spectral_norm};
use crate::inference::{Engine, Inference, Plan, PlanOptions, PoolRouting, Predictor, Rule, Start};
use crate::learning::Optimizer;
use crate::network::Parameters;

use super::steps::Training;
use super::{Case, Trace};

/// How a case is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceOptions {
    /// Leave no operation out, however redundant: the states are the same to the bit.
    pub naive: bool,
    /// Of an inference, measure also after every pass how settled the states are.
    pub every_pass: bool,
    /// Where the feedback through a max pool is linearised; a dense network has no pools, and the same states under both.
    pub pool_routing: PoolRouting,
}

impl Default for TraceOptions {
    fn default() -> Self {
        TraceOptions { naive: false, every_pass: false, pool_routing: PoolRouting::Plus }
    }
}

/// Carries out a case in T.
///
/// Of an inference: `s_plus.k` and `s_minus.k` (k = 1..L), `logits` and `loss` of the forward pass, the local gradients
/// `grad_kernel.i` and `grad_bias.i` and those of backpropagation, `bp_grad_kernel.i` and `bp_grad_bias.i`, all batch means,
/// `cosine_to_backprop` \[L\] (kernel and bias as one vector; NaN where a gradient is zero), `spectral_norm` \[L\],
/// `contrastive_objective`; and for every pass `pass_residual`, `pass_difference_ratio` and `pass_straddling` \[K, L\], as
/// [`crate::analysis::Settling`] defines them. Of a training: `trained_kernel.i`, `trained_bias.i`, and `step_loss` (of the
/// forward pass before the update) and `step_learning_rate` \[steps\].
///
/// # Errors
/// [`Error::Setting`] for `every_pass` of a training.
pub fn trace<T: Real>(case: &Case, options: TraceOptions, pool: &Pool) -> Result<Trace> {
    let mut out = Trace::new::<T>(case, options.pool_routing);
    match &case.training {
        None => settle::<T>(case, options, pool, &mut out)?,
        Some(_) if options.every_pass => {
            let problem = "it describes the passes of one inference, and this case is a training; leave it out";
            return Err(Error::setting("every_pass", true, problem));
        }
        Some(training) => train::<T>(case, training, options, pool, &mut out)?,
    }
    Ok(out)
}

fn engine<T: Real>(case: &Case, options: TraceOptions, pool: &Pool) -> Result<Engine<T>> {
    let routing = options.pool_routing;
    let options = PlanOptions { optimise: !options.naive, gradients: true, every_pass: options.every_pass };
    let inference = Inference { pool_routing: routing, ..case.inference().clone() };
    let plan = Plan::compile(case.topology(), &inference, options)?;
    // The engine, one for backpropagation, and what is written, in f64 and once more as bytes.
    let needed = plan.memory(case.samples(), size_of::<T>()).saturating_add(plan.memory(case.samples(), 16));
    memory::require("this case", needed.saturating_mul(2), "trace fewer samples at a time")?;
    Engine::new(plan, case.samples(), pool)
}

fn settle<T: Real>(case: &Case, options: TraceOptions, pool: &Pool, out: &mut Trace) -> Result<()> {
    let (topology, depth) = (case.topology(), case.topology().depth());
    let parameters = case.parameters().cast::<T>();
    let (x, y) = case.batch::<T>(0);
    let mut engine = engine(case, options, pool)?;
    let mut measured = vec![];
    if options.every_pass {
        engine.infer_by_pass(&parameters, &x, &y, |engine, _| {
            measured.extend(settling(engine, &parameters, &y, pool)?);
            Ok(())
        })?;
    } else {
        engine.infer(&parameters, &x, &y)?;
    }
    let like_backprop = Inference::new(Rule::backprop(), 1.0, case.inference().loss);
    let plan = Plan::compile(topology, &like_backprop, PlanOptions::default())?;
    let mut backprop = Engine::new(plan, case.samples(), pool)?;
    backprop.infer(&parameters, &x, &y)?;

    // Backpropagation starts with a forward pass whatever the case starts from.
    out.insert_finite("logits", &topology.state(depth).batched(case.samples()), backprop.logits())?;
    out.insert_finite("loss", &[1], &[backprop.loss()])?;
    for k in 1..=depth {
        let (plus, minus) = engine.compartments(k);
        let shape = topology.state(k).batched(case.samples());
        out.insert_finite(format!("s_plus.{k}"), &shape, &plus)?;
        out.insert_finite(format!("s_minus.{k}"), &shape, &minus)?;
    }
    for (prefix, engine) in [("grad", &engine), ("bp_grad", &backprop)] {
        for (name, gradient) in parameters.names().iter().zip(engine.gradients()) {
            out.insert_finite(format!("{prefix}_{name}"), gradient.shape(), gradient.data())?;
        }
    }
    let alignment = align(topology, engine.gradients(), backprop.gradients());
    out.insert("cosine_to_backprop", &[depth], alignment.iter().map(|layer| layer.cosine).collect())?;
    let norm = |k| spectral_norm(topology.map(k), parameters.get(topology.kernel(k)), Power::Converged);
    out.insert("spectral_norm", &[depth], (1..=depth).map(norm).collect())?;
    // The plan of a trace always has gradients.
    let objective = contrastive_objective(&engine, &parameters).unwrap_or(f64::NAN);
    out.insert("contrastive_objective", &[1], vec![objective])?;
    if options.every_pass {
        let shape = [measured.len() / depth, depth];
        out.insert("pass_residual", &shape, measured.iter().map(|layer| layer.residual).collect())?;
        out.insert("pass_difference_ratio", &shape, measured.iter().map(|layer| layer.difference_ratio).collect())?;
        out.insert("pass_straddling", &shape, measured.iter().map(|layer| layer.straddling).collect())?;
    }
    Ok(())
}

fn train<T: Real>(case: &Case, training: &Training, options: TraceOptions, pool: &Pool, out: &mut Trace) -> Result<()> {
    let mut parameters = case.parameters().cast::<T>();
    let mut engine = engine(case, options, pool)?;
    let mut optimizer = Optimizer::new(training.optimizer, case.topology());
    let (mut losses, mut rates) = (vec![], vec![]);
    for step in 0..training.steps {
        let (x, y) = case.batch::<T>(step);
        engine.infer(&parameters, &x, &y)?;
        losses.push(forward_loss(case, &engine, &parameters, (&x, &y), pool)?);
        rates.push(training.rate.at(step as u64));
        optimizer.step(&mut parameters, engine.gradients(), training.rate.applied(step as u64), None, pool);
    }
    for (name, tensor) in parameters.iter() {
        out.insert_finite(format!("trained_{name}"), tensor.shape(), tensor.data())?;
    }
    out.insert_finite("step_loss", &[training.steps], &losses)?;
    out.insert("step_learning_rate", &[training.steps], rates)
}

/// The mean loss of the forward pass, with which most inferences start anyway.
fn forward_loss<T: Real>(
    case: &Case,
    engine: &Engine<T>,
    parameters: &Parameters<T>,
    (x, y): (&[T], &[T]),
    pool: &Pool,
) -> Result<f64> {
    if case.inference().start == Start::Forward {
        return Ok(engine.loss());
    }
    let outputs = case.topology().outputs();
    let mut predictor = Predictor::new(case.topology(), case.samples(), pool);
    let rows = predictor.predict(parameters, x)?.chunks(outputs).zip(y.chunks(outputs));
    Ok(rows.map(|(z, y)| case.inference().loss.value(z, y)).sum::<f64>() / case.samples() as f64)
}
