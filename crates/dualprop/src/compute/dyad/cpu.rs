//! The dyad update on the CPU: one pass over memory.

use crate::base::Real;
use crate::compute::Activation;
use crate::compute::activation::with_activation;
use crate::compute::compiled::compiled;
use crate::compute::pool::{ELEMENTS, Team};

use super::{DyadWeights, Weights};

/// mean = f(a)
pub(crate) fn activate<T: Real>(team: &Team, activation: Activation, a: &[T], mean: &mut [T]) {
    team.pieces(mean, ELEMENTS, |start, mean| activate_piece(team.isa(), activation, &a[start..], mean));
}

/// plus = s̄ + weight · Δ, weight being 1 − α.
pub(crate) fn plus<T: Real>(team: &Team, weight: f64, mean: &[T], difference: &[T], plus: &mut [T]) {
    let weight = T::from_f64(weight);
    team.pieces(plus, ELEMENTS, |start, plus| plus_piece(team.isa(), weight, &mean[start..], &difference[start..], plus));
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
    team.pairs(mean, difference, ELEMENTS, |start, mean, difference| {
        update_piece(team.isa(), activation, weights, damping, &a[start..], &fb[start..], mean, difference);
    });
}

/// As [`update`] where every neuron has weights of its own.
pub(crate) fn update_each<T: Real>(
    team: &Team,
    (activation, weights): (Activation, &[Weights<T>]),
    damping: Option<T>,
    (a, fb): (&[T], &[T]),
    mean: &mut [T],
    difference: &mut [T],
) {
    let neurons = weights.len();
    team.pairs(mean, difference, ELEMENTS.div_ceil(neurons) * neurons, |start, mean, difference| {
        let samples = mean.chunks_mut(neurons).zip(difference.chunks_mut(neurons));
        for (row, (mean, difference)) in samples.enumerate() {
            let place = start + row * neurons;
            let (a, fb) = (&a[place..place + neurons], &fb[place..place + neurons]);
            update_row(team.isa(), activation, weights, damping, a, fb, mean, difference);
        }
    });
}

compiled! {
    fn activate_piece<T: Real>(activation: Activation, a: &[T], mean: &mut [T]) {
        with_activation!(activation, f => for (mean, &a) in mean.iter_mut().zip(a) {
            *mean = f.value(a);
        });
    }

    fn plus_piece<T: Real>(weight: T, mean: &[T], difference: &[T], plus: &mut [T]) {
        for (plus, (&mean, &difference)) in plus.iter_mut().zip(mean.iter().zip(difference)) {
            *plus = mean + weight * difference;
        }
    }

    fn update_piece<T: Real>(
        activation: Activation,
        weights: DyadWeights,
        damping: Option<T>,
        a: &[T],
        fb: &[T],
        mean: &mut [T],
        difference: &mut [T],
    ) {
        let w = Weights::new(weights);
        let neurons = mean.iter_mut().zip(difference).zip(a.iter().zip(fb));
        with_activation!(activation, f => match damping {
            _ if weights.limit => for ((mean, difference), (&a, &fb)) in neurons {
                (*mean, *difference) = w.update_limit(f, a, fb);
            },
            None => for ((mean, difference), (&a, &fb)) in neurons {
                (*mean, *difference) = w.update(f, a, fb);
            },
            Some(damping) => for ((mean, difference), (&a, &fb)) in neurons {
                (*mean, *difference) = w.update_damped(f, a, fb, damping, (*mean, *difference));
            },
        });
    }

    fn update_row<T: Real>(
        activation: Activation,
        weights: &[Weights<T>],
        damping: Option<T>,
        a: &[T],
        fb: &[T],
        mean: &mut [T],
        difference: &mut [T],
    ) {
        let neurons = mean.iter_mut().zip(difference).zip(a.iter().zip(fb)).zip(weights);
        with_activation!(activation, f => match damping {
            None => for (((mean, difference), (&a, &fb)), w) in neurons {
                (*mean, *difference) = w.update(f, a, fb);
            },
            Some(damping) => for (((mean, difference), (&a, &fb)), w) in neurons {
                (*mean, *difference) = w.update_damped(f, a, fb, damping, (*mean, *difference));
            },
        });
    }
}
