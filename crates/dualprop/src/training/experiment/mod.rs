//! Experiments: the tables and figures of the papers, each as arms that are trained with the same seeds.
//!
//! An [`Experiment`] says what is trained and where it was published. In a [`Form`] (as published or quick, with overrides) it is a
//! [`Sweep`], with everything that is promised of sweeps.

mod convolutional;
mod dense;
mod measured;
mod predecessor;
mod time;

use crate::base::{Error, Result};

use super::sweep::{Arm, Arms, Description, Origin, Sweep};

pub use time::Speed;

/// A table or a figure of a paper, and the trainings that it is made of.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// What `dualprop reproduce` calls it.
    pub name: &'static str,
    /// What is compared, in a line.
    pub title: &'static str,
    /// The table or figure, and the paper.
    pub source: &'static str,
    /// What is trained and how, in sentences.
    pub setting: &'static [&'static str],
    /// What tells the arms apart.
    pub columns: &'static [&'static str],
    /// The seeds of every arm.
    pub seeds: &'static [u64],
    /// What is looked at.
    pub quantities: &'static [Quantity],
    /// The numbers that are published and known here; there are no others.
    pub published: &'static [Published],
    /// What differs from the authors' programs, and what is not known of them.
    pub remarks: &'static [&'static str],
    /// Overrides of every arm, beyond its recipe.
    set: &'static [&'static str],
    arms: Vec<Arm>,
    quick: Quick,
}

/// What makes an experiment small enough to be tried in minutes.
#[derive(Debug, Clone, Copy)]
struct Quick {
    /// Overrides of every arm.
    set: &'static [&'static str],
    seeds: &'static [u64],
}

/// In the place of a network that needs days: two pooled convolutions, and a thousand images.
const SMALL: &[&str] = &[
    "network.architecture=minicnn",
    "learning.passes=3",
    "data.limit_train=1000",
    "data.validation=1000",
    "training.epochs=2",
    "training.alignment_every=5",
    "optimizer.schedule.warmup_epochs=1",
    "optimizer.schedule.decay_epochs=2",
];

/// What an experiment looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Accuracy on the test samples of the parameters best on validation, in percent.
    TestAccuracy,
    /// The same for the label among the five largest outputs.
    TestTop5,
    /// ‖W_L … W_1‖₂ after the last epoch: `product_norm` in `metrics.jsonl`.
    ProductNorm,
    /// The angles between local gradients and backpropagation, by layers and time: `angles_deg`, of epochs and of steps.
    Angles,
    /// γ_k and L_k by layers and epochs: the lines of the kind `norm`.
    Norms,
}

/// A number that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The values of the arm that it is of.
    pub values: &'static [&'static str],
    /// What it is a number of.
    pub quantity: Quantity,
    /// As it was printed.
    pub value: &'static str,
    /// Who printed it.
    pub source: &'static str,
}

/// How an experiment is carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// In minutes, to be tried: it reproduces nothing.
    pub quick: bool,
    /// `key=value` overrides of all arms.
    pub with: Vec<String>,
    /// How many of its seeds, the first ones; none: all.
    pub seeds: Option<usize>,
}

impl Experiment {
    /// Every experiment, in the order in which they are listed.
    pub fn all() -> Vec<Self> {
        [dense::all(), convolutional::all(), measured::all(), predecessor::all()].concat()
    }

