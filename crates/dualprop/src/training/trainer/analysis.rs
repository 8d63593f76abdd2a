//! What `[analysis]` measures on a network in training, at the first validation samples and after each epoch.

use crate::analysis::{
    LiftedOptions, LipschitzSummary, ObjectiveRow, OperatorNorms, Settling, objectives, operator_norms_by, settling,
};
use crate::base::{Error, Result};
use crate::compute::spectral::Power;
use crate::data::Batch;
use crate::inference::{Engine, Inference, Plan, PlanOptions};

use super::super::metrics::{Line, NormRow, SettlingRow};
use super::super::preparation::Prepared;
use super::super::{AnalysisParams, Robustness, RunDirectory, Specimen, robustness};
use super::Trainer;

/// Sweeps in the search for a lifted objective, fewer than where somebody waits for it alone.
const SWEEPS: usize = 2000;

/// That what is to be measured is defined, and that there are as many validation samples.
pub(super) fn check(analysis: &AnalysisParams, inference: &Inference, data: &Prepared) -> Result<()> {
    if analysis.objective_samples > 0 && inference.rule.uniform_alpha().is_none() {
        let problem = "the lifted objectives have one alpha for all layers and the output; leave it at 0, or choose one";
        return Err(Error::setting("analysis.objective_samples", analysis.objective_samples, problem));
    }
    if analysis.objective_samples > 0 && inference.feedback.is_separate() {
        let problem =
            "the lifted objectives feed back through the forward kernels; leave it at 0, or set learning.feedback to `tied`";
        return Err(Error::setting("analysis.objective_samples", analysis.objective_samples, problem));
    }
    let samples = data.split.validation.len();
    for (key, asked) in analysis.samples() {
        if asked > samples {
            let problem = format!("expected at most the {samples} validation samples");
            return Err(Error::setting(format!("analysis.{key}"), asked, problem));
        }
    }
    Ok(())
}

impl Trainer {
    /// The local Lipschitz constants of the parameters as they are now; none where they are not asked for.
    pub(super) fn local_lipschitz(&mut self) -> Result<Option<LipschitzSummary>> {
        let batch = self.first_of_validation(self.recipe.analysis().lipschitz_samples);
        let Some(meter) = &mut self.engines.lipschitz else { return Ok(None) };
        Ok(LipschitzSummary::of(&meter.measure(&self.parameters, &batch.x)?))
    }

    /// Writes a line for each number that is asked for; the length of the metrics then, if there was one.
    pub(super) fn analyse(&self, epoch: u32, directory: &RunDirectory) -> Result<Option<u64>> {
        let (analysis, mut bytes) = (self.recipe.analysis(), None);
        if analysis.lipschitz_samples > 0 {
            for row in self.norms() {
                bytes = Some(directory.append(&Line::Norm { epoch, row: &row })?);
            }
        }
        if analysis.objective_samples > 0 {
            for row in self.objectives(analysis.objective_samples)? {
                bytes = Some(directory.append(&Line::Objective { epoch, row: &row })?);
            }
        }
        if analysis.settling_samples > 0 {
            for row in self.settling(epoch, analysis.settling_samples)? {
                bytes = Some(directory.append(&Line::Settling { epoch, row: &row })?);
            }
        }
        if analysis.robustness_samples > 0 {
            let specimen = self.specimen(analysis.robustness_samples);
            let found: Vec<Robustness> = robustness(&specimen, self.recipe.attacks(), self.progress.seed)?;
            for row in found {
                bytes = Some(directory.append(&Line::Robustness { epoch, row: &row })?);
            }
        }
        Ok(bytes)
    }

    /// By 10 and by 20 power iterations, as the paper's authors log them; the converged ones stand in the line of the epoch.
    fn norms(&self) -> Vec<NormRow> {
        let topology = self.engines.rule.topology();
        let of = |power_iterations: usize| {
            let power = Power::Iterations(power_iterations);
            let OperatorNorms { gammas, dampings, .. } = operator_norms_by(topology, &self.parameters, power);
            let damping = dampings.into_iter().map(Some).chain([None]);
            let layers = (1..).zip(gammas.into_iter().zip(damping));
            layers.map(move |(layer, (gamma, damping))| NormRow { layer, power_iterations, gamma, damping })
        };
        [10, 20].into_iter().flat_map(of).collect()
    }

    fn objectives(&self, samples: usize) -> Result<Vec<ObjectiveRow>> {
        let specimen = self.specimen(samples);
        let (parameters, x, y) = specimen.doubled();
        let options = LiftedOptions { sweeps: SWEEPS, ..LiftedOptions::default() };
        let Specimen { topology, inference, pool, .. } = &specimen;
        Ok(objectives(topology, &parameters, (&x, &y), inference, options, pool)?.rows())
    }

    /// Of the recipe's own inference, in single precision as it trains.
    fn settling(&self, epoch: u32, samples: usize) -> Result<Vec<SettlingRow>> {
        let Specimen { topology, parameters, inference, samples, pool, .. } = self.specimen(samples);
        let plan = Plan::compile(&topology, &inference, PlanOptions { gradients: false, ..PlanOptions::default() })?;
        let mut engine = Engine::new(plan, samples.len(), &pool)?;
        engine.set_scales(self.engines.rule.scales().clone());
        // Disturbed as no batch of the training is, and otherwise after every epoch.
        engine.set_batch(u64::MAX / 2 + u64::from(epoch));
        engine.infer(&parameters, &samples.x, &samples.targets)?;
        let layers = (1..).zip(settling(&engine, &parameters, &samples.targets, &pool)?);
        let row = |(layer, Settling { residual, difference_ratio, straddling })| SettlingRow {
            layer,
            residual,
            difference_ratio,
            straddling,
        };
        Ok(layers.map(row).collect())
    }

    fn specimen(&self, samples: usize) -> Specimen {
        Specimen {
            topology: self.engines.rule.topology().clone(),
            parameters: self.parameters.clone(),
            inference: self.recipe.inference(self.progress.seed),
            samples: self.first_of_validation(samples),
            normalizer: self.data.normalizer.clone(),
            range: self.data.range(),
            pool: self.pool.clone(),
        }
    }

    fn first_of_validation(&self, samples: usize) -> Batch {
        let Prepared { dataset, normalizer, split, .. } = &self.data;
        let mut batch = Batch::new();
        batch.fill(dataset, normalizer, &split.validation[..samples], &self.pool);
        batch
    }
}
