//! Cells before they are recipes.

/// The most cells that a sweep may have: more is a slip of the pen.
pub(super) const MOST_CELLS: usize = 4096;

/// A cell that is not made yet.
pub(super) struct Planned<'a> {
    /// One for each column.
    pub(super) values: Vec<String>,
    /// The text of its recipe.
    pub(super) recipe: &'a str,
    /// What changes it, the seeds included.
    pub(super) overrides: Vec<String>,
}

/// The overrides with what all cells have at their end.
pub(super) fn completed(mut overrides: Vec<String>, seeds: &[u64]) -> Vec<String> {
    overrides.push(format!("seeds={seeds:?}"));
    // Never changes a result; whoever runs a cell chooses it.
    overrides.push("training.threads=1".into());
    overrides
}
