//! The optimiser: one update of every parameter from its gradient.

use crate::base::{Error, Real, Result};
use crate::compute::update::{AdamConstants, Update, UpdateRule};
use crate::compute::{ParameterId, Pool, Tensor};
use crate::network::{Parameters, Topology};

/// Which update, with its constants; the learning rate is [`super::Rate`]'s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptimizerKind {
    /// Gradient descent with momentum and coupled weight decay, on kernels and biases alike; see [`crate::compute::update::sgd`].
    Sgd {
        /// μ, how much of the last step stays; 0 for none.
        momentum: f64,
        /// λ, added to the gradient as λ w; 0 for none.
        weight_decay: f64,
    },
    /// Adam; see [`crate::compute::update::adam`].
    Adam {
        /// β₁ of the mean gradient.
        beta1: f64,
        /// β₂ of the mean squared gradient.
        beta2: f64,
        /// ε, outside the root.
        epsilon: f64,
    },
    /// Adam with decoupled weight decay, on kernels and biases alike; see [`crate::compute::update::adam`].
    AdamW {
        /// β₁ of the mean gradient.
        beta1: f64,
        /// β₂ of the mean squared gradient.
        beta2: f64,
        /// ε, outside the root.
        epsilon: f64,
        /// λ, times the learning rate.
        weight_decay: f64,
    },
}

impl OptimizerKind {
    /// Whether the constants can be used.
    ///
    /// # Errors
    /// [`Error::Setting`] for momentum, β₁ or β₂ outside [0, 1), and for a negative or infinite weight decay or ε.
    pub fn check(&self) -> Result<()> {
        let fraction = |field: &str, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => Err(Error::setting(field, value, "must be at least 0 and below 1")),
        };
        let positive = |field: &str, value: f64| match value.is_finite() && value >= 0.0 {
            true => Ok(()),
            false => Err(Error::setting(field, value, "must be a finite number of at least 0")),
        };
        match *self {
            OptimizerKind::Sgd { momentum, weight_decay } => {
                fraction("momentum", momentum).and_then(|()| positive("weight_decay", weight_decay))
            }
            OptimizerKind::Adam { beta1, beta2, epsilon } => {
                fraction("beta1", beta1).and_then(|()| fraction("beta2", beta2)).and_then(|()| positive("epsilon", epsilon))
            }
            OptimizerKind::AdamW { beta1, beta2, epsilon, weight_decay } => {
                OptimizerKind::Adam { beta1, beta2, epsilon }.check().and_then(|()| positive("weight_decay", weight_decay))
            }
        }
    }
}

/// An optimiser with what it remembers: for every parameter a tensor of the same name and shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer<T> {
    steps: u64,
    state: State<T>,
}

#[derive(Debug, Clone, PartialEq)]
enum State<T> {
    Sgd { momentum: f64, weight_decay: f64, momenta: Parameters<T> },
    Adam { constants: AdamConstants, first: Parameters<T>, second: Parameters<T> },
}

