//! What the kernels of `update.cu` take.

use crate::base::Real;
use crate::compute::cuda::{Address, KernelParameters};

use super::UpdateRule;

/// The constants of one step, in a table on the device.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Step<T> {
    learning_rate: T,
    momentum: T,
    weight_decay: T,
    keep1: T,
    take1: T,
    keep2: T,
    take2: T,
    correct1: T,
    correct2: T,
    epsilon: T,
}

impl<T: Real> Step<T> {
    /// Those of this rule, rounded as the CPU rounds them.
    pub fn new(rule: UpdateRule) -> Self {
        let of = |numbers: [f64; 10]| numbers.map(T::from_f64);
        let [learning_rate, momentum, weight_decay, keep1, take1, keep2, take2, correct1, correct2, epsilon] = match rule {
            UpdateRule::Sgd { learning_rate, momentum, weight_decay } => {
                of([learning_rate, momentum, weight_decay, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            }
            UpdateRule::Adam { learning_rate, step, constants: c } => {
                let correct = |beta: f64| 1.0 / (1.0 - libm::pow(beta, step as f64));
                let moments = [c.beta1, 1.0 - c.beta1, c.beta2, 1.0 - c.beta2];
                let [keep1, take1, keep2, take2] = moments;
                let corrections = [correct(c.beta1), correct(c.beta2)];
                of([learning_rate, 0.0, c.weight_decay, keep1, take1, keep2, take2, corrections[0], corrections[1], c.epsilon])
            }
        };
        Step { learning_rate, momentum, weight_decay, keep1, take1, keep2, take2, correct1, correct2, epsilon }
    }

    /// All of them, in their order.
    pub(in crate::compute) fn numbers(&self) -> [T; 10] {
        let Step { learning_rate, momentum, weight_decay, keep1, take1, keep2, take2, correct1, correct2, epsilon } = *self;
        [learning_rate, momentum, weight_decay, keep1, take1, keep2, take2, correct1, correct2, epsilon]
    }
}

/// `sgd` and `adam`: one parameter changed by its gradient.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Update {
    pub n: u64,
    pub steps: Address,
    pub step: Address,
    pub gradient: Address,
    pub w: Address,
    pub first: Address,
    pub second: Address,
    pub narrow: Address,
    pub broken: Address,
}

/// `widen`: what a library has computed in the type of states, as a gradient.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::compute) struct Widen {
    pub n: u64,
    pub narrow: Address,
    pub wide: Address,
}

// SAFETY: these are the structs of the source, field by field; the tests compare their sizes and what the kernels do with them.
unsafe impl KernelParameters for Update {}
// SAFETY: as above.
unsafe impl KernelParameters for Widen {}
