//! The engine computes what the naive reference path computes.

use dualprop::base::Named;
use dualprop::compute::affine::{Convolution, Map};
use dualprop::compute::pooling::Pooling;
use dualprop::compute::spectral::{Power, spectral_norm};
use dualprop::compute::{Activation, Loss};
use dualprop::inference::{
    Damping, Engine, Feedback, Inference, Nudge, PerLayer, PlanOptions, PoolRouting, Rule, RuleKind, Schedule, Start,
};
use dualprop::reference;
use proptest::prelude::*;

use crate::setup::{Problem, gradients, inferences, problems, relative_distance};

/// The reference's own value of the same name.
fn same<N: Named, R: Named>(value: N) -> R {
    R::parse(value.name()).unwrap()
}

pub(crate) fn network(problem: &Problem) -> reference::Network {
    let topology = &problem.topology;
    let pool = |pooling: Option<Pooling>| {
        let pool = |Pooling { height, width, channels }| reference::MaxPool { height, width, channels };
        pooling.map(pool)
    };
    let layer = |k: usize| reference::Layer {
        pool_below: pool(topology.pool_below(k)),
        linear: match topology.map(k) {
            Map::Dense { inputs, outputs } => reference::Linear::Dense { inputs, outputs },
            Map::Convolution(Convolution { height, width, inputs, outputs, size }) => {
                reference::Linear::Convolution { height, width, inputs, outputs, size }
            }
        },
        kernel: problem.parameters.get(topology.kernel(k)).data().to_vec(),
        bias: problem.parameters.get(topology.bias(k)).data().to_vec(),
        pool_above: pool(topology.pool_above(k)),
    };
    reference::Network { layers: (1..=topology.depth()).map(layer).collect(), activation: same(topology.activation()) }
}

/// B_k of the hidden layers k = 1..L−1.
pub(crate) fn feedback(problem: &Problem) -> Vec<Vec<f64>> {
    let kernels = (2..=problem.topology.depth()).map(|k| problem.parameters.get(problem.topology.feedback(k).unwrap()));
    kernels.map(|kernel| kernel.data().to_vec()).collect()
}

fn order(inference: &Inference, depth: usize) -> Vec<Vec<Vec<usize>>> {
    let k = inference.passes;
    match inference.schedule {
        Schedule::Forward => reference::schedule::forward(depth, k),
        Schedule::Backward => reference::schedule::backward(depth, k),
        Schedule::ForwardBackward => reference::schedule::forward_backward(depth, k),
        Schedule::BackwardForward => reference::schedule::backward_forward(depth, k),
        Schedule::OddEven => reference::schedule::odd_even(depth, k),
        Schedule::EvenOdd => reference::schedule::even_odd(depth, k),
        Schedule::Parallel => reference::schedule::parallel(depth, k),
        Schedule::Random => inference.schedule.passes(k, depth, inference.seed),
    }
}

/// The same inference in the reference's terms, written out from the definitions of the rules; starts from a forward pass, on an
/// ideal device.
pub(crate) fn settings(problem: &Problem, inference: &Inference) -> reference::Settings {
    let (rule, depth) = (&inference.rule, problem.topology.depth());
    let last = |values: &PerLayer| match values {
        PerLayer::Uniform(value) => *value,
        PerLayer::Each(values) => values.last().copied().unwrap_or(0.5),
    };
    let of_layer = |values: &PerLayer, k: usize| if k < depth { values.at(k) } else { last(values) };
    let alpha = |k: usize| match rule.output_alpha {
        Some(output) if k == depth => output,
        _ => of_layer(&rule.alpha, k),
    };
    let weights = |k: usize| match rule.kind {
        RuleKind::Dp | RuleKind::DpDamped => (alpha(k), 1.0 - alpha(k)),
        RuleKind::DpTranspose | RuleKind::Backprop => (1.0 - alpha(k), alpha(k)),
        RuleKind::General => {
            let alpha_feedback = of_layer(rule.alpha_feedback.as_ref().unwrap(), k);
            (1.0 - alpha_feedback, alpha_feedback)
        }
    };
    let damping = |k: usize| match rule.damping.as_ref().unwrap() {
        Damping::Given(values) => values[k - 1],
        Damping::Spectral { power, asymmetry } => {
            let gamma =
                spectral_norm(problem.topology.map(k + 1), problem.parameters.get(problem.topology.kernel(k + 1)), *power);
            let factor = if *asymmetry { (1.0 - 2.0 * alpha(k)).abs() } else { 1.0 };
            factor * ((gamma * gamma - 1.0) / 2.0).max(0.0)
        }
    };
    reference::Settings {
        alpha_mean: (1..=depth).map(alpha).collect(),
        w_plus: (1..=depth).map(|k| weights(k).0).collect(),
        w_minus: (1..=depth).map(|k| weights(k).1).collect(),
        gain: (1..depth).map(|k| rule.gain.at(k)).collect(),
        damping: rule.damping.is_some().then(|| (1..depth).map(damping).collect()),
        limit: rule.kind == RuleKind::Backprop,
        nudge: same(inference.nudge),
        nudge_from_pass: inference.nudge_from_pass,
        beta: inference.beta,
        loss: same(inference.loss),
        pool_routing: same(inference.pool_routing),
        feedback: inference.feedback.is_separate().then(|| feedback(problem)),
        start: reference::Start::Forward,
        neurons: None,
        disturbance: None,
        order: order(inference, depth),
    }
}

