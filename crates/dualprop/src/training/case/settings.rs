//! The metadata of a case: every key is known, read once, and of use.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::base::{Error, Result};
use crate::inference::PerLayer;

/// What makes use of which keys.
const KEYS: [(&str, &[&str]); 8] = [
    (
        "every case",
        &[
            "name",
            "arch",
            "rule",
            "alpha",
            "beta",
            "schedule",
            "passes",
            "activation",
            "loss",
            "input_shape",
            "conv_features",
            "pool_after_conv",
            "conv_sizes",
            "pool_order",
            "dense_features",
            "batch",
            "nudge",
            "output_alpha",
            "feedback_gain",
            "divide_gain",
            "nudge_from_pass",
            "start",
            "optimizer",
        ],
    ),
    ("the rule general", &["alpha_feedback"]),
    ("the rule dp_damped without a tensor `damping`", &["damping_power_iterations", "damping_asymmetry"]),
    ("the schedule random", &["seed"]),
    ("a training with an `optimizer`", &["steps", "schedule_kind", "learning_rate"]),
    ("the schedule_kind warmup_cosine", &["init_learning_rate", "final_learning_rate", "warmup_steps", "decay_steps"]),
    ("the optimizer sgd", &["momentum", "weight_decay"]),
    ("the optimizer adam", &["beta1", "beta2", "epsilon"]),
];

/// A kind of value: how it is read, and what to say where it cannot be.
pub(super) struct Kind<V> {
    expected: &'static str,
    parse: fn(&str) -> Option<V>,
}

/// A finite number.
pub(super) const NUMBER: Kind<f64> = Kind { expected: "a finite number", parse: number };

/// A whole number.
pub(super) const COUNT: Kind<u64> = Kind { expected: "a whole number, 0 or more", parse: |text| text.parse().ok() };

/// true or false.
pub(super) const FLAG: Kind<bool> = Kind { expected: "true or false", parse: |text| text.parse().ok() };

/// A list of whole numbers.
pub(super) const COUNTS: Kind<Vec<usize>> =
    Kind { expected: "a JSON list of whole numbers", parse: |text| serde_json::from_str(text).ok() };

/// A list of flags.
pub(super) const FLAGS: Kind<Vec<bool>> =
    Kind { expected: "a JSON list of true and false", parse: |text| serde_json::from_str(text).ok() };

/// A number, or one for each hidden layer.
pub(super) const PER_LAYER: Kind<PerLayer> = Kind {
    expected: "a finite number, or a JSON list with one for each hidden layer",
    parse: |text| match number(text) {
        Some(value) => Some(PerLayer::Uniform(value)),
        None => serde_json::from_str(text).ok().map(PerLayer::Each),
    },
};

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The metadata, being read.
pub(super) struct Settings<'a> {
    path: &'a Path,
    given: BTreeMap<String, String>,
    unread: BTreeSet<String>,
}

impl<'a> Settings<'a> {
    /// Nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a key that no case has.
    pub(super) fn new(path: &'a Path, metadata: &HashMap<String, String>) -> Result<Self> {
        let known = || KEYS.iter().flat_map(|(_, keys)| keys.iter().copied());
        let given: BTreeMap<String, String> = metadata.clone().into_iter().collect();
        if let Some(key) = given.keys().find(|key| !known().any(|known| known == *key)) {
            return Err(Error::unknown(format!("metadata key in {}", path.display()), key, known()));
        }
        let unread = given.keys().filter(|key| !["name", "arch"].contains(&key.as_str())).cloned().collect();
        Ok(Settings { path, given, unread })
    }

    /// All keys as they were given, once every one of them was of use.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a key that nothing has read.
    pub(super) fn finish(self) -> Result<BTreeMap<String, String>> {
        let Some(key) = self.unread.first() else { return Ok(self.given) };
        let user = KEYS.iter().find(|(_, keys)| keys.contains(&key.as_str())).map_or("nothing", |(user, _)| user);
        Err(self.wrong(key, &format!("only {user} makes use of it; leave it out")))
    }

    fn take(&mut self, key: &str) -> Option<&str> {
        self.unread.remove(key);
        self.given.get(key).map(String::as_str)
    }

    /// The value of a key that a case may leave out.
    pub(super) fn optional<V>(&mut self, key: &str, kind: &Kind<V>) -> Result<Option<V>> {
        match self.take(key).map(kind.parse) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(self.wrong(key, &format!("expected {}", kind.expected))),
        }
    }

    /// The value of a key that this case must have.
    pub(super) fn required<V>(&mut self, key: &str, kind: &Kind<V>) -> Result<V> {
        self.optional(key, kind)?.ok_or_else(|| self.wrong(key, &format!("expected {}", kind.expected)))
    }

    /// The value with the given name, of a key that a case may leave out.
    pub(super) fn optional_choice<V: Copy>(&mut self, key: &str, known: &[(&str, V)]) -> Result<Option<V>> {
        let path = self.path;
        let Some(name) = self.take(key) else { return Ok(None) };
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(Error::unknown(format!("{key} in {}", path.display()), name, known.iter().map(|(known, _)| *known))),
        }
    }

    /// The value with the given name.
    pub(super) fn choice<V: Copy>(&mut self, key: &str, known: &[(&str, V)]) -> Result<V> {
        let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        self.optional_choice(key, known)?.ok_or_else(|| self.wrong(key, &format!("expected one of {}", names())))
    }

    /// A key whose value, or whose absence, is a problem.
    pub(super) fn wrong(&self, key: &str, problem: &str) -> Error {
        let found = self.given.get(key).map_or("is missing".to_string(), |text| format!("is `{text}`"));
        Error::malformed(self.path, format!("metadata `{key}` {found}: {problem}"))
    }

    /// What a later check refuses, as a problem of the key that it comes from.
    pub(super) fn misfit(&self, error: Error) -> Error {
        let Error::Setting { field, problem, .. } = &error else { return error };
        let key = match field.strip_prefix("learning.").unwrap_or(field) {
            "gain" => "feedback_gain",
            "power_iterations" => "damping_power_iterations",
            key => key,
        };
        self.wrong(key, problem)
    }
}
