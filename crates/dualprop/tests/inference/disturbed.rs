//! Every disturbance against the reference path with the same random numbers, and what must hold of all of them.

use dualprop::compute::disturbance::{Quantizer, Rounding, Scales};
use dualprop::compute::{Activation, Loss, Op, Pool};
use dualprop::inference::{
    Damping, Disturbance, Drawn, Engine, Inference, MismatchPer, NoisePer, Nudge, PerLayer, Plan, PlanOptions, Predictor, Rule,
    RuleKind, Schedule,
};
use dualprop::learning::quantize;
use dualprop::network::{PoolOrder, Shape};
use dualprop::reference;

use crate::against_reference::{distances, network, rows, settings};
use crate::setup::{Problem, outcome};

/// The number of the batch that is compared.
const BATCH: u64 = (3 << 32) + 7;

const SEED: u64 = 11;

/// What the disturbances are relative to: mean squares of s̄ and Δ.
const SQUARES: [[f64; 2]; 3] = [[0.49, 0.04], [0.25, 0.09], [1.44, 0.0025]];

/// Rules with and without states of their own, symmetric and not, and backpropagation.
fn rules() -> Vec<Rule> {
    let damping = Damping::Given(vec![0.5, 0.2]);
    let gain = Rule { gain: PerLayer::Each(vec![1.3, 0.8]), ..Rule::general(0.4, 0.7) };
    vec![Rule::dp_transpose(0.0), Rule::dp_transpose(0.3), Rule::dp(0.45), Rule::dp_damped(0.6, damping), gain]
}

fn inference(rule: Rule, disturbance: &Disturbance) -> Inference {
    let plain = Inference::new(rule, 0.4, Loss::CrossEntropy);
    Inference { schedule: Schedule::ForwardBackward, passes: 3, seed: SEED, disturbance: disturbance.clone(), ..plain }
}

/// The same disturbance in the reference's terms.
fn disturbed(problem: &Problem, inference: &Inference) -> reference::Settings {
    let (d, topology) = (&inference.disturbance, &problem.topology);
    let plain = settings(problem, inference);
    let depth = topology.depth();
    let neurons = |k: usize| topology.state(k).neurons();
    let (up, down) = (1.0 + d.beta_mismatch, 1.0 - d.beta_mismatch);
    let each = d.mismatch_per == MismatchPer::Neuron;
    let kind = inference.rule.kind;
    let weights = |k: usize| {
        let draw = |of_feedback| reference::mismatch(SEED, k, neurons(k), d.alpha_mismatch, (each, of_feedback));
        let (of_means, of_feedback) = (draw(false), draw(d.mismatch_drawn == Drawn::Apart));
        let moved = |alpha: f64, by: f64| (alpha + by).clamp(0.0, 1.0);
        let neuron = |i: usize| {
            let alpha = plain.alpha_mean[k - 1];
            let (w_plus, w_minus) = match kind {
                RuleKind::Dp | RuleKind::DpDamped => (moved(alpha, of_feedback[i]), 1.0 - moved(alpha, of_feedback[i])),
                RuleKind::DpTranspose | RuleKind::Backprop => (1.0 - moved(alpha, of_feedback[i]), moved(alpha, of_feedback[i])),
                RuleKind::General => {
                    let alpha_f = moved(inference.rule.alpha_feedback.as_ref().unwrap().at(k), of_feedback[i]);
                    (1.0 - alpha_f, alpha_f)
                }
            };
            // What is fed back is multiplied by the gain before.
            [moved(alpha, of_means[i]), w_plus * up, w_minus * down]
        };
        (0..neurons(k)).map(neuron).collect::<Vec<_>>()
    };
    let broken = |k: usize| match k < depth && d.dead + d.stuck > 0.0 {
        true => reference::broken(SEED, k, neurons(k), (d.dead, d.stuck, d.stuck_at)),
        false => vec![],
    };
    reference::Settings {
        w_plus: plain.w_plus.iter().map(|w| w * up).collect(),
        w_minus: plain.w_minus.iter().map(|w| w * down).collect(),
        neurons: (d.alpha_mismatch > 0.0).then(|| (1..depth).map(weights).collect()),
        disturbance: Some(reference::Disturbance {
            seed: SEED,
            batch: BATCH,
            state_noise: d.state_noise,
            nudge_noise: d.nudge_noise,
            message_noise: d.message_noise,
            held: d.noise_per == NoisePer::Sample,
            broken: (1..=depth).map(broken).collect(),
            state_bits: d.state_bits,
            message_bits: d.message_bits,
            stochastic: d.rounding == Rounding::Stochastic,
            range: d.range,
            scales: SQUARES.iter().map(|[mean, difference]| (mean.sqrt(), difference.sqrt())).collect(),
        }),
        order: inference.passes_of_batch(depth, BATCH),
        ..plain
    }
}

