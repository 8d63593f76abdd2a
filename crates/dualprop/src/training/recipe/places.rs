//! Where the keys of a recipe stand, so that an error can say which line of which file to mend.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::Error;

/// The line of every key that a recipe's text has.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    origin: String,
    lines: BTreeMap<String, usize>,
}

impl Places {
    /// The places of all keys of a TOML text; `origin` names the text.
    pub(super) fn of(table: &DeTable, text: &str, origin: &str) -> Self {
        let mut places = Places { origin: origin.into(), lines: BTreeMap::new() };
        places.add(table, text, "");
        places
    }

    fn add(&mut self, table: &DeTable, text: &str, section: &str) {
        for (key, value) in table {
            let path = join(section, key.get_ref());
            self.lines.insert(path.clone(), line_of(text, key.span().start));
            if let DeValue::Table(table) = Spanned::get_ref(value) {
                self.add(table, text, &path);
            }
        }
    }

    /// Forgets a key whose value does not come from the text any more.
    pub(super) fn forget(&mut self, key: &str) {
        self.lines.remove(key);
    }

    /// The error with the line of `key`, if the text has it.
    pub(super) fn at(&self, key: &str, error: Error) -> Error {
        match self.lines.get(key) {
            Some(line) => Error::At { place: format!("{}:{line}", self.origin), source: Box::new(error) },
            None => error,
        }
    }

    /// The error with the line of the key that it names: `section.key`, also in `section.key[2]`.
    pub(super) fn locate(&self, error: Error) -> Error {
        let (Error::Setting { field: name, .. } | Error::Unknown { what: name, .. }) = &error else { return error };
        let key = name.split(['[', ' ', ',']).next().unwrap_or_default().to_string();
        self.at(&key, error)
    }
}

/// `section.key`
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_string() } else { format!("{section}.{key}") }
}

/// The line, from 1, of a byte of a text.
pub(super) fn line_of(text: &str, byte: usize) -> usize {
    let before = text.get(..byte).unwrap_or(text);
    1 + before.bytes().filter(|&b| b == b'\n').count()
}
