//! One training step on one resident batch: what benchmarks time.

use crate::base::random::{Purpose, Random};
use crate::base::{Named, Result};
use crate::compute::affine::{Convolution, Map};
use crate::compute::{Activation, Loss, Pool};
use crate::inference::{Engine, Inference, Nudge, Plan, PlanOptions, PoolRouting, Rule, Schedule};
use crate::learning::{Optimizer, OptimizerKind};
use crate::network::{Architecture, BiasInitializer, Initializer, Layer, Parameters, PoolOrder, Shape, Topology, initialize};

/// A network with its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// 784-512-512-10
    Mlp512,
    /// 784-1000-1000-1000-1000-10
    Mlp1000x4,
    /// 1024-1024-1024-10
    Mlp1024,
    /// Two pooled convolutions of 64 channels over 32 x 32 x 3.
    MiniCnn,
    /// The paper's VGG16 over 32 x 32 x 3.
    Vgg16,
}

impl Named for Case {
    const WHAT: &'static str = "case";
    const ALL: &'static [(&'static str, Self)] = &[
        ("mlp512", Case::Mlp512),
        ("mlp1000x4", Case::Mlp1000x4),
        ("mlp1024", Case::Mlp1024),
        ("minicnn", Case::MiniCnn),
        ("vgg16", Case::Vgg16),
    ];
}

impl Case {
    /// The network: ReLU, ten classes.
    ///
    /// # Errors
    /// None.
    pub fn topology(self) -> Result<Topology> {
        let mlp = |input, widths: &[usize]| Topology::mlp(Shape::flat(input), widths, Activation::Relu);
        let named = |architecture: Architecture| {
            let layers: Vec<Layer> = architecture.layers(10);
            Topology::new(Shape::image(32, 32, 3), layers, Activation::Relu, PoolOrder::default())
        };
        match self {
            Case::Mlp512 => mlp(784, &[512, 512, 10]),
            Case::Mlp1000x4 => mlp(784, &[1000, 1000, 1000, 1000, 10]),
            Case::Mlp1024 => mlp(1024, &[1024, 1024, 10]),
            Case::MiniCnn => named(Architecture::MiniCnn),
            Case::Vgg16 => named(Architecture::Vgg16),
        }
    }
}

/// How a step finds its gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Backpropagation.
    Backprop,
    /// DP⊤ with α = 0 and β = 0.1, one sweep from the forward states.
    Dp,
    /// The same with the paper's 16 forward passes.
    Dp16Alpha0,
    /// The same with α = ½.
    Dp16AlphaHalf,
}

impl Named for Algorithm {
    const WHAT: &'static str = "algorithm";
    const ALL: &'static [(&'static str, Self)] = &[
        ("bp", Algorithm::Backprop),
        ("dp", Algorithm::Dp),
        ("dp_16_alpha0", Algorithm::Dp16Alpha0),
        ("dp_16_alpha_half", Algorithm::Dp16AlphaHalf),
    ];
}

impl Algorithm {
    /// The inference, with the cross-entropy and pools routed at the mean.
    pub fn inference(self) -> Inference {
        let dp = |alpha, schedule, passes| Inference {
            nudge: Nudge::LinearisedLive,
            schedule,
            passes,
            pool_routing: PoolRouting::Mean,
            ..Inference::new(Rule::dp_transpose(alpha), 0.1, Loss::CrossEntropy)
        };
        match self {
            Algorithm::Backprop => Inference::new(Rule::backprop(), 1.0, Loss::CrossEntropy),
            Algorithm::Dp => dp(0.0, Schedule::ForwardBackward, 1),
            Algorithm::Dp16Alpha0 => dp(0.0, Schedule::Forward, 16),
            Algorithm::Dp16AlphaHalf => dp(0.5, Schedule::Forward, 16),
        }
    }
}

/// The convolutions of all named networks on the images that the papers train them on, 32 × 32 with colours and 28 × 28
/// without, each once: what the table of algorithms has rows for.
///
pub fn convolutions() -> Vec<Convolution> {
    let mut found = vec![];
    for image in [Shape::image(32, 32, 3), Shape::image(28, 28, 1)] {
        for (_, architecture) in Architecture::ALL {
            // Not every network is deep enough for the smaller image.
            let Ok(topology) = Topology::new(image, architecture.layers(10), Activation::Relu, PoolOrder::default()) else {
                continue;
            };
            for k in 1..=topology.depth() {
                match topology.map(k) {
                    Map::Convolution(c) if !found.contains(&c) => found.push(c),
                    _ => {}
                }
            }
        }
    }
    found
}

/// Forward, inference, local gradients, and SGD with momentum 0.9 and weight decay 5e-4, on one batch of random data.
pub struct TrainingStep {
    engine: Engine<f32>,
    optimizer: Optimizer<f32>,
    parameters: Parameters<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl TrainingStep {
    /// Binds everything for batches of `samples`.
    ///
    /// # Errors
    /// As [`Plan::compile`] and [`Engine::new`].
    pub fn new(case: Case, algorithm: Algorithm, samples: usize, pool: &Pool) -> Result<Self> {
        let topology = case.topology()?;
        let mut random = Random::new(0, Purpose::Synthetic, 0, 0);
        let x = (0..samples * topology.input().neurons()).map(|_| random.normal() as f32).collect();
        let classes = topology.outputs();
        let y = (0..samples * classes).map(|i| f32::from(u8::from(i % classes == i / classes % classes))).collect();
        let plan = Plan::compile(&topology, &algorithm.inference(), PlanOptions::default())?;
        let sgd = OptimizerKind::Sgd { momentum: 0.9, weight_decay: 5e-4 };
        Ok(TrainingStep {
            parameters: initialize(&topology, Initializer::HeNormal, BiasInitializer::Zero, 0),
            optimizer: Optimizer::new(sgd, &topology),
            engine: Engine::new(plan, samples, pool)?,
            x,
            y,
        })
    }

    /// Makes one step.
    ///
    /// # Errors
    /// None, since everything fits.
    pub fn run(&mut self) -> Result<()> {
        let mut update = self.optimizer.update(&mut self.parameters, 1e-3, None);
        self.engine.infer_and_update(&mut update, &self.x, &self.y)
    }

    /// Floating-point operations of a step that are needed: twice the multiply-adds of the plan.
    pub fn operations(&self) -> u64 {
        2 * self.engine.plan().multiply_adds(self.engine.samples())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::affine::tuned;

    #[test]
    fn the_table_of_algorithms_has_the_convolutions_of_the_named_networks() {
        let (mut table, mut named) = (tuned(), convolutions());
        let order = |c: &Convolution| (c.height, c.width, c.inputs, c.outputs, c.size);
        table.sort_by_key(order);
        named.sort_by_key(order);
        assert_eq!(table, named, "`dualprop bench --tune` prints a new table");
    }
}