fn engine(problem: &Problem, inference: &Inference, options: PlanOptions, threads: usize) -> Engine<f64> {
    let mut engine = problem.engine::<f64>(inference, options, threads);
    engine.set_scales(Scales::of(&SQUARES));
    engine.set_batch(BATCH);
    let (x, y) = problem.batch(0);
    engine.infer(&problem.parameters, &x, &y).unwrap();
    engine
}

/// Numbers of few bits are often equal, and which of them wins a pool is a matter of rounding: networks without pools.
fn without_pools() -> Vec<Problem> {
    let layers = ["conv 3", "conv 4 5x5", "dense 6"];
    let of = |activation| {
        let order = PoolOrder::default();
        [
            Problem::new(&[9, 12, 11, 6], activation, 5, 9),
            Problem::convolutional(Shape::image(6, 5, 2), &layers, (activation, order), 5, 9),
        ]
    };
    [of(Activation::Tanh), of(Activation::Relu)].concat()
}

fn problems() -> Vec<Problem> {
    Problem::of_every_kind(Activation::Tanh, 5, 9).into_iter().chain(Problem::of_every_kind(Activation::Relu, 3, 2)).collect()
}

/// That the engine computes what the reference does, on every kind of network, by these rules; and that it makes a difference.
fn assert_same(rules: &[Rule], change: impl Fn(Inference) -> Inference) {
    assert_same_on(&problems(), rules, change);
}

fn assert_same_on(problems: &[Problem], rules: &[Rule], change: impl Fn(Inference) -> Inference) {
    let mut has_effect = false;
    for problem in problems {
        for rule in rules {
            let inference = change(inference(rule.clone(), &Disturbance::default()));
            let engine = engine(problem, &inference, PlanOptions::default(), 2);
            let settings = disturbed(problem, &inference);
            let (x, y) = problem.batch::<f64>(0);
            let (xs, ys) = (rows(&x, problem.topology.input().neurons()), rows(&y, problem.topology.outputs()));
            let states = reference::infer_batch(&network(problem), &xs, &ys, &settings);
            let (of_states, of_gradients) = distances(&engine, problem, &states, &settings);
            let what = format!("{:?}, {:?}", rule.kind, problem.topology.layers());
            assert!(of_states < 1e-12 && of_gradients < 1e-11, "{what}: states {of_states}, gradients {of_gradients}");
            let plain = Inference { disturbance: Disturbance::default(), ..inference.clone() };
            has_effect |= outcome(&self::engine(problem, &plain, PlanOptions::default(), 1)) != outcome(&engine);
        }
    }
    assert!(has_effect);
}

fn with(disturbance: Disturbance) -> impl Fn(Inference) -> Inference {
    move |inference| Inference { disturbance: disturbance.clone(), ..inference }
}

/// All rules, and backpropagation.
fn all_rules() -> Vec<Rule> {
    rules().into_iter().chain([Rule::backprop()]).collect()
}

fn plain() -> Disturbance {
    Disturbance::default()
}

#[test]
fn noise_of_states_is_that_of_the_reference() {
    assert_same(&all_rules(), with(Disturbance { state_noise: 0.2, ..plain() }));
}

#[test]
fn noise_of_the_nudge_is_that_of_the_reference() {
    assert_same(&all_rules(), with(Disturbance { nudge_noise: 0.3, ..plain() }));
    let late = |inference| Inference { nudge_from_pass: 2, schedule: Schedule::Forward, ..inference };
    assert_same(&[Rule::dp_transpose(0.2)], |inference| late(with(Disturbance { nudge_noise: 0.3, ..plain() })(inference)));
}

#[test]
fn noise_of_messages_is_that_of_the_reference() {
    assert_same(&all_rules(), with(Disturbance { message_noise: 0.1, ..plain() }));
}

#[test]
fn noise_that_is_held_for_a_sample_is_that_of_the_reference() {
    let noise = Disturbance { state_noise: 0.2, nudge_noise: 0.1, message_noise: 0.1, ..plain() };
    assert_same(&rules(), with(Disturbance { noise_per: NoisePer::Sample, ..noise }));
}

