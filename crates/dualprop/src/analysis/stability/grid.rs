//! A map of stability: every combination of settings, on every network.

use crate::base::{Error, Result};
use crate::compute::spectral::Power;
use crate::compute::{Activation, Loss, Pool};
use crate::inference::{Damping, Inference, Nudge, Rule, RuleKind, Schedule};

use super::{Networks, RandomNetworks, Settler, StabilityRow, nudge_strength};

/// The most cells of a map: more would be a slip of the pen.
const MOST_CELLS: usize = 100_000;

/// The settings whose combinations are the cells of a map, on networks that there are already.
#[derive(Debug, Clone, PartialEq)]
pub struct InferenceGrid {
    /// The rules.
    pub rules: Vec<RuleKind>,
    /// α; of the general rule α_m.
    pub alphas: Vec<f64>,
    /// α_f of the general rule, every one with every α_m; of no other.
    pub alphas_feedback: Vec<f64>,
    /// β
    pub betas: Vec<f64>,
    /// The schedules.
    pub schedules: Vec<Schedule>,
    /// The nudges.
    pub nudges: Vec<Nudge>,
    /// ℓ
    pub loss: Loss,
    /// The most passes of an inference.
    pub passes: usize,
    /// Draws the order of the schedule `random`.
    pub seed: u64,
}

/// As [`InferenceGrid`], on random networks of every combination of these.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkGrid {
    /// The activations.
    pub activations: Vec<Activation>,
    /// The gains of the weights.
    pub gains: Vec<f64>,
    /// L
    pub depths: Vec<usize>,
    /// Neurons of the input and of each hidden layer.
    pub width: usize,
    /// Networks of each combination.
    pub nets: usize,
    /// Samples of each network.
    pub samples: usize,
    /// Draws them.
    pub seed: u64,
}

impl InferenceGrid {
    /// The inferences, in the order of the rows: rules, nudges, schedules, β, α_f, α, the last fastest.
    ///
    /// # Errors
    /// [`Error::Setting`] for a list that is empty, a number out of its range, or more cells than anybody would look at.
    pub fn inferences(&self) -> Result<Vec<Inference>> {
        let unit = |value: &f64| (0.0..=1.0).contains(value);
        each("--alpha", &self.alphas, unit, "a number from 0 to 1")?;
        each("--beta", &self.betas, |beta| *beta > 0.0 && beta.is_finite(), "a finite number above 0")?;
        some("--rule", &self.rules)?;
        some("--schedule", &self.schedules)?;
        some("--nudge", &self.nudges)?;
        if self.rules.contains(&RuleKind::General) {
            each("--alpha-feedback", &self.alphas_feedback, unit, "a number from 0 to 1")?;
        }
        let alphas = self.alphas.len().saturating_mul(self.alphas_feedback.len().max(1));
        let lists = [self.rules.len(), alphas, self.betas.len(), self.schedules.len(), self.nudges.len()];
        let cells = lists.into_iter().fold(1, usize::saturating_mul);
        if cells > MOST_CELLS {
            let problem = format!("these settings have more than {MOST_CELLS} combinations; name fewer of each");
            return Err(Error::setting("cells", cells, problem));
        }
        let mut inferences = vec![];
        for &kind in &self.rules {
            for &nudge in &self.nudges {
                for &schedule in &self.schedules {
                    for &beta in &self.betas {
                        for rule in self.of_kind(kind) {
                            let (passes, seed) = (self.passes, self.seed);
                            let plain = Inference::new(rule, beta, self.loss);
                            inferences.push(Inference { nudge, schedule, passes, seed, ..plain });
                        }
                    }
                }
            }
        }
        Ok(inferences)
    }

    /// A rule with every α that it has.
    fn of_kind(&self, kind: RuleKind) -> Vec<Rule> {
        let damping = || Damping::Spectral { power: Power::Converged, asymmetry: false };
        let of = |make: &dyn Fn(f64) -> Rule| self.alphas.iter().map(|&alpha| make(alpha)).collect::<Vec<_>>();
        match kind {
            RuleKind::Dp => of(&Rule::dp),
            RuleKind::DpTranspose => of(&Rule::dp_transpose),
            RuleKind::DpDamped => of(&|alpha| Rule::dp_damped(alpha, damping())),
            RuleKind::Backprop => vec![Rule::backprop()],
            RuleKind::General => {
                self.alphas_feedback.iter().flat_map(|&feedback| of(&|alpha| Rule::general(alpha, feedback))).collect()
            }
        }
    }

