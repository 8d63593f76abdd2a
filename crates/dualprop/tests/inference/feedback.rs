//! Kernels of their own for what is fed back.

use dualprop::base::random::{Purpose, Random};
use dualprop::base::{Named, Real};
use dualprop::compute::{Activation, Loss, Pool, noisy_copy};
use dualprop::inference::{Engine, Feedback, Inference, Plan, PlanOptions, PoolRouting, Rule, Schedule};
use dualprop::learning::{Optimizer, OptimizerKind};
use dualprop::reference;

use crate::against_reference::{assert_same, feedback, network, rows, rules, settings, settle};
use crate::setup::{Problem, gradients, outcome, relative_distance};

const SEPARATE: [Feedback; 3] = [Feedback::Random, Feedback::KolenPollack, Feedback::NoisyCopy];

fn inference(rule: Rule, feedback: Feedback) -> Inference {
    Inference { feedback, ..Inference::new(rule, 0.2, Loss::CrossEntropy) }
}

fn problems() -> Vec<Problem> {
    Problem::of_every_kind(Activation::Tanh, 3, 3)
}

#[test]
fn every_rule_and_schedule_with_feedback_kernels_gives_the_references_states_and_gradients() {
    for problem in problems() {
        for rule in rules() {
            for (_, schedule) in Schedule::ALL {
                for (feedback, pool_routing) in
                    [(Feedback::Random, PoolRouting::Mean), (Feedback::KolenPollack, PoolRouting::Plus)]
                {
                    let inference =
                        Inference { schedule: *schedule, passes: 3, pool_routing, seed: 1, ..inference(rule.clone(), feedback) };
                    if inference.check(3).is_err() {
                        continue;
                    }
                    let settings = settings(&problem, &inference);
                    let states = settle(&problem, &settings, 0, |_| reference::Start::Forward);
                    let engine = problem.settled::<f64>(&inference);
                    assert_same(&engine, &problem, &states, &settings, schedule.name());
                    // The feedback is not that of the forward kernels.
                    let tied = problem.settled::<f64>(&Inference { feedback: Feedback::Tied, ..inference.clone() });
                    assert!(relative_distance(&gradients(&engine), &gradients(&tied)) > 1e-3, "{inference:?}");
                }
            }
        }
    }
}

#[test]
fn backpropagation_through_feedback_kernels_is_textbook_feedback_alignment() {
    for problem in problems() {
        let (x, y) = problem.batch::<f64>(0);
        let (xs, ys) = (rows(&x, problem.topology.input().neurons()), rows(&y, problem.topology.outputs()));
        let loss = reference::Loss::CrossEntropy;
        let textbook = reference::feedback_alignment(&network(&problem), &feedback(&problem), &xs, &ys, loss);
        let textbook: Vec<Vec<f64>> = textbook.into_iter().flat_map(|layer| [layer.kernel, layer.bias]).collect();
        let ours = gradients(&problem.settled::<f64>(&inference(Rule::backprop(), Feedback::Random)));
        assert!(relative_distance(&ours, &textbook) < 1e-14, "{}", relative_distance(&ours, &textbook));
    }
}

/// Copies every kernel to the feedback kernel beside it.
fn tie(problem: &mut Problem) {
    for k in 2..=problem.topology.depth() {
        let kernel = problem.parameters.get(problem.topology.kernel(k)).clone();
        problem.parameters.tensors_mut()[problem.topology.feedback(k).unwrap().0] = kernel;
    }
}

fn check_tied<T: Real>(problem: &Problem, rule: &Rule) {
    let settled = |feedback| outcome(&problem.settled::<T>(&Inference { passes: 2, ..inference(rule.clone(), feedback) }));
    let (tied, parameters) = (settled(Feedback::Tied), problem.topology.parameters().len());
    let states = tied.len() - parameters;
    for feedback in SEPARATE {
        let separate = settled(feedback);
        let forward = 2 * problem.topology.depth();
        assert_eq!(separate[..states + forward], tied[..states + forward], "{} {rule:?} {feedback:?}", T::NAME);
        for k in 2..=problem.topology.depth() {
            let (kernel, own) = (problem.topology.kernel(k).0, problem.topology.feedback(k).unwrap().0);
            let expected = if feedback == Feedback::KolenPollack { &separate[states + kernel][..] } else { &[] };
            assert_eq!(separate[states + own], expected, "{feedback:?}");
        }
    }
}

#[test]
fn feedback_kernels_equal_to_the_kernels_give_the_tied_states_and_gradients_to_the_bit() {
    for mut problem in Problem::of_every_kind(Activation::Relu, 5, 4) {
        tie(&mut problem);
        for rule in rules() {
            // An α of the output's own needs the proximal nudge.
            let rule = Rule { output_alpha: None, ..rule };
            check_tied::<f32>(&problem, &rule);
            check_tied::<f64>(&problem, &rule);
        }
    }
}

