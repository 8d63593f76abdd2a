//! A cell of a sweep: one value for each column, what is trained, and a folder name made of the values.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::training::{Recipe, RecipeParams};

/// A combination of the values of a grid, or an arm of an experiment.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The name of its folder, such as `alpha=0.5,beta=0.1`; unlike any other of the sweep.
    pub name: String,
    /// Its value of each column: of a key of the grid as it was typed; empty where an arm has none.
    pub values: Vec<String>,
    /// What is trained.
    pub(in crate::training) recipe: Recipe,
}

impl Cell {
    /// Every effective value of what is trained.
    pub fn params(&self) -> &RecipeParams {
        self.recipe.params()
    }
}

/// A cell as a message calls it, such as `learning.alpha=0.5 learning.rule=dp`; without the columns for which it has no value.
pub(super) fn tell(columns: &[String], values: &[String]) -> String {
    let pairs = columns.iter().zip(values).filter(|(_, value)| !value.is_empty());
    pairs.map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(" ")
}

/// The longest part of a folder's name that one value makes, in bytes.
const MOST_OF_VALUE: usize = 24;

/// The longest name of a folder, in bytes; file systems take 255.
const MOST: usize = 120;

/// Folder names for combinations of values: readable, plain, and each another, also where case makes no difference.
pub(super) struct Names<'a> {
    columns: &'a [String],
    taken: HashSet<String>,
}

impl<'a> Names<'a> {
    pub(super) fn of(columns: &'a [String]) -> Self {
        Names { columns, taken: HashSet::new() }
    }

    /// The name for these values, one for each column; a value that is empty is left out.
    pub(super) fn next(&mut self, values: &[String]) -> String {
        let pairs: Vec<String> = self.columns.iter().zip(values).map(|(column, value)| format!("{column}={value}")).collect();
        let whole = digest(&pairs.join("\n"));
        let short = |(column, value): (&String, &String)| format!("{}={}", self.short(column), plain(value));
        let given = self.columns.iter().zip(values).filter(|(_, value)| !value.is_empty());
        let mut name = given.map(short).collect::<Vec<_>>().join(",");
        if name.len() > MOST {
            name.truncate(MOST - whole.len() - 1);
            name = format!("{name}-{whole}");
        }
        if !self.taken.insert(name.to_lowercase()) {
            name = format!("{name}-{whole}");
            self.taken.insert(name.to_lowercase());
        }
        name
    }

    /// The last part of a key, where no other key of the grid ends alike.
    fn short<'k>(&self, key: &'k str) -> &'k str {
        let last = |key: &'k str| key.rsplit_once('.').map_or(key, |(_, last)| last);
        let alike = self.columns.iter().filter(|column| column.rsplit('.').next() == Some(last(key)));
        if alike.count() > 1 { key } else { last(key) }
    }
}

/// A value as a part of a file's name: as it is, or without what is not plain and cut off, with a hash of all of it.
fn plain(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if value.len() <= MOST_OF_VALUE && value.chars().all(is_plain) {
        return value.into();
    }
    let safe: String = value.chars().map(|c| if is_plain(c) { c } else { '_' }).take(MOST_OF_VALUE - 9).collect();
    format!("{}-{}", safe.trim_matches('_'), digest(value))
}

/// The first eight digits of a text's SHA-256.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_plain_and_unlike() {
        let columns = ["learning.alpha", "learning.beta"].map(String::from);
        let name = |values: [&str; 2]| Names::of(&columns).next(&values.map(String::from));
        assert_eq!(name(["0.5", "1e-3"]), "alpha=0.5,beta=1e-3");
        let hostile = ["../../x", "a/b\\c\n\u{1b}", "_", ".", "[0.1,0.2]", "ä", "AUX:", &"9".repeat(500), "'dense 8'"];
        let mut names = Names::of(&columns);
        let mut found = HashSet::new();
        for a in hostile {
            for b in hostile {
                let name = names.next(&[a, b].map(String::from));
                assert!(name.starts_with("alpha=") && name.len() <= MOST + 9, "{name}");
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-=,".contains(c)), "{name}");
                assert!(found.insert(name.to_lowercase()), "{name}");
            }
        }
        assert_eq!(name(["[0.1,0.2]", "1"]), name(["[0.1,0.2]", "1"]), "a name never changes");
        assert_ne!(name(["[0.1,0.2]", "1"]), name(["[0.1 0.2]", "1"]));
        // As on systems where case makes no difference.
        let mut names = Names::of(&columns[..1]);
        assert_ne!(names.next(&["a".into()]), names.next(&["A".into()]).to_lowercase());
        let many: Vec<String> = (0..30).map(|k| format!("section.a_long_key_{k}")).collect();
        assert_eq!(Names::of(&many).next(&vec!["1".into(); 30]).len(), MOST);
    }

    #[test]
    fn keys_that_end_alike_are_written_out() {
        let columns = ["optimizer.kind", "optimizer.schedule.kind", "learning.beta"].map(String::from);
        let name = Names::of(&columns).next(&["sgd", "cosine", "1"].map(String::from));
        assert_eq!(name, "optimizer.kind=sgd,optimizer.schedule.kind=cosine,beta=1");
    }

    #[test]
    fn what_an_arm_has_no_value_for_is_left_out() {
        let columns = ["method", "alpha"].map(String::from);
        let mut names = Names::of(&columns);
        let arms = [["backprop", ""], ["dp", "0"]].map(|values| values.map(String::from));
        assert_eq!(arms.each_ref().map(|values| names.next(values)), ["method=backprop", "method=dp,alpha=0"]);
        assert_eq!(arms.each_ref().map(|values| tell(&columns, values)), ["method=backprop", "method=dp alpha=0"]);
    }
}
