//! The trainer: one seed of a recipe, from the initial parameters to the test accuracy.

mod analysis;
mod batch;
mod numbers;

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::analysis::{feedback_cosines, operator_norms};
use crate::base::{Error, Result, file};
use crate::compute::Pool;
use crate::data::{Batch, Folders, epoch_order};
use crate::learning::{Optimizer, Rate, quantize};
use crate::network::{Model, Parameters};

use super::checkpoint::{Borrowed, Checkpoint};
use super::evaluation::{Evaluator, evaluation_batch};
use super::feedback::renew;
use super::metrics::{Line, angles};
use super::preparation::{Engines, Prepared, start_parameters};
use super::progress::{BestEpoch, EpochSums, Progress};
use super::{DryRun, EpochMetrics, Evaluation, Part, Recipe, RunDirectory};

/// What a listener hears; the library itself prints nothing.
#[derive(Debug)]
pub enum Event<'a> {
    /// A seed begins, or goes on.
    Started {
        /// The seed.
        seed: u64,
        /// Numbers of all parameters, those of feedback kernels included.
        parameters: usize,
        /// Samples for training, validation and test.
        samples: [usize; 3],
        /// All epochs.
        epochs: u32,
        /// Weight updates in each.
        steps_per_epoch: u64,
        /// Weight updates that an earlier session made.
        steps_done: u64,
        /// The folder of this seed.
        directory: &'a Path,
    },
    /// Something that is valid but rarely meant, or that has gone wrong without ending the run.
    Warning(&'a str),
    /// A weight update is done; counted from 1 over all epochs.
    Step(u64),
    /// An epoch is done.
    Epoch(&'a EpochMetrics),
    /// A seed is done.
    Finished(&'a SeedResult),
}

/// Who hears the events; `Break` ends the training after the present batch, with a checkpoint.
pub type Listener<'a> = dyn FnMut(Event) -> ControlFlow<()> + 'a;

/// What came out of one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// On the test samples, with the parameters best on validation.
    pub test: Evaluation,
    /// Their accuracy on validation in percent.
    pub validation_accuracy: f64,
    /// The epoch that they come from.
    pub best_epoch: u32,
    /// Angle to backpropagation per layer, in degrees, in the last epoch that measured it.
    pub angles_deg: Vec<Option<f64>>,
    /// The epoch after which the training was stopped because it had collapsed; none if it ran to its end.
    pub collapsed: Option<u32>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// At its end.
    Finished(T),
    /// The listener ended it; a checkpoint was kept, from which it can go on.
    Interrupted,
}

impl<T> Outcome<T> {
    /// What came out, if it was not interrupted.
    pub fn finished(self) -> Option<T> {
        match self {
            Outcome::Finished(value) => Some(value),
            Outcome::Interrupted => None,
        }
    }
}

/// A training has collapsed when its accuracy on validation is below half of the best, after this epoch.
const COLLAPSE_AFTER: u32 = 5;

/// One seed of a recipe, ready to run.
pub struct Trainer {
    recipe: Recipe,
    pool: Pool,
    rate: Rate,
    /// From this step on SGD has this momentum.
    momentum_change: Option<(u64, f64)>,
    data: Prepared,
    parameters: Parameters<f32>,
    optimizer: Optimizer<f32>,
    engines: Engines,
    evaluator: Evaluator,
    batch: Batch,
    progress: Progress,
    /// The parameters best on validation, where they are not the present ones.
    best: Option<Parameters<f32>>,
}

impl Trainer {
    /// Loads and splits the data, and draws the initial parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] where recipe and data do not fit each other; as [`crate::data::Source::find`].
    pub fn new(recipe: &Recipe, folders: &Folders, seed: u64, pool: &Pool) -> Result<Self> {
        Trainer::prepare(recipe, folders, seed, pool, true)
    }

    /// [`Trainer::new`]; where a checkpoint has the parameters, `start` is false and those of the start are not looked for.
    pub(super) fn prepare(recipe: &Recipe, folders: &Folders, seed: u64, pool: &Pool, start: bool) -> Result<Self> {
        let params = recipe.params();
        let mut data = Prepared::load(recipe, folders, seed)?;
        let topology = recipe.topology(data.dataset.input, data.dataset.classes)?;
        let steps_per_epoch = (data.split.train.len() / params.training.batch_size * params.learning.multistep) as u64;
        analysis::check(recipe.analysis(), &recipe.inference(seed), &data)?;
        // First, since it finds out whether all of it fits into memory.
        let engines = Engines::new(recipe, &data, &topology, seed, pool)?;
        let parameters = match start {
            true => {
                let (mut parameters, warning) = start_parameters(recipe, &topology, &data, seed, pool)?;
                data.warnings.extend(warning);
                if let Some(levels) = recipe.weight_levels() {
                    quantize(&topology, &mut parameters, &levels, (seed, 0), true);
                }
                parameters
            }
            false => Parameters::zeros(&topology),
        };
        Ok(Trainer {
            pool: pool.clone(),
            rate: recipe.rate(steps_per_epoch)?,
            momentum_change: recipe.momentum_change(steps_per_epoch),
            parameters,
            optimizer: Optimizer::new(recipe.optimizer(), &topology),
            engines,
            evaluator: Evaluator::on_device(&topology, &recipe.inference(seed), params.training.batch_size, pool),
            batch: Batch::new(),
            progress: Progress { seed, identity: identity(recipe, &data)?, ..Progress::default() },
            data,
            best: None,
            recipe: recipe.clone(),
        })
    }

    /// Goes on from the run directory's last checkpoint, or from the beginning where there is none; `metrics.jsonl` is cut
    /// back to what belongs to it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a checkpoint that is damaged or of another training; [`Error::Write`].
    pub fn resume(&mut self, directory: &RunDirectory) -> Result<()> {
        let topology = self.engines.rule.topology().clone();
        let path = directory.last_checkpoint();
        if path.exists() {
            let checkpoint = Checkpoint::load(&path, &topology, self.recipe.optimizer())?;
            if checkpoint.progress.seed != self.progress.seed {
                let problem = format!("it is of seed {}, expected {}", checkpoint.progress.seed, self.progress.seed);
                return Err(Error::malformed(path, problem));
            }
            if checkpoint.progress.identity != self.progress.identity {
                let problem = "it was made by another recipe, or from other data: recipe.toml or the data set has changed since; \
                               undo the change, or start a new run";
                return Err(Error::malformed(path, problem));
            }
            for (k, (mean, difference)) in (1..).zip(&checkpoint.states) {
                self.engines.rule.set_state(checkpoint.samples, k, mean, difference)?;
            }
            let (found, expected) = (&checkpoint.progress.scales, self.engines.rule.scales().len());
            if found.len() != expected || !found.are_valid() {
                let problem = format!("its running scales are not those of {expected} layers, finite and not negative");
                return Err(Error::malformed(path, problem));
            }
            self.engines.rule.set_scales(found.clone());
            (self.progress, self.parameters) = (checkpoint.progress, checkpoint.parameters);
            (self.optimizer, self.best) = (checkpoint.optimizer, checkpoint.best);
        }
        directory.cut_metrics(self.progress.metrics_bytes)
    }

    /// Trains all epochs, then tests once with the parameters best on validation. A listener that breaks ends it after the
    /// present batch, with a checkpoint: [`Trainer::resume`] goes on from there to the same bits.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a number stops being finite; [`Error::Write`] if the run directory cannot be written.
    pub fn run(&mut self, directory: &RunDirectory, listen: &mut Listener) -> Result<Outcome<SeedResult>> {
        let epochs = self.recipe.params().training.epochs;
        let split = &self.data.split;
        let mut flow = listen(Event::Started {
            seed: self.progress.seed,
            parameters: self.engines.rule.topology().parameter_count(),
            samples: [split.train.len(), split.validation.len(), self.data.test_samples()],
            epochs,
            steps_per_epoch: self.batches_per_epoch() * self.multistep(),
            steps_done: self.progress.steps,
            directory: directory.path(),
        });
        for warning in &self.data.warnings {
            // A warning stops nothing.
            let _ = listen(Event::Warning(warning));
        }
        while self.progress.epochs < epochs && self.progress.collapsed.is_none() {
            if flow.is_break() {
                self.save(directory, false)?;
                return Ok(Outcome::Interrupted);
            }
            match self.epoch(directory, listen)? {
                Outcome::Interrupted => return Ok(Outcome::Interrupted),
                Outcome::Finished(metrics) => flow = listen(Event::Epoch(&metrics)),
            }
        }
        if let Some(epoch) = self.progress.collapsed {
            let seed = self.progress.seed;
            let text = format!(
                "seed {seed}: the training collapsed and was stopped after epoch {epoch}: its accuracy on validation fell below \
                 half of the best"
            );
            // It is over anyway.
            let _ = listen(Event::Warning(&text));
        }
        self.finish(directory, listen)
    }

    /// One batch of the first epoch, a part of the evaluation, and a checkpoint there and back.
    pub(super) fn try_one_batch(&mut self, directory: &RunDirectory, listen: &mut Listener) -> Result<DryRun> {
        let batch_size = self.recipe.params().training.batch_size;
        let order = epoch_order(self.recipe.shuffle(), &self.data.split.train, batch_size, self.progress.seed, 1);
        // Nothing goes on that could be stopped.
        let _ = self.train_batch(1, &order[..batch_size], directory, listen)?;
        let Prepared { dataset, normalizer, split, .. } = &self.data;
        let some = &split.validation[..split.validation.len().min(evaluation_batch(batch_size))];
        let subject = (&self.parameters, self.engines.rule.scales());
        let validation = self.evaluator.evaluate(subject, dataset, normalizer, some)?;
        self.save(directory, false)?;
        let checkpoint_bytes = file::size(&directory.last_checkpoint())?;
        self.resume(directory)?;
        Ok(DryRun { parameters: self.engines.rule.topology().parameter_count(), validation, checkpoint_bytes })
    }

    /// Gives the parameters the feedback kernels of the next inference, where each has its own.
    fn renew_feedback(&mut self) {
        let at = (self.progress.seed, self.progress.steps);
        renew(&self.recipe, self.engines.rule.topology(), &mut self.parameters, at, &self.pool);
    }

    fn multistep(&self) -> u64 {
        self.recipe.params().learning.multistep as u64
    }

    fn batches_per_epoch(&self) -> u64 {
        (self.data.split.train.len() / self.recipe.params().training.batch_size) as u64
    }

    /// What is left of the present epoch, and its measurements.
    fn epoch(&mut self, directory: &RunDirectory, listen: &mut Listener) -> Result<Outcome<EpochMetrics>> {
        let training = &self.recipe.params().training;
        let (batch_size, save_every) = (training.batch_size, training.checkpoint_every);
        let epoch = self.progress.epochs + 1;
        let order = epoch_order(self.recipe.shuffle(), &self.data.split.train, batch_size, self.progress.seed, epoch);
        let mut saved = self.progress.steps;
        for indices in order.chunks_exact(batch_size).skip(self.progress.batches as usize) {
            let flow = self.train_batch(epoch, indices, directory, listen)?;
            self.progress.batches += 1;
            if flow.is_break() {
                self.save(directory, false)?;
                return Ok(Outcome::Interrupted);
            }
            if save_every > 0 && self.progress.steps - saved >= save_every {
                saved = self.progress.steps;
                self.save(directory, false)?;
            }
        }
        let metrics = self.measure_epoch(epoch)?;
        self.progress.angles_deg.resize(metrics.angles_deg.len(), None);
        for (latest, angle) in self.progress.angles_deg.iter_mut().zip(&metrics.angles_deg) {
            *latest = angle.or(*latest);
        }
        (self.progress.epochs, self.progress.batches, self.progress.sums) = (epoch, 0, EpochSums::default());
        let bytes = directory.append(&Line::Epoch(&metrics))?;
        self.progress.metrics_bytes = self.analyse(epoch, directory)?.unwrap_or(bytes);
        let is_best = self.note_best(&metrics);
        self.note_collapse(&metrics);
        self.save(directory, is_best)?;
        if is_best {
            directory.save_model(&self.model(&self.parameters))?;
        }
        Ok(Outcome::Finished(metrics))
    }

    fn measure_epoch(&mut self, epoch: u32) -> Result<EpochMetrics> {
        // What is measured, and kept as a model, belongs together: the kernels as they are now and the feedback that they have.
        self.renew_feedback();
        let Prepared { dataset, normalizer, split, .. } = &self.data;
        let subject = (&self.parameters, self.engines.rule.scales());
        let validation = self.evaluator.evaluate(subject, dataset, normalizer, &split.validation)?;
        if !validation.loss.is_finite() {
            return Err(self.diverged(&format!("the validation loss (layer {})", self.engines.rule.topology().depth())));
        }
        let local_lipschitz = self.local_lipschitz()?;
        let topology = self.engines.rule.topology();
        let norms = operator_norms(topology, &self.parameters);
        let (sums, layers) = (&self.progress.sums, topology.depth());
        let percent = |count: u64| 100.0 * count as f64 / sums.samples as f64;
        let cosines = sums.cosines.of(layers);
        Ok(EpochMetrics {
            epoch,
            step: self.progress.steps,
            train_loss: sums.loss / self.batches_per_epoch() as f64,
            train_accuracy: percent(sums.right),
            train_top5: percent(sums.right_top5),
            validation_loss: validation.loss,
            validation_accuracy: validation.accuracy,
            validation_top5: validation.top5,
            learning_rate: self.rate.applied(self.progress.steps - 1),
            seconds: sums.busy_seconds,
            samples_per_second: sums.samples as f64 / sums.busy_seconds,
            angles_deg: angles(&cosines),
            cosines,
            norm_ratios: sums.norm_ratios.of(layers),
            sign_agreements: sums.sign_agreements.of(layers),
            straddling: sums.straddling.of(layers),
            difference_ratios: sums.difference_ratios.of(layers),
            gammas: norms.gammas,
            dampings: norms.dampings,
            product_norm: norms.product,
            feedback_cosines: feedback_cosines(topology, &self.parameters),
            local_lipschitz,
            parameters_sha256: self.parameters.sha256(),
        })
    }

    /// Remembers the parameters with the highest accuracy on validation, of equal ones those with the lowest loss there.
    fn note_best(&mut self, metrics: &EpochMetrics) -> bool {
        let (accuracy, loss) = (metrics.validation_accuracy, metrics.validation_loss);
        let better = |best: &BestEpoch| accuracy > best.accuracy || accuracy == best.accuracy && loss < best.loss;
        let is_best = self.progress.best.as_ref().is_none_or(better);
        if is_best {
            let scales = self.engines.rule.scales().clone();
            self.progress.best = Some(BestEpoch { epoch: metrics.epoch, accuracy, loss, scales });
            self.best = Some(self.parameters.clone());
        }
        is_best
    }

    /// Remembers whether the training has collapsed.
    fn note_collapse(&mut self, metrics: &EpochMetrics) {
        let fallen = |best: &BestEpoch| metrics.validation_accuracy < best.accuracy / 2.0;
        if metrics.epoch > COLLAPSE_AFTER && self.progress.best.as_ref().is_some_and(fallen) {
            self.progress.collapsed = Some(metrics.epoch);
        }
    }

    /// Keeps everything that a resume needs, if all of it is finite.
    fn save(&mut self, directory: &RunDirectory, is_best: bool) -> Result<()> {
        self.check_finite()?;
        self.progress.metrics_bytes = directory.sync_metrics()?;
        let engine = &self.engines.rule;
        self.progress.scales = engine.scales().clone();
        let layers = 1..=engine.topology().depth();
        let starts_from_states = engine.inference().start == crate::inference::Start::Previous && self.progress.steps > 0;
        let states = layers.filter(|_| starts_from_states).map(|k| (engine.mean(k), engine.difference(k)));
        let checkpoint = Borrowed {
            progress: &self.progress,
            parameters: &self.parameters,
            optimizer: &self.optimizer,
            best: self.best.as_ref(),
            states: states.collect(),
            samples: if starts_from_states { engine.samples() } else { 0 },
        };
        let path = directory.last_checkpoint();
        directory.save_checkpoint(&checkpoint.to_bytes(&path, engine.topology(), self.recipe.optimizer())?, is_best)
    }

    /// Tests the best parameters, the only time that the test samples are looked at.
    fn finish(&mut self, directory: &RunDirectory, listen: &mut Listener) -> Result<Outcome<SeedResult>> {
        // A training has at least one epoch, the first of which is the best so far.
        let Some((best, parameters)) = self.progress.best.as_ref().zip(self.best.as_ref()) else {
            return Err(Error::malformed(directory.last_checkpoint(), "it knows no best epoch of a training that is over"));
        };
        let (evaluator, normalizer, subject) = (&mut self.evaluator, &self.data.normalizer, (parameters, &best.scales));
        let test = self.data.with_part(Part::Test, |test, indices| evaluator.evaluate(subject, test, normalizer, indices))?;
        if !test.loss.is_finite() {
            return Err(self.diverged(&format!("the test loss (layer {})", self.engines.rule.topology().depth())));
        }
        if let Some(warning) = self.data.test_warning(test.samples) {
            // Nothing is left to be stopped.
            let _ = listen(Event::Warning(&warning));
        }
        // Anew, since an interruption may have come between checkpoint and model.
        directory.save_model(&self.model(parameters))?;
        let result = SeedResult {
            seed: self.progress.seed,
            test,
            validation_accuracy: best.accuracy,
            best_epoch: best.epoch,
            angles_deg: self.progress.angles_deg.clone(),
            collapsed: self.progress.collapsed,
        };
        // Nothing is left to be stopped.
        let _ = listen(Event::Finished(&result));
        Ok(Outcome::Finished(result))
    }

    fn model(&self, parameters: &Parameters<f32>) -> Model {
        let normalizer = &self.data.normalizer;
        Model {
            topology: self.engines.rule.topology().clone(),
            parameters: parameters.clone(),
            preprocessing: Some((normalizer.mean().to_vec(), normalizer.scale().to_vec())),
        }
    }
}

/// The SHA-256 of all that decides what a training learns: the recipe without what never changes a result, and how many samples
/// train, validate and test.
fn identity(recipe: &Recipe, data: &Prepared) -> Result<String> {
    let mut params = recipe.params().clone();
    params.name.clear();
    params.seeds.clear();
    // A checkpoint has gone on from it already.
    params.network.from = None;
    // Nothing that is measured beside it changes what is learnt.
    params.analysis = None;
    let training = &mut params.training;
    (training.threads, training.checkpoint_every) = (0, 0);
    let split = [&data.split.train, &data.split.validation, &data.split.test].map(|part| part.len());
    let digest = Sha256::digest(format!("{}{split:?}", params.to_toml()?));
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
