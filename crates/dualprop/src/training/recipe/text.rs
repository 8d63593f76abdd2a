//! Recipes from text and to text.

use std::path::Path;

use toml::de::DeTable;
use toml::{Table, Value};

use super::learning;
use super::places::{Places, line_of};
use super::{BUILT_IN, Recipe, RecipeParams, keys};
use crate::base::{Error, Result, file};

/// The largest recipe file; a real one has a thousandth of it.
const MOST_BYTES: u64 = 1 << 20;

/// What means nothing, or is an error, beside another value of this key: choosing one by an override drops it.
const BELONGS_TO: [(&str, &[&str]); 7] = [
    ("data.dataset", &["test", "pad"]),
    ("network.architecture", &["layers"]),
    ("network.layers", &["architecture"]),
    ("optimizer.kind", &["momentum", "momentum_after_warmup", "weight_decay", "beta1", "beta2", "epsilon"]),
    ("optimizer.schedule.kind", &["first", "last", "warmup_epochs", "decay_epochs"]),
    ("learning.rule", &["alpha_feedback", "damping", "damped", "power_iterations", "damping_asymmetry", "nudge"]),
    ("learning.feedback", &["feedback_noise"]),
];

impl Recipe {
    /// The recipe that comes with the library under this name, or else the one in the file of this path, with these
    /// `key=value` overrides; checked.
    ///
    /// # Errors
    /// As [`RecipeParams::load`] and [`RecipeParams::check`], with the line of the file that is wrong.
    pub fn load(name_or_path: &str, overrides: &[String]) -> Result<Self> {
        let (text, origin) = text_of(name_or_path)?;
        Recipe::parse(&text, &origin, overrides)
    }

    /// The recipe in the file of this path, whatever it is called.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn load_file(path: &Path, overrides: &[String]) -> Result<Self> {
        Recipe::parse(&file::read_text(path, MOST_BYTES)?, &path.display().to_string(), overrides)
    }

    /// The recipe in this text; `origin` names it in messages.
    ///
    /// # Errors
    /// As [`Recipe::load`].
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self> {
        let (params, places) = parse(text, origin, overrides)?;
        let checked = params.check().map_err(|error| places.locate(error))?;
        Ok(checked.with_places(places))
    }
}

impl RecipeParams {
    /// The values of the recipe of this name or path, with these overrides, not yet held against each other.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is neither; [`Error::Read`], [`Error::Malformed`] or [`Error::Unknown`] for a file
    /// that cannot be read, is no TOML, has a key or a value that no recipe has; the same for the overrides.
    pub fn load(name_or_path: &str, overrides: &[String]) -> Result<Self> {
        let (text, origin) = text_of(name_or_path)?;
        RecipeParams::parse(&text, &origin, overrides)
    }

    /// The values of the recipe in this text; `origin` names it in messages.
    ///
    /// # Errors
    /// As [`RecipeParams::load`].
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self> {
        parse(text, origin, overrides).map(|(params, _)| params)
    }

    /// The recipe as TOML, every effective value written out.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a value has no form in TOML, such as a seed beyond 2⁶³.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::malformed("recipe.toml", error.to_string()))
    }
}

/// The text of a recipe, and what to call it in messages.
fn text_of(name_or_path: &str) -> Result<(String, String)> {
    if let Some(built_in) = BUILT_IN.iter().find(|built_in| built_in.name == name_or_path) {
        return Ok((built_in.text.into(), format!("built-in recipe {name_or_path}")));
    }
    let path = Path::new(name_or_path);
    if path.exists() || path.extension().is_some() || path.components().count() > 1 {
        return Ok((file::read_text(path, MOST_BYTES)?, name_or_path.into()));
    }
    Err(Error::unknown("recipe", name_or_path, BUILT_IN.iter().map(|built_in| built_in.name)))
}

fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<(RecipeParams, Places)> {
    let flaw = |error: toml::de::Error| {
        let line = error.span().map_or(String::new(), |span| format!("line {}: ", line_of(text, span.start)));
        Error::malformed(origin, format!("no valid TOML: {line}{}", error.message().trim().replace('\n', " ")))
    };
    let mut places = Places::of(DeTable::parse(text).map_err(flaw)?.get_ref(), text, origin);
    let mut table: Table = text.parse().map_err(flaw)?;
    // What chooses a kind comes first, so that it drops nothing that another override gives.
    let (kinds, others): (Vec<&String>, Vec<&String>) = overrides.iter().partition(|assignment| {
        assignment.split_once('=').is_some_and(|(path, _)| BELONGS_TO.iter().any(|(kind, _)| *kind == path.trim()))
    });
    for assignment in kinds.into_iter().chain(others) {
        set(&mut table, &mut places, assignment)?;
    }
    keys::check(&table, &places)?;
    let params = table.try_into().map_err(|error: toml::de::Error| Error::malformed(origin, error.message().to_string()))?;
    Ok((params, places))
}

