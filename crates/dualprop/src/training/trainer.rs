//! The trainer: one seed of a recipe, from the initial parameters to the test accuracy.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::analysis::align;
use crate::base::{Error, Result};
use crate::compute::{Loss, Pool};
use crate::data::{Batch, epoch_order};
use crate::inference::{Engine, Predictor, Start};
use crate::learning::{Optimizer, Rate};
use crate::network::{Model, Parameters, Topology, initialize};

use super::metrics::{Cosines, angles};
use super::preparation::{Prepared, engines, evaluation_batch};
use super::{EpochMetrics, Recipe, RunDirectory};

/// What a listener hears; the library itself prints nothing.
#[derive(Debug)]
pub enum Event<'a> {
    /// A seed begins.
    Started {
        /// The seed.
        seed: u64,
        /// Trainable numbers.
        parameters: usize,
        /// Samples for training, validation and test.
        samples: [usize; 3],
        /// Epochs to come.
        epochs: u32,
        /// Weight updates in each.
        steps_per_epoch: u64,
        /// The folder of this seed.
        directory: &'a Path,
    },
    /// A setting that is valid but rarely meant.
    Warning(&'a str),
    /// A weight update is done; counted from 1 over all epochs.
    Step(u64),
    /// An epoch is done.
    Epoch(&'a EpochMetrics),
    /// A seed is done.
    Finished(&'a SeedResult),
}

/// What came out of one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// Accuracy on the test samples in percent, with the parameters best on validation.
    pub test_accuracy: f64,
    /// Their accuracy on validation in percent.
    pub validation_accuracy: f64,
    /// The epoch that they come from.
    pub best_epoch: u32,
    /// Angle to backpropagation per layer, in degrees, in the last epoch that measured it.
    pub angles_deg: Vec<Option<f64>>,
    /// Whether the listener ended the training before its last epoch.
    pub stopped_early: bool,
}

/// One seed of a recipe, ready to run.
pub struct Trainer {
    seed: u64,
    epochs: u32,
    alignment_every: u64,
    rate: Rate,
    data: Prepared,
    parameters: Parameters<f32>,
    optimizer: Optimizer<f32>,
    engine: Engine<f32>,
    /// What the local gradients are measured against, where they are.
    backprop: Option<Engine<f32>>,
    predictor: Predictor<f32>,
    batch: Batch<f32>,
    batch_size: usize,
    step: u64,
    best: Option<Best>,
}

struct Best {
    epoch: u32,
    accuracy: f64,
    loss: f64,
    parameters: Parameters<f32>,
}

impl Trainer {
    /// Loads and splits the data, and draws the initial parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] where recipe and data do not fit each other.
    pub fn new(recipe: &Recipe, seed: u64, pool: &Pool) -> Result<Self> {
        let training = &recipe.params().training;
        let batch_size = training.batch_size;
        let data = Prepared::load(recipe.params(), seed)?;
        let topology = recipe.topology(data.dataset.input, data.dataset.classes)?;
        let (engine, backprop) = engines(recipe, &topology, seed, pool)?;
        let (kernels, biases) = recipe.initializers();
        Ok(Trainer {
            seed,
            epochs: training.epochs,
            alignment_every: training.alignment_every,
            rate: recipe.rate((data.split.train.len() / batch_size) as u64)?,
            parameters: initialize(&topology, kernels, biases, seed),
            optimizer: Optimizer::new(recipe.optimizer(), &topology),
            engine,
            backprop,
            predictor: Predictor::new(&topology, evaluation_batch(batch_size), pool),
            batch: Batch::new(),
            data,
            batch_size,
            step: 0,
            best: None,
        })
    }

    /// Trains all epochs, then tests once with the parameters best on validation. The listener may end it after any event by
    /// `ControlFlow::Break`; what was learnt until then is kept and tested.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a number stops being finite; [`Error::Write`] if the run directory cannot be written.
    pub fn run(&mut self, directory: &RunDirectory, listen: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<SeedResult> {
        let steps_per_epoch = (self.data.split.train.len() / self.batch_size) as u64;
        let mut stopped = listen(Event::Started {
            seed: self.seed,
            parameters: self.engine.topology().parameter_count(),
            samples: [&self.data.split.train, &self.data.split.validation, &self.data.split.test].map(Vec::len),
            epochs: self.epochs,
            steps_per_epoch,
            directory: directory.path(),
        })
        .is_break();
        let mut angles_deg = vec![None; self.engine.topology().depth()];
        for epoch in 1..=self.epochs {
            if stopped {
                break;
            }
            let Some(metrics) = self.epoch(epoch, listen)? else {
                stopped = true;
                break;
            };
            for (latest, angle) in angles_deg.iter_mut().zip(&metrics.angles_deg) {
                *latest = angle.or(*latest);
            }
            directory.append(&metrics)?;
            self.keep_best(&metrics, directory)?;
            stopped = listen(Event::Epoch(&metrics)).is_break() && epoch < self.epochs;
        }
        self.finish(directory, angles_deg, stopped, listen)
    }

    /// One epoch; none if the listener ended it.
    fn epoch(&mut self, epoch: u32, listen: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<Option<EpochMetrics>> {
        let order = epoch_order(&self.data.split.train, self.seed, epoch);
        let (mut loss, mut right, mut learning_rate, mut cosines) = (0.0, 0, 0.0, Cosines::default());
        let mut busy = Duration::ZERO;
        let batches = order.chunks_exact(self.batch_size);
        let steps = batches.len();
        for indices in batches {
            let began = Instant::now();
            self.batch.fill(&self.data.dataset, indices);
            self.engine.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
            busy += began.elapsed();
            let measured = self.alignment_every > 0 && self.step.is_multiple_of(self.alignment_every);
            if let Some(backprop) = self.backprop.as_mut().filter(|_| measured) {
                backprop.infer(&self.parameters, &self.batch.x, &self.batch.targets)?;
                let alignment = align(self.engine.topology(), self.engine.gradients(), backprop.gradients());
                cosines.add(alignment.iter().map(|layer| layer.cosine));
            }
            let (batch_loss, batch_right) = self.prediction()?;
            loss += batch_loss;
            right += batch_right;
            let began = Instant::now();
            learning_rate = self.rate.applied(self.step);
            self.optimizer.step(&mut self.parameters, self.engine.gradients(), learning_rate);
            busy += began.elapsed();
            self.step += 1;
            if listen(Event::Step(self.step)).is_break() {
                return Ok(None);
            }
        }
        let (validation_loss, validation_accuracy) = self.evaluate(&self.data.split.validation.clone())?;
        if !validation_loss.is_finite() {
            return Err(self.diverged("the validation loss"));
        }
        let samples = steps * self.batch_size;
        let cosines = cosines.means();
        Ok(Some(EpochMetrics {
            epoch,
            step: self.step,
            train_loss: loss / steps as f64,
            train_accuracy: 100.0 * right as f64 / samples as f64,
            validation_loss,
            validation_accuracy,
            learning_rate,
            seconds: busy.as_secs_f64(),
            samples_per_second: samples as f64 / busy.as_secs_f64(),
            angles_deg: angles(&cosines),
            cosines,
        }))
    }

    /// The mean loss of the batch and its right predictions, both before its update, if everything is still finite.
    fn prediction(&mut self) -> Result<(f64, usize)> {
        let broken = self.parameters.names().iter().zip(self.engine.gradients()).find(|(_, gradient)| !gradient.is_finite());
        if let Some((name, _)) = broken {
            return Err(self.diverged(&format!("the gradient of {name}")));
        }
        let (loss, right) = match self.engine.inference().start {
            Start::Forward => (self.engine.loss(), count_right(self.engine.logits(), &self.batch.labels)),
            // The engine's first prediction came from states that were not those of a forward pass.
            _ => {
                let logits = self.predictor.predict(&self.parameters, &self.batch.x)?;
                let loss = summed_loss(self.engine.inference().loss, logits, &self.batch) / self.batch.len() as f64;
                (loss, count_right(logits, &self.batch.labels))
            }
        };
        if loss.is_finite() { Ok((loss, right)) } else { Err(self.diverged("the training loss")) }
    }

    fn diverged(&self, quantity: &str) -> Error {
        Error::Diverged {
            quantity: quantity.into(),
            step: self.step,
            remedy: "a smaller optimizer.learning_rate, or moderate values of learning.beta and learning.gain",
        }
    }

    /// (mean loss, accuracy in percent) on these samples.
    fn evaluate(&mut self, indices: &[usize]) -> Result<(f64, f64)> {
        let (mut loss, mut right) = (0.0, 0);
        for indices in indices.chunks(self.predictor.capacity()) {
            self.batch.fill(&self.data.dataset, indices);
            let logits = self.predictor.predict(&self.parameters, &self.batch.x)?;
            loss += summed_loss(self.engine.inference().loss, logits, &self.batch);
            right += count_right(logits, &self.batch.labels);
        }
        let samples = indices.len() as f64;
        Ok((loss / samples, 100.0 * right as f64 / samples))
    }

    /// Keeps the parameters with the highest accuracy on validation, of equal ones those with the lowest loss there; in the run
    /// directory at once, so that an interruption loses nothing.
    fn keep_best(&mut self, metrics: &EpochMetrics, directory: &RunDirectory) -> Result<()> {
        let (accuracy, loss) = (metrics.validation_accuracy, metrics.validation_loss);
        let better = |best: &Best| accuracy > best.accuracy || accuracy == best.accuracy && loss < best.loss;
        if self.best.as_ref().is_none_or(better) {
            self.best = Some(Best { epoch: metrics.epoch, accuracy, loss, parameters: self.parameters.clone() });
            directory.save_model(&self.model())?;
        }
        Ok(())
    }

    /// Tests the best parameters, the only time that the test samples are looked at.
    fn finish(
        &mut self,
        directory: &RunDirectory,
        angles_deg: Vec<Option<f64>>,
        stopped_early: bool,
        listen: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<SeedResult> {
        let (best_epoch, validation_accuracy) = match self.best.take() {
            Some(best) => {
                self.parameters = best.parameters;
                (best.epoch, best.accuracy)
            }
            // Ended within the first epoch: the parameters as they are now.
            None => {
                directory.save_model(&self.model())?;
                (0, self.evaluate(&self.data.split.validation.clone())?.1)
            }
        };
        let (_, test_accuracy) = self.evaluate(&self.data.split.test.clone())?;
        let result = SeedResult { seed: self.seed, test_accuracy, validation_accuracy, best_epoch, angles_deg, stopped_early };
        // Nothing is left to be stopped.
        let _ = listen(Event::Finished(&result));
        Ok(result)
    }

    fn model(&self) -> Model {
        let topology: Topology = self.engine.topology().clone();
        let preprocessing = Some((self.data.standardizer.mean().to_vec(), self.data.standardizer.scale().to_vec()));
        Model { topology, parameters: self.parameters.clone(), preprocessing }
    }
}

fn summed_loss(loss: Loss, logits: &[f32], batch: &Batch<f32>) -> f64 {
    let classes = logits.len() / batch.len();
    logits.chunks(classes).zip(batch.targets.chunks(classes)).map(|(z, y)| loss.value(z, y)).sum()
}

/// How many samples have their largest output at their label; of equal outputs the first counts.
fn count_right(logits: &[f32], labels: &[u32]) -> usize {
    let classes = logits.len() / labels.len();
    let first_largest = |z: &[f32]| (0..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best });
    logits.chunks(classes).zip(labels).filter(|(z, label)| first_largest(z) == **label as usize).count()
}