    /// The experiment of this name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn find(name: &str) -> Result<Self> {
        let all = Experiment::all();
        let found = all.iter().find(|experiment| experiment.name == name).cloned();
        found.ok_or_else(|| Error::unknown("experiment", name, all.iter().map(|experiment| experiment.name)))
    }

    /// The sweep over its arms.
    ///
    /// # Errors
    /// [`Error::Setting`] for an override of what the arms differ in, or of the seeds, for one that makes two arms the same training,
    /// and for more seeds than there are; as [`super::Recipe::load`], with the arm.
    pub fn sweep(&self, form: &Form) -> Result<Sweep> {
        let own = if form.quick { self.quick.seeds } else { self.seeds };
        let seeds = match form.seeds {
            Some(n) if n == 0 || n > own.len() => {
                let problem = format!("the experiment has the seeds {own:?}; expected how many of them, from 1 to {}", own.len());
                return Err(Error::setting("--seeds", n, problem));
            }
            Some(n) => &own[..n],
            None => own,
        };
        let quick = if form.quick { self.quick.set } else { &[] };
        let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let origin = Origin { name: self.name.into(), quick: form.quick, with: form.with.clone() };
        let set = owned(&[self.set, quick].concat());
        Sweep::of(Description::Arms(Arms::new(origin, owned(self.columns), set, self.arms.clone(), seeds.to_vec())?))
    }

    /// The title of this form of it, which says where it is not what was published.
    pub fn heading(&self, origin: &Origin) -> String {
        let quick = if origin.quick { ", quick: it reproduces nothing" } else { "" };
        let with = if origin.with.is_empty() { String::new() } else { format!(", with {}", origin.with.join(", ")) };
        format!("{}{quick}{with}", self.title)
    }

    /// The overrides by which this form of it differs from its setting.
    pub fn changes<'a>(&'a self, origin: &'a Origin) -> Vec<&'a str> {
        let quick = if origin.quick { self.quick.set } else { &[] };
        quick.iter().copied().chain(origin.with.iter().map(String::as_str)).collect()
    }

    /// What was published of an arm, if it is known here.
    pub fn published_of(&self, values: &[String], quantity: Quantity) -> Option<&'static Published> {
        self.published.iter().find(|published| published.quantity == quantity && published.values == values)
    }
}

/// An arm: a recipe, its values, and overrides of its own.
fn arm(recipe: &str, values: &[&str], set: &[&str]) -> Arm {
    let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
    Arm { values: owned(values), recipe: recipe.into(), set: owned(set) }
}