#[test]
fn tied_feedback_reads_no_feedback_kernel() {
    for mut problem in Problem::of_every_kind(Activation::Relu, 5, 4) {
        let tied = |problem: &Problem| outcome(&problem.settled::<f32>(&inference(Rule::dp(0.5), Feedback::Tied)));
        let expected = tied(&problem);
        let forward = 2 * problem.topology.depth();
        problem.parameters.tensors_mut()[forward..].iter_mut().for_each(|kernel| kernel.data_mut().fill(f64::NAN));
        assert_eq!(tied(&problem), expected);
    }
}

/// W − B after t steps without momentum is (1 − ηλ)ᵗ of what it was, whatever the gradients are.
#[test]
fn under_kolen_pollack_the_difference_of_the_kernels_shrinks_by_the_decay_alone() {
    let (rate, weight_decay) = (0.25, 0.5);
    for problem in problems() {
        let start = &problem.parameters;
        let mut parameters = start.clone();
        let mut optimizer = Optimizer::new(OptimizerKind::Sgd { momentum: 0.0, weight_decay }, &problem.topology);
        let inference = inference(Rule::dp_transpose(0.5), Feedback::KolenPollack);
        let mut engine: Engine<f64> = problem.engine(&inference, PlanOptions::default(), 1);
        for step in 1..=10 {
            let (x, y) = problem.batch::<f64>(step);
            engine.infer_and_update(&mut optimizer.update(&mut parameters, rate, None), &x, &y).unwrap();
            let left = (1.0 - rate * weight_decay).powi(step as i32);
            for k in 2..=3 {
                let (kernel, own) = (problem.topology.kernel(k), problem.topology.feedback(k).unwrap());
                let apart = |p: &dualprop::network::Parameters<f64>| -> Vec<f64> {
                    p.get(kernel).data().iter().zip(p.get(own).data()).map(|(w, b)| w - b).collect()
                };
                let expected: Vec<f64> = apart(start).iter().map(|difference| left * difference).collect();
                assert!(relative_distance(&[apart(&parameters)], &[expected]) < 1e-14, "step {step}, layer {k}");
                assert_ne!(parameters.get(own), start.get(own), "it learns");
            }
        }
    }
}

/// Four steps of a training by the reference path and its own optimiser.
#[test]
fn a_kolen_pollack_training_is_the_references() {
    let (rate, momentum, weight_decay) = (0.1, 0.9, 0.05);
    for mut problem in problems() {
        for rule in [Rule::dp(0.4), Rule::dp_transpose(0.0), Rule::backprop()] {
            let inference = inference(rule, Feedback::KolenPollack);
            let mut trained = problem.parameters.clone();
            let mut optimizer = Optimizer::new(OptimizerKind::Sgd { momentum, weight_decay }, &problem.topology);
            let mut engine: Engine<f64> = problem.engine(&inference, PlanOptions::default(), 1);
            let start = problem.parameters.clone();
            let mut momenta: Vec<Vec<f64>> = start.tensors().iter().map(|tensor| vec![0.0; tensor.data().len()]).collect();
            for step in 0..4 {
                let (x, y) = problem.batch::<f64>(step);
                engine.infer_and_update(&mut optimizer.update(&mut trained, rate, None), &x, &y).unwrap();
                // `problem` has the reference's own parameters.
                let settings = settings(&problem, &inference);
                let states = settle(&problem, &settings, step, |_| reference::Start::Forward);
                let gradients = reference::local_gradients(&network(&problem), &states, &settings, true);
                for (k, gradient) in (1..).zip(&gradients) {
                    let [kernel, bias] = [problem.topology.kernel(k).0, problem.topology.bias(k).0];
                    let own = problem.topology.feedback(k);
                    let tensors = problem.parameters.tensors_mut();
                    let (w, rest) = tensors[kernel..].split_first_mut().unwrap();
                    let (m, rest_of_momenta) = momenta[kernel..].split_first_mut().unwrap();
                    match own.map(|own| own.0 - kernel - 1) {
                        Some(own) => reference::kolen_pollack_step(
                            w.data_mut(),
                            rest[own].data_mut(),
                            &gradient.kernel,
                            m,
                            &mut rest_of_momenta[own],
                            rate,
                            momentum,
                            weight_decay,
                        ),
                        None => reference::sgd_step(w.data_mut(), &gradient.kernel, m, rate, momentum, weight_decay),
                    }
                    let bias_of = problem.parameters.tensors_mut()[bias].data_mut();
                    reference::sgd_step(bias_of, &gradient.bias, &mut momenta[bias], rate, momentum, weight_decay);
                }
            }
            let data = |p: &dualprop::network::Parameters<f64>| p.tensors().iter().map(|t| t.data().to_vec()).collect::<Vec<_>>();
            let apart = relative_distance(&data(&trained), &data(&problem.parameters));
            assert!(apart < 1e-12, "{inference:?}: {apart}");
            assert!(relative_distance(&data(&trained), &data(&start)) > 1e-2);
            problem.parameters = start;
        }
    }
}