    /// Settles every inference on every network, a cell at a time on each thread; a row for each inference, in their order.
    ///
    /// # Errors
    /// As [`InferenceGrid::inferences`] and [`Settler::new`].
    pub fn run(&self, networks: &Networks, pool: &Pool) -> Result<Vec<StabilityRow>> {
        let inferences = self.inferences()?;
        let alone = Pool::with_isa(1, pool.isa())?;
        let mut rows: Vec<Option<Result<StabilityRow>>> = inferences.iter().map(|_| None).collect();
        pool.pieces(&mut rows, 1, |cell, row| row[0] = Some(of_cell(networks, &inferences[cell], &alone)));
        rows.into_iter().flatten().collect()
    }
}

impl NetworkGrid {
    /// The rows of all random networks, those of one activation, gain and depth after those of another.
    ///
    /// # Errors
    /// [`Error::Setting`] for a list that is empty or a number out of its range; as [`InferenceGrid::run`].
    pub fn run(&self, inferences: &InferenceGrid, pool: &Pool) -> Result<Vec<StabilityRow>> {
        self.check(inferences.passes)?;
        inferences.inferences()?;
        let mut rows = vec![];
        for &activation in &self.activations {
            for &gain in &self.gains {
                for &depth in &self.depths {
                    let &NetworkGrid { width, nets: count, samples, seed, .. } = self;
                    let spec = RandomNetworks { activation, gain, depth, width, count, samples, seed };
                    rows.extend(inferences.run(&spec.draw(pool)?, pool)?);
                }
            }
        }
        Ok(rows)
    }

    fn check(&self, passes: usize) -> Result<()> {
        some("--activation", &self.activations)?;
        each("--gain", &self.gains, |gain| *gain > 0.0 && *gain <= 1e3, "a number above 0, up to 1000")?;
        each("--depth", &self.depths, |depth| (1..=100).contains(depth), "a number of layers from 1 to 100")?;
        for (field, value, most) in
            [("--width", self.width, 4096), ("--nets", self.nets, 10_000), ("--samples", self.samples, 10_000)]
        {
            if !(1..=most).contains(&value) {
                return Err(Error::setting(field, value, format!("expected 1 to {most}")));
            }
        }
        // What is kept at once: all networks of one kind, and the states of one for each thread.
        let deepest = self.depths.iter().copied().max().unwrap_or(1);
        let numbers = self.nets.saturating_mul(deepest * self.width * self.width + self.samples * self.width);
        if numbers > 1 << 28 {
            let problem =
                "with this width, depth and number of samples they take more than 2 GiB; ask for fewer, or smaller ones";
            return Err(Error::setting("--nets", self.nets, problem));
        }
        match passes > 10_000 {
            true => Err(Error::setting("--passes", passes, "expected 1 to 10000")),
            false => Ok(()),
        }
    }
}

/// The inference of one cell, on one network after another.
fn of_cell(networks: &Networks, inference: &Inference, alone: &Pool) -> Result<StabilityRow> {
    let without_maximiser =
        inference.nudge == Nudge::Proximal && inference.loss.curvature().is_some() && nudge_strength(inference).is_none();
    if without_maximiser {
        return Ok(StabilityRow::new(networks, inference, None));
    }
    let outputs = networks.topology.outputs();
    let capacity = networks.trials.iter().map(|trial| trial.y.len() / outputs).max().unwrap_or(0);
    let mut settler = Settler::new(&networks.topology, inference, capacity, alone)?;
    let settled = networks.trials.iter().map(|trial| settler.settle(&trial.parameters, &trial.x, &trial.y));
    Ok(StabilityRow::new(networks, inference, Some(&settled.collect::<Result<Vec<_>>>()?)))
}

fn some<V>(field: &str, values: &[V]) -> Result<()> {
    match values.is_empty() {
        true => Err(Error::setting(field, "(nothing)", "expected at least one value")),
        false => Ok(()),
    }
}

fn each<V: ToString>(field: &str, values: &[V], valid: impl Fn(&V) -> bool, range: &str) -> Result<()> {
    some(field, values)?;
    match values.iter().find(|value| !valid(value)) {
        Some(value) => Err(Error::setting(field, value.to_string(), format!("expected {range}"))),
        None => Ok(()),
    }
}
