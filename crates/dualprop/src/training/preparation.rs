//! What a training needs before its first step: data, split and normalised, and engines that fit into memory.

use crate::analysis::{Attacker, InputRange, LipschitzMeter};
use crate::base::{Error, Result, memory};
use crate::compute::Pool;
use crate::data::{Dataset, Folders, Held, Normalizer, Source, Split};
use crate::inference::{Engine, Inference, Plan, PlanOptions, Rule, Start};
use crate::network::{Model, Parameters, Shape, Topology};

use super::evaluation::{evaluation_batch, normalizer_of};
use super::feedback::{drawn, fitted};
use super::recipe::{DataSettings, Validate};
use super::{Part, Recipe};

/// A data set whose samples are assigned, and how their pixels become inputs.
pub(super) struct Prepared {
    source: Source,
    /// The extents of an image before it was padded.
    unpadded: Shape,
    pub(super) dataset: Dataset,
    pub(super) normalizer: Normalizer,
    pub(super) split: Split,
    pub(super) warnings: Vec<String>,
}

impl Prepared {
    /// The recipe's data, split by the seed. Test samples that have files of their own are not read.
    ///
    /// # Errors
    /// [`Error::Setting`] where a part of the split is too small; as [`Source::find`] and [`Source::training`].
    pub(super) fn load(recipe: &Recipe, folders: &Folders, seed: u64) -> Result<Self> {
        let source = Source::find(&recipe.params().data.dataset, folders)?;
        let dataset = source.training()?;
        let split = split(recipe.data(), &dataset, seed)?;
        let batch_size = recipe.params().training.batch_size;
        if batch_size > split.train.len() {
            let problem = format!("there are only {} training samples", split.train.len());
            return Err(Error::setting("training.batch_size", batch_size, problem));
        }
        // Statistics of the training samples alone: the others must not influence what is learnt.
        let mut normalizer = Normalizer::fit(recipe.data().normalization, &dataset, &split.train)?;
        let warnings = source.unexpected_count(0, dataset.len()).into_iter().collect();
        let (input, unpadded) = (recipe.data().input, dataset.input);
        let dataset = match dataset.input == input {
            true => dataset,
            false => {
                normalizer = normalizer.padded(dataset.input, input);
                dataset.padded(input)?.into_owned()
            }
        };
        Ok(Prepared { source, unpadded, dataset, normalizer, split, warnings })
    }

    /// Lends the samples of a part to `work`, as a data set and their places in it. A training looks at those of the test once, at
    /// its end.
    pub(super) fn with_part<R>(&self, part: Part, work: impl FnOnce(&Dataset, &[usize]) -> Result<R>) -> Result<R> {
        match part {
            Part::Train => work(&self.dataset, &self.split.train),
            Part::Validation => work(&self.dataset, &self.split.validation),
            Part::Test => match self.source.test()? {
                Some(test) => work(test.padded(self.dataset.input)?.as_ref(), &(0..test.len()).collect::<Vec<_>>()),
                None => work(&self.dataset, &self.split.test),
            },
        }
    }

    /// Which inputs are possible: those of pixels from 0 to the largest; around a padded image there are none.
    pub(super) fn range(&self) -> InputRange<f32> {
        let (inner, outer) = (self.unpadded, self.dataset.input);
        let (above, left) = ((outer.height - inner.height) / 2, (outer.width - inner.width) / 2);
        let is_pixel = |place: usize| {
            let (row, column) = (place / outer.channels / outer.width, place / outer.channels % outer.width);
            (above..above + inner.height).contains(&row) && (left..left + inner.width).contains(&column)
        };
        let largest = f32::from(self.dataset.largest);
        let numbers = self.normalizer.mean().iter().zip(self.normalizer.scale()).enumerate();
        let (lower, extent) =
            numbers.map(|(place, (mean, scale))| (-mean / scale, if is_pixel(place) { largest / scale } else { 0.0 })).unzip();
        InputRange { lower, extent }
    }

    /// What to tell a user of a test set with this many samples.
    pub(super) fn test_warning(&self, samples: usize) -> Option<String> {
        self.source.description().has_test.then(|| self.source.unexpected_count(1, samples)).flatten()
    }

