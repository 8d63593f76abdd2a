//! The engine computes what the naive reference path computes.

use dualprop::base::Named;
use dualprop::compute::{Activation, Loss, Tensor};
use dualprop::inference::{Damping, Inference, Nudge, RuleKind, Schedule, Start};
use dualprop::reference;
use proptest::prelude::*;

use crate::setup::{Problem, gradients, inferences, outcome, problems, relative_distance};

/// The reference's own value of the same name.
fn same<N: Named, R: Named>(value: N) -> R {
    R::parse(value.name()).unwrap()
}

fn network(problem: &Problem) -> reference::Network {
    let topology = &problem.topology;
    let data = |id| -> &Tensor<f64> { problem.parameters.get(id) };
    let layer = |k: usize| reference::Dense {
        inputs: topology.state(k - 1).neurons(),
        outputs: topology.state(k).neurons(),
        kernel: data(topology.kernel(k)).data().to_vec(),
        bias: data(topology.bias(k)).data().to_vec(),
    };
    reference::Network { layers: (1..=topology.depth()).map(layer).collect(), activation: same(topology.activation()) }
}

/// The same inference in the reference's own terms; none where the reference has no counterpart.
fn settings(problem: &Problem, inference: &Inference) -> Option<reference::Settings> {
    let (depth, k) = (problem.topology.depth(), inference.passes);
    let order = match inference.schedule {
        Schedule::Forward => reference::schedule::forward(depth, k),
        Schedule::Backward => reference::schedule::backward(depth, k),
        Schedule::ForwardBackward => reference::schedule::forward_backward(depth, k),
        Schedule::BackwardForward => reference::schedule::backward_forward(depth, k),
        Schedule::OddEven => reference::schedule::odd_even(depth, k),
        Schedule::EvenOdd => reference::schedule::even_odd(depth, k),
        Schedule::Parallel => reference::schedule::parallel(depth, k),
        Schedule::Random => inference.schedule.passes(k, depth, inference.seed),
    };
    let start = match inference.start {
        Start::Forward => reference::Start::Forward,
        Start::Zero => reference::Start::Zero,
        Start::Previous | Start::Continued => return None,
    };
    let (beta, loss) = (inference.beta, same(inference.loss));
    let alpha = inference.rule.alpha.at(1);
    let mut settings = match inference.rule.kind {
        RuleKind::Dp => reference::Settings::dp(depth, alpha, beta, loss, order),
        RuleKind::DpTranspose => reference::Settings::dp_transpose(depth, alpha, beta, loss, order),
        RuleKind::General => {
            let alpha_feedback = inference.rule.alpha_feedback.as_ref().unwrap().at(1);
            reference::Settings::general(depth, (alpha, alpha_feedback), beta, loss, order)
        }
        RuleKind::DpDamped => {
            let Some(Damping::Given(damping)) = &inference.rule.damping else { return None };
            reference::Settings::dp_damped(depth, alpha, beta, loss, order, damping.clone())
        }
        RuleKind::Backprop => {
            let mut settings = reference::Settings::dp_transpose(depth, 0.5, beta, loss, order);
            settings.limit = true;
            settings
        }
    };
    settings.gain = (1..depth).map(|k| inference.rule.gain.at(k)).collect();
    settings.nudge_from_pass = inference.nudge_from_pass;
    settings.start = start;
    settings.nudge = same(inference.nudge);
    Some(settings)
}

