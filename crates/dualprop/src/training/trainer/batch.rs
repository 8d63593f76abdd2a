//! What a trainer does with one batch.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::analysis::{align, dyad_statistics};
use crate::base::Result;
use crate::compute::{ParameterId, all_finite};
use crate::inference::{Engine, Feedback, Start};
use crate::learning::quantize;

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
        self.perturb(epoch, indices)?;
        self.renew_feedback();
        let at_once = self.updates_at_once();
        let broken = self.settle(at_once)?;
        self.progress.sums.busy_seconds += began.elapsed().as_secs_f64();
        if let Some(name) = broken {
            return Err(self.diverged(&format!("the gradient of {}", Self::parameter_name(&name))));
        }
        let (loss, hits) = self.prediction()?;
        let sums = &mut self.progress.sums;
        sums.loss += loss;
        sums.right += hits.first;
        sums.right_top5 += hits.top5;
        sums.samples += indices.len() as u64;
        self.measure(epoch, loss, directory)?;
        self.update(at_once, listen)
    }

    /// Perturbs the inputs against the present parameters, where the recipe asks for it.
    fn perturb(&mut self, epoch: u32, indices: &[usize]) -> Result<()> {
        let (Some(attack), Some(attacker)) = (self.recipe.input_attack(), &mut self.engines.attacker) else { return Ok(()) };
        // No data set has 2³² samples.
        let numbers: Vec<u32> = indices.iter().map(|&index| index as u32).collect();
        let batch = (&mut self.batch.x[..], &self.batch.targets[..]);
        attacker.perturb(&self.parameters, batch, attack, (self.progress.seed, epoch, &numbers))
    }

    /// Whether the first update can be made while the batch settles: where nobody looks at its gradients, and nothing but the
    /// inference itself needs the parameters as they were before.
    fn updates_at_once(&self) -> bool {
        self.engines.rule.inference().start == Start::Forward && !self.is_measured()
    }

    /// Settles the batch, with its first update if that is made at once; the name of the first parameter whose gradient is not
    /// finite.
    fn settle(&mut self, at_once: bool) -> Result<Option<String>> {
        let (rate, momentum) = self.next_step();
        // No two inferences of a training share what disturbs them.
        self.engines.rule.set_batch(self.progress.steps);
        let (engine, parameters, batch) = (&mut self.engines.rule, &mut self.parameters, &self.batch);
        let broken = if at_once {
            let mut update = self.optimizer.update(parameters, rate, momentum);
            engine.infer_and_update(&mut update, &batch.x, &batch.targets)?;
            update.broken()
        } else {
            engine.infer(parameters, &batch.x, &batch.targets)?;
            let broken = engine.gradients().iter().position(|gradient| !all_finite(&self.pool, gradient.data()));
            broken.map(ParameterId)
        };
        Ok(broken.map(|id| parameters.names()[id.0].clone()))
    }

    /// The mean loss of the batch and its right predictions, both before its update, if the loss is finite.
    fn prediction(&mut self) -> Result<(f64, Hits)> {
        let engine = &self.engines.rule;
        let (loss, hits) = match engine.inference().start {
            Start::Forward => (engine.loss(), count_hits(engine.logits(), &self.batch.labels)),
            // The engine's first prediction came from states that were not those of a forward pass.
            _ => self.evaluator.of_batch((&self.parameters, engine.scales()), &self.batch)?,
        };
        match loss.is_finite() {
            true => Ok((loss, hits)),
            false => Err(self.diverged(&format!("the training loss (layer {})", self.engines.rule.topology().depth()))),
        }
    }

    /// Whether the present batch is measured.
    fn is_measured(&self) -> bool {
        let every = self.recipe.params().training.alignment_every;
        let sampled = every > 0 && self.progress.batches.is_multiple_of(every);
        // Of the whole training: every batch before this one made so many updates.
        let among_the_first = self.progress.steps / self.multistep() < self.recipe.analysis().first_batches;
        self.engines.backprop.is_some() && (sampled || among_the_first)
    }

    /// Learning rate of the next update, and its momentum where that is not the optimiser's own.
    fn next_step(&self) -> (f64, Option<f64>) {
        let step = self.progress.steps;
        let momentum = self.momentum_change.filter(|(from, _)| step >= *from).map(|(_, momentum)| momentum);
        (self.rate.applied(step), momentum)
    }

    /// Alignment with backpropagation and the state of the dyads, every so many batches from the first of an epoch and in
    /// the first of the training.
    fn measure(&mut self, epoch: u32, train_loss: f64, directory: &RunDirectory) -> Result<()> {
        if !self.is_measured() {
            return Ok(());
        }
        let Some(backprop) = &mut self.engines.backprop else { return Ok(()) };
        backprop.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
        let engine = &self.engines.rule;
        let alignment = align(engine.topology(), engine.gradients(), backprop.gradients());
        let dyads = dyad_statistics(engine);
        let sums = &mut self.progress.sums;
        sums.cosines.add(alignment.iter().map(|layer| layer.cosine));
        sums.norm_ratios.add(alignment.iter().map(|layer| layer.norm_ratio));
        sums.sign_agreements.add(alignment.iter().map(|layer| layer.sign_agreement));
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
            sign_agreements: alignment.iter().map(|layer| finite(layer.sign_agreement)).collect(),
        };
        directory.append(&Line::Step(&metrics)).map(drop)
    }

    /// All weight updates of the batch that are still to be made; a listener that breaks is heard after the last.
    fn update(&mut self, at_once: bool, listen: &mut Listener) -> Result<ControlFlow<()>> {
        let mut flow = ControlFlow::Continue(());
        for update in 0..self.multistep() {
            let began = Instant::now();
            if update > 0 {
                self.go_on(update)?;
            }
            let (rate, momentum) = self.next_step();
            let engine = match update {
                0 if at_once => None,
                0 => Some(&self.engines.rule),
                _ => self.engines.continued.as_ref(),
            };
            if let Some(engine) = engine {
                self.optimizer.step(&mut self.parameters, engine.gradients(), rate, momentum, &self.pool);
            }
            self.progress.steps += 1;
            if let Some(levels) = self.recipe.weight_levels() {
                let (engine, at) = (&self.engines.rule, (self.progress.seed, self.progress.steps));
                let learns = engine.inference().feedback == Feedback::KolenPollack;
                quantize(engine.topology(), &mut self.parameters, &levels, at, learns);
            }
            self.progress.sums.busy_seconds += began.elapsed().as_secs_f64();
            if listen(Event::Step(self.progress.steps)).is_break() {
                flow = ControlFlow::Break(());
            }
        }
        // Where the next batch starts from these states, they are the last ones.
        if let (Some(continued), Start::Previous) = (&self.engines.continued, self.engines.rule.inference().start) {
            carry_states(continued, &mut self.engines.rule)?;
        }
        if let Some(continued) = &self.engines.continued {
            self.engines.rule.set_scales(continued.scales().clone());
        }
        Ok(flow)
    }

    /// Settles the same batch again under the weights as they are now, from the states as they are now.
    fn go_on(&mut self, update: u64) -> Result<()> {
        self.renew_feedback();
        let Some(continued) = &mut self.engines.continued else { return Ok(()) };
        if update == 1 {
            carry_states(&self.engines.rule, continued)?;
            continued.set_prediction(self.engines.rule.logits())?;
            continued.set_scales(self.engines.rule.scales().clone());
        }
        continued.set_batch(self.progress.steps);
        continued.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
        match continued.gradients().iter().position(|gradient| !all_finite(&self.pool, gradient.data())) {
            None => Ok(()),
            Some(broken) => {
                let name = Self::parameter_name(&self.parameters.names()[broken]);
                Err(self.diverged(&format!("the gradient of {name} in a later update of the same batch")))
            }
        }
    }
}

/// Copies the states of every layer.
fn carry_states(from: &Engine<f32>, to: &mut Engine<f32>) -> Result<()> {
    (1..=from.topology().depth()).try_for_each(|k| to.set_state(from.samples(), k, from.mean(k), from.difference(k)))
}
