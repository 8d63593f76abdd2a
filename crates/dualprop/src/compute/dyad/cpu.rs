//! The dyad update on the CPU: one pass over memory.

use crate::base::Real;
use crate::compute::Activation;
use crate::compute::activation::with_activation;
use crate::compute::pool::{ELEMENTS, Team};

use super::{DyadWeights, Weights};

/// mean = f(a)
pub(crate) fn activate<T: Real>(team: &Team, activation: Activation, a: &[T], mean: &mut [T]) {
    team.pieces(mean, ELEMENTS, |start, mean| {
        with_activation!(activation, f => mean.iter_mut().zip(&a[start..]).for_each(|(mean, &a)| *mean = f.value(a)));
    });
}

/// plus = s̄ + weight · Δ, weight being 1 − α.
pub(crate) fn plus<T: Real>(team: &Team, weight: f64, mean: &[T], difference: &[T], plus: &mut [T]) {
    let weight = T::from_f64(weight);
    team.pieces(plus, ELEMENTS, |start, plus| {
        let messages = mean[start..].iter().zip(&difference[start..]);
        plus.iter_mut().zip(messages).for_each(|(plus, (&mean, &difference))| *plus = mean + weight * difference);
    });
}

/// (s̄, Δ) of every neuron from its pre-activation and feedback, and where `damping` is given also from its old (s̄, Δ).
pub(crate) fn update<T: Real>(
    team: &Team,
    (activation, weights): (Activation, DyadWeights),
    damping: Option<T>,
    (a, fb): (&[T], &[T]),
    mean: &mut [T],
    difference: &mut [T],
) {
    let w = Weights::new(weights);
    team.pairs(mean, difference, ELEMENTS, |start, mean, difference| {
        let inputs = a[start..].iter().zip(&fb[start..]);
        let neurons = mean.iter_mut().zip(difference).zip(inputs);
        with_activation!(activation, f => match damping {
            _ if weights.limit => neurons.for_each(|((mean, difference), (&a, &fb))| {
                (*mean, *difference) = w.update_limit(f, a, fb);
            }),
            None => neurons.for_each(|((mean, difference), (&a, &fb))| {
                (*mean, *difference) = w.update(f, a, fb);
            }),
            Some(damping) => neurons.for_each(|((mean, difference), (&a, &fb))| {
                (*mean, *difference) = w.update_damped(f, a, fb, damping, (*mean, *difference));
            }),
        });
    });
}
