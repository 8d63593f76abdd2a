//! How settled the states of an inference are.

use crate::base::{Real, Result};
use crate::compute::{Activation, Pool};
use crate::inference::{Disturbance, Engine, Inference, PerLayer, Plan, PlanOptions, Schedule, Start};
use crate::network::Parameters;

use super::alignment::inner;

/// One layer's dyads, over the whole batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settling {
    /// ‖U(s) − s‖ / ‖s‖ over s = (s⁺, s⁻): how far one more update U of the layer from its present neighbours would move it.
    pub residual: f64,
    /// ‖Δ_k‖ / ‖s̄_k‖
    pub difference_ratio: f64,
    /// The share of dyads whose compartments lie on different sides of a kink of f; 0 for a smooth f and for the output.
    pub straddling: f64,
}

/// What the present states say of one layer's dyads, over the whole batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DyadStatistics {
    /// ‖Δ_k‖ / ‖s̄_k‖
    pub difference_ratio: f64,
    /// As [`Settling::straddling`].
    pub straddling: f64,
}

/// Measures each layer k = 1..L of the engine's present states.
pub fn dyad_statistics<T: Real>(engine: &Engine<T>) -> Vec<DyadStatistics> {
    let topology = engine.topology();
    let layers = (1..=topology.depth()).map(|k| {
        let (mean, difference) = (engine.mean(k), engine.difference(k));
        let straddling = if k < topology.depth() {
            let (s_plus, s_minus) = engine.compartments(k);
            straddling(topology.activation(), &s_plus, &s_minus)
        } else {
            0.0
        };
        DyadStatistics { difference_ratio: ratio(inner(difference, difference).sqrt(), inner(mean, mean).sqrt()), straddling }
    });
    layers.collect()
}

/// Measures each layer k = 1..L of the engine's present states, for the targets y of its batch. The update U nudges the
/// output, also where `nudge_from_pass` has not done so yet.
///
/// # Errors
/// As [`Engine::infer`].
pub fn settling<T: Real>(engine: &Engine<T>, parameters: &Parameters<T>, y: &[T], pool: &Pool) -> Result<Vec<Settling>> {
    let moved = one_more_update(engine, parameters, y, pool)?;
    let layers = (1..).zip(dyad_statistics(engine)).map(|(k, statistics)| {
        let (s_plus, s_minus) = engine.compartments(k);
        let (u_plus, u_minus) = moved.compartments(k);
        let distance = (squared_distance(&u_plus, &s_plus) + squared_distance(&u_minus, &s_minus)).sqrt();
        let size = (inner(&s_plus, &s_plus) + inner(&s_minus, &s_minus)).sqrt();
        let DyadStatistics { difference_ratio, straddling } = statistics;
        Settling { residual: ratio(distance, size), difference_ratio, straddling }
    });
    Ok(layers.collect())
}

/// The batch that keys what disturbs the one more update: none of a training, nor that of predictions.
const ONE_MORE: u64 = u64::MAX - 1;

/// a / b, but 0 where both are: a layer at rest at zero has settled.
fn ratio(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a / b }
}

/// The states after every layer was updated once more from the present ones, all at once.
fn one_more_update<T: Real>(engine: &Engine<T>, parameters: &Parameters<T>, y: &[T], pool: &Pool) -> Result<Engine<T>> {
    let disturbance = engine.inference().disturbance.clone();
    let inference = Inference {
        schedule: Schedule::Parallel,
        passes: 1,
        nudge_from_pass: 1,
        start: Start::Continued,
        // Every layer, whatever was drawn.
        disturbance: Disturbance { redraw_order: false, update_probability: PerLayer::Uniform(1.0), ..disturbance },
        ..engine.inference().clone()
    };
    let options = PlanOptions { gradients: false, ..PlanOptions::default() };
    let plan = Plan::compile(engine.topology(), &inference, options)?;
    let mut moved = Engine::new(plan, engine.samples(), pool)?;
    for k in 1..=engine.topology().depth() {
        moved.set_state(engine.samples(), k, engine.mean(k), engine.difference(k))?;
    }
    moved.set_prediction(engine.logits())?;
    moved.set_scales(engine.scales().clone());
    moved.set_batch(ONE_MORE);
    moved.infer(parameters, engine.mean(0), y)?;
    Ok(moved)
}

fn squared_distance<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum()
}

/// The share of dyads whose compartments lie on different linear pieces of f, seen in the states themselves.
fn straddling<T: Real>(activation: Activation, s_plus: &[T], s_minus: &[T]) -> f64 {
    let straddles = |(&plus, &minus): (&T, &T)| {
        // A compartment on a flat piece sits exactly at its value, save for the rounding of s̄ + (1−α)Δ and s̄ − αΔ.
        let rounding = T::from_f64(4.0) * T::EPSILON * (plus.abs() + minus.abs());
        piece(activation, plus, rounding) != piece(activation, minus, rounding)
    };
    let count = s_plus.iter().zip(s_minus).filter(|pair| straddles(*pair)).count();
    count as f64 / s_plus.len() as f64
}

/// Which linear piece of f a state lies on, from 0; a smooth f has one.
fn piece<T: Real>(activation: Activation, s: T, rounding: T) -> u8 {
    match activation {
        Activation::Relu | Activation::LeakyRelu => u8::from(s > rounding),
        Activation::HardSigmoid => u8::from(s > rounding) + u8::from(s >= T::ONE - rounding),
        Activation::Sigmoid | Activation::Tanh | Activation::Identity => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dyads_straddle_a_kink_if_their_compartments_lie_on_its_two_sides() {
        let share = |activation, plus: f64, minus: f64| straddling(activation, &[plus], &[minus]);
        for (activation, plus, minus, expected) in [
            (Activation::Relu, 0.5, 0.0, 1.0),
            (Activation::Relu, 0.5, 1e-17, 1.0),
            (Activation::Relu, 0.5, 0.1, 0.0),
            (Activation::Relu, 0.0, 0.0, 0.0),
            (Activation::LeakyRelu, 0.5, -0.01, 1.0),
            (Activation::LeakyRelu, -0.5, -0.01, 0.0),
            (Activation::HardSigmoid, 1.0, 0.7, 1.0),
            (Activation::HardSigmoid, 1.0, 0.0, 1.0),
            (Activation::HardSigmoid, 0.7, 0.2, 0.0),
            (Activation::HardSigmoid, 1.0, 1.0, 0.0),
            (Activation::Tanh, 0.7, -0.7, 0.0),
        ] {
            assert_eq!(share(activation, plus, minus), expected, "{activation:?} {plus} {minus}");
        }
    }
}
