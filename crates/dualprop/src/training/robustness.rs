//! How a network's accuracy falls under attack.

use serde::{Deserialize, Serialize};

use crate::analysis::{Attack, AttackKind, Attacker, Norm};
use crate::base::json::{self, Name};
use crate::base::{Named, Result, memory};
use crate::inference::Predictor;

use super::Specimen;
use super::evaluation::count_hits;

/// Accuracy under one attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Robustness {
    /// `noise`, `fgsm`, `pgd` or `gradient`.
    #[serde(deserialize_with = "json::name_of::<AttackKind, _>")]
    pub attack: Name,
    /// `linf` or `l2`.
    #[serde(deserialize_with = "json::name_of::<Norm, _>")]
    pub norm: Name,
    /// Steps of PGD; 1 of FGSM, 0 of noise.
    pub steps: usize,
    /// The budget, in units of a pixel's range.
    pub epsilon: f64,
    /// Samples that were attacked.
    pub samples: usize,
    /// The share of them whose largest output is still at their label, in percent.
    pub accuracy: f64,
    /// Their mean loss.
    #[serde(deserialize_with = "json::number")]
    pub loss: f64,
}

/// Samples that are attacked together.
const BATCH: usize = 250;

/// Attacks the samples of a specimen, each attack anew from the samples as they are, and counts what is still right. The adversary
/// knows the network, and raises the loss that it was trained by.
///
/// # Errors
/// As [`Attack::check`]; [`crate::Error::Memory`]; [`crate::Error::Setting`] or [`crate::Error::Shape`] for a specimen that does not fit itself.
pub fn robustness(specimen: &Specimen, attacks: &[Attack], seed: u64) -> Result<Vec<Robustness>> {
    let Specimen { topology, parameters, inference, samples, range, pool, .. } = specimen;
    let (capacity, loss) = (BATCH.min(samples.len()), inference.loss);
    let needed = Attacker::<f32>::plan(topology, loss)?.memory(capacity, size_of::<f32>()).saturating_mul(2);
    memory::require("an attack", needed, "choose fewer samples, or a smaller network")?;
    let mut attacker = Attacker::new(topology, loss, range.clone(), capacity, pool)?;
    let mut predictor = Predictor::new(topology, capacity, pool);
    let (inputs, outputs) = (topology.input().neurons(), topology.outputs());
    let numbers: Vec<u32> = (0..samples.len() as u32).collect();
    let mut found = vec![];
    for &attack in attacks {
        let (mut right, mut summed) = (0, 0.0);
        let batches = samples.x.chunks(BATCH * inputs).zip(samples.targets.chunks(BATCH * outputs));
        let labels = samples.labels.chunks(BATCH).zip(numbers.chunks(BATCH));
        for ((x, y), (labels, numbers)) in batches.zip(labels) {
            let mut x = x.to_vec();
            attacker.perturb(parameters, (&mut x, y), attack, (seed, 0, numbers))?;
            let z = predictor.predict(parameters, &x)?;
            right += count_hits(z, labels).first;
            summed += z.chunks(outputs).zip(y.chunks(outputs)).map(|(z, y)| loss.value(z, y)).sum::<f64>();
        }
        found.push(Robustness {
            attack: attack.kind.name(),
            norm: attack.norm.name(),
            steps: match attack.kind {
                AttackKind::Noise => 0,
                AttackKind::Fgsm | AttackKind::Gradient => 1,
                AttackKind::Pgd => attack.steps,
            },
            epsilon: attack.epsilon,
            samples: samples.len(),
            accuracy: 100.0 * right as f64 / samples.len() as f64,
            loss: summed / samples.len() as f64,
        });
    }
    Ok(found)
}