fn rows(data: &[f64], width: usize) -> Vec<Vec<f64>> {
    data.chunks(width).map(<[f64]>::to_vec).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn states_and_gradients_are_the_references(
        (problem, inference) in problems().prop_flat_map(|problem| {
            let inference = inferences(problem.topology.depth(), 0.2);
            (Just(problem), inference)
        })
    ) {
        let Some(settings) = settings(&problem, &inference) else { return Ok(()) };
        let network = network(&problem);
        let (x, y) = problem.batch::<f64>(0);
        let (xs, ys) = (rows(&x, problem.topology.input().neurons()), rows(&y, problem.topology.outputs()));
        let states = reference::infer_batch(&network, &xs, &ys, &settings);
        let engine = problem.settled::<f64>(&inference);
        for k in 1..=problem.topology.depth() {
            let (s_plus, s_minus) = engine.compartments(k);
            let expected = |of: fn(&reference::States) -> &Vec<Vec<f64>>| states.iter().flat_map(|s| of(s)[k].clone()).collect::<Vec<_>>();
            for (name, got, expected) in [("s+", s_plus, expected(|s| &s.plus)), ("s-", s_minus, expected(|s| &s.minus))] {
                let size = expected.iter().fold(1.0f64, |size, s| size.max(s.abs()));
                let error = got.iter().zip(&expected).fold(0.0f64, |e, (a, b)| e.max((a - b).abs()));
                // An inference that runs away amplifies rounding with it.
                prop_assume!(size < 1e3);
                prop_assert!(error <= 1e-12 * size, "{} of layer {}: {} of {}", name, k, error, size);
            }
        }
        let expected: Vec<Vec<f64>> = reference::local_gradients(&network, &states, &settings, inference.divide_gain)
            .into_iter()
            .flat_map(|layer| [layer.kernel, layer.bias])
            .collect();
        let size = expected.iter().flatten().fold(1e-3f64, |size, g| size.max(g.abs()));
        for (name, (got, expected)) in problem.parameters.names().iter().zip(gradients(&engine).iter().zip(&expected)) {
            let error = got.iter().zip(expected).fold(0.0f64, |e, (a, b)| e.max((a - b).abs()));
            // The reference forms Δ as a difference of nearly equal compartments and divides it by β.
            prop_assert!(error <= 1e-12 * (size + 1.0 / inference.beta), "gradient of {}: {} of {}", name, error, size);
        }
    }
}

/// A fixed table, so that a change of proptest's draws cannot lose a combination that matters.
#[test]
fn every_rule_nudge_and_schedule_settles_on_the_references_states() {
    use dualprop::inference::Rule;
    let problem = Problem::new(&[7, 6, 5, 6, 4], Activation::Tanh, 3, 11);
    let network = network(&problem);
    let (x, y) = problem.batch::<f64>(0);
    let (xs, ys) = (rows(&x, 7), rows(&y, 4));
    let rules = [Rule::dp(0.5), Rule::dp(0.0), Rule::dp_transpose(0.0), Rule::dp_transpose(0.7), Rule::general(0.3, 0.4)];
    let mut combinations = 0;
    for rule in rules {
        for (_, schedule) in Schedule::ALL {
            for (_, nudge) in Nudge::ALL {
                let inference = Inference {
                    schedule: *schedule,
                    nudge: *nudge,
                    passes: if *schedule == Schedule::Backward { 1 } else { 30 },
                    ..Inference::new(rule.clone(), 0.05, Loss::CrossEntropy)
                };
                let states = reference::infer_batch(&network, &xs, &ys, &settings(&problem, &inference).unwrap());
                let engine = problem.settled::<f64>(&inference);
                let expected: Vec<Vec<f64>> = (1..=4)
                    .flat_map(|k| {
                        let gather = |of: fn(&reference::States) -> &Vec<Vec<f64>>| {
                            states.iter().flat_map(|s| of(s)[k].clone()).collect::<Vec<_>>()
                        };
                        [gather(|s| &s.plus), gather(|s| &s.minus)]
                    })
                    .collect();
                let got: Vec<Vec<f64>> = (1..=4)
                    .flat_map(|k| {
                        let (plus, minus) = engine.compartments(k);
                        [plus, minus]
                    })
                    .collect();
                let error = relative_distance(&got, &expected);
                assert!(error <= 1e-12, "{rule:?} {schedule:?} {nudge:?}: {error}");
                assert!(outcome(&engine).iter().flatten().all(|x| x.is_finite()));
                combinations += 1;
            }
        }
    }
    assert_eq!(combinations, 5 * 8 * 3);
}