#[test]
fn mismatch_of_beta_is_that_of_the_reference() {
    for beta_mismatch in [0.3, -0.6] {
        assert_same(&rules(), with(Disturbance { beta_mismatch, ..plain() }));
    }
    let proximal = |inference| Inference { nudge: Nudge::Proximal, ..inference };
    assert_same(&rules(), |inference| proximal(with(Disturbance { beta_mismatch: 0.3, ..plain() })(inference)));
}

#[test]
fn mismatch_of_alpha_is_that_of_the_reference() {
    for mismatch_drawn in [Drawn::Together, Drawn::Apart] {
        for mismatch_per in [MismatchPer::Layer, MismatchPer::Neuron] {
            let mismatch = Disturbance { alpha_mismatch: 0.4, mismatch_drawn, mismatch_per, beta_mismatch: 0.1, ..plain() };
            assert_same(&rules(), with(Disturbance { state_noise: 0.1, ..mismatch.clone() }));
            assert_same(&rules(), with(mismatch));
        }
    }
}

#[test]
fn dead_and_stuck_compartments_are_those_of_the_reference() {
    assert_same(&rules(), with(Disturbance { dead: 0.2, ..plain() }));
    assert_same(&rules(), with(Disturbance { dead: 0.1, stuck: 0.2, stuck_at: -0.7, ..plain() }));
}

#[test]
fn states_of_few_bits_are_those_of_the_reference() {
    for rounding in [Rounding::Nearest, Rounding::Stochastic] {
        assert_same_on(&without_pools(), &rules(), with(Disturbance { state_bits: Some(7), rounding, range: 3.0, ..plain() }));
    }
}

#[test]
fn messages_of_few_bits_are_those_of_the_reference() {
    for rounding in [Rounding::Nearest, Rounding::Stochastic] {
        assert_same_on(&without_pools(), &all_rules(), with(Disturbance { message_bits: Some(7), rounding, ..plain() }));
    }
}

#[test]
fn kernels_of_few_bits_are_those_of_the_reference() {
    for problem in problems() {
        for (rounding, step) in [(Rounding::Nearest, 3), (Rounding::Stochastic, 3), (Rounding::Stochastic, 1 << 33)] {
            let (bits, range, stochastic) = (5, 1.5, rounding == Rounding::Stochastic);
            let mut parameters = problem.parameters.clone();
            quantize(&problem.topology, &mut parameters, &Quantizer { bits, range, rounding }, (SEED, step), true);
            for k in 1..=3 {
                let id = problem.topology.kernel(k);
                let shape = problem.parameters.get(id).shape();
                let (outputs, inputs) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product());
                let mut expected = problem.parameters.get(id).data().to_vec();
                let number = (SEED, step, id.0 as u32);
                reference::few_bits(&mut expected, (outputs, inputs), (bits, range, stochastic), number);
                let found = parameters.get(id).data();
                assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-15), "layer {k}, {rounding:?}");
                assert_ne!(found, problem.parameters.get(id).data());
            }
        }
    }
}

#[test]
fn all_disturbances_at_once_are_those_of_the_reference() {
    let all = Disturbance {
        state_noise: 0.1,
        nudge_noise: 0.1,
        message_noise: 0.1,
        alpha_mismatch: 0.2,
        dead: 0.1,
        stuck: 0.1,
        state_bits: Some(8),
        message_bits: Some(9),
        rounding: Rounding::Stochastic,
        update_probability: PerLayer::Each(vec![0.5, 0.7, 0.9]),
        ..plain()
    };
    assert_same_on(&without_pools(), &rules(), with(all));
}

#[test]
fn updates_that_come_when_they_come_are_those_of_the_reference() {
    for schedule in [Schedule::Parallel, Schedule::Forward, Schedule::ForwardBackward, Schedule::Random] {
        let disturbance = Disturbance { update_probability: PerLayer::Uniform(0.6), state_noise: 0.1, ..plain() };
        assert_same(&rules(), |inference| Inference { schedule, passes: 5, disturbance: disturbance.clone(), ..inference });
    }
    let redrawn = Disturbance { redraw_order: true, ..plain() };
    let random = |disturbance: Disturbance| {
        move |inference| Inference { schedule: Schedule::Random, passes: 6, disturbance: disturbance.clone(), ..inference }
    };
    assert_same(&rules(), random(redrawn.clone()));
    assert_same(&rules(), random(Disturbance { update_probability: PerLayer::Uniform(0.7), ..redrawn }));
}

