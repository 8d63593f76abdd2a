//! `[analysis]`: what is measured beside the training, outside the time that counts. Nothing of it changes what is learnt.

use serde::{Deserialize, Serialize};

/// `[analysis]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisParams {
    /// Batches from the first of the training, each of whose alignment with backpropagation is measured, whatever
    /// `training.alignment_every` says; 0: none.
    pub first_batches: u64,
    /// Validation samples, the first ones, at which the local Lipschitz constant is measured after each epoch; 0: none.
    pub lipschitz_samples: usize,
}
