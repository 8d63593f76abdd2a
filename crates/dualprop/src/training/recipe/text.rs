//! Recipes from text and to text.

use std::path::Path;

use toml::{Table, Value};

use super::{BUILT_IN, RecipeParams};
use crate::base::{Error, Result, file};

/// The largest recipe file; a real one has a thousandth of it.
const MOST_BYTES: u64 = 1 << 20;

/// What belongs to a kind, and means nothing, or is an error, under another: choosing another kind by an override drops it.
const BELONGS_TO: [(&str, &[&str]); 3] = [
    ("optimizer.kind", &["momentum", "weight_decay", "beta1", "beta2", "epsilon"]),
    ("optimizer.schedule.kind", &["first", "last", "warmup_epochs", "decay_epochs"]),
    ("learning.rule", &["alpha_feedback", "damping", "power_iterations", "damping_asymmetry"]),
];

impl RecipeParams {
    /// The recipe that comes with the library under this name, or else the one in the file of this path, with these
    /// `key=value` overrides.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is neither; [`Error::Read`], [`Error::Malformed`] or [`Error::Unknown`] for a file
    /// that cannot be read, is no TOML, has a key or a value that no recipe has; the same for the overrides.
    pub fn load(name_or_path: &str, overrides: &[String]) -> Result<Self> {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == name_or_path);
        let path = Path::new(name_or_path);
        let text = match built_in {
            Some((_, text)) => text.to_string(),
            None if path.exists() || path.extension().is_some() || path.components().count() > 1 => {
                file::read_text(path, MOST_BYTES)?
            }
            None => return Err(Error::unknown("recipe", name_or_path, BUILT_IN.iter().map(|(name, _)| *name))),
        };
        RecipeParams::parse(&text, name_or_path, overrides)
    }

    /// The recipe in this text; `origin` names it in messages.
    ///
    /// # Errors
    /// As [`RecipeParams::load`].
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self> {
        let mut table: Table = text.parse().map_err(|error| Error::malformed(origin, format!("no valid TOML: {error}")))?;
        for assignment in overrides {
            set(&mut table, assignment)?;
        }
        check_keys(&table, &all_keys()?, "")?;
        table.try_into().map_err(|error: toml::de::Error| Error::malformed(origin, error.to_string().trim().replace('\n', " ")))
    }

    /// The recipe as TOML, every effective value written out.
    ///
    /// # Errors
    /// [`Error::Malformed`] if a value has no form in TOML, such as a seed beyond 2⁶³.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Error::malformed("recipe.toml", error.to_string()))
    }
}

/// Carries out `key.key=value`; a value that is no TOML is taken as a string, so that `rule=dp` needs no quotes.
fn set(table: &mut Table, assignment: &str) -> Result<()> {
    let Some((path, text)) = assignment.split_once('=') else {
        return Err(Error::setting("--set", assignment, "expected key=value, such as learning.alpha=0.5"));
    };
    let parsed: std::result::Result<Table, _> = format!("value = {text}").parse();
    let value = match parsed {
        Ok(table) if table.len() > 1 => {
            return Err(Error::setting("--set", assignment, "expected one value; repeat --set for another"));
        }
        Ok(mut table) => table.remove("value"),
        Err(_) => None,
    };
    let value = value.unwrap_or_else(|| Value::String(text.trim().into()));
    let mut keys: Vec<&str> = path.trim().split('.').collect();
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
    if let Some((_, keys)) = BELONGS_TO.iter().find(|(kind, _)| changed && *kind == path.trim()) {
        keys.iter().for_each(|key| drop(place.remove(*key)));
    }
    place.insert(last.to_string(), value);
    Ok(())
}

/// A recipe with every key that there is: what `check_keys` compares with.
fn all_keys() -> Result<Table> {
    let text = "
        name = ''
        seeds = [0]
        [data]
        dataset = ''
        [network]
        layers = ['']
        [learning]
        alpha_feedback = 0.0
        output_alpha = 0.0
        damping = [0.0]
        power_iterations = 0
        damping_asymmetry = false
        nudge = ''
        [optimizer]
        momentum = 0.0
        weight_decay = 0.0
        beta1 = 0.0
        beta2 = 0.0
        epsilon = 0.0
        [optimizer.schedule]
        first = 0.0
        last = 0.0
        warmup_epochs = 0
        decay_epochs = 0
        ";
    let malformed = |problem: String| Error::malformed("the list of recipe keys", problem);
    let params: RecipeParams = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    Table::try_from(params).map_err(|error| malformed(error.to_string()))
}

