//! From written to valid: names become values, numbers are held against their ranges and against each other.

use crate::base::{Error, Named, Result};
use crate::compute::spectral::Power;
use crate::compute::{Activation, Loss};
use crate::inference::{Damping, Inference, Nudge, PerLayer, Rule, RuleKind, Schedule, Start};
use crate::learning::{OptimizerKind, Rate};
use crate::network::{BiasInitializer, Initializer, Layer, Shape, Topology};

use super::RecipeParams;
use super::params::{LearningParams, OneOrEach, RateParams};

/// A checked recipe: the only thing that can train.
#[derive(Debug, Clone)]
pub struct Recipe {
    params: RecipeParams,
    layers: Vec<Layer>,
    activation: Activation,
    initializers: (Initializer, BiasInitializer),
    inference: Inference,
    optimizer: OptimizerKind,
    warnings: Vec<String>,
}

impl RecipeParams {
    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Unknown`], naming the first wrong value and what would be right.
    pub fn check(mut self) -> Result<Recipe> {
        self.check_ranges()?;
        let texts = self.network.layers.iter().enumerate();
        let layers: Vec<Layer> =
            texts.map(|(i, text)| Layer::parse(&format!("network.layers[{i}]"), text)).collect::<Result<_>>()?;
        if layers.is_empty() {
            return Err(Error::setting("network.layers", "[]", "a network needs at least one layer, the output"));
        }
        let activation = Activation::parse(&self.network.activation)?;
        let initializers =
            (Initializer::parse(&self.network.initializer)?, BiasInitializer::parse(&self.network.bias_initializer)?);
        let inference = inference(&self.learning)?;
        let mut warnings = vec![];
        for &seed in &self.seeds {
            // The order of the random schedule is another one for each seed.
            warnings = Inference { seed, ..inference.clone() }.check(layers.len())?;
        }
        let optimizer = self.optimizer_kind()?;
        self.rate(1)?;
        self.write_down(&inference, optimizer);
        Ok(Recipe { params: self, layers, activation, initializers, inference, optimizer, warnings })
    }

    /// Puts the effective value in the place of every one that was left out and has one, so that a later default cannot change
    /// what a run directory says. An `output_alpha` that is left out follows α, whatever that may become.
    fn write_down(&mut self, inference: &Inference, optimizer: OptimizerKind) {
        self.learning.nudge = Some(inference.nudge.name().into());
        if let Some(Damping::Spectral { power, asymmetry }) = inference.rule.damping {
            let iterations = if let Power::Iterations(n) = power { n } else { 0 };
            self.learning.power_iterations = Some(iterations);
            self.learning.damping_asymmetry = Some(asymmetry);
        }
        match optimizer {
            OptimizerKind::Sgd { momentum, weight_decay } => {
                (self.optimizer.momentum, self.optimizer.weight_decay) = (Some(momentum), Some(weight_decay));
            }
            OptimizerKind::Adam { beta1, beta2, epsilon } => {
                (self.optimizer.beta1, self.optimizer.beta2) = (Some(beta1), Some(beta2));
                self.optimizer.epsilon = Some(epsilon);
            }
        }
        let schedule = &mut self.optimizer.schedule;
        if schedule.kind != "constant" {
            schedule.last.get_or_insert(0.0);
            schedule.decay_epochs.get_or_insert(self.training.epochs);
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
        if self.data.dataset != "digits" {
            return Err(Error::unknown("data.dataset", &self.data.dataset, ["digits"]));
        }
        for (field, share) in [("data.validation", self.data.validation), ("data.test", self.data.test)] {
            if !(share > 0.0 && share < 1.0) {
                return Err(Error::setting(field, share, "expected a share above 0 and below 1"));
            }
        }
        if self.data.validation + self.data.test >= 1.0 {
            let sum = self.data.validation + self.data.test;
            return Err(Error::setting("data.validation + data.test", sum, "nothing would be left to train on"));
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

    fn optimizer_kind(&self) -> Result<OptimizerKind> {
        let o = &self.optimizer;
        positive("optimizer.learning_rate", o.learning_rate)?;
        let (momentum, weight_decay) = (("momentum", o.momentum), ("weight_decay", o.weight_decay));
        let (beta1, beta2, epsilon) = (("beta1", o.beta1), ("beta2", o.beta2), ("epsilon", o.epsilon));
        let unused = |keys: &[(&str, Option<f64>)]| match keys.iter().find_map(|(key, value)| value.map(|v| (key, v))) {
            Some((key, value)) => {
                let problem = format!("the optimizer `{}` has no such number; leave it out", o.kind);
                Err(Error::setting(format!("optimizer.{key}"), value, problem))
            }
            None => Ok(()),
        };
        let within = |(key, value): (&str, Option<f64>), default: f64, valid: fn(f64) -> bool, range: &str| {
            let value = value.unwrap_or(default);
            match valid(value) {
                true => Ok(value),
                false => Err(Error::setting(format!("optimizer.{key}"), value, format!("expected {range}"))),
            }
        };
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        match o.kind.as_str() {
            "sgd" => {
                unused(&[beta1, beta2, epsilon])?;
                Ok(OptimizerKind::Sgd {
                    momentum: within(momentum, 0.0, fraction, "a number from 0 to below 1")?,
                    weight_decay: within(weight_decay, 0.0, |x| x >= 0.0 && x.is_finite(), "a finite number, 0 or more")?,
                })
            }
            "adam" => {
                unused(&[momentum, weight_decay])?;
                Ok(OptimizerKind::Adam {
                    beta1: within(beta1, 0.9, fraction, "a number from 0 to below 1")?,
                    beta2: within(beta2, 0.999, fraction, "a number from 0 to below 1")?,
                    epsilon: within(epsilon, 1e-8, |x| x > 0.0 && x.is_finite(), "a finite number above 0")?,
                })
            }
            other => Err(Error::unknown("optimizer", other, ["sgd", "adam"])),
        }
    }

    /// The learning rate over all steps, of which an epoch has `steps_per_epoch`.
    fn rate(&self, steps_per_epoch: u64) -> Result<Rate> {
        let RateParams { kind, first, last, warmup_epochs, decay_epochs } = &self.optimizer.schedule;
        let key = |name: &str| format!("optimizer.schedule.{name}");
        let unused = |name: &str, given: bool| match given {
            true => Err(Error::setting(key(name), "given", format!("the schedule `{kind}` has no such number; leave it out"))),
            false => Ok(()),
        };
        let peak = self.optimizer.learning_rate;
        let last_rate = last.unwrap_or(0.0);
        let decay = u64::from(decay_epochs.unwrap_or(self.training.epochs));
        if !(last_rate >= 0.0 && last_rate <= peak) {
            return Err(Error::setting(key("last"), last_rate, "expected a number from 0 to learning_rate"));
        }
        if decay == 0 {
            return Err(Error::setting(key("decay_epochs"), 0, "expected at least 1"));
        }
        if kind != "warmup_cosine" {
            unused("first", first.is_some())?;
            unused("warmup_epochs", warmup_epochs.is_some())?;
        }
        match kind.as_str() {
            "constant" => {
                unused("last", last.is_some())?;
                unused("decay_epochs", decay_epochs.is_some())?;
                Ok(Rate::Constant(peak))
            }
            "cosine" => Ok(Rate::Cosine { peak, last: last_rate, steps: decay * steps_per_epoch }),
            "warmup_cosine" => {
                let (first, warmup) = (first.unwrap_or(0.0), u64::from(warmup_epochs.unwrap_or(0)));
                if !(first >= 0.0 && first.is_finite()) {
                    return Err(Error::setting(key("first"), first, "expected a finite number, 0 or more"));
                }
                if warmup == 0 || warmup >= decay {
                    let problem = format!("expected at least 1 and fewer than the {decay} epochs of the decay, which include it");
                    return Err(Error::setting(key("warmup_epochs"), warmup, problem));
                }
                let (warmup_steps, decay_steps) = (warmup * steps_per_epoch, decay * steps_per_epoch);
                Ok(Rate::WarmupCosine { first, peak, last: last_rate, warmup_steps, decay_steps })
            }
            other => Err(Error::unknown("optimizer.schedule.kind", other, ["constant", "cosine", "warmup_cosine"])),
        }
    }
}

impl Recipe {
    /// Every effective value.
    pub fn params(&self) -> &RecipeParams {
        &self.params
    }

    /// Rule, nudge and schedule; the seed of a run draws the order of the random schedule.
    pub fn inference(&self, seed: u64) -> Inference {
        Inference { seed, ..self.inference.clone() }
    }

    /// The network over this input.
    ///
    /// # Errors
    /// [`Error::Setting`] if the last layer is not as wide as there are classes.
    pub fn topology(&self, input: Shape, classes: usize) -> Result<Topology> {
        let topology = Topology::new(input, self.layers.clone(), self.activation)?;
        if topology.outputs() != classes {
            let problem = format!("the data set has {classes} classes; the last layer must be \"dense {classes}\"");
            return Err(Error::setting("network.layers", format!("{:?}", self.params.network.layers), problem));
        }
        Ok(topology)
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

    /// Settings that are valid but rarely meant.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn inference(learning: &LearningParams) -> Result<Inference> {
    let per_layer = |values: &OneOrEach| match values {
        OneOrEach::One(value) => PerLayer::Uniform(*value),
        OneOrEach::Each(values) => PerLayer::Each(values.clone()),
    };
    let kind = RuleKind::parse(&learning.rule)?;
    let rule = Rule {
        kind,
        alpha: per_layer(&learning.alpha),
        alpha_feedback: learning.alpha_feedback.as_ref().map(per_layer),
        output_alpha: learning.output_alpha,
        gain: per_layer(&learning.gain),
        damping: damping(learning, kind)?,
    };
    let schedule = Schedule::parse(&learning.schedule)?;
    if schedule == Schedule::Backward && learning.passes != 1 {
        let problem = "the schedule `backward` is a single sweep; use `forward_backward` for more";
        return Err(Error::setting("learning.passes", learning.passes, problem));
    }
    let start = Start::parse(&learning.start)?;
    if start == Start::Continued {
        let problem = "a training goes on to another batch, so that nothing of its inference can be continued; use `previous`";
        return Err(Error::setting("learning.start", start.name(), problem));
    }
    Ok(Inference {
        rule,
        nudge: learning.nudge.as_deref().map_or(Ok(Nudge::default_for(kind)), Nudge::parse)?,
        beta: learning.beta,
        loss: Loss::parse(&learning.loss)?,
        schedule,
        passes: learning.passes,
        start,
        nudge_from_pass: learning.nudge_from_pass,
        divide_gain: learning.divide_gain,
        seed: 0,
    })
}

fn damping(learning: &LearningParams, kind: RuleKind) -> Result<Option<Damping>> {
    let (given, spectral) = (&learning.damping, learning.power_iterations.is_some() || learning.damping_asymmetry.is_some());
    match (given, kind) {
        (Some(values), _) if !spectral => Ok(Some(Damping::Given(values.clone()))),
        (Some(values), _) => {
            let problem = "given coefficients exclude power_iterations and damping_asymmetry";
            Err(Error::setting("learning.damping", format!("{values:?}"), problem))
        }
        (None, RuleKind::DpDamped) => Ok(Some(Damping::Spectral {
            power: match learning.power_iterations {
                None | Some(0) => Power::Converged,
                Some(n) => Power::Iterations(n),
            },
            asymmetry: learning.damping_asymmetry.unwrap_or(false),
        })),
        (None, _) if spectral => {
            let problem = format!("the rule `{}` is not damped; use `dp_damped`, or leave them out", kind.name());
            Err(Error::setting("learning.power_iterations, damping_asymmetry", "given", problem))
        }
        (None, _) => Ok(None),
    }
}

fn positive(field: &str, value: f64) -> Result<()> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(Error::setting(field, value, "expected a finite number above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (assignment, expected) in [
            ("name=a/b", "name = "),
            ("name=..", "name = "),
            ("seeds=[]", "seeds = []"),
            ("seeds=[1,2,1]", "seeds = 1"),
            ("data.dataset=digit", "unknown data.dataset `digit`; did you mean `digits`?"),
            ("data.validation=0", "data.validation = 0"),
            ("data.test=0.9", "data.validation + data.test"),
            ("network.layers=[]", "network.layers = []"),
            ("network.layers=['conv 3']", "network.layers[0]"),
            ("network.layers=['dense 0']", "network.layers[0]"),
            ("network.activation=rleu", "unknown activation `rleu`; did you mean `relu`?"),
            ("network.initializer=xavier", "unknown initializer"),
            ("learning.rule=dpt", "unknown rule"),
            ("learning.alpha=2", "learning.alpha = 2"),
            ("learning.alpha=[0.5]", "learning.alpha = [0.5]"),
            ("learning.beta=-1", "learning.beta = -1"),
            ("learning.damping=[1,1]", "learning.damping = "),
            ("learning.start=continued", "learning.start = continued"),
            ("learning.power_iterations=3", "learning.power_iterations"),
            ("learning.power_iterations=0", "learning.power_iterations"),
            ("optimizer.kind=adamm", "unknown optimizer `adamm`; did you mean `adam`?"),
            ("optimizer.learning_rate=0", "optimizer.learning_rate = 0"),
            ("optimizer.momentum=1", "optimizer.momentum = 1"),
            ("optimizer.epsilon=1", "optimizer.epsilon = 1"),
            ("optimizer.schedule.first=0.1", "optimizer.schedule.first"),
            ("optimizer.schedule.last=1", "optimizer.schedule.last = 1"),
            ("optimizer.schedule.kind=warmup_cosine", "optimizer.schedule.warmup_epochs = 0"),
            ("training.epochs=0", "training.epochs = 0"),
            ("training.batch_size=0", "training.batch_size = 0"),
            ("training.threads=5000", "training.threads = 5000"),
        ] {
            let params = RecipeParams::load("digits", &[assignment.to_string()]).unwrap();
            let error = params.check().expect_err(assignment).to_string();
            assert!(error.starts_with(expected), "{assignment}: {error}");
        }
    }

    /// Two draws a pass over three layers miss the output for some seeds: each seed must be checked, not the first alone.
    #[test]
    fn the_random_order_of_every_seed_is_checked() {
        let sets = |seeds: &str| ["learning.schedule=random", "learning.passes=2", seeds].map(String::from);
        let check = |seeds: &str| RecipeParams::load("digits", &sets(seeds)).unwrap().check();
        assert!(check("seeds=[0]").is_ok());
        assert!(check("seeds=[0,1]").unwrap_err().to_string().starts_with("learning.schedule = random"));
    }

    #[test]
    fn defaults_are_written_down_and_mean_the_same_when_read_again() {
        let written = |more: &str| {
            let text = format!("name='a'\n[data]\ndataset='digits'\n[network]\nlayers=['dense 9', 'dense 10']\n{more}");
            let recipe = RecipeParams::parse(&text, "test", &[]).unwrap().check().unwrap();
            let text = recipe.params().to_toml().unwrap();
            let again = RecipeParams::parse(&text, "again", &[]).unwrap().check().unwrap();
            assert_eq!(again.params(), recipe.params());
            assert_eq!((again.inference(3), again.optimizer()), (recipe.inference(3), recipe.optimizer()));
            assert_eq!(again.rate(7).unwrap(), recipe.rate(7).unwrap());
            text
        };
        for (more, expected) in [
            ("[learning]\nrule='dp'", &["nudge = \"linearised_live\"", "momentum = 0.0", "weight_decay = 0.0"][..]),
            ("[learning]\nrule='dp_damped'", &["power_iterations = 0", "damping_asymmetry = false"]),
            ("[optimizer]\nkind='adam'", &["beta1 = 0.9", "beta2 = 0.999", "epsilon = "]),
            ("[optimizer.schedule]\nkind='cosine'", &["last = 0.0", "decay_epochs = 20"]),
            ("[optimizer.schedule]\nkind='warmup_cosine'\nwarmup_epochs=2", &["first = 0.0", "warmup_epochs = 2"]),
        ] {
            let text = written(more);
            expected.iter().for_each(|expected| assert!(text.contains(expected), "{expected}: {text}"));
        }
    }

    #[test]
    fn the_output_must_fit_the_classes() {
        let recipe = RecipeParams::load("digits", &[]).unwrap().check().unwrap();
        assert!(recipe.topology(Shape::flat(64), 10).is_ok());
        let error = recipe.topology(Shape::flat(64), 7).unwrap_err().to_string();
        assert!(error.contains("must be \"dense 7\""), "{error}");
    }
}