pub(crate) fn rows(data: &[f64], width: usize) -> Vec<Vec<f64>> {
    data.chunks(width).map(<[f64]>::to_vec).collect()
}

/// The reference's states of one batch, each sample from its own start.
pub(crate) fn settle(
    problem: &Problem,
    settings: &reference::Settings,
    batch: u32,
    start: impl Fn(usize) -> reference::Start,
) -> Vec<reference::States> {
    let (x, y) = problem.batch::<f64>(batch);
    let (xs, ys) = (rows(&x, problem.topology.input().neurons()), rows(&y, problem.topology.outputs()));
    let settle = |i: usize| {
        let settings = reference::Settings { start: start(i), ..settings.clone() };
        reference::infer(&network(problem), &xs[i], &ys[i], &settings)
    };
    (0..problem.samples).map(settle).collect()
}

/// Whether two pixels that are equal to rounding could both win in a window of a pool, after any pass, as where all that they see is
/// at rest at zero: which of them wins is then left to rounding. A window of zeros is exact
/// where the whole layer is at rest; elsewhere a difference may have something to add to it.
pub(crate) fn has_equal_pixels(problem: &Problem, settings: &reference::Settings) -> bool {
    let network = network(problem);
    let equal = |pool: reference::MaxPool, image: &[f64], at_rest: bool| {
        let window = |row: usize, column: usize, channel: usize| {
            let place = |(down, right)| ((2 * row + down) * pool.width + 2 * column + right) * pool.channels + channel;
            let mut pixels = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|pixel| image[place(pixel)]);
            pixels.sort_by(|a, b| b.total_cmp(a));
            (pixels[0] != 0.0 || !at_rest) && pixels[0] - pixels[1] <= 1e-9 * pixels[0].abs()
        };
        let places = (0..pool.height / 2).flat_map(|row| (0..pool.width / 2).map(move |column| (row, column)));
        places.into_iter().any(|(row, column)| (0..pool.channels).any(|channel| window(row, column, channel)))
    };
    let layers: Vec<_> = (0..).zip(&network.layers).filter(|(_, l)| l.pool_below.is_some() || l.pool_above.is_some()).collect();
    let passes = if layers.is_empty() { 0..0 } else { 0..settings.order.len() + 1 };
    passes.into_iter().any(|passes| {
        let first = reference::Settings { order: settings.order[..passes].to_vec(), ..settings.clone() };
        settle(problem, &first, 0, |_| reference::Start::Forward).iter().any(|states| {
            layers.iter().any(|(k, layer)| {
                let at_rest = states.difference(*k).iter().all(|&difference| difference == 0.0);
                let unpooled = reference::Layer { pool_above: None, ..(*layer).clone() };
                [states.mean(*k, settings), states.plus[*k].clone()].iter().any(|below| {
                    layer.pool_below.is_some_and(|pool| equal(pool, below, at_rest))
                        || layer.pool_above.is_some_and(|pool| equal(pool, &unpooled.affine(below), at_rest))
                })
            })
        })
    })
}