/// Every key of `found` must be one of `known`, section by section.
fn check_keys(found: &Table, known: &Table, section: &str) -> Result<()> {
    for (key, value) in found {
        match (known.get(key), value) {
            (None, _) => {
                let place = if section.is_empty() { "key of a recipe".to_string() } else { format!("key of [{section}]") };
                return Err(Error::unknown(place, key, known.keys().map(String::as_str)));
            }
            (Some(Value::Table(known)), Value::Table(found)) => {
                let section = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
                check_keys(found, known, &section)?;
            }
            (Some(known), found) => check_kind(key, known, found, section)?,
        }
    }
    Ok(())
}

/// A value must be of the kind that its key has in `all_keys`.
fn check_kind(key: &str, known: &Value, found: &Value, section: &str) -> Result<()> {
    let fits = |known: &Value, found: &Value| match (known, found) {
        (Value::Float(_), Value::Integer(_)) => true,
        // No key counts below 0.
        (Value::Integer(_), Value::Integer(found)) => *found >= 0,
        _ => known.same_type(found),
    };
    let of_each_layer = ["alpha", "alpha_feedback", "gain"].contains(&key);
    let right = match (known, found) {
        (Value::Array(known), Value::Array(found)) => found.iter().all(|found| fits(&known[0], found)),
        (Value::Float(_), Value::Array(found)) if of_each_layer => found.iter().all(|found| fits(known, found)),
        _ => fits(known, found),
    };
    if right {
        return Ok(());
    }
    let expected = match known {
        Value::Float(_) if of_each_layer => "expected a number, or a list with one for each hidden layer",
        Value::Float(_) => "expected a number",
        Value::Integer(_) => "expected a whole number, 0 or more",
        Value::Boolean(_) => "expected true or false",
        Value::Array(known) if known[0].is_str() => "expected a list of texts, such as [\"dense 128\", \"dense 10\"]",
        Value::Array(known) if known[0].is_integer() => "expected a list of whole numbers, such as [0, 1, 2]",
        Value::Array(_) => "expected a list of numbers",
        Value::Table(_) => "expected a section with keys of its own",
        _ => "expected a text",
    };
    let field = if section.is_empty() { key.to_string() } else { format!("{section}.{key}") };
    Err(Error::setting(field, found, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_recipes_are_valid_and_survive_being_written_and_read() {
        for (name, _) in BUILT_IN {
            let params = RecipeParams::load(name, &[]).unwrap();
            assert_eq!(&params.name, name);
            let again = RecipeParams::parse(&params.to_toml().unwrap(), "again", &[]).unwrap();
            assert_eq!(again, params);
            params.check().unwrap();
        }
    }

    #[test]
    fn overrides_reach_every_section_and_need_no_quotes() {
        let overrides = ["seeds=[4711]", "learning.alpha=0.5", "learning.rule=dp", "optimizer.schedule.kind=constant"];
        let params = RecipeParams::load("digits", &overrides.map(String::from)).unwrap();
        assert_eq!((params.seeds, params.learning.rule.as_str()), (vec![4711], "dp"));
        assert_eq!(params.learning.alpha, super::super::params::OneOrEach::One(0.5));
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
    fn another_kind_drops_what_belonged_to_the_old_one() {
        let load = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
            RecipeParams::load("digits", &sets).unwrap()
        };
        let adam = load(&["optimizer.kind=adam", "optimizer.schedule.kind=constant", "optimizer.beta1=0.8"]);
        assert_eq!((adam.optimizer.momentum, adam.optimizer.beta1, adam.optimizer.schedule.last), (None, Some(0.8), None));
        adam.check().unwrap();
        assert_eq!(load(&["optimizer.kind=sgd"]).optimizer.momentum, Some(0.9));
    }
}
