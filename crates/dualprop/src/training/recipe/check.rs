//! From written to valid: names become values, numbers are held against their ranges and against each other.

use std::path::Path;

use crate::analysis::{Attack, AttackKind};
use crate::base::{Error, Named, Result};
use crate::compute::disturbance::Quantizer;
use crate::compute::spectral::Power;
use crate::compute::{Activation, Pool};
use crate::data::Shuffle;
use crate::data::source::as_path;
use crate::inference::{Damping, Feedback, Inference, PerLayer, Start};
use crate::learning::{OptimizerKind, Rate};
use crate::network::{Architecture, BiasInitializer, Initializer, Layer, PoolOrder, Shape, Topology};

use super::attack::attack;
use super::data::DataSettings;
use super::feedback;
use super::params::{NetworkParams, OneOrEach};
use super::places::Places;
use super::values::named;
use super::{AnalysisParams, DisturbanceParams, RecipeParams};

/// A checked recipe: the only thing that can train.
#[derive(Debug, Clone)]
pub struct Recipe {
    params: RecipeParams,
    data: DataSettings,
    layers: Layers,
    activation: Activation,
    pool_order: PoolOrder,
    initializers: (Initializer, BiasInitializer),
    inference: Inference,
    weight_levels: Option<Quantizer>,
    input_attack: Option<Attack>,
    attacks: Vec<Attack>,
    optimizer: OptimizerKind,
    shuffle: Shuffle,
    analysis: AnalysisParams,
    warnings: Vec<String>,
    places: Places,
}

/// The layers, or the name of a network, whose last layer is as wide as there are classes.
#[derive(Debug, Clone)]
enum Layers {
    Given(Vec<Layer>),
    Named(Architecture),
}

impl Layers {
    fn parse(network: &NetworkParams) -> Result<Self> {
        let texts = network.layers.iter().enumerate();
        match &network.architecture {
            Some(name) if network.layers.is_empty() => Ok(Layers::Named(named("network.architecture", name)?)),
            Some(name) => {
                let problem = "it excludes network.layers; leave one of them out";
                Err(Error::setting("network.architecture", name, problem))
            }
            None if network.layers.is_empty() => {
                let problem = "a network needs at least one layer, the output, or network.architecture";
                Err(Error::setting("network.layers", "[]", problem))
            }
            None => {
                let layers = texts.map(|(i, text)| Layer::parse(&format!("network.layers[{i}]"), text));
                let layers = layers.collect::<Result<Vec<Layer>>>()?;
                match layers.last() {
                    Some(Layer::Conv { .. }) => {
                        let (i, text) = (layers.len() - 1, format!("{:?}", layers[layers.len() - 1].to_string()));
                        Err(Error::setting(format!("network.layers[{i}]"), text, "the output must be dense"))
                    }
                    _ => Ok(Layers::Given(layers)),
                }
            }
        }
    }

    fn of(&self, classes: usize) -> Vec<Layer> {
        match self {
            Layers::Given(layers) => layers.clone(),
            Layers::Named(architecture) => architecture.layers(classes),
        }
    }
}