/// (distance of the states, distance of the gradients), relative.
pub(crate) fn distances(
    engine: &Engine<f64>,
    problem: &Problem,
    states: &[reference::States],
    settings: &reference::Settings,
) -> (f64, f64) {
    let layers = || 1..=problem.topology.depth();
    let got: Vec<Vec<f64>> = layers().map(|k| engine.compartments(k)).flat_map(|(plus, minus)| [plus, minus]).collect();
    let gather = |of: fn(&reference::States) -> &Vec<Vec<f64>>, k: usize| states.iter().flat_map(|s| of(s)[k].clone()).collect();
    let expected: Vec<Vec<f64>> = layers().flat_map(|k| [gather(|s| &s.plus, k), gather(|s| &s.minus, k)]).collect();
    let local = reference::local_gradients(&network(problem), states, settings, engine.inference().divide_gain);
    // What the feedback kernels learn is what the kernels learn, or nothing.
    let learns = engine.inference().feedback == Feedback::KolenPollack;
    let shared: Vec<Vec<f64>> = local.iter().skip(1).filter(|_| learns).map(|layer| layer.kernel.clone()).collect();
    let local: Vec<Vec<f64>> = local.into_iter().flat_map(|layer| [layer.kernel, layer.bias]).chain(shared).collect();
    (relative_distance(&got, &expected), relative_distance(&gradients(engine), &local))
}

pub(crate) fn assert_same(
    engine: &Engine<f64>,
    problem: &Problem,
    states: &[reference::States],
    settings: &reference::Settings,
    what: &str,
) {
    let (of_states, of_gradients) = distances(engine, problem, states, settings);
    assert!(of_states < 1e-12, "{what}: states {of_states} {:?}", engine.inference());
    // The reference forms Δ as a difference of compartments, whose rounding it divides by β = 0.2.
    assert!(of_gradients < 1e-11, "{what}: gradients {of_gradients} {:?}", engine.inference());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn states_are_the_references_where_the_inference_does_not_run_away(
        (problem, inference) in problems().prop_flat_map(|problem| {
            let inference = inferences(problem.topology.depth(), 0.2);
            (Just(problem), inference)
        })
    ) {
        // A new engine has no earlier states to start from; the table below has such starts. From zero all pixels of an image
        // are equal, and which of them wins in a pool is left to rounding.
        let start = if inference.start == Start::Zero && problem.topology.is_dense() { Start::Zero } else { Start::Forward };
        let inference = Inference { start, ..inference };
        let settings = settings(&problem, &inference);
        prop_assume!(!has_equal_pixels(&problem, &settings));
        let start = if start == Start::Zero { reference::Start::Zero } else { reference::Start::Forward };
        let states = settle(&problem, &settings, 0, |_| start.clone());
        // One that runs away amplifies rounding with it.
        prop_assume!(states.iter().flat_map(|s| s.plus.iter().chain(&s.minus)).flatten().all(|s| s.abs() < 1e3));
        let engine = problem.settled::<f64>(&inference);
        let (of_states, _) = distances(&engine, &problem, &states, &settings);
        // A state of nothing but zeros has no size to be relative to.
        prop_assert!(of_states <= 1e-12 || of_states.is_nan(), "{}", of_states);
    }
}

/// Rules with another number wherever the definition has one of its own.
pub(crate) fn rules() -> Vec<Rule> {
    let each = |a: f64, b: f64| PerLayer::Each(vec![a, b]);
    let spectral = |power, asymmetry| Damping::Spectral { power, asymmetry };
    let alphas = |rule| Rule { alpha: each(0.3, 0.6), output_alpha: Some(0.2), ..rule };
    vec![
        Rule::dp(0.5),
        Rule::dp_transpose(0.0),
        Rule::dp_transpose(1.0),
        Rule::general(0.3, 0.4),
        Rule::backprop(),
        Rule { alpha: each(0.2, 0.9), gain: each(0.5, 1.5), ..Rule::dp_transpose(0.0) },
        Rule { alpha: each(0.4, 0.6), output_alpha: Some(0.3), ..Rule::dp(0.0) },
        Rule { alpha_feedback: Some(each(0.2, 0.7)), ..Rule::general(0.5, 0.0) },
        Rule { output_alpha: Some(0.8), ..Rule::general(0.3, 0.4) },
        alphas(Rule::dp_damped(0.0, spectral(Power::Iterations(4), true))),
        alphas(Rule::dp_damped(0.0, spectral(Power::Converged, false))),
        Rule::dp_damped(0.7, Damping::Given(vec![0.4, 1.5])),
    ]
}

/// Networks of three layers: dense ones, whose kernels of norm below 1 leave max(0, (γ²−1)/2) at 0, and convolutions.
fn networks() -> Vec<Problem> {
    let dense = [0.3, 1.0].map(|scale| {
        let mut problem = Problem::new(&[5, 7, 6, 4], Activation::Tanh, 3, 3);
        let numbers = problem.parameters.tensors_mut().iter_mut().flat_map(|tensor| tensor.data_mut());
        numbers.for_each(|number| *number *= scale);
        problem
    });
    let others = Problem::of_every_kind(Activation::Tanh, 3, 3).into_iter().skip(1);
    dense.into_iter().chain(others).collect()
}

