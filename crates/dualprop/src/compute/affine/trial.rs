//! One product of a convolution by an algorithm of choice: what the table of algorithms is made with.

use crate::base::random::{Purpose, Random};
use crate::compute::Pool;

use super::above::Above;
use super::{Convolution, ConvolutionAlgorithm, MapProduct};

/// A product of f32 on random numbers, to be timed.
pub struct ConvolutionTrial {
    convolution: Convolution,
    algorithm: ConvolutionAlgorithm,
    product: MapProduct,
    below: Vec<f32>,
    above: Vec<f32>,
    kernel: Vec<f32>,
    workspace: Vec<f32>,
    pool: Pool,
}

impl ConvolutionTrial {
    /// A product of so many samples; nothing if the algorithm does not suit the convolution.
    pub fn new(
        convolution: Convolution,
        algorithm: ConvolutionAlgorithm,
        product: MapProduct,
        samples: usize,
        pool: &Pool,
    ) -> Option<Self> {
        let mut random = Random::new(0, Purpose::Synthetic, 0, 0);
        let mut numbers = |count: usize| (0..count).map(|_| random.normal() as f32).collect();
        let c = convolution;
        let workspace = |c| algorithm.workspace(c, samples, pool.threads());
        algorithm.suits(c).then(|| ConvolutionTrial {
            convolution,
            algorithm,
            product,
            below: numbers(samples * c.pixels() * c.inputs),
            above: numbers(samples * c.pixels() * c.outputs),
            kernel: numbers(c.patch() * c.outputs),
            workspace: vec![0.0; workspace(c).max(workspace(c.reversed()))],
            pool: pool.clone(),
        })
    }

    /// Computes the product once.
    pub fn run(&mut self) {
        let ConvolutionTrial { convolution: c, algorithm, product, below, above, kernel, workspace, pool } = self;
        pool.enter(|team| match product {
            MapProduct::Forward => algorithm.convolve(team, *c, (kernel, false), None, below, Above::Image(above), workspace),
            MapProduct::Adjoint => {
                algorithm.convolve(team, c.reversed(), (kernel, true), None, above, Above::Image(below), workspace)
            }
            MapProduct::Weight => algorithm.weight_product(team, *c, (below, above), 1.0, kernel, workspace),
        });
    }

    /// Multiply-adds of the direct way.
    pub fn multiply_adds(&self) -> u64 {
        let samples = self.below.len() / (self.convolution.pixels() * self.convolution.inputs);
        super::Map::Convolution(self.convolution).multiply_adds() * samples as u64
    }
}
