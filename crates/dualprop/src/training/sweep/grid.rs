//! Grids: keys of a recipe, each with the values that it takes; every combination is a cell.

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};
use crate::training::RecipeParams;

use super::planned::{MOST_CELLS, Planned, completed};

/// A grid over a recipe, and all that its cells are made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::training) struct Grid {
    format: u32,
    /// The version of the program that began the sweep.
    version: String,
    /// The recipe as TOML, every default written out, before `set` and the grid change it.
    recipe: String,
    /// Overrides of every cell.
    set: Vec<String>,
    /// The first key changes slowest.
    grid: Vec<Axis>,
    seeds: Vec<u64>,
}

/// A key of a recipe, and the values that it takes one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Axis {
    /// The key, such as `learning.alpha`.
    key: String,
    /// The values as they were typed, each what `--set` takes behind the `=`.
    values: Vec<String>,
}

/// Keys that a grid cannot have, with what does instead.
const REFUSED: [(&str, &str); 3] = [
    ("seeds", "it is no key of a grid: every cell has all seeds; give their number with --seeds N"),
    ("name", "it is no key of a grid: it only names runs, and a sweep names its cells itself"),
    ("training.threads", "it is no key of a grid: it changes no result; give it with --threads N"),
];

impl Grid {
    /// The number by which a description of this kind is known.
    pub(super) const FORMAT: u32 = 1;

    /// The grid of these `key=v1,v2,…` over a recipe.
    ///
    /// # Errors
    /// As [`Axis::parse`] and [`RecipeParams::load`].
    pub(super) fn new(recipe: &str, set: &[String], grid: &[String], seeds: Vec<u64>) -> Result<Self> {
        Ok(Grid {
            format: Self::FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            grid: grid.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>>>()?,
            recipe: RecipeParams::load(recipe, &[])?.to_toml()?,
            set: set.to_vec(),
            seeds,
        })
    }

    pub(super) fn columns(&self) -> Vec<String> {
        self.grid.iter().map(|axis| axis.key.clone()).collect()
    }

    pub(super) fn seeds(&self) -> &[u64] {
        &self.seeds
    }

    /// Every combination; the last key changes fastest.
    pub(super) fn cells(&self) -> Result<Vec<Planned<'_>>> {
        self.check()?;
        let cells = self.grid.iter().map(|axis| axis.values.len()).product();
        let planned = |cell: usize| {
            let mut left = cell;
            let mut values: Vec<String> = vec![];
            for axis in self.grid.iter().rev() {
                values.push(axis.values[left % axis.values.len()].clone());
                left /= axis.values.len();
            }
            values.reverse();
            let mut overrides = completed(self.set.clone(), &self.seeds);
            overrides.extend(self.grid.iter().zip(&values).map(|(axis, value)| format!("{}={value}", axis.key)));
            Planned { values, recipe: &self.recipe, overrides }
        };
        Ok((0..cells).map(planned).collect())
    }

    fn check(&self) -> Result<()> {
        let count = |most: usize, axis: &Axis| most.checked_mul(axis.values.len()).filter(|cells| *cells <= MOST_CELLS);
        if self.grid.iter().try_fold(1, count).is_none() {
            let sizes: Vec<String> = self.grid.iter().map(|axis| axis.values.len().to_string()).collect();
            let problem = format!("a sweep has at most {MOST_CELLS} cells; give fewer values");
            return Err(Error::setting("--grid", format!("{} combinations", sizes.join(" × ")), problem));
        }
        for (index, axis) in self.grid.iter().enumerate() {
            axis.check()?;
            if self.grid[..index].iter().any(|other| other.key == axis.key) {
                return Err(Error::setting("--grid", &axis.key, "the key comes twice; give all of its values at once"));
            }
            let is_set = |set: &&String| set.split_once('=').is_some_and(|(key, _)| key.trim() == axis.key);
            if let Some(set) = self.set.iter().find(is_set) {
                return Err(Error::setting("--set", set, "the grid has values for this key; leave it out"));
            }
        }
        Ok(())
    }
}

impl Axis {
    /// Reads `key=v1,v2,…`. Commas within brackets and quotes are part of a value, so that lists are values too.
    ///
    /// # Errors
    /// [`Error::Setting`] for a text without key or values, with an empty value, one that comes twice, a bracket or a quote that
    /// is not closed, and for a key that no grid can have.
    pub(super) fn parse(text: &str) -> Result<Self> {
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
    fn check(&self) -> Result<()> {
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
