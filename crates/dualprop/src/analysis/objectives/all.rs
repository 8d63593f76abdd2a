//! Every objective of one batch, side by side.

use serde::{Deserialize, Deserializer, Serialize};

use crate::base::json::{self, Name};
use crate::base::{Error, Named, Result, memory};
use crate::compute::Pool;
use crate::inference::{Engine, Inference, Nudge, Plan, PlanOptions, Predictor, Rule};
use crate::network::{Parameters, Topology};

use super::super::settling;
use super::one_level::weighted;
use super::terms::mean_loss;
use super::{Lagrangian, LayerTerms, Lifted, LiftedOptions, OneLevel, Settled, lagrangian, lifted, one_level};

/// The objectives of a batch at one α and one β; means over its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Objectives {
    /// α
    pub alpha: f64,
    /// β
    pub beta: f64,
    /// ℓ of the forward pass.
    pub loss: f64,
    /// With the output lifted alone.
    pub one_level: OneLevel,
    /// LPOM at β, which is DP at α = 1.
    pub optimistic: Lifted,
    /// Its adversarial counterpart at β, which is DP at α = 0.
    pub adversarial: Lifted,
    /// α · optimistic at αβ + (1−α) · adversarial at (1−α)β.
    pub average: f64,
    /// How the searches for the two ended: the worse of both.
    pub average_settled: Settled,
    /// DP at α and β.
    pub nested: Lifted,
    /// That of DP⊤ at α and β under the live nudge, after 100 passes.
    pub lagrangian: Lagrangian,
    /// The largest residual of a layer's dyads there, as [`crate::analysis::Settling`] has it.
    pub lagrangian_residual: f64,
}

/// Passes of DP⊤ before its Lagrangian is evaluated: at α ∈ {0, 1} one is enough.
const PASSES: usize = 100;

/// Evaluates all objectives for the inputs x [n, H, W, C] and targets y [n, outputs] of a batch, at the loss, the β and the α of an
/// inference.
///
/// # Errors
/// [`Error::Setting`] for an inference with several α, gains, or feedback kernels of its own; [`Error::Memory`]; as [`lifted`].
pub fn objectives(
    topology: &Topology,
    parameters: &Parameters<f64>,
    (x, y): (&[f64], &[f64]),
    inference: &Inference,
    options: LiftedOptions,
    pool: &Pool,
) -> Result<Objectives> {
    let Inference { loss, beta, .. } = *inference;
    let Some(alpha) = inference.rule.uniform_alpha() else {
        let problem = "the objectives have one alpha for all layers; choose a number";
        return Err(Error::setting("learning.alpha", format!("{:?}", inference.rule.alpha), problem));
    };
    if inference.feedback.is_separate() {
        let problem = "the objectives feed back through the forward kernels; choose `tied`";
        return Err(Error::setting("learning.feedback", inference.feedback.name(), problem));
    }
    let samples = y.len() / topology.outputs();
    let transposed =
        Inference { nudge: Nudge::LinearisedLive, passes: PASSES, ..Inference::new(Rule::dp_transpose(alpha), beta, loss) };
    let plan = Plan::compile(topology, &transposed, PlanOptions::default())?;
    // The states of one search, and as much again for its compartments and what it compares them with.
    let needed = plan.memory(samples, size_of::<f64>()).saturating_mul(3);
    memory::require("the search for the objectives", needed, "choose fewer samples, or a smaller network")?;
    if (1..topology.depth()).any(|k| inference.rule.gain_product(k, topology.depth()) != 1.0) {
        let problem = "the objectives are of rules without gains; choose 1";
        return Err(Error::setting("learning.gain", format!("{:?}", inference.rule.gain), problem));
    }
    let at = |alpha: f64, beta: f64| lifted(topology, parameters, (x, y), loss, (alpha, beta), options, pool);
    let nested = at(alpha, beta)?;
    // A term of weight 0 is not looked for: its strength would be 0 as well.
    let part = |end: f64, weight: f64| (weight > 0.0).then(|| at(end, weight * beta)).transpose();
    let parts = [part(1.0, alpha)?, part(0.0, 1.0 - alpha)?];
    let value = |part: &Option<Lifted>| part.as_ref().map_or(0.0, |part| part.value);
    let z = Predictor::new(topology, samples, pool).predict(parameters, x)?.to_vec();
    let mut engine = Engine::new(plan, samples, pool)?;
    engine.infer(parameters, x, y)?;
    let residuals = settling(&engine, parameters, y, pool)?.into_iter().map(|layer| layer.residual);
    Ok(Objectives {
        alpha,
        beta,
        loss: mean_loss(loss, &z, y, topology),
        one_level: one_level(loss, alpha, beta, topology.outputs(), &z, y)?,
        optimistic: at(1.0, beta)?,
        adversarial: at(0.0, beta)?,
        average: weighted(alpha, || value(&parts[0])) + weighted(1.0 - alpha, || value(&parts[1])),
        average_settled: parts.iter().flatten().map(|part| part.settled).max().unwrap_or(Settled::Settled),
        nested,
        lagrangian: lagrangian(&engine, parameters, y, pool)?,
        lagrangian_residual: residuals.fold(0.0, |most, next| if next <= most { most } else { next }),
    })
}

