//! Random networks, data and inferences, as proptest strategies that shrink.

use dualprop::Result;
use dualprop::base::random::{Purpose, Random};
use dualprop::base::{Named, Real};
use dualprop::compute::spectral::Power;
use dualprop::compute::{Activation, Loss, Pool};
use dualprop::inference::{
    Damping, Disturbance, Engine, Feedback, Inference, Nudge, PerLayer, Plan, PlanOptions, PoolRouting, Rule, RuleKind, Schedule,
    Start,
};
use dualprop::network::{BiasInitializer, Initializer, Layer, Parameters, PoolOrder, Shape, Topology, initialize};
use proptest::prelude::*;
use proptest::sample::select;

/// A network with data for it. It has feedback kernels, which only an inference reads whose feedback is not tied.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) topology: Topology,
    pub(crate) parameters: Parameters<f64>,
    pub(crate) samples: usize,
    pub(crate) seed: u64,
}

impl Problem {
    pub(crate) fn new(widths: &[usize], activation: Activation, samples: usize, seed: u64) -> Self {
        Problem::of(Topology::mlp(Shape::flat(widths[0]), &widths[1..], activation).unwrap(), samples, seed)
    }

    pub(crate) fn convolutional(
        input: Shape,
        layers: &[&str],
        (activation, order): (Activation, PoolOrder),
        samples: usize,
        seed: u64,
    ) -> Self {
        let layers = layers.iter().map(|text| Layer::parse("layer", text).unwrap()).collect();
        Problem::of(Topology::new(input, layers, activation, order).unwrap(), samples, seed)
    }

    /// Three networks of three layers: dense, and convolutions with pools before and after the activation, an odd side, and
    /// a kernel of another size.
    pub(crate) fn of_every_kind(activation: Activation, samples: usize, seed: u64) -> Vec<Self> {
        let image = Shape::image(6, 5, 2);
        let layers = ["conv 3 pool", "conv 4 5x5 pool", "dense 6"];
        let convolutional = [PoolOrder::BeforeActivation, PoolOrder::AfterActivation]
            .map(|order| Problem::convolutional(image, &layers, (activation, order), samples, seed));
        [Problem::new(&[9, 12, 11, 6], activation, samples, seed)].into_iter().chain(convolutional).collect()
    }

    fn of(topology: Topology, samples: usize, seed: u64) -> Self {
        let topology = topology.with_feedback(true);
        let parameters = initialize(&topology, Initializer::ScaledNormal, BiasInitializer::Normal, seed);
        Problem { topology, parameters, samples, seed }
    }

    /// Batch `number`: normal inputs, and one-hot targets.
    pub(crate) fn batch<T: Real>(&self, number: u32) -> (Vec<T>, Vec<T>) {
        let mut random = Random::new(self.seed, Purpose::Synthetic, number, 0);
        let x = (0..self.samples * self.topology.input().neurons()).map(|_| T::from_f64(random.normal())).collect();
        let classes = self.topology.outputs();
        let mut y = vec![T::ZERO; self.samples * classes];
        (0..self.samples).for_each(|row| y[row * classes + random.below(classes)] = T::ONE);
        (x, y)
    }

    pub(crate) fn engine<T: Real>(&self, inference: &Inference, options: PlanOptions, threads: usize) -> Engine<T> {
        let plan = Plan::compile(&self.topology, inference, options).unwrap();
        Engine::new(plan, self.samples, &Pool::new(threads).unwrap()).unwrap()
    }

    /// The engine after one batch.
    pub(crate) fn settled<T: Real>(&self, inference: &Inference) -> Engine<T> {
        let mut engine = self.engine(inference, PlanOptions::default(), 1);
        let (x, y) = self.batch::<T>(0);
        engine.infer(&self.parameters.cast(), &x, &y).unwrap();
        engine
    }
}

/// Everything that the engine left: logits, means, differences, gradients.
pub(crate) fn outcome<T: Real>(engine: &Engine<T>) -> Vec<Vec<T>> {
    let states = (1..=engine.topology().depth()).flat_map(|k| [engine.mean(k).to_vec(), engine.difference(k).to_vec()]);
    let gradients = engine.gradients().iter().map(|gradient| gradient.data().to_vec());
    std::iter::once(engine.logits().to_vec()).chain(states).chain(gradients).collect()
}

/// ‖a − b‖ / ‖b‖ over lists of arrays taken as one vector.
pub(crate) fn relative_distance<T: Real>(a: &[Vec<T>], b: &[Vec<T>]) -> f64 {
    let pairs = || a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a.to_f64(), b.to_f64()));
    let norm = |of: &dyn Fn((f64, f64)) -> f64| pairs().map(of).map(|x| x * x).sum::<f64>().sqrt();
    norm(&|(a, b)| a - b) / norm(&|(_, b)| b)
}