/// Three batches in a row on one engine, so that what an earlier one left behind would show.
#[test]
fn every_rule_nudge_schedule_and_start_gives_the_references_states() {
    let mut comparisons = 0;
    for problem in networks() {
        let routings: &[PoolRouting] = match problem.topology.is_dense() {
            true => &[PoolRouting::Mean],
            false => &[PoolRouting::Mean, PoolRouting::Plus],
        };
        for (rule, &pool_routing) in rules().iter().flat_map(|rule| routings.iter().map(move |routing| (rule, routing))) {
            for inference in combinations(rule) {
                let inference = Inference { pool_routing, ..inference };
                let settings = settings(&problem, &inference);
                let mut engine = problem.engine::<f64>(&inference, PlanOptions::default(), 1);
                // A new engine's states are zero, which makes all pixels of an image equal: which of them wins is then left to
                // rounding. Convolutions therefore go on from the states of a forward start.
                let mut last: Option<Vec<reference::States>> = None;
                if !problem.topology.is_dense() {
                    if inference.start == Start::Zero {
                        continue;
                    }
                    let forward = problem.settled::<f64>(&Inference { start: Start::Forward, ..inference.clone() });
                    for k in 1..=3 {
                        engine.set_state(problem.samples, k, forward.mean(k), forward.difference(k)).unwrap();
                    }
                    last = Some(settle(&problem, &settings, 0, |_| reference::Start::Forward));
                }
                for batch in 0..3 {
                    let (x, y) = problem.batch::<f64>(batch);
                    engine.infer(&problem.parameters, &x, &y).unwrap();
                    let states = settle(&problem, &settings, batch, |i| match (inference.start, &last) {
                        (Start::Forward, _) => reference::Start::Forward,
                        (Start::Previous, Some(last)) => reference::Start::Previous(last[i].clone()),
                        _ => reference::Start::Zero,
                    });
                    assert_same(&engine, &problem, &states, &settings, &format!("batch {batch}"));
                    last = Some(states);
                    comparisons += 1;
                }
            }
        }
    }
    assert!(comparisons > 15_000, "{comparisons}");
}

fn combinations(rule: &Rule) -> Vec<Inference> {
    let mut combinations = vec![];
    for (_, schedule) in Schedule::ALL {
        for (_, nudge) in Nudge::ALL {
            for start in [Start::Forward, Start::Zero, Start::Previous] {
                for (nudge_from_pass, divide_gain) in [(1, true), (3, false)] {
                    let new = Inference::new(rule.clone(), 0.2, Loss::CrossEntropy);
                    let (schedule, nudge) = (*schedule, *nudge);
                    combinations.push(Inference {
                        schedule,
                        nudge,
                        start,
                        nudge_from_pass,
                        divide_gain,
                        passes: 4,
                        seed: 5,
                        ..new
                    });
                }
            }
        }
    }
    combinations.retain(|inference| inference.check(3).is_ok());
    combinations
}

/// More samples than one task of a product takes, more inputs than one task of a gradient, more elements than one piece of an
/// element-wise loop; the second batch on the same engine.
#[test]
fn work_that_is_cut_into_pieces_gives_the_references_states() {
    let damped = Rule::dp_damped(0.6, Damping::Given(vec![0.3, 0.5]));
    for (nudge, rule, start, nudge_from_pass) in [
        (Nudge::LinearisedFrozen, Rule::dp_transpose(0.3), Start::Forward, 1),
        (Nudge::Proximal, Rule::dp(0.6), Start::Zero, 2),
        (Nudge::LinearisedLive, damped, Start::Forward, 2),
    ] {
        let problem = Problem::new(&[70, 90, 66, 70], Activation::Tanh, 97, 3);
        let new = Inference::new(rule, 0.2, Loss::CrossEntropy);
        let inference = Inference { nudge, passes: 3, start, nudge_from_pass, ..new };
        let settings = settings(&problem, &inference);
        let mut engine = problem.engine::<f64>(&inference, PlanOptions::default(), 1);
        for batch in [1, 0] {
            let (x, y) = problem.batch::<f64>(batch);
            engine.infer(&problem.parameters, &x, &y).unwrap();
        }
        let start = if start == Start::Zero { reference::Start::Zero } else { reference::Start::Forward };
        let states = settle(&problem, &settings, 0, |_| start.clone());
        assert_same(&engine, &problem, &states, &settings, "pieces");
    }
}