#[test]
fn random_feedback_stays_as_it_is_under_every_optimiser_though_weights_decay() {
    let adamw = OptimizerKind::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
    for problem in problems() {
        for kind in [OptimizerKind::Sgd { momentum: 0.9, weight_decay: 0.1 }, adamw] {
            let inference = inference(Rule::dp_transpose(0.5), Feedback::Random);
            let mut parameters = problem.parameters.cast::<f32>();
            let (start, pool) = (parameters.clone(), Pool::new(1).unwrap());
            let mut optimizer = Optimizer::new(kind, &problem.topology);
            let mut engine: Engine<f32> = problem.engine(&inference, PlanOptions::default(), 1);
            for number in 0..4 {
                let (x, y) = problem.batch::<f32>(number);
                if number % 2 == 0 {
                    engine.infer_and_update(&mut optimizer.update(&mut parameters, 0.1, None), &x, &y).unwrap();
                } else {
                    engine.infer(&parameters, &x, &y).unwrap();
                    optimizer.step(&mut parameters, engine.gradients(), 0.1, None, &pool);
                }
            }
            for k in 2..=3 {
                let (kernel, own) = (problem.topology.kernel(k), problem.topology.feedback(k).unwrap());
                assert_eq!(parameters.get(own), start.get(own));
                assert_ne!(parameters.get(kernel), start.get(kernel));
                assert!(optimizer.moments().iter().all(|(_, moments)| moments.get(own).data().iter().all(|&m| m == 0.0)));
            }
        }
    }
}

/// The disturbance of the copy against the reference path, with the same random numbers.
#[test]
fn a_noisy_copy_is_the_references_and_so_are_the_states_that_it_gives() {
    let (sigma, pool) = (0.3, Pool::new(2).unwrap());
    for mut problem in problems() {
        let topology = problem.topology.clone();
        for k in 2..=topology.depth() {
            let stream = || Random::new(9, Purpose::FeedbackNoise, 5, k as u32);
            let kernel = problem.parameters.get(topology.kernel(k)).data().to_vec();
            let copy = &mut problem.parameters.tensors_mut()[topology.feedback(k).unwrap().0];
            noisy_copy(&pool, &kernel, copy.data_mut(), sigma, &stream());
            let expected = reference::noisy_copy(&kernel, sigma, &mut stream());
            assert!(relative_distance(&[copy.data().to_vec()], &[expected]) < 1e-15);
            // About 1/√(1 + σ²).
            let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let cosine = inner(&kernel, copy.data()) / (inner(&kernel, &kernel) * inner(copy.data(), copy.data())).sqrt();
            assert!((0.9..0.99).contains(&cosine), "{cosine}");
        }
        let inference = Inference { passes: 2, ..inference(Rule::dp(0.3), Feedback::NoisyCopy) };
        let settings = settings(&problem, &inference);
        let states = settle(&problem, &settings, 0, |_| reference::Start::Forward);
        assert_same(&problem.settled(&inference), &problem, &states, &settings, "noisy copy");
    }
}

#[test]
fn a_plan_names_the_feedback_kernels_that_it_reads_and_those_that_it_lacks() {
    let problem = Problem::new(&[5, 7, 6, 4], Activation::Tanh, 3, 3);
    let compile = |feedback, topology| Plan::compile(topology, &inference(Rule::dp(0.5), feedback), PlanOptions::default());
    let tied = problem.topology.clone().with_feedback(false);
    for feedback in SEPARATE {
        let error = compile(feedback, &tied).unwrap_err().to_string();
        let expected = format!("learning.feedback = {}: the network has no feedback kernels", feedback.name());
        assert!(error.starts_with(&expected), "{error}");
        let plan = compile(feedback, &problem.topology).unwrap();
        let text = plan.to_string();
        assert!(text.contains("fb1 = diff2 feedback.1^T") && text.contains("fb2 = diff3 feedback.2^T"), "{text}");
        assert_eq!(text.contains("grad of feedback.2 = grad.2"), feedback == Feedback::KolenPollack, "{text}");
        let plain = compile(Feedback::Tied, &tied).unwrap();
        assert_eq!(plan.multiply_adds(7), plain.multiply_adds(7));
        assert!(plain.to_string().contains("fb1 = diff2 kernel.1^T"));
    }
}