/// Gradients as one list of arrays.
pub(crate) fn gradients<T: Real>(engine: &Engine<T>) -> Vec<Vec<f64>> {
    engine.gradients().iter().map(|gradient| gradient.cast::<f64>().data().to_vec()).collect()
}

pub(crate) fn problems() -> impl Strategy<Value = Problem> {
    prop_oneof![2 => dense_problems(), 1 => convolutional_problems()]
}

fn dense_problems() -> impl Strategy<Value = Problem> {
    let widths = prop::collection::vec(1usize..9, 2..7);
    (widths, any_of::<Activation>(), 1usize..5, 0u64..1000)
        .prop_map(|(widths, activation, samples, seed)| Problem::new(&widths, activation, samples, seed))
}

/// Images of odd and even sides down to a single pixel, one to three convolutions, perhaps a dense layer, the output.
pub(crate) fn convolutional_problems() -> impl Strategy<Value = Problem> {
    let input = (1usize..8, 1usize..8, 1usize..4).prop_map(|(height, width, channels)| Shape::image(height, width, channels));
    let conv = (1usize..5, select(vec![1usize, 3, 3, 5]), any::<bool>());
    let conv = conv.prop_map(|(channels, size, pool)| Layer::Conv { channels, size, pool });
    let dense = prop::collection::vec((1usize..6).prop_map(Layer::dense), 1..3);
    let layers = (prop::collection::vec(conv, 1..4), dense).prop_map(|(conv, dense)| [conv, dense].concat());
    let topology = (input, layers, any_of::<Activation>(), any_of::<PoolOrder>())
        .prop_filter_map("a pool leaves something of the image", |(input, layers, activation, order)| {
            Topology::new(input, layers, activation, order).ok()
        });
    (topology, 1usize..4, 0u64..1000).prop_map(|(topology, samples, seed)| Problem::of(topology, samples, seed))
}

fn any_of<N: Named + std::fmt::Debug>() -> impl Strategy<Value = N> {
    select(N::ALL.iter().map(|(_, value)| *value).collect::<Vec<_>>())
}

fn alphas() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(0.5), 0.0..1.0f64]
}

/// Any inference that is valid for the depth, with β up to `beta`.
pub(crate) fn inferences(depth: usize, beta: f64) -> impl Strategy<Value = Inference> {
    let rule = (any_of::<RuleKind>(), alphas(), alphas(), prop_oneof![Just(1.0), 0.5..1.5f64], 0usize..4);
    let order = (any_of::<Schedule>(), 1usize..8, 1usize..3, any_of::<Start>(), 0u64..50);
    let maps = (any_of::<PoolRouting>(), any_of::<Feedback>());
    let loss = (any_of::<Nudge>(), any_of::<Loss>(), 0.01..1.0f64, any::<bool>(), maps);
    let drawn = (rule, order, loss).prop_map(move |(rule, order, (nudge, loss, share, divide_gain, maps))| {
        let (schedule, passes, nudge_from_pass, start, seed) = order;
        let ((pool_routing, feedback), rule) = (maps, build_rule(depth, rule));
        Inference {
            rule,
            nudge,
            beta: beta * share,
            loss,
            schedule,
            passes,
            start,
            pool_routing,
            nudge_from_pass: nudge_from_pass.min(passes),
            divide_gain,
            disturbance: Disturbance::default(),
            seed,
            feedback,
        }
    });
    drawn.prop_filter("valid", move |inference| inference.check(depth).is_ok())
}

fn build_rule(depth: usize, (kind, alpha, alpha_feedback, gain, damping): (RuleKind, f64, f64, f64, usize)) -> Rule {
    let per_layer = |value: f64| PerLayer::Each((1..depth).map(|k| value / k as f64).collect());
    let rule = match kind {
        RuleKind::Dp => Rule::dp(alpha),
        RuleKind::DpTranspose => Rule::dp_transpose(alpha),
        RuleKind::General => Rule::general(alpha, alpha_feedback),
        RuleKind::Backprop => Rule::backprop(),
        RuleKind::DpDamped => Rule::dp_damped(
            alpha,
            match damping {
                0 => Damping::Given(vec![0.0; depth - 1]),
                1 => Damping::Given((1..depth).map(|k| 0.3 * k as f64).collect()),
                2 => Damping::Spectral { power: Power::Iterations(3), asymmetry: true },
                _ => Damping::Spectral { power: Power::Iterations(10), asymmetry: false },
            },
        ),
    };
    Rule { gain: if gain == 1.0 { PerLayer::Uniform(1.0) } else { per_layer(gain) }, ..rule }
}

/// Runs two batches in a row, so that starts from previous states have some.
pub(crate) fn run_twice<T: Real>(problem: &Problem, engine: &mut Engine<T>) -> Result<()> {
    for number in 0..2 {
        let (x, y) = problem.batch::<T>(number);
        engine.infer(&problem.parameters.cast(), &x, &y)?;
    }
    Ok(())
}
