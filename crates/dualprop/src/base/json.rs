//! What JSON cannot say by itself: numbers that are not finite, and names of a closed set.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Error, Named};

/// One of the names of a closed set. By this name `serde` does not take the text for one that is borrowed from what it reads.
pub type Name = &'static str;

/// A number that was not finite is `null`, and so NaN again, whichever of them it was.
pub(crate) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Option::deserialize(from).map(|number| number.unwrap_or(f64::NAN))
}

/// As [`number`], of each.
pub(crate) fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let numbers: Vec<Option<f64>> = Deserialize::deserialize(from)?;
    Ok(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

/// A name of those that are known.
pub(crate) fn name<'de, D: Deserializer<'de>>(from: D, what: &str, known: &[Name]) -> Result<Name, D::Error> {
    let found = String::deserialize(from)?;
    let is_it = |name: &&&str| **name == found;
    known.iter().find(is_it).copied().ok_or_else(|| D::Error::custom(Error::unknown(what, &found, known.iter().copied())))
}

/// The name of one of a closed set of values.
pub(crate) fn name_of<'de, K: Named, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
    K::parse(&String::deserialize(from)?).map(K::name).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Line {
        #[serde(deserialize_with = "number")]
        one: f64,
        #[serde(deserialize_with = "numbers")]
        many: Vec<f64>,
    }

    #[test]
    fn what_was_not_finite_is_no_number() {
        let line: Line = serde_json::from_str(r#"{"one":null,"many":[1,null,0.1]}"#).unwrap();
        assert!(line.one.is_nan() && line.many[1].is_nan());
        assert_eq!((line.many[0], line.many[2]), (1.0, 0.1));
        assert!(serde_json::from_str::<Line>(r#"{"many":[]}"#).is_err(), "a key that is missing is no null");
    }
}