impl RecipeParams {
    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Unknown`], naming the first wrong value and what would be right.
    pub fn check(mut self) -> Result<Recipe> {
        self.check_ranges()?;
        let data = self.data.check()?;
        let layers = Layers::parse(&self.network)?;
        let activation = named("network.activation", &self.network.activation)?;
        let pool_order = named("network.pool_order", &self.network.pool_order)?;
        let initializers = (
            named("network.initializer", &self.network.initializer)?,
            named("network.bias_initializer", &self.network.bias_initializer)?,
        );
        let shuffle = named("training.shuffle", &self.training.shuffle)?;
        let (disturbance, weight_levels) =
            self.disturbance.as_mut().map(DisturbanceParams::check).transpose()?.unwrap_or_default();
        let inference = Inference { disturbance, ..self.learning.inference()? };
        let input_attack = attack(&self.learning)?;
        // How many classes there are changes no depth.
        let depth = layers.of(1).len();
        let mut warnings = vec![];
        for &seed in &self.seeds {
            // The order of the random schedule is another one for each seed.
            warnings = Inference { seed, ..inference.clone() }.check(depth)?;
            if self.learning.multistep > 1 {
                Inference { seed, start: Start::Continued, ..inference.clone() }.check(depth)?;
            }
        }
        let attacks = self.analysis.as_ref().map_or(Ok(vec![]), AnalysisParams::check)?;
        let optimizer = self.optimizer_kind()?;
        self.rate(1)?;
        warnings.extend(feedback::warning(inference.feedback, optimizer));
        self.write_down(&inference, input_attack, optimizer, &data);
        let analysis = self.analysis.get_or_insert_default().clone();
        let places = Places::default();
        let recipe = Recipe {
            params: self,
            data,
            layers,
            activation,
            pool_order,
            initializers,
            inference,
            weight_levels,
            input_attack,
            attacks,
            optimizer,
            shuffle,
            analysis,
            warnings,
            places,
        };
        // What the data set's images cannot carry is told before they are looked for.
        recipe.expected_topology().map(|_| recipe)
    }

    /// Puts the effective value in the place of every one that was left out and has one, so that a later default cannot change
    /// what a run directory says. An `output_alpha` that is left out follows α, whatever that may become, and `decay_epochs` the
    /// epochs: a copy of the recipe with more of them is not to train the rest at rate 0.
    fn write_down(&mut self, inference: &Inference, input_attack: Option<Attack>, optimizer: OptimizerKind, data: &DataSettings) {
        self.data.test = data.test;
        // Absolute, so that the run can be repeated from another folder.
        if let Some(path) = as_path(&self.data.dataset) {
            self.data.dataset = absolute(path);
        }
        self.network.from = self.network.from.take().map(|path| absolute(path.as_ref()));
        self.learning.nudge = Some(inference.nudge.name().into());
        // A recipe that says so is the same as one that does not.
        self.learning.feedback = inference.feedback.is_separate().then(|| inference.feedback.name().into());
        if self.learning.alpha.is_none()
            && let PerLayer::Uniform(alpha) = inference.rule.alpha
        {
            self.learning.alpha = Some(OneOrEach::One(alpha));
        }
        if let Some(Attack { kind, norm, steps, .. }) = input_attack.filter(|attack| attack.kind != AttackKind::Gradient) {
            self.learning.input_norm = Some(norm.name().into());
            self.learning.input_steps = (kind == AttackKind::Pgd).then_some(steps);
        }
        if let Some(Damping::Spectral { power, asymmetry }) = inference.rule.damping {
            let iterations = if let Power::Iterations(n) = power { n } else { 0 };
            self.learning.power_iterations = Some(iterations);
            self.learning.damping_asymmetry = Some(asymmetry);
        }
        match optimizer {
            OptimizerKind::Sgd { momentum, weight_decay } => {
                (self.optimizer.momentum, self.optimizer.weight_decay) = (Some(momentum), Some(weight_decay));
            }
            OptimizerKind::Adam { beta1, beta2, epsilon } | OptimizerKind::AdamW { beta1, beta2, epsilon, .. } => {
                (self.optimizer.beta1, self.optimizer.beta2) = (Some(beta1), Some(beta2));
                self.optimizer.epsilon = Some(epsilon);
            }
        }
        if let OptimizerKind::AdamW { weight_decay, .. } = optimizer {
            self.optimizer.weight_decay = Some(weight_decay);
        }
        let schedule = &mut self.optimizer.schedule;
        if schedule.kind != "constant" {
            schedule.last.get_or_insert(0.0);
        }
        if schedule.kind == "warmup_cosine" {
            schedule.first.get_or_insert(0.0);
        }
    }

    fn check_ranges(&self) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(plain) {
            let problem = "it names a folder: use letters, digits, - _ and ., not starting with a point";
            return Err(Error::setting("name", format!("{:?}", self.name), problem));
        }
        if self.seeds.is_empty() {
            return Err(Error::setting("seeds", "[]", "expected at least one seed"));
        }
        if let Some(i) = (1..self.seeds.len()).find(|&i| self.seeds[..i].contains(&self.seeds[i])) {
            return Err(Error::setting("seeds", self.seeds[i], "it is listed twice; a seed always gives the same run"));
        }
        for (field, value) in
            [("training.epochs", self.training.epochs as usize), ("training.batch_size", self.training.batch_size)]
        {
            if value == 0 {
                return Err(Error::setting(field, 0, "expected at least 1"));
            }
        }
        if self.training.threads > 1024 {
            return Err(Error::setting("training.threads", self.training.threads, "expected 0 (one per core) to 1024"));
        }
        Ok(())
    }
}

impl Recipe {
    /// The same recipe, whose later errors name the lines of its text.
    pub(super) fn with_places(self, places: Places) -> Self {
        Recipe { places, ..self }
    }

    /// The error with the line of the recipe's text that it is about, if it has one.
    pub(in crate::training) fn locate(&self, error: Error) -> Error {
        self.places.locate(error)
    }

    /// The error with the line of the recipe's text that has this key.
    pub(in crate::training) fn at(&self, key: &str, error: Error) -> Error {
        self.places.at(key, error)
    }

    /// Every effective value.
    pub fn params(&self) -> &RecipeParams {
        &self.params
    }

    /// Rule, nudge and schedule; the seed of a run draws the order of the random schedule.
    pub fn inference(&self, seed: u64) -> Inference {
        Inference { seed, ..self.inference.clone() }
    }

    /// The levels of kernels, in units of 1/√inputs; none: they are as fine as the numbers.
    pub fn weight_levels(&self) -> Option<Quantizer> {
        self.weight_levels
    }

    /// The σ of feedback kernels that are noisy copies, if they are.
    pub(in crate::training) fn feedback_noise(&self) -> Option<f64> {
        self.params.learning.feedback_noise.filter(|_| self.inference.feedback == Feedback::NoisyCopy)
    }

    /// What perturbs the inputs of a training; none: they stay as they are.
    pub fn input_attack(&self) -> Option<Attack> {
        self.input_attack
    }

    /// The attacks under which `[analysis]` measures the accuracy.
    pub(in crate::training) fn attacks(&self) -> &[Attack] {
        &self.attacks
    }

    /// The network over this input.
    ///
    /// # Errors
    /// [`Error::Setting`] if the last layer is not as wide as there are classes.
    pub fn topology(&self, input: Shape, classes: usize) -> Result<Topology> {
        let topology = Topology::new(input, self.layers.of(classes), self.activation, self.pool_order)?
            .with_feedback(self.inference.feedback.is_separate());
        if topology.outputs() != classes {
            let problem = format!("the data set has {classes} classes; the last layer must be \"dense {classes}\"");
            return Err(Error::setting("network.layers", format!("{:?}", self.params.network.layers), problem));
        }
        Ok(topology)
    }

    /// The network over the recipe's data, as far as is known before it is read.
    ///
    /// # Errors
    /// As [`Recipe::topology`].
    pub fn expected_topology(&self) -> Result<Topology> {
        self.topology(self.data.input, self.data.classes)
    }

    /// How kernels and biases start.
    pub fn initializers(&self) -> (Initializer, BiasInitializer) {
        self.initializers
    }

    /// The optimiser.
    pub fn optimizer(&self) -> OptimizerKind {
        self.optimizer
    }

    /// The learning rate over all steps, of which an epoch has `steps_per_epoch`.
    ///
    /// # Errors
    /// None for a checked recipe.
    pub fn rate(&self, steps_per_epoch: u64) -> Result<Rate> {
        self.params.rate(steps_per_epoch)
    }

    /// The step from which on SGD has another momentum, and that momentum.
    pub(in crate::training) fn momentum_change(&self, steps_per_epoch: u64) -> Option<(u64, f64)> {
        self.params.momentum_change(steps_per_epoch)
    }

    /// The threads that the recipe asks for, and how they convolve.
    ///
    /// # Errors
    /// As [`Pool::new`].
    pub(in crate::training) fn pool(&self) -> Result<Pool> {
        Ok(Pool::new(self.params.training.threads)?.with_exact_convolutions(self.params.training.exact_conv))
    }

    /// What `[analysis]` asks for.
    pub(in crate::training) fn analysis(&self) -> &AnalysisParams {
        &self.analysis
    }

    /// What `[data]` asks for.
    pub(in crate::training) fn data(&self) -> &DataSettings {
        &self.data
    }

    /// What an epoch shuffles.
    pub(in crate::training) fn shuffle(&self) -> Shuffle {
        self.shuffle
    }

    /// Settings that are valid but rarely meant.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The path from the root of the file system, if there is one.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string()
}

#[cfg(test)]
mod tests;