impl<T: Real> Optimizer<T> {
    /// An optimiser that remembers nothing yet.
    pub fn new(kind: OptimizerKind, topology: &Topology) -> Self {
        let zeros = || Parameters::zeros(topology);
        let adam = |constants| State::Adam { constants, first: zeros(), second: zeros() };
        let state = match kind {
            OptimizerKind::Sgd { momentum, weight_decay } => State::Sgd { momentum, weight_decay, momenta: zeros() },
            OptimizerKind::Adam { beta1, beta2, epsilon } => adam(AdamConstants { beta1, beta2, epsilon, weight_decay: 0.0 }),
            OptimizerKind::AdamW { beta1, beta2, epsilon, weight_decay } => {
                adam(AdamConstants { beta1, beta2, epsilon, weight_decay })
            }
        };
        Optimizer { steps: 0, state }
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What the optimiser remembers, by name: with [`Optimizer::steps`] all of its state.
    pub fn moments(&self) -> Vec<(&'static str, &Parameters<T>)> {
        match &self.state {
            State::Sgd { momenta, .. } => vec![("momentum", momenta)],
            State::Adam { first, second, .. } => vec![("first", first), ("second", second)],
        }
    }

    /// Takes back what [`Optimizer::moments`] and [`Optimizer::steps`] gave; each tensor comes from `find(moment, parameter)`.
    ///
    /// # Errors
    /// Whatever `find` reports; [`Error::Shape`] for a tensor of another shape than the parameter's. The optimiser is then as
    /// it was.
    pub fn restore(
        &mut self,
        topology: &Topology,
        steps: u64,
        mut find: impl FnMut(&str, &str) -> Result<Tensor<T>>,
    ) -> Result<()> {
        let mut collect = |moment: &str| Parameters::collect(topology, |name| find(moment, name));
        match &mut self.state {
            State::Sgd { momenta, .. } => *momenta = collect("momentum")?,
            State::Adam { first, second, .. } => (*first, *second) = (collect("first")?, collect("second")?),
        }
        self.steps = steps;
        Ok(())
    }

    /// The next step, to be applied to every parameter as its gradient becomes known. SGD takes another `momentum` for this
    /// step, if there is one.
    ///
    /// # Panics
    /// If the parameters are not those of the topology that the optimiser was made for.
    pub fn update<'a>(
        &'a mut self,
        parameters: &'a mut Parameters<T>,
        learning_rate: f64,
        momentum: Option<f64>,
    ) -> Update<'a, T> {
        self.steps += 1;
        let (step, parameters) = (self.steps, parameters.tensors_mut());
        match &mut self.state {
            State::Sgd { momentum: own, weight_decay, momenta } => {
                let (momentum, weight_decay) = (momentum.unwrap_or(*own), *weight_decay);
                let rule = UpdateRule::Sgd { learning_rate, momentum, weight_decay };
                Update::new(rule, parameters, [momenta.tensors_mut(), &mut []])
            }
            State::Adam { constants, first, second } => {
                let rule = UpdateRule::Adam { learning_rate, step, constants: *constants };
                Update::new(rule, parameters, [first.tensors_mut(), second.tensors_mut()])
            }
        }
    }

    /// Updates every parameter with its gradient, a batch mean; gradients are in the order of the parameters. A parameter whose
    /// gradient has no elements is left as it is, without decay. SGD takes another `momentum` for this step, if there is one.
    ///
    /// # Panics
    /// If parameters or gradients are not those of the topology that the optimiser was made for.
    pub fn step(
        &mut self,
        parameters: &mut Parameters<T>,
        gradients: &[Tensor<T>],
        learning_rate: f64,
        momentum: Option<f64>,
        pool: &Pool,
    ) {
        assert_eq!(parameters.tensors().len(), gradients.len(), "gradients of other parameters");
        let mut update = self.update(parameters, learning_rate, momentum);
        for (i, gradient) in gradients.iter().enumerate().filter(|(_, gradient)| !gradient.data().is_empty()) {
            update.apply(pool, ParameterId(i), gradient.data());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Activation;
    use crate::network::Shape;

    fn filled(topology: &Topology, offset: f64) -> Parameters<f64> {
        let mut parameters = Parameters::zeros(topology);
        let elements = parameters.tensors_mut().iter_mut().flat_map(|tensor| tensor.data_mut());
        elements.enumerate().for_each(|(i, x)| *x = offset + i as f64 / 16.0);
        parameters
    }

    fn pool() -> Pool {
        Pool::new(1).unwrap()
    }

    fn flat(parameters: &Parameters<f64>) -> Vec<f64> {
        parameters.tensors().iter().flat_map(|tensor| tensor.data()).copied().collect()
    }

    /// Two steps with constant gradients: w₂ = w₀ − η(g + λw₀) − η(g + λw₁ + μ(g + λw₀)), for kernels and biases alike.
    #[test]
    fn sgd_moves_every_parameter_and_remembers_its_momentum() {
        let topology = Topology::mlp(Shape::flat(3), &[2, 2], Activation::Relu).unwrap();
        let (start, g) = (filled(&topology, 1.0), filled(&topology, -0.25));
        let mut w = start.clone();
        let mut optimizer = Optimizer::new(OptimizerKind::Sgd { momentum: 0.5, weight_decay: 0.125 }, &topology);
        optimizer.step(&mut w, g.tensors(), 0.25, None, &pool());
        optimizer.step(&mut w, g.tensors(), 0.5, None, &pool());
        for ((w0, g), w2) in flat(&start).into_iter().zip(flat(&g)).zip(flat(&w)) {
            let m1 = g + 0.125 * w0;
            let w1 = w0 - 0.25 * m1;
            assert_eq!(w2, w1 - 0.5 * (g + 0.125 * w1 + 0.5 * m1));
        }
        assert_eq!(optimizer.steps(), 2);
    }

    /// A constant gradient moves every parameter by η g/(|g| + ε) in every step; see [`adam`].
    #[test]
    fn adam_counts_its_steps_for_the_bias_correction() {
        let topology = Topology::mlp(Shape::flat(2), &[2], Activation::Relu).unwrap();
        let (start, g) = (filled(&topology, 1.0), filled(&topology, -0.15));
        let mut w = start.clone();
        let mut optimizer = Optimizer::new(OptimizerKind::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, &topology);
        (0..5).for_each(|_| optimizer.step(&mut w, g.tensors(), 0.1, None, &pool()));
        for ((w0, g), w5) in flat(&start).into_iter().zip(flat(&g)).zip(flat(&w)) {
            let expected = w0 - 5.0 * 0.1 * g / (g.abs() + 1e-8);
            assert!((w5 - expected).abs() < 1e-12, "{w5}, expected {expected}");
        }
    }

    #[test]
    fn a_momentum_of_the_step_takes_the_place_of_the_own() {
        let topology = Topology::mlp(Shape::flat(3), &[2], Activation::Relu).unwrap();
        let train = |own: f64, of_step: [Option<f64>; 2]| {
            let mut w = filled(&topology, 1.0);
            let mut optimizer = Optimizer::new(OptimizerKind::Sgd { momentum: own, weight_decay: 0.0 }, &topology);
            let g = filled(&topology, 0.5);
            of_step.into_iter().for_each(|momentum| optimizer.step(&mut w, g.tensors(), 0.25, momentum, &pool()));
            flat(&w)
        };
        assert_eq!(train(0.5, [None, Some(0.9)]), train(0.9, [None, None]));
        assert_ne!(train(0.5, [None, Some(0.9)]), train(0.5, [None, None]));
    }

    #[test]
    fn a_restored_optimiser_goes_on_to_the_bit() {
        let topology = Topology::mlp(Shape::flat(3), &[2], Activation::Relu).unwrap();
        let adam = OptimizerKind::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
        for kind in [OptimizerKind::Sgd { momentum: 0.9, weight_decay: 0.1 }, adam] {
            let (mut w, mut optimizer) = (filled(&topology, 1.0), Optimizer::new(kind, &topology));
            let step = |w: &mut Parameters<f64>, optimizer: &mut Optimizer<f64>, offset: f64| {
                optimizer.step(w, filled(&topology, offset).tensors(), 0.1, None, &pool());
            };
            (0..3).for_each(|i| step(&mut w, &mut optimizer, f64::from(i)));
            let (mut w2, mut restored) = (w.clone(), Optimizer::new(kind, &topology));
            let moments = optimizer.moments();
            let find = |moment: &str, name: &str| {
                let (_, kept) = moments.iter().find(|(known, _)| *known == moment).unwrap();
                Ok(kept.named(name).unwrap().clone())
            };
            restored.restore(&topology, optimizer.steps(), find).unwrap();
            assert_eq!(restored, optimizer);
            step(&mut w, &mut optimizer, -1.0);
            step(&mut w2, &mut restored, -1.0);
            assert_eq!((flat(&w), optimizer), (flat(&w2), restored));
        }
    }

    #[test]
    fn unusable_constants_are_refused() {
        for (momentum, weight_decay, field) in [(1.0, 0.0, "momentum"), (f64::NAN, 0.0, "momentum"), (0.9, -1.0, "weight_decay")]
        {
            let text = OptimizerKind::Sgd { momentum, weight_decay }.check().unwrap_err().to_string();
            assert!(text.starts_with(&format!("{field} = ")), "{text}");
        }
        for (beta1, beta2, epsilon, field) in
            [(-0.1, 0.9, 0.0, "beta1"), (0.0, 1.0, 0.0, "beta2"), (0.0, 0.0, f64::INFINITY, "epsilon")]
        {
            let text = OptimizerKind::Adam { beta1, beta2, epsilon }.check().unwrap_err().to_string();
            assert!(text.starts_with(&format!("{field} = ")), "{text}");
        }
        assert!(OptimizerKind::Sgd { momentum: 0.9, weight_decay: 5e-4 }.check().is_ok());
        assert!(OptimizerKind::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }.check().is_ok());
    }
}