/// One disturbance of every kind.
fn of_every_kind() -> Vec<Disturbance> {
    let bits = |rounding| Disturbance { state_bits: Some(5), message_bits: Some(6), rounding, ..plain() };
    vec![
        Disturbance { state_noise: 0.1, ..plain() },
        Disturbance { nudge_noise: 0.1, ..plain() },
        Disturbance { message_noise: 0.1, noise_per: NoisePer::Sample, ..plain() },
        Disturbance { alpha_mismatch: 0.1, ..plain() },
        Disturbance { dead: 0.1, stuck: 0.1, ..plain() },
        bits(Rounding::Nearest),
        bits(Rounding::Stochastic),
        Disturbance { update_probability: PerLayer::Uniform(0.7), message_noise: 0.1, ..plain() },
    ]
}

#[test]
fn a_strength_of_zero_is_the_undisturbed_inference_to_the_bit() {
    let zero = Disturbance {
        noise_per: NoisePer::Sample,
        mismatch_drawn: Drawn::Together,
        mismatch_per: MismatchPer::Layer,
        stuck_at: 3.0,
        rounding: Rounding::Stochastic,
        range: 1.0,
        update_probability: PerLayer::Each(vec![1.0; 3]),
        ..plain()
    };
    for problem in problems() {
        for rule in all_rules() {
            let plan = |disturbance: &Disturbance| {
                Plan::compile(&problem.topology, &inference(rule.clone(), disturbance), PlanOptions::default()).unwrap()
            };
            assert_eq!(plan(&zero).steps(), plan(&plain()).steps());
            let settled = |disturbance: &Disturbance| {
                outcome(&engine(&problem, &inference(rule.clone(), disturbance), PlanOptions::default(), 1))
            };
            assert_eq!(settled(&zero), settled(&plain()), "{:?}", rule.kind);
        }
    }
}

#[test]
fn threads_change_no_bit_and_batch_and_seed_change_all() {
    for disturbance in of_every_kind() {
        for problem in Problem::of_every_kind(Activation::Relu, 23, 9) {
            let inference = inference(Rule::dp(0.4), &disturbance);
            let settled = |threads| outcome(&engine(&problem, &inference, PlanOptions::default(), threads));
            let expected = settled(1);
            assert!([2, 3, 8].iter().all(|&threads| settled(threads) == expected), "{disturbance:?}");
            let other_seed = Inference { seed: SEED + 1, ..inference.clone() };
            // What is rounded to the nearest level is not drawn.
            if disturbance.state_bits.is_none() || disturbance.rounding == Rounding::Stochastic {
                assert_ne!(outcome(&engine(&problem, &other_seed, PlanOptions::default(), 1)), expected, "{disturbance:?}");
            }
            let mut next = engine(&problem, &inference, PlanOptions::default(), 1);
            next.set_scales(Scales::of(&SQUARES));
            next.set_batch(BATCH + 1);
            let (x, y) = problem.batch(0);
            next.infer(&problem.parameters, &x, &y).unwrap();
            let device = disturbance.alpha_mismatch > 0.0 || disturbance.dead > 0.0 || disturbance.rounding == Rounding::Nearest;
            let drawn = !device || disturbance.message_noise > 0.0 || disturbance.state_noise + disturbance.nudge_noise > 0.0;
            assert_eq!(outcome(&next) != expected, drawn, "{disturbance:?}");
        }
    }
}

#[test]
fn the_optimised_plan_of_a_disturbed_inference_gives_the_states_of_the_naive_one() {
    let naive = PlanOptions { optimise: false, ..PlanOptions::default() };
    for disturbance in of_every_kind() {
        for problem in problems() {
            let rules = [Rule::dp_transpose(0.0), Rule::dp(0.4)];
            let orders = [(Schedule::Forward, 4), (Schedule::ForwardBackward, 1)];
            for (rule, (schedule, passes)) in rules.iter().flat_map(|rule| orders.map(|order| (rule, order))) {
                let inference = Inference { schedule, passes, ..inference(rule.clone(), &disturbance) };
                let settled = |options| outcome(&engine(&problem, &inference, options, 1));
                assert_eq!(settled(PlanOptions::default()), settled(naive), "{disturbance:?}");
            }
        }
    }
}

