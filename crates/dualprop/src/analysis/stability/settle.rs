//! An inference, pass by pass, until every sample of a batch has settled.

use crate::base::{Error, Named, Result};
use crate::compute::Pool;
use crate::inference::{Engine, Inference, Pass, Plan, PlanOptions, Schedule};
use crate::network::{Parameters, Topology};

/// A sample is at rest in a pass that moves its states by no more than this times their size. A change of the differences is
/// seen as far as they are not smaller than that themselves: β should stay above 1e-6.
pub const TOLERANCE: f64 = 1e-9;

/// Beyond states of this size a sample has diverged: their squares are still finite.
const LARGEST: f64 = 1e100;

/// How the inference of a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every layer was updated once more, and nothing moved.
    Settled,
    /// It was still moving after the last pass.
    Moving,
    /// Its states were no longer finite, or longer than 1e100.
    Diverged,
}

/// The inference of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSettling {
    /// How it ended.
    pub ending: Ending,
    /// The last pass that moved its states: of a settled sample the passes that it needed, the confirming one not counted.
    pub passes: usize,
    /// ‖s′ − s‖ / ‖s′‖ of its last pass s → s′, over the s⁺ and s⁻ of all layers; not finite where the states are not.
    pub residual: f64,
}

/// Settles batches of one inference in f64.
///
/// Samples do not know of each other, so that each is judged by its own states, and its verdict is that of the first pass that
/// allows one: neither the rest of the batch nor the number of threads can change it.
pub struct Settler {
    engine: Engine<f64>,
    /// Element p−1: the first of the passes up to p in which every layer is updated; none where they are too few.
    covered_from: Vec<Option<usize>>,
    /// (α, s̄, Δ) of each layer after the last pass.
    states: Vec<(f64, Vec<f64>, Vec<f64>)>,
}

impl Settler {
    /// For batches of up to `capacity` samples and at most `inference.passes` passes.
    ///
    /// # Errors
    /// As [`Inference::check`] and [`Engine::new`]; [`Error::Setting`] for the schedule `backward`, which repeats nothing.
    pub fn new(topology: &Topology, inference: &Inference, capacity: usize, pool: &Pool) -> Result<Self> {
        if inference.schedule == Schedule::Backward {
            let problem = "it is one sweep, which is not repeated, so that nothing settles; use forward_backward";
            return Err(Error::setting("learning.schedule", Schedule::Backward.name(), problem));
        }
        let depth = topology.depth();
        let plan = Plan::compile(topology, inference, PlanOptions { gradients: false, every_pass: true, optimise: true })?;
        let covered_from = covered_from(&inference.schedule.passes(inference.passes, depth, inference.seed), depth);
        let states = (1..=depth).map(|k| (inference.rule.mean_weight(k, depth), vec![], vec![]));
        Ok(Settler { states: states.collect(), engine: Engine::new(plan, capacity, pool)?, covered_from })
    }

    /// Carries out the inference for x [n, H, W, C] and y [n, outputs] until every sample has settled or diverged, or all
    /// passes are done; one verdict for each sample.
    ///
    /// # Errors
    /// As [`Engine::infer`].
    pub fn settle(&mut self, parameters: &Parameters<f64>, x: &[f64], y: &[f64]) -> Result<Vec<SampleSettling>> {
        let Settler { engine, covered_from, states } = self;
        let outputs = engine.topology().outputs();
        let start = SampleSettling { ending: Ending::Moving, passes: 0, residual: 0.0 };
        let (mut samples, mut judged) = (vec![start; y.len() / outputs], vec![false; y.len() / outputs]);
        // Before the first pass nothing is known, and all that it makes counts as moved.
        states.iter_mut().for_each(|(_, mean, difference)| {
            mean.clear();
            difference.clear();
        });
        engine.infer_until(parameters, x, y, |engine, pass| {
            let moved = take(engine, states, samples.len());
            for ((sample, judged), (change, size)) in samples.iter_mut().zip(&mut judged).zip(moved) {
                if *judged {
                    continue;
                }
                sample.residual = if change == 0.0 { 0.0 } else { (change / size).sqrt() };
                // Also where it is no number.
                let rests = sample.residual <= TOLERANCE;
                if !rests {
                    sample.passes = pass;
                }
                if size.is_nan() || size > LARGEST * LARGEST {
                    (sample.ending, *judged) = (Ending::Diverged, true);
                } else if covered_from[pass - 1].is_some_and(|first| sample.passes < first) {
                    (sample.ending, *judged) = (Ending::Settled, true);
                }
            }
            Ok(judged.iter().all(|judged| *judged))
        })?;
        Ok(samples)
    }
}

/// Takes over the engine's states; of each sample ‖s′ − s‖² and ‖s′‖² over (s⁺, s⁻) of all layers.
fn take(engine: &Engine<f64>, states: &mut [(f64, Vec<f64>, Vec<f64>)], samples: usize) -> Vec<(f64, f64)> {
    let mut moved = vec![(0.0, 0.0); samples];
    for (k, (alpha, old_mean, old_difference)) in (1..).zip(states) {
        let (mean, difference) = (engine.mean(k), engine.difference(k));
        // The square of a dyad (m, d): s⁺ = m + (1−α)d, s⁻ = m − αd.
        let square = |m: f64, d: f64| (m + (1.0 - *alpha) * d).powi(2) + (m - *alpha * d).powi(2);
        let neurons = mean.len() / samples.max(1);
        let first = old_mean.is_empty();
        for (i, (&m, &d)) in mean.iter().zip(difference).enumerate() {
            let (change, size) = &mut moved[i / neurons];
            *size += square(m, d);
            *change += if first { square(m, d) } else { square(m - old_mean[i], d - old_difference[i]) };
        }
        old_mean.clear();
        old_mean.extend(mean);
        old_difference.clear();
        old_difference.extend(difference);
    }
    moved
}

/// The element p−1 is the last pass q such that the passes q..=p update every layer.
fn covered_from(passes: &[Pass], depth: usize) -> Vec<Option<usize>> {
    let mut last = vec![0; depth];
    let covered = (1..).zip(passes).map(|(number, pass)| {
        pass.iter().flatten().for_each(|&layer| last[layer - 1] = number);
        last.iter().copied().min().filter(|first| *first > 0)
    });
    covered.collect()
}
