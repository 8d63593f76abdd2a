//! Values that have a name in recipes, cases and messages.

use super::{Error, Result};

/// A closed set of values, each with one name.
pub trait Named: Copy + PartialEq + 'static {
    /// What the set is, for messages: "activation", "loss" …
    const WHAT: &'static str;
    /// Every value with its name.
    const ALL: &'static [(&'static str, Self)];

    /// The name of this value.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, value)| *value == self).map_or("unnamed", |(name, _)| name)
    }

    /// The value with this name.
    ///
    /// # Errors
    /// [`Error::Unknown`], with the nearest known name.
    fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value).ok_or_else(|| Error::unknown(Self::WHAT, name, Self::ALL.iter().map(|(known, _)| *known)))
    }
}
