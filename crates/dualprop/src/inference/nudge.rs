//! How the loss pulls at the output dyad.

use crate::base::Named;

use super::RuleKind;

/// The kind of the output nudge; formulas in [`crate::compute::nudge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// The gradient at the first prediction, kept during the inference.
    LinearisedFrozen,
    /// The gradient at the current pre-activation of the output.
    LinearisedLive,
    /// The exact minimiser and maximiser.
    Proximal,
}

impl Named for Nudge {
    const WHAT: &'static str = "nudge";
    const ALL: &'static [(&'static str, Self)] = &[
        ("linearised_frozen", Nudge::LinearisedFrozen),
        ("linearised_live", Nudge::LinearisedLive),
        ("proximal", Nudge::Proximal),
    ];
}

impl Nudge {
    /// What the authors' program uses with a rule, and the golden files rely on: DP live, all others frozen.
    pub fn default_for(kind: RuleKind) -> Self {
        match kind {
            RuleKind::Dp => Nudge::LinearisedLive,
            _ => Nudge::LinearisedFrozen,
        }
    }
}