    /// How many samples test, as far as is known before they are read.
    pub(super) fn test_samples(&self) -> usize {
        let about = self.source.description();
        if about.has_test { about.published.map_or(0, |[_, test]| test) } else { self.split.test.len() }
    }
}

fn split(data: &DataSettings, dataset: &Dataset, seed: u64) -> Result<Split> {
    let samples = dataset.len();
    let share = if data.validation < 1.0 { data.validation } else { data.validation / samples as f64 };
    if share + data.test.unwrap_or(0.0) >= 1.0 {
        let problem = format!("there are only {samples} samples; nothing would be left to train on");
        return Err(Error::setting("data.validation", data.validation, problem));
    }
    let mut split = match data.validate {
        Validate::Stratified => {
            let validation = if data.validation < 1.0 { Held::Share(share) } else { Held::Count(data.validation as usize) };
            Split::stratified(dataset.labels(), dataset.classes, validation, data.test.unwrap_or(0.0), seed)?
        }
        Validate::Last => Split::last(samples, (share * samples as f64).round() as usize),
    };
    if let Some(most) = data.limit_train {
        split.train.truncate(most);
    }
    for (field, value, part, problem) in [
        ("data.validation", Some(data.validation), &split.validation, "no sample would be held out; raise it"),
        ("data.test", data.test, &split.test, "no sample would be held out; raise it"),
        ("data.validation", Some(data.validation), &split.train, "no sample would be left to train on"),
    ] {
        if let Some(value) = value.filter(|_| part.is_empty()) {
            return Err(Error::setting(field, value, problem));
        }
    }
    Ok(split)
}

/// The parameters that a training starts from: those of the model that the recipe names, or drawn by the seed, as feedback kernels
/// are that the model has not. A model whose inputs were normalised otherwise than the data is worth a warning, which comes second.
///
/// # Errors
/// As [`Model::load`]; [`Error::Setting`] if it is the model of another network.
pub(super) fn start_parameters(
    recipe: &Recipe,
    topology: &Topology,
    data: &Prepared,
    seed: u64,
    pool: &Pool,
) -> Result<(Parameters<f32>, Option<String>)> {
    let Some(path) = &recipe.params().network.from else {
        return Ok((drawn(recipe, topology, seed, pool), None));
    };
    let model = Model::load(path.as_ref()).map_err(|error| recipe.at("network.from", error))?;
    if !model.topology.is_alike(topology) {
        let layers = |topology: &Topology| {
            let layers: Vec<String> = topology.layers().iter().map(ToString::to_string).collect();
            format!("{:?} of {:?} over {:?}", layers, topology.activation(), topology.input())
        };
        let problem = format!("it is the model of {}, but the recipe's network is {}", layers(&model.topology), layers(topology));
        return Err(Error::setting("network.from", path, problem));
    }
    let alike = normalizer_of(&model, &data.dataset)? == data.normalizer;
    let warning = (!alike).then(|| {
        format!("network.from = {path}: its inputs were normalised otherwise than those of this training, which are its own")
    });
    Ok((fitted(recipe, topology, &model, seed, pool)?, warning))
}

/// The engines of a training.
pub(super) struct Engines {
    /// That of the recipe's rule.
    pub(super) rule: Engine<f32>,
    /// The same rule, which goes on from states that are handed to it; where a batch has several weight updates.
    pub(super) continued: Option<Engine<f32>>,
    /// Backpropagation, where it is measured against.
    pub(super) backprop: Option<Engine<f32>>,
    /// Who perturbs the inputs, where that is asked for.
    pub(super) attacker: Option<Attacker<f32>>,
    /// Where local Lipschitz constants are measured.
    pub(super) lipschitz: Option<LipschitzMeter<f32>>,
}

