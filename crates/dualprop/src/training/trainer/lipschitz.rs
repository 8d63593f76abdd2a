//! The local Lipschitz constants of a network in training.

use crate::analysis::LipschitzSummary;
use crate::base::{Error, Result};
use crate::data::Batch;

use super::super::AnalysisParams;
use super::super::preparation::Prepared;
use super::Trainer;

/// That there are as many validation samples as are to be measured.
pub(super) fn check(analysis: &AnalysisParams, data: &Prepared) -> Result<()> {
    let (asked, samples) = (analysis.lipschitz_samples, data.split.validation.len());
    match asked <= samples {
        true => Ok(()),
        false => {
            let problem = format!("expected at most the {samples} validation samples");
            Err(Error::setting("analysis.lipschitz_samples", asked, problem))
        }
    }
}

impl Trainer {
    /// Of the parameters as they are now, at the first validation samples; none where they are not asked for.
    pub(super) fn local_lipschitz(&mut self) -> Result<Option<LipschitzSummary>> {
        let Some(meter) = &mut self.engines.lipschitz else { return Ok(None) };
        let Prepared { dataset, normalizer, split, .. } = &self.data;
        let mut batch = Batch::new();
        batch.fill(dataset, normalizer, &split.validation[..self.recipe.analysis().lipschitz_samples], &self.pool);
        Ok(LipschitzSummary::of(&meter.measure(&self.parameters, &batch.x)?))
    }
}
