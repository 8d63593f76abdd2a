//! Networks on which an inference is put to the test, each with samples of its own.

use crate::base::Result;
use crate::base::random::{Purpose, Random};
use crate::compute::{Activation, Pool};
use crate::network::{Parameters, Shape, Topology};

use super::lambda_max;

/// The classes of a random network.
const OUTPUTS: usize = 10;

/// One network's parameters with a batch of inputs and targets.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The parameters.
    pub parameters: Parameters<f64>,
    /// The inputs [n, H, W, C].
    pub x: Vec<f64>,
    /// The targets [n, outputs].
    pub y: Vec<f64>,
    /// λ_max(Σ_{k<L} J_k J_kᵀ) where the network is linear and dense.
    pub lambda_max: Option<f64>,
}

/// Networks of one topology.
#[derive(Debug, Clone)]
pub struct Networks {
    /// What they are called in tables: `random`, or the file or recipe.
    pub name: String,
    /// The topology of all of them.
    pub topology: Topology,
    /// The standard deviation of a kernel's elements times √fan_in, where the networks are random.
    pub gain: Option<f64>,
    /// The networks.
    pub trials: Vec<Trial>,
}

impl Networks {
    /// A network that there is already, and samples for it.
    pub fn given(name: &str, topology: &Topology, parameters: Parameters<f64>, x: Vec<f64>, y: Vec<f64>) -> Self {
        let lambda_max = lambda_max(topology, &parameters);
        let trials = vec![Trial { parameters, x, y, lambda_max }];
        Networks { name: name.to_string(), topology: topology.clone(), gain: None, trials }
    }
}

/// What random networks are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomNetworks {
    /// f
    pub activation: Activation,
    /// The standard deviation of a kernel's elements times √fan_in; √2 keeps the size of ReLU states.
    pub gain: f64,
    /// L
    pub depth: usize,
    /// Neurons of the input and of every hidden layer; there are 10 outputs.
    pub width: usize,
    /// How many networks.
    pub count: usize,
    /// Samples of each.
    pub samples: usize,
    /// Draws all of it: the same numbers for every activation and, but for their size, for every gain.
    pub seed: u64,
}

impl RandomNetworks {
    /// Draws them: kernels N(0, gain²/fan_in), no bias, inputs N(0, 1), targets one-hot.
    ///
    /// # Errors
    /// As [`Topology::mlp`].
    pub fn draw(&self, pool: &Pool) -> Result<Networks> {
        let widths: Vec<usize> = (1..=self.depth).map(|k| if k == self.depth { OUTPUTS } else { self.width }).collect();
        let topology = Topology::mlp(Shape::flat(self.width), &widths, self.activation)?;
        let mut trials: Vec<Option<Trial>> = vec![None; self.count];
        pool.pieces(&mut trials, 1, |net, slot| slot[0] = Some(self.trial(&topology, net as u32)));
        Ok(Networks { name: "random".into(), topology, gain: Some(self.gain), trials: trials.into_iter().flatten().collect() })
    }

    fn trial(&self, topology: &Topology, net: u32) -> Trial {
        // Streams 0..L−1 are the kernels', from the output down, so that networks of two depths share their upper layers.
        let stream = |number: usize| Random::new(self.seed, Purpose::Synthetic, net, number as u32);
        let mut parameters = Parameters::zeros(topology);
        for k in 1..=self.depth {
            let deviation = self.gain / (topology.map(k).fans().0 as f64).sqrt();
            let mut random = stream(self.depth - k);
            let kernel = parameters.tensors_mut()[topology.kernel(k).0].data_mut();
            kernel.iter_mut().for_each(|w| *w = deviation * random.normal());
        }
        let mut random = stream(usize::from(u16::MAX));
        let x = (0..self.samples * self.width).map(|_| random.normal()).collect();
        let mut y = vec![0.0; self.samples * OUTPUTS];
        y.chunks_mut(OUTPUTS).for_each(|y| y[random.below(OUTPUTS)] = 1.0);
        let lambda_max = lambda_max(topology, &parameters);
        Trial { parameters, x, y, lambda_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_size_that_the_gain_says_and_depend_on_seed_and_net_alone() {
        let spec =
            RandomNetworks { activation: Activation::Identity, gain: 2.0, depth: 3, width: 100, count: 3, samples: 5, seed: 7 };
        let one = Pool::new(1).unwrap();
        let networks = spec.draw(&one).unwrap();
        let kernel = |trial: &Trial, k: usize| trial.parameters.get(networks.topology.kernel(k)).data().to_vec();
        for trial in &networks.trials {
            let mean_square = kernel(trial, 2).iter().map(|w| w * w).sum::<f64>() / 1e4;
            // gain²/fan_in with a standard error of 1.4 %; five of them.
            assert!((mean_square / 0.04 - 1.0).abs() < 0.07, "{mean_square}");
            assert!(trial.y.chunks(10).all(|y| y.iter().sum::<f64>() == 1.0 && y.contains(&1.0)));
            assert_eq!((trial.x.len(), trial.y.len()), (500, 50));
        }
        assert_ne!(kernel(&networks.trials[0], 1), kernel(&networks.trials[1], 1));
        let again = RandomNetworks { count: 2, gain: 1.0, ..spec }.draw(&Pool::new(3).unwrap()).unwrap();
        assert_eq!(again.trials[1].x, networks.trials[1].x);
        let halved: Vec<f64> = kernel(&networks.trials[1], 3).iter().map(|w| w / 2.0).collect();
        assert_eq!(kernel(&again.trials[1], 3), halved);
    }
}