/// Carries out `key.key=value`; a value that is no TOML is taken as a string, so that `rule=dp` needs no quotes.
fn set(table: &mut Table, places: &mut Places, assignment: &str) -> Result<()> {
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(Error::setting("--set", assignment, "expected key=value, such as learning.alpha=0.5"));
    };
    let path = path.trim();
    let parsed: std::result::Result<Table, _> = format!("value = {text}").parse();
    let value = match parsed {
        Ok(table) if table.len() > 1 => {
            return Err(Error::setting("--set", assignment, "expected one value; repeat --set for another"));
        }
        Ok(mut table) => table.remove("value"),
        Err(_) => None,
    };
    let value = value.unwrap_or_else(|| Value::String(text.trim().into()));
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let mut place = table;
    for key in keys {
        let entry = place.entry(key).or_insert_with(|| Value::Table(Table::new()));
        place = match entry {
            Value::Table(table) => table,
            _ => return Err(Error::setting("--set", assignment, format!("`{key}` is a value, not a section"))),
        };
    }
    let changed = place.get(last) != Some(&value);
    if let Some((_, keys)) = BELONGS_TO.iter().find(|(kind, _)| changed && *kind == path) {
        keys.iter().for_each(|key| drop(place.remove(*key)));
    }
    if changed && path == "learning.rule" && value.as_str().is_some_and(learning::has_own_alpha) {
        ["alpha", "output_alpha"].iter().for_each(|key| drop(place.remove(*key)));
    }
    place.insert(last.to_string(), value);
    places.forget(path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_recipes_are_valid_and_survive_being_written_and_read() {
        for built_in in BUILT_IN {
            let params = RecipeParams::load(built_in.name, &[]).unwrap();
            assert_eq!(params.name, built_in.name);
            let again = RecipeParams::parse(&params.to_toml().unwrap(), "again", &[]).unwrap();
            assert_eq!(again, params);
            // Also what is written down after the check.
            let checked = params.check().unwrap();
            let text = checked.params().to_toml().unwrap();
            assert_eq!(Recipe::parse(&text, "again", &[]).unwrap().params(), checked.params());
        }
    }

    #[test]
    fn errors_name_the_line_of_the_file() {
        let text = "name = 'x'\n\n[data]\ndataset = 'mnist'\n\n[network]\nlayers = [\n  'dense 5',\n  'dnse 10',\n]\n";
        let error = |text: &str| Recipe::parse(text, "my.toml", &[]).unwrap_err().to_string();
        assert!(error(text).starts_with("my.toml:7: network.layers[1] = \"dnse 10\""), "{}", error(text));
        for (more, expected) in [
            ("activation = 'rleu'\n", "my.toml:11: unknown network.activation `rleu`; did you mean `relu`?"),
            ("[learning]\nbeta = -1\n", "my.toml:12: learning.beta = -1"),
            ("[learning]\nbeta = 'x'\n", "my.toml:12: learning.beta = \"x\": expected a number"),
            ("[learning]\nalhpa = 1\n", "my.toml:12: unknown key of [learning] `alhpa`; did you mean `alpha`?"),
            (
                "[optimizer.schedule]\nkind = 'cosin'\n",
                "my.toml:12: unknown optimizer.schedule.kind `cosin`; did you mean `cosine`?",
            ),
            ("[learning]\nbeta = \n", "my.toml: no valid TOML: line 12: "),
        ] {
            let error = error(&(text.replace("dnse", "dense") + more));
            assert!(error.starts_with(expected), "{expected}: {error}");
        }
        // A value that comes from an override stands in no line.
        let error = Recipe::parse(text, "my.toml", &["network.layers=['dense']".into()]).unwrap_err().to_string();
        assert!(error.starts_with("network.layers[0]"), "{error}");
        let error = Recipe::load("mnist", &["learning.rule=dpt".into()]).unwrap_err().to_string();
        assert!(error.starts_with("unknown learning.rule `dpt`"), "{error}");
    }

    #[test]
    fn overrides_reach_every_section_and_need_no_quotes() {
        let overrides = ["seeds=[4711]", "learning.alpha=0.5", "learning.rule=dp", "optimizer.schedule.kind=constant"];
        let params = RecipeParams::load("digits", &overrides.map(String::from)).unwrap();
        assert_eq!((params.seeds, params.learning.rule.as_str()), (vec![4711], "dp"));
        assert_eq!(params.learning.alpha, Some(super::super::params::OneOrEach::One(0.5)));
        assert_eq!(params.optimizer.schedule.kind, "constant");
    }

    #[test]
    fn unknown_keys_and_recipes_name_the_nearest() {
        let message = |overrides: &[&str], name: &str| {
            let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
            RecipeParams::load(name, &overrides).expect_err("must be refused").to_string()
        };
        assert!(message(&["learning.alhpa=1"], "digits").starts_with("unknown key of [learning] `alhpa`; did you mean `alpha`?"));
        assert!(message(&["training.output_alpha=1"], "digits").contains("key of [training]"));
        assert!(message(&["sedes=[1]"], "digits").contains("did you mean `seeds`?"));
        assert!(message(&["learning.alpha"], "digits").contains("expected key=value"));
        assert!(message(&["seeds.x=1"], "digits").contains("is a value, not a section"));
        assert!(message(&[], "digit").contains("did you mean `digits`?"));
        assert!(message(&[], "mnist-sdg").contains("did you mean `mnist-sgd`?"));
        assert!(message(&[], "missing.toml").starts_with("missing.toml: cannot be read"));
    }

    #[test]
    fn values_of_a_wrong_kind_name_their_key() {
        for (assignment, expected) in [
            ("training.epochs=many", "training.epochs = \"many\": expected a whole number, 0 or more"),
            ("training.epochs=-1", "training.epochs = -1: expected a whole number"),
            ("training.epochs=1.5", "training.epochs = 1.5: expected a whole number"),
            ("learning.alpha=x", "learning.alpha = \"x\": expected a number, or a list"),
            ("learning.alpha=['x']", "learning.alpha = [\"x\"]: expected a number, or a list"),
            ("learning.beta=[1]", "learning.beta = [1]: expected a number"),
            ("learning.divide_gain=1", "learning.divide_gain = 1: expected true or false"),
            ("training.epochs=5000000000", "training.epochs = 5000000000: expected a whole number, 0 or more and below 2^32"),
            ("seeds=5", "seeds = 5: expected a list of whole numbers"),
            ("seeds=[-1]", "seeds = [-1]: expected a list of whole numbers"),
            ("network.layers=dense 10", "network.layers = \"dense 10\": expected a list of texts"),
            ("network.activation=1", "network.activation = 1: expected a text"),
            ("optimizer.schedule=cosine", "optimizer.schedule = \"cosine\": expected a section"),
            ("learning.beta=0.2\nseeds=[7]", "--set = learning.beta=0.2\nseeds=[7]: expected one value"),
        ] {
            let error = RecipeParams::load("digits", &[assignment.to_string()]).expect_err(assignment).to_string();
            assert!(error.starts_with(expected), "{assignment}: {error}");
        }
    }

    #[test]
    fn a_kind_drops_nothing_that_another_override_gives_whichever_comes_first() {
        let sets =
            ["optimizer.kind=adam", "optimizer.beta1=0.8", "learning.rule=dp", "learning.nudge=proximal"].map(String::from);
        let [forwards, backwards] =
            [sets.to_vec(), sets.iter().rev().cloned().collect()].map(|sets| RecipeParams::load("digits", &sets).unwrap());
        assert_eq!(forwards, backwards);
        assert_eq!((forwards.optimizer.beta1, forwards.learning.nudge.as_deref()), (Some(0.8), Some("proximal")));
        // A rule that is all one says has the nudge of its own.
        let hint = RecipeParams::load("mnist-damped", &["learning.rule=backprop".into()]).unwrap();
        assert!(hint.learning.nudge.is_none() && hint.check().is_ok());
    }

    #[test]
    fn another_kind_drops_what_belonged_to_the_old_one() {
        let load = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
            RecipeParams::load("digits", &sets).unwrap()
        };
        let adam = load(&["optimizer.kind=adam", "optimizer.schedule.kind=constant", "optimizer.beta1=0.8"]);
        assert_eq!((adam.optimizer.momentum, adam.optimizer.beta1, adam.optimizer.schedule.last), (None, Some(0.8), None));
        adam.check().unwrap();
        assert_eq!(load(&["optimizer.kind=sgd"]).optimizer.momentum, Some(0.9));
        let named = load(&["network.architecture=mlp", "data.dataset=mnist"]);
        assert!(named.network.layers.is_empty() && named.data.test.is_none());
        assert_eq!(RecipeParams::load("mnist", &["network.layers=['dense 10']".into()]).unwrap().network.architecture, None);
    }
}
