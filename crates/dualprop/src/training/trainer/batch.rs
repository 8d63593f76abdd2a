//! What a trainer does with one batch.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::analysis::{align, dyad_statistics};
use crate::base::Result;
use crate::compute::all_finite;
use crate::inference::{Engine, Start};

use super::super::StepMetrics;
use super::super::evaluation::{Hits, count_hits};
use super::super::metrics::{Line, angles};
use super::{Event, Listener, RunDirectory, Trainer};

impl Trainer {
    /// Settles one batch, measures it where that is due, and updates the weights: once, or `multistep` times, each time from
    /// the states of the last. The measurements stand outside the time that counts.
    pub(super) fn train_batch(
        &mut self,
        epoch: u32,
        indices: &[usize],
        directory: &RunDirectory,
        listen: &mut Listener,
    ) -> Result<ControlFlow<()>> {
        let began = Instant::now();
        let seen = (self.recipe.data().augmentation, self.progress.seed, epoch);
        self.batch.fill_augmented(&self.data.dataset, &self.data.normalizer, indices, seen, &self.pool);
        self.perturb()?;
        self.engines.rule.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
        self.progress.sums.busy_seconds += began.elapsed().as_secs_f64();
        let (loss, hits) = self.prediction()?;
        let sums = &mut self.progress.sums;
        sums.loss += loss;
        sums.right += hits.first;
        sums.right_top5 += hits.top5;
        sums.samples += indices.len() as u64;
        self.measure(epoch, loss, directory)?;
        self.update(listen)
    }

    /// x ← x + ε ∂ℓ/∂x, as input-adversarial training has it: per sample, and not normalised (PAPER 1.7).
    fn perturb(&mut self) -> Result<()> {
        let epsilon = self.recipe.params().learning.input_perturbation as f32;
        if let (Some(backprop), Some(input_gradient)) = (&mut self.engines.backprop, &mut self.engines.input_gradient) {
            backprop.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
            let gradient = input_gradient.of(backprop, &self.parameters)?;
            self.batch.x.iter_mut().zip(gradient).for_each(|(x, g)| *x += epsilon * g);
        }
        Ok(())
    }

    /// The mean loss of the batch and its right predictions, both before its update, if everything is still finite.
    fn prediction(&mut self) -> Result<(f64, Hits)> {
        let gradients = self.parameters.names().iter().zip(self.engines.rule.gradients());
        if let Some((name, _)) = gradients.into_iter().find(|(_, gradient)| !all_finite(&self.pool, gradient.data())) {
            return Err(self.diverged(&format!("the gradient of {name}")));
        }
        let engine = &self.engines.rule;
        let (loss, hits) = match engine.inference().start {
            Start::Forward => (engine.loss(), count_hits(engine.logits(), &self.batch.labels)),
            // The engine's first prediction came from states that were not those of a forward pass.
            _ => self.evaluator.of_batch(&self.parameters, &self.batch)?,
        };
        if loss.is_finite() { Ok((loss, hits)) } else { Err(self.diverged("the training loss")) }
    }

    /// Alignment with backpropagation and the state of the dyads, every so many batches from the first of an epoch.
    fn measure(&mut self, epoch: u32, train_loss: f64, directory: &RunDirectory) -> Result<()> {
        let every = self.recipe.params().training.alignment_every;
        let Some(backprop) = &mut self.engines.backprop else { return Ok(()) };
        if every == 0 || !self.progress.batches.is_multiple_of(every) {
            return Ok(());
        }
        backprop.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
        let engine = &self.engines.rule;
        let alignment = align(engine.topology(), engine.gradients(), backprop.gradients());
        let dyads = dyad_statistics(engine);
        let sums = &mut self.progress.sums;
        sums.cosines.add(alignment.iter().map(|layer| layer.cosine));
        sums.straddling.add(dyads.iter().map(|layer| layer.straddling));
        sums.difference_ratios.add(dyads.iter().map(|layer| layer.difference_ratio));
        let finite = |value: f64| value.is_finite().then_some(value);
        let cosines: Vec<Option<f64>> = alignment.iter().map(|layer| finite(layer.cosine)).collect();
        let metrics = StepMetrics {
            epoch,
            step: self.progress.steps,
            train_loss,
            angles_deg: angles(&cosines),
            cosines,
            norm_ratios: alignment.iter().map(|layer| finite(layer.norm_ratio)).collect(),
        };
        directory.append(&Line::Step(&metrics)).map(drop)
    }

    /// All weight updates of the batch; a listener that breaks is heard after the last.
    fn update(&mut self, listen: &mut Listener) -> Result<ControlFlow<()>> {
        let mut flow = ControlFlow::Continue(());
        for update in 0..self.multistep() {
            let began = Instant::now();
            if update > 0 {
                self.go_on(update)?;
            }
            let step = self.progress.steps;
            let momentum = self.momentum_change.filter(|(from, _)| step >= *from).map(|(_, momentum)| momentum);
            let engine = if update == 0 { Some(&self.engines.rule) } else { self.engines.continued.as_ref() };
            if let Some(engine) = engine {
                self.optimizer.step(&mut self.parameters, engine.gradients(), self.rate.applied(step), momentum, &self.pool);
            }
            self.progress.steps += 1;
            self.progress.sums.busy_seconds += began.elapsed().as_secs_f64();
            if listen(Event::Step(self.progress.steps)).is_break() {
                flow = ControlFlow::Break(());
            }
        }
        // Where the next batch starts from these states, they are the last ones.
        if let (Some(continued), Start::Previous) = (&self.engines.continued, self.engines.rule.inference().start) {
            carry_states(continued, &mut self.engines.rule)?;
        }
        Ok(flow)
    }

    /// Settles the same batch again under the weights as they are now, from the states as they are now.
    fn go_on(&mut self, update: u64) -> Result<()> {
        let Some(continued) = &mut self.engines.continued else { return Ok(()) };
        if update == 1 {
            carry_states(&self.engines.rule, continued)?;
            continued.set_prediction(self.engines.rule.logits())?;
        }
        continued.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
        match continued.gradients().iter().all(|gradient| all_finite(&self.pool, gradient.data())) {
            true => Ok(()),
            false => Err(self.diverged("a gradient of a later update of the same batch")),
        }
    }
}

/// Copies the states of every layer.
fn carry_states(from: &Engine<f32>, to: &mut Engine<f32>) -> Result<()> {
    (1..=from.topology().depth()).try_for_each(|k| to.set_state(from.samples(), k, from.mean(k), from.difference(k)))
}