#[test]
fn disturbed_operations_are_never_redundant_and_the_plan_says_so() {
    let problem = Problem::new(&[6, 5, 4, 3], Activation::Relu, 2, 1);
    let plan = |disturbance: &Disturbance| {
        let inference = Inference { schedule: Schedule::Forward, passes: 4, ..inference(Rule::dp_transpose(0.0), disturbance) };
        Plan::compile(&problem.topology, &inference, PlanOptions::default()).unwrap()
    };
    let count = |plan: &Plan, of: fn(&Op) -> bool| plan.steps().iter().filter(|step| of(&step.op)).count();
    let noisy = plan(&Disturbance { message_noise: 0.1, ..plain() });
    // Each of three layers in the start and in four passes.
    assert_eq!(count(&noisy, |op| matches!(op, Op::Disturb { .. })), 15);
    // The first map has the same input for ever.
    assert_eq!(count(&noisy, |op| matches!(op, Op::Affine { .. })), 1 + 2 * 5);
    assert!(noisy.to_string().contains("15 of them disturb: they are never redundant"), "{noisy}");
    assert!(!plan(&plain()).to_string().contains("disturb"));
    let asynchronous = plan(&Disturbance { update_probability: PerLayer::Uniform(0.5), ..plain() });
    assert!(asynchronous.removed().is_empty() && asynchronous.to_string().contains("nothing can be proved redundant"));
}

/// Noise too small to change a number leaves the scales of the states themselves.
#[test]
fn running_scales_are_those_of_the_states_and_move_by_a_hundredth() {
    for problem in Problem::of_every_kind(Activation::Relu, 5, 9) {
        let inference = inference(Rule::dp(0.5), &Disturbance { message_noise: 1e-300, ..plain() });
        let mut engine = problem.engine::<f64>(&inference, PlanOptions::default(), 2);
        let mean_square = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
        let mut expected: Vec<[f64; 2]> = vec![];
        for number in 0..3 {
            let (x, y) = problem.batch(number);
            engine.infer(&problem.parameters, &x, &y).unwrap();
            let present = (1..=3).map(|k| [mean_square(engine.mean(k)), mean_square(engine.difference(k))]);
            match number {
                0 => expected = present.collect(),
                _ => expected.iter_mut().zip(present).for_each(|(running, present)| {
                    (0..2).for_each(|i| running[i] = 0.99 * running[i] + 0.01 * present[i]);
                }),
            }
            let text = serde_json::to_value(engine.scales()).unwrap();
            for (k, expected) in expected.iter().enumerate() {
                (0..2).for_each(|i| {
                    let found = text[k][i].as_f64().unwrap();
                    assert!((found - expected[i]).abs() <= 1e-13 * expected[i], "batch {number}, layer {}: {found}", k + 1);
                });
            }
        }
    }
}

/// What has not been fed back to says nothing of how large a difference is.
#[test]
fn scales_of_differences_begin_with_the_first_that_was_fed_back() {
    let problem = Problem::new(&[9, 12, 11, 6], Activation::Relu, 5, 9);
    let update_probability = PerLayer::Each(vec![1e-9, 1.0, 1.0]);
    let disturbance = Disturbance { message_bits: Some(8), update_probability, ..plain() };
    let inference = Inference { schedule: Schedule::Parallel, passes: 4, ..inference(Rule::dp(0.5), &disturbance) };
    let mut engine = problem.engine::<f64>(&inference, PlanOptions::default(), 1);
    let (x, y) = problem.batch(0);
    engine.infer(&problem.parameters, &x, &y).unwrap();
    let scales = serde_json::to_value(engine.scales()).unwrap();
    assert!(scales[0][0].as_f64().unwrap() > 0.0 && scales[0][1].is_null(), "{scales}");
    assert!((1..3).all(|k| scales[k][1].as_f64().unwrap() > 0.0), "{scales}");
}

#[test]
fn predictions_on_a_device_are_its_forward_pass_in_batches_of_any_size() {
    for disturbance in of_every_kind() {
        for problem in Problem::of_every_kind(Activation::Relu, 23, 9) {
            let inference = inference(Rule::dp(0.4), &disturbance);
            let mut engine = problem.engine::<f64>(&inference, PlanOptions::default(), 1);
            engine.set_scales(Scales::of(&SQUARES));
            // The batch of all predictions.
            engine.set_batch(u64::MAX);
            let (x, y) = problem.batch(0);
            engine.infer(&problem.parameters, &x, &y).unwrap();
            let inputs = problem.topology.input().neurons();
            for size in [23, 10, 1] {
                let pool = Pool::new(2).unwrap();
                let mut predictor = Predictor::<f64>::on_device(&problem.topology, &inference, size, &pool);
                for _ in 0..2 {
                    predictor.begin(&Scales::of(&SQUARES));
                    let mut logits = vec![];
                    for x in x.chunks(size * inputs) {
                        logits.extend_from_slice(predictor.predict(&problem.parameters, x).unwrap());
                    }
                    // Only products of other shapes differ.
                    let distance = logits.iter().zip(engine.logits()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(distance < 1e-12, "{disturbance:?}, batches of {size}: {distance}");
                }
            }
        }
    }
}
