//! The adversary: gradients of the loss by the input, and steps along them.

use crate::base::random::{Purpose, Random};
use crate::base::{Real, Result};
use crate::compute::{Loss, Pool};
use crate::inference::{Engine, Inference, InputGradient, Plan, PlanOptions, Rule};
use crate::network::{Parameters, Topology};

use super::{Attack, AttackKind, InputRange, Norm};

/// PGD's steps add up to so many times its budget, so that it can cross the ball and turn.
const REACH: f64 = 2.5;

/// Perturbs batches against the parameters of a network.
pub struct Attacker<T> {
    backprop: Engine<T>,
    input_gradient: InputGradient<T>,
    range: InputRange<T>,
}

impl<T: Real> Attacker<T> {
    /// The plan that an attacker of this network executes.
    ///
    /// # Errors
    /// None for a network that any engine takes.
    pub fn plan(topology: &Topology, loss: Loss) -> Result<Plan> {
        // β is only a scale of backpropagation's differences.
        let inference = Inference::new(Rule::backprop(), 1.0, loss);
        Plan::compile(topology, &inference, PlanOptions { gradients: false, ..PlanOptions::default() })
    }

    /// Reserves memory for batches of up to `capacity` samples, whose inputs have this range.
    ///
    /// # Errors
    /// As [`Engine::new`].
    ///
    /// # Panics
    /// If the range is not one of the network's input.
    pub fn new(topology: &Topology, loss: Loss, range: InputRange<T>, capacity: usize, pool: &Pool) -> Result<Self> {
        assert_eq!((range.lower.len(), range.extent.len()), (topology.input().neurons(), topology.input().neurons()));
        Ok(Attacker {
            backprop: Engine::new(Self::plan(topology, loss)?, capacity, pool)?,
            input_gradient: InputGradient::new(topology, capacity, pool),
            range,
        })
    }

    /// Replaces the inputs x [n, H, W, C] by perturbed ones, for targets y [n, outputs]. Each sample's random numbers are those of
    /// (seed, epoch, its number), so that neither the batch nor the order changes them.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for an attack that [`Attack::check`] refuses; [`crate::Error::Shape`] for what does not fit.
    pub fn perturb(
        &mut self,
        parameters: &Parameters<T>,
        (x, y): (&mut [T], &[T]),
        attack: Attack,
        (seed, epoch, numbers): (u64, u32, &[u32]),
    ) -> Result<()> {
        attack.check()?;
        let origin = x.to_vec();
        let neurons = self.range.lower.len();
        let (start, steps, size) = match attack.kind {
            AttackKind::Gradient => (false, 1, attack.epsilon),
            AttackKind::Fgsm => (false, 1, attack.epsilon),
            AttackKind::Pgd => (true, attack.steps, REACH * attack.epsilon / attack.steps as f64),
            AttackKind::Noise => (true, 0, 0.0),
        };
        if start {
            for ((x, origin), &number) in x.chunks_mut(neurons).zip(origin.chunks(neurons)).zip(numbers) {
                let mut random = Random::new(seed, Purpose::Attack, epoch, number);
                self.start(&mut random, attack, origin, x);
            }
        }
        for _ in 0..steps {
            self.backprop.infer(parameters, x, y)?;
            let gradient = self.input_gradient.of(&self.backprop, parameters)?;
            let samples = x.chunks_mut(neurons).zip(origin.chunks(neurons)).zip(gradient.chunks(neurons));
            for ((x, origin), gradient) in samples {
                step(&self.range, attack, size, (origin, gradient), x);
            }
        }
        Ok(())
    }

    /// A random point of the ball of PGD, or of the cube or the sphere of noise.
    fn start(&self, random: &mut Random, attack: Attack, origin: &[T], x: &mut [T]) {
        let mut direction: Vec<f64> = match attack.norm {
            Norm::Linf => x.iter().map(|_| 2.0 * random.uniform() - 1.0).collect(),
            Norm::L2 => x.iter().map(|_| random.normal()).collect(),
        };
        // What is no pixel has no share of the length.
        direction.iter_mut().zip(&self.range.extent).filter(|(_, extent)| **extent == T::ZERO).for_each(|(d, _)| *d = 0.0);
        let length = match (attack.norm, attack.kind) {
            (Norm::Linf, _) => 1.0,
            (Norm::L2, AttackKind::Noise) => norm(&direction),
            // The radius of a uniform point: its power n is uniform.
            (Norm::L2, _) => norm(&direction) / libm::pow(random.uniform(), 1.0 / direction.len() as f64),
        };
        let scale = if length > 0.0 { attack.epsilon / length } else { 0.0 };
        for (place, (x, origin)) in x.iter_mut().zip(origin).enumerate() {
            let moved = *origin + T::from_f64(scale * direction[place]) * self.range.extent[place];
            *x = self.range.nearest(place, moved, *origin);
        }
    }
}

/// x ← the possible input nearest to the point of the ball around the origin nearest to x + a step along the gradient.
fn step<T: Real>(range: &InputRange<T>, attack: Attack, size: f64, (origin, gradient): (&[T], &[T]), x: &mut [T]) {
    let extent = |place: usize| range.extent[place].to_f64();
    match (attack.kind, attack.norm) {
        (AttackKind::Gradient, _) => x.iter_mut().zip(gradient).for_each(|(x, g)| *x += T::from_f64(size) * *g),
        (_, Norm::Linf) => {
            for (place, x) in x.iter_mut().enumerate() {
                let (step, most) = (T::from_f64(size * extent(place)), T::from_f64(attack.epsilon * extent(place)));
                let moved = *x + sign(gradient[place]) * step;
                let near = moved.at_least(origin[place] - most).at_most(origin[place] + most);
                *x = range.nearest(place, near, origin[place]);
            }
        }
        (_, Norm::L2) => {
            // In units of pixels: δ = (x − origin)/extent, ∂ℓ/∂δ = extent · ∂ℓ/∂x.
            let slope: Vec<f64> = gradient.iter().enumerate().map(|(place, g)| g.to_f64() * extent(place)).collect();
            let length = norm(&slope);
            let along = if length > 0.0 { size / length } else { 0.0 };
            let delta = |place: usize, x: T| match extent(place) {
                0.0 => 0.0,
                extent => (x.to_f64() - origin[place].to_f64()) / extent + along * slope[place],
            };
            let delta: Vec<f64> = x.iter().enumerate().map(|(place, &x)| delta(place, x)).collect();
            let shrink = attack.epsilon / norm(&delta).max(attack.epsilon);
            // A budget of 0 has no direction.
            let shrink = if shrink.is_nan() { 0.0 } else { shrink };
            for (place, x) in x.iter_mut().enumerate() {
                *x = range.nearest(place, origin[place] + T::from_f64(shrink * delta[place] * extent(place)), origin[place]);
            }
        }
    }
}

/// −1, 0 or 1; NaN of what is none.
fn sign<T: Real>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        // 0, and NaN stays.
        x
    }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}
