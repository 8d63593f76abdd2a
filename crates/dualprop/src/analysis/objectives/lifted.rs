//! The nested objective of dual propagation, and with it LPOM (α = 1) and its adversary (α = 0), at its stationary point.

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};
use crate::compute::{Loss, Pool, Tensor};
use crate::inference::{Inference, Messages, Rule};
use crate::network::{Parameters, Topology};

use super::dyads::Dyads;
use super::one_level::is_bounded;
use super::terms::{LayerTerms, activation, mean_loss};

/// How the search for a stationary point ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// The states no longer move.
    Settled,
    /// They still moved after the most sweeps: the value is of no stationary point.
    Moving,
    /// The states left every bound: the adversary can make the objective as large as it likes.
    Unbounded,
}

/// When the search ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiftedOptions {
    /// The most sweeps over all layers.
    pub sweeps: usize,
    /// The movement of a layer in one sweep, relative to the distance of its compartments, below which all are settled.
    pub tolerance: f64,
}

impl Default for LiftedOptions {
    fn default() -> Self {
        LiftedOptions { sweeps: 100_000, tolerance: 1e-10 }
    }
}

/// A lifted objective; means over the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifted {
    /// Its value: αℓ(s_L⁺) + (1−α)ℓ(s_L⁻) + Σ_k (plus − minus); +∞ if it is unbounded.
    pub value: f64,
    /// ℓ(s_L⁺)
    pub loss_plus: f64,
    /// ℓ(s_L⁻)
    pub loss_minus: f64,
    /// Of each layer k = 1..L.
    pub layers: Vec<LayerTerms>,
    /// How the search ended.
    pub settled: Settled,
    /// Sweeps that it took.
    pub sweeps: usize,
    /// The largest movement of a layer in the last sweep, relative to the distance of its compartments.
    pub movement: f64,
    /// The local gradients −1/(βB) Σ Δ_k s̄_{k−1}ᵀ there, in the order of the parameters.
    pub gradients: Vec<Tensor<f64>>,
}

/// Beyond this multiple of where it was after the first sweep, the distance of compartments has left every bound.
const UNBOUNDED: f64 = 1e12;

/// Evaluates min_{s⁺} max_{s⁻} αℓ(s_L⁺) + (1−α)ℓ(s_L⁻) + 1/β Σ_k D_k(s_k⁺, s̄_{k−1}) − D_k(s_k⁻, s̄_{k−1}) for inputs x
/// [n, H, W, C] and targets y [n, outputs].
///
/// Its stationary points are those of DP with the proximal nudge (PAPER 1.2), sought from a forward pass by updates that are
/// held back. The one that is reached is the nearest to the forward states, and of an objective that is not convex perhaps not the
/// best. For 0 < α < 1 the value is that of the stationary point; whether the maximum over s⁻ is finite is not asked.
///
/// # Errors
/// [`Error::Setting`] for α outside [0, 1] or β not above 0; [`Error::Shape`] for inputs, targets or parameters that do not fit.
pub fn lifted(
    topology: &Topology,
    parameters: &Parameters<f64>,
    (x, y): (&[f64], &[f64]),
    loss: Loss,
    (alpha, beta): (f64, f64),
    options: LiftedOptions,
    pool: &Pool,
) -> Result<Lifted> {
    // Ranges of α and β.
    Inference::new(Rule::dp(alpha), beta, loss).check(topology.depth())?;
    let samples = x.len() / topology.input().neurons();
    if samples == 0 || y.len() != samples * topology.outputs() {
        return Err(Error::shape("the targets", &[y.len()], &[samples, topology.outputs()]));
    }
    if !is_bounded(loss, (1.0 - alpha) * beta) {
        return Ok(Lifted::unbounded(0, f64::INFINITY));
    }
    let messages = Messages::new(topology, samples, beta, pool);
    let mut dyads = Dyads::new(topology, parameters, (x, y), loss, (alpha, beta), messages)?;
    let (mut sweeps, mut movement) = (1, dyads.sweep()?);
    let start = dyads.size();
    while sweeps < options.sweeps && (movement > options.tolerance || movement.is_nan()) {
        movement = dyads.sweep()?;
        sweeps += 1;
        if dyads.size() > UNBOUNDED * (1.0 + start) || start.is_infinite() {
            return Ok(Lifted::unbounded(sweeps, movement));
        }
    }
    let settled = if movement <= options.tolerance { Settled::Settled } else { Settled::Moving };
    Lifted::at(dyads, topology, parameters, (loss, y), (alpha, beta)).map(|found| Lifted { settled, sweeps, movement, ..found })
}

impl Lifted {
    /// Its terms at states that somebody says have settled.
    fn at(
        mut dyads: Dyads,
        topology: &Topology,
        parameters: &Parameters<f64>,
        (loss, y): (Loss, &[f64]),
        (alpha, beta): (f64, f64),
    ) -> Result<Self> {
        let per_sample = topology.outputs() as f64 / (beta * y.len() as f64);
        let mut layers = vec![];
        for k in 1..=topology.depth() {
            dyads.messages.listen(k, parameters)?;
            let (f, (s_plus, s_minus)) = (activation(topology, k), dyads.states(k));
            let a = dyads.messages.pre_activation(k);
            let excess = |s: &[f64]| per_sample * s.iter().zip(a).map(|(&s, &a)| f.divergence(s, a)).sum::<f64>();
            layers.push(LayerTerms { plus: excess(&s_plus), minus: excess(&s_minus) });
        }
        let (s_plus, s_minus) = dyads.states(topology.depth());
        let [loss_plus, loss_minus] = [s_plus, s_minus].map(|z| mean_loss(loss, &z, y, topology));
        let energies: f64 = layers.iter().map(LayerTerms::difference).sum();
        let value = alpha * loss_plus + (1.0 - alpha) * loss_minus + energies;
        let gradients = dyads.gradients()?;
        Ok(Lifted { value, loss_plus, loss_minus, layers, settled: Settled::Settled, sweeps: 0, movement: 0.0, gradients })
    }

    fn unbounded(sweeps: usize, movement: f64) -> Self {
        Lifted {
            value: f64::INFINITY,
            loss_plus: f64::NAN,
            loss_minus: f64::NAN,
            layers: vec![],
            settled: Settled::Unbounded,
            sweeps,
            movement,
            gradients: vec![],
        }
    }
}