/// A number of [`Objectives`] as a row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveRow {
    /// α
    pub alpha: f64,
    /// β
    pub beta: f64,
    /// Which objective: `loss`, `rovr`, `one_level_adversarial`, `arovr`, `sprovr`, `optimistic`, `adversarial`, `average`,
    /// `nested`, `lagrangian`.
    #[serde(deserialize_with = "objective")]
    pub objective: Name,
    /// `value` = α·`loss_plus` + (1−α)·`loss_minus` + Σ (`plus` − `minus`), α being 1 of the optimistic and 0 of the adversarial one;
    /// `plus` and `minus` are D_k/β of a layer, `constraint` is one of the Lagrangian, and `residual` says how settled that is.
    #[serde(deserialize_with = "term")]
    pub term: Name,
    /// The layer k = 1..L of a term; none for the value.
    pub layer: Option<usize>,
    /// The number; of an unbounded objective infinite (`null` in JSON, which is read as NaN).
    #[serde(deserialize_with = "json::number")]
    pub value: f64,
    /// How the search for it ended; none where none was needed.
    pub settled: Option<Settled>,
}

/// What [`ObjectiveRow::objective`] can be.
const OBJECTIVES: [Name; 10] =
    ["loss", "rovr", "one_level_adversarial", "arovr", "sprovr", "optimistic", "adversarial", "average", "nested", "lagrangian"];

/// What [`ObjectiveRow::term`] can be.
const TERMS: [Name; 7] = ["value", "loss_plus", "loss_minus", "plus", "minus", "constraint", "residual"];

fn objective<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Name, D::Error> {
    json::name(from, "objective", &OBJECTIVES)
}

fn term<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Name, D::Error> {
    json::name(from, "term", &TERMS)
}

impl Objectives {
    /// Every number as a row.
    pub fn rows(&self) -> Vec<ObjectiveRow> {
        let &Objectives { alpha, beta, .. } = self;
        let row = |objective, term, layer, value, settled| ObjectiveRow { alpha, beta, objective, term, layer, value, settled };
        let level = &self.one_level;
        let mut rows: Vec<ObjectiveRow> = [
            ("loss", self.loss),
            ("rovr", level.rovr),
            ("one_level_adversarial", level.adversarial),
            ("arovr", level.arovr),
            ("sprovr", level.sprovr),
        ]
        .map(|(name, value)| row(name, "value", None, value, None))
        .into();
        for (name, found) in [("optimistic", &self.optimistic), ("adversarial", &self.adversarial), ("nested", &self.nested)] {
            rows.push(row(name, "value", None, found.value, Some(found.settled)));
            rows.push(row(name, "loss_plus", None, found.loss_plus, Some(found.settled)));
            rows.push(row(name, "loss_minus", None, found.loss_minus, Some(found.settled)));
            for (k, LayerTerms { plus, minus }) in (1..).zip(&found.layers) {
                rows.push(row(name, "plus", Some(k), *plus, Some(found.settled)));
                rows.push(row(name, "minus", Some(k), *minus, Some(found.settled)));
            }
        }
        rows.push(row("average", "value", None, self.average, Some(self.average_settled)));
        rows.push(row("lagrangian", "value", None, self.lagrangian.value, None));
        rows.push(row("lagrangian", "residual", None, self.lagrangian_residual, None));
        let constraints = (1..).zip(&self.lagrangian.constraints);
        rows.extend(constraints.map(|(k, value)| row("lagrangian", "constraint", Some(k), *value, None)));
        rows
    }
}
