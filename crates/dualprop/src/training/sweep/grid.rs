//! The grid of a sweep: keys of a recipe, each with the values that it takes.

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};

/// A key of a recipe, and the values that it takes one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// The key, such as `learning.alpha`.
    pub key: String,
    /// The values as they were typed, each what `--set` takes behind the `=`.
    pub values: Vec<String>,
}

/// Keys that a grid cannot have, with what does instead.
const REFUSED: [(&str, &str); 3] = [
    ("seeds", "it is no key of a grid: every cell has all seeds; give their number with --seeds N"),
    ("name", "it is no key of a grid: it only names runs, and a sweep names its cells itself"),
    ("training.threads", "it is no key of a grid: it changes no result; give it with --threads N"),
];

impl Axis {
    /// Reads `key=v1,v2,…`. Commas within brackets and quotes are part of a value, so that lists are values too.
    ///
    /// # Errors
    /// [`Error::Setting`] for a text without key or values, with an empty value, one that comes twice, a bracket or a quote that
    /// is not closed, and for a key that no grid can have.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |problem: &str| Error::setting("--grid", text, problem);
        let Some((key, values)) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            return Err(refused("expected key=v1,v2,…, such as learning.alpha=0,0.5,1"));
        };
        if values.trim().is_empty() {
            return Err(refused("it has no values; expected key=v1,v2,…, such as learning.alpha=0,0.5,1"));
        }
        let values = split(values).ok_or_else(|| refused("a bracket or a quote is not closed"))?;
        let axis = Axis { key: key.trim().into(), values };
        axis.check()?;
        Ok(axis)
    }

    /// That the key may be one of a grid, and that no value is empty or comes twice.
    pub(super) fn check(&self) -> Result<()> {
        if let Some((_, problem)) = REFUSED.iter().find(|(key, _)| *key == self.key) {
            return Err(Error::setting("--grid", &self.key, *problem));
        }
        let all = || format!("{}={}", self.key, self.values.join(","));
        if self.values.is_empty() || self.values.iter().any(|value| value.trim().is_empty()) {
            return Err(Error::setting("--grid", all(), "a value is empty; expected key=v1,v2,…"));
        }
        for (index, value) in self.values.iter().enumerate() {
            if self.values[..index].contains(value) {
                return Err(Error::setting("--grid", all(), format!("the value {value} comes twice; give each once")));
            }
        }
        Ok(())
    }
}

/// Splits at the commas that are in no bracket and no quote; none if one is not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut values, mut depth, mut quote) = (vec![String::new()], 0usize, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                values.push(String::new());
                continue;
            }
            (None, _) => {}
        }
        // There is always one that is being read.
        if let Some(value) = values.last_mut() {
            value.push(c);
        }
    }
    (depth == 0 && quote.is_none()).then(|| values.iter().map(|value| value.trim().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_at_top_level_commas_only() {
        for (text, key, values) in [
            ("learning.alpha=0,0.5 , 1", "learning.alpha", &["0", "0.5", "1"][..]),
            ("learning.alpha=[0.1,0.2],[0.3, 0.4],1", "learning.alpha", &["[0.1,0.2]", "[0.3, 0.4]", "1"]),
            ("network.layers=['dense 8, x', \"a,'b\"],[]", "network.layers", &["['dense 8, x', \"a,'b\"]", "[]"]),
            (" learning.rule =dp", "learning.rule", &["dp"]),
        ] {
            let axis = Axis::parse(text).unwrap();
            assert_eq!((axis.key.as_str(), axis.values.iter().map(String::as_str).collect::<Vec<_>>()), (key, values.to_vec()));
        }
    }

    #[test]
    fn what_is_no_axis_is_told() {
        for (text, expected) in [
            ("learning.alpha", "--grid = learning.alpha: expected key=v1,v2"),
            ("=1", "--grid = =1: expected key=v1,v2"),
            ("learning.alpha=", "--grid = learning.alpha=: it has no values"),
            ("learning.alpha=1,,2", "--grid = learning.alpha=1,,2: a value is empty"),
            ("learning.alpha=1,2,1", "--grid = learning.alpha=1,2,1: the value 1 comes twice"),
            ("learning.alpha=[1,2", "--grid = learning.alpha=[1,2: a bracket or a quote is not closed"),
            ("learning.alpha=1]", "--grid = learning.alpha=1]: a bracket or a quote is not closed"),
            ("learning.rule='dp", "--grid = learning.rule='dp: a bracket or a quote is not closed"),
            ("seeds=[1],[2]", "--grid = seeds: it is no key of a grid"),
        ] {
            let error = Axis::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