impl Engines {
    /// Compiles and reserves everything.
    ///
    /// # Errors
    /// As [`Plan::compile`] and [`Engine::new`]; [`Error::Memory`] if the training would not fit.
    pub(super) fn new(recipe: &Recipe, data: &Prepared, topology: &Topology, seed: u64, pool: &Pool) -> Result<Self> {
        let capacity = recipe.params().training.batch_size;
        let plans = Plans::compile(recipe, topology, seed)?;
        memory::require("this training", plans.memory(topology, capacity), REMEDY)?;
        let Plans { rule, continued, backprop, attacker, measured } = plans;
        let inference = recipe.inference(seed);
        let attack = || Attacker::new(topology, inference.loss, data.range(), capacity, pool);
        let attacker = attacker.map(|_| attack()).transpose()?;
        let bind = |plan: Plan| Engine::new(plan, capacity, pool);
        Ok(Engines {
            rule: bind(rule)?,
            continued: continued.map(bind).transpose()?,
            backprop: backprop.map(bind).transpose()?,
            attacker,
            lipschitz: (measured > 0).then(|| LipschitzMeter::new(topology, measured, pool)),
        })
    }
}

/// What to do about a training that does not fit into memory.
pub(super) const REMEDY: &str = "choose smaller layers or a smaller training.batch_size";

/// What the engines of a training carry out, before anything is reserved for it.
struct Plans {
    rule: Plan,
    continued: Option<Plan>,
    backprop: Option<Plan>,
    attacker: Option<Plan>,
    /// Samples at which local Lipschitz constants are measured.
    measured: usize,
}

impl Plans {
    fn compile(recipe: &Recipe, topology: &Topology, seed: u64) -> Result<Self> {
        let (params, analysis) = (recipe.params(), recipe.analysis());
        let aligned = params.training.alignment_every > 0 || analysis.first_batches > 0;
        let inference = recipe.inference(seed);
        // β is only a scale of backpropagation's differences; 1 is what no extreme β can spoil.
        let like_backprop = Inference::new(Rule::backprop(), 1.0, inference.loss);
        let like_continued = Inference { start: Start::Continued, ..inference.clone() };
        let compile = |inference: &Inference| Plan::compile(topology, inference, PlanOptions::default());
        Ok(Plans {
            rule: compile(&inference)?,
            continued: (params.learning.multistep > 1).then(|| compile(&like_continued)).transpose()?,
            backprop: aligned.then(|| compile(&like_backprop)).transpose()?,
            attacker: recipe.input_attack().map(|_| Attacker::<f32>::plan(topology, inference.loss)).transpose()?,
            measured: params.training.batch_size.min(analysis.lipschitz_samples),
        })
    }

    /// Bytes of everything that a training holds at once beside its data.
    fn memory(&self, topology: &Topology, batch_size: usize) -> u64 {
        const F32: u64 = size_of::<f32>() as u64;
        let neurons: u64 = (0..=topology.depth()).map(|k| topology.state(k).neurons() as u64).sum();
        // The parameters, two moments of the optimiser, the best parameters, and the checkpoint of all of them, twice: as bytes
        // of each tensor and of the file.
        let parameters = (3 * 4 * F32).saturating_mul(topology.parameter_count() as u64);
        let evaluation = (2 * F32 * evaluation_batch(batch_size) as u64).saturating_mul(neurons);
        let plans = [Some(&self.rule), self.continued.as_ref(), self.backprop.as_ref(), self.attacker.as_ref()];
        let states = plans.iter().flatten().map(|plan| plan.memory(batch_size, size_of::<f32>())).fold(0, u64::saturating_add);
        let meter = if self.measured > 0 { LipschitzMeter::<f32>::memory(topology, self.measured) } else { 0 };
        [parameters, evaluation, meter].into_iter().fold(states, u64::saturating_add)
    }
}

/// Bytes that a training by this recipe holds at most, its data among them; nothing is read but what its files say of themselves.
///
/// # Errors
/// As [`Source::find`], [`Recipe::topology`] and [`Plan::compile`].
pub(super) fn memory_of(recipe: &Recipe, folders: &Folders) -> Result<u64> {
    let (params, topology) = (recipe.params(), recipe.expected_topology()?);
    let computing = Plans::compile(recipe, &topology, params.seeds[0])?.memory(&topology, params.training.batch_size);
    let source = Source::find(&params.data.dataset, folders)?;
    let [training, test] = source.memory(recipe.data().input)?;
    // The test is read at the end, while everything else is still there.
    Ok(training.reading.max(training.kept.saturating_add(computing).saturating_add(test.reading)))
}