/// An arm of DP⊤ at these α and β, as the columns method, alpha and beta have them.
fn dp_transpose(recipe: &str, alpha: &str, beta: &str) -> Arm {
    let set = [format!("learning.alpha={alpha}"), format!("learning.beta={beta}")];
    arm(recipe, &["dp_transpose", alpha, beta], &[&set[0], &set[1]])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_experiment_has_the_arms_and_seeds_of_the_papers() {
        let found: Vec<(&str, usize, usize)> =
            Experiment::all().iter().map(|of| (of.name, of.arms.len(), of.seeds.len())).collect();
        let expected = [
            ("mnist", 13, 3),
            ("fashion-mnist", 13, 3),
            ("cifar10", 11, 3),
            ("cifar100", 11, 3),
            ("imagenet32", 2, 3),
            ("mnist-cnn", 3, 3),
            ("cifar10-minicnn", 11, 1),
            ("angles", 2, 1),
            ("norms", 3, 1),
            ("flavours", 7, 5),
            ("vgg16-2023", 3, 5),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn every_arm_of_every_experiment_is_a_sound_recipe_quick_or_not() {
        for experiment in Experiment::all() {
            for quick in [false, true] {
                let what = format!("{} quick: {quick}", experiment.name);
                let sweep = experiment.sweep(&Form { quick, ..Form::default() }).unwrap_or_else(|e| panic!("{what}: {e}"));
                let seeds = if quick { experiment.quick.seeds } else { experiment.seeds };
                assert_eq!((sweep.cells().len(), sweep.seeds()), (experiment.arms.len(), seeds), "{what}");
                assert_eq!(sweep.columns(), experiment.columns, "{what}");
                let names: HashSet<&str> = sweep.cells().iter().map(|cell| cell.name.as_str()).collect();
                assert_eq!(names.len(), experiment.arms.len(), "{what}");
                assert_eq!(sweep.origin().unwrap().quick, quick);
                for cell in sweep.cells() {
                    // What a column says is what is trained.
                    let value = |column: &str| {
                        let place = experiment.columns.iter().position(|name| *name == column)?;
                        Some(cell.values[place].parse::<f64>().ok()).flatten()
                    };
                    let inference = cell.recipe.inference(0);
                    let rule = &inference.rule;
                    if let Some(alpha) = value("alpha") {
                        assert_eq!(rule.output_alpha.unwrap_or(rule.alpha.at(1)), alpha, "{what} {}", cell.name);
                    }
                    if let Some(beta) = value("beta") {
                        assert_eq!(inference.beta, beta, "{what} {}", cell.name);
                    }
                    assert!(quick || cell.params().data.limit_train.is_none() || experiment.name == "cifar10-minicnn");
                }
            }
            for published in experiment.published {
                let values: Vec<String> = published.values.iter().map(|value| value.to_string()).collect();
                assert!(experiment.arms.iter().any(|arm| arm.values == values), "{}: {published:?}", experiment.name);
                assert_eq!(experiment.published_of(&values, published.quantity), Some(published));
            }
        }
    }

    #[test]
    fn an_experiment_is_changed_only_in_what_its_arms_have_in_common() {
        let experiment = Experiment::find("mnist").unwrap();
        let form = |with: &[&str], seeds| Form { quick: true, with: with.iter().map(|set| set.to_string()).collect(), seeds };
        for (with, seeds, expected) in [
            (
                &["learning.alpha=0.3"][..],
                None,
                "--set = learning.alpha=0.3: the arms of the experiment have values of their own",
            ),
            (&["seeds=[7]"], None, "--set = seeds=[7]: an experiment has seeds of its own; --seeds N"),
            (&["training.threads=7"], None, "--set = training.threads=7: it changes no result"),
            (&["training.epohcs=1"], None, "cell method=dp_transpose alpha=0: unknown key of [training] `epohcs`"),
            (&["training.epochs"], None, "cell method=dp_transpose alpha=0: --set = training.epochs: expected key=value"),
            (&[], Some(0), "--seeds = 0: the experiment has the seeds [0]; expected how many of them, from 1 to 1"),
            (&[], Some(2), "--seeds = 2: "),
        ] {
            let error = experiment.sweep(&form(with, seeds)).unwrap_err();
            assert!(error.is_input() && error.to_string().starts_with(expected), "{expected}: {error}");
        }
        let sweep = experiment.sweep(&form(&["training.epochs=1", "data.limit_train=500"], None)).unwrap();
        assert!(sweep.cells().iter().all(|cell| cell.params().training.epochs == 1));
        let heading = experiment.heading(sweep.origin().unwrap());
        assert!(heading.ends_with(", quick: it reproduces nothing, with training.epochs=1, data.limit_train=500"), "{heading}");
        let first = experiment.sweep(&Form { seeds: Some(2), ..Form::default() }).unwrap();
        assert_eq!(first.seeds(), [0, 1]);
    }

    #[test]
    fn an_override_that_makes_two_arms_one_training_is_refused() {
        let flavours = Experiment::find("vgg16-2023").unwrap();
        let form = Form { with: vec!["learning.beta=0.5".into()], ..Form::default() };
        assert!(flavours.sweep(&form).is_ok());
        let mut twins = flavours;
        twins.arms = vec![twins.arms[1].clone(); 2];
        let error = twins.sweep(&form).unwrap_err().to_string();
        assert!(error.starts_with("--set = method=dp: with these overrides it is the same training as method=dp"), "{error}");
    }

    #[test]
    fn unknown_names_suggest_the_nearest() {
        let error = Experiment::find("cifar01").unwrap_err().to_string();
        assert!(error.starts_with("unknown experiment `cifar01`; did you mean `cifar10`?"), "{error}");
    }
}
