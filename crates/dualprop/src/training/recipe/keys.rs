//! The keys of a recipe and the kinds of their values.

use toml::{Table, Value};

use crate::base::{Error, Result};

use super::RecipeParams;
use super::places::{Places, join};

/// A recipe with every key that there is.
const ALL: &str = "
    name = ''
    seeds = [0]
    [data]
    dataset = ''
    test = 0.0
    limit_train = 0
    pad = 0
    [network]
    architecture = ''
    layers = ['']
    from = ''
    [learning]
    alpha = 0.0
    damped = false
    alpha_feedback = 0.0
    output_alpha = 0.0
    damping = [0.0]
    power_iterations = 0
    damping_asymmetry = false
    nudge = ''
    feedback = ''
    feedback_noise = 0.0
    input_attack = ''
    input_norm = ''
    input_steps = 0
    [disturbance]
    state_noise = 0.0
    nudge_noise = 0.0
    message_noise = 0.0
    noise_per = ''
    beta_mismatch = 0.0
    alpha_mismatch = 0.0
    mismatch_drawn = ''
    mismatch_per = ''
    dead = 0.0
    stuck = 0.0
    stuck_at = 0.0
    state_bits = 0
    message_bits = 0
    weight_bits = 0
    rounding = ''
    range = 0.0
    weight_range = 0.0
    update_probability = 0.0
    redraw_order = false
    [optimizer]
    momentum = 0.0
    momentum_after_warmup = 0.0
    weight_decay = 0.0
    beta1 = 0.0
    beta2 = 0.0
    epsilon = 0.0
    [optimizer.schedule]
    first = 0.0
    last = 0.0
    warmup_epochs = 0
    decay_epochs = 0
    [analysis]
    attacks = ['']
    ";

/// That every key of `found` is one of a recipe's, and of its kind.
pub(super) fn check(found: &Table, places: &Places) -> Result<()> {
    let malformed = |problem: String| Error::malformed("the list of recipe keys", problem);
    let params: RecipeParams = toml::from_str(ALL).map_err(|error| malformed(error.to_string()))?;
    let known = Table::try_from(params).map_err(|error| malformed(error.to_string()))?;
    check_section(found, &known, "", places)
}

/// Every key of `found` must be one of `known`, section by section.
fn check_section(found: &Table, known: &Table, section: &str, places: &Places) -> Result<()> {
    for (key, value) in found {
        let path = join(section, key);
        match (known.get(key), value) {
            (None, _) => {
                let place = if section.is_empty() { "key of a recipe".to_string() } else { format!("key of [{section}]") };
                return Err(places.at(&path, Error::unknown(place, key, known.keys().map(String::as_str))));
            }
            (Some(Value::Table(known)), Value::Table(found)) => check_section(found, known, &path, places)?,
            (Some(known), found) => check_kind(key, &path, known, found).map_err(|error| places.at(&path, error))?,
        }
    }
    Ok(())
}

/// A value must be of the kind that its key has in [`ALL`].
fn check_kind(key: &str, path: &str, known: &Value, found: &Value) -> Result<()> {
    let fits = |known: &Value, found: &Value| match (known, found) {
        (Value::Float(_), Value::Integer(_)) => true,
        // No key counts below 0, nor any but a seed beyond 2³².
        (Value::Integer(_), Value::Integer(found)) => *found >= 0 && (key == "seeds" || *found <= i64::from(u32::MAX)),
        _ => known.same_type(found),
    };
    let of_each_layer = ["alpha", "alpha_feedback", "gain", "update_probability"].contains(&key);
    let right = match (known, found) {
        (Value::Array(known), Value::Array(found)) => found.iter().all(|found| fits(&known[0], found)),
        (Value::Float(_), Value::Array(found)) if of_each_layer => found.iter().all(|found| fits(known, found)),
        _ => fits(known, found),
    };
    if right {
        return Ok(());
    }
    let expected = match known {
        Value::Float(_) if of_each_layer => "expected a number, or a list with one for each layer that has one",
        Value::Float(_) => "expected a number",
        Value::Integer(_) => "expected a whole number, 0 or more and below 2^32",
        Value::Boolean(_) => "expected true or false",
        Value::Array(known) if known[0].is_str() => "expected a list of texts, such as [\"dense 128\", \"dense 10\"]",
        Value::Array(known) if known[0].is_integer() => "expected a list of whole numbers below 2^63, such as [0, 1, 2]",
        Value::Array(_) => "expected a list of numbers",
        Value::Table(_) => "expected a section with keys of its own",
        _ => "expected a text",
    };
    Err(Error::setting(path, found, expected))
}
