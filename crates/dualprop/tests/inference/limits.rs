//! β → 0 is backpropagation, at the rate that theory says.

use dualprop::compute::{Activation, Loss};
use dualprop::inference::{Engine, Inference, PerLayer, PlanOptions, Rule, Schedule};
use dualprop::reference;

use crate::against_reference::{network, rows};
use crate::setup::{Problem, gradients, relative_distance};

fn inference(rule: Rule, beta: f64, passes: usize) -> Inference {
    Inference { schedule: Schedule::ForwardBackward, passes, ..Inference::new(rule, beta, Loss::CrossEntropy) }
}

fn backprop(problem: &Problem) -> Vec<Vec<f64>> {
    gradients(&problem.settled::<f64>(&inference(Rule::backprop(), 1.0, 1)))
}

fn distance_to_backprop(problem: &Problem, rule: &Rule, beta: f64) -> f64 {
    let settled = problem.settled::<f64>(&inference(rule.clone(), beta, 40));
    relative_distance(&gradients(&settled), &backprop(problem))
}

#[test]
fn the_limit_rule_is_textbook_backpropagation() {
    Problem::of_every_kind(Activation::Tanh, 4, 3).iter().for_each(check_limit_rule);
}

fn check_limit_rule(problem: &Problem) {
    let network = network(problem);
    let (x, y) = problem.batch::<f64>(0);
    let (xs, ys) = (rows(&x, problem.topology.input().neurons()), rows(&y, problem.topology.outputs()));
    let flat = |layers: Vec<reference::Gradient>| -> Vec<Vec<f64>> {
        layers.into_iter().flat_map(|layer| [layer.kernel, layer.bias]).collect()
    };
    let textbook = flat(reference::backprop(&network, &xs, &ys, reference::Loss::CrossEntropy));
    for beta in [1.0, 0.1, 1e-5] {
        let ours = gradients(&problem.settled::<f64>(&inference(Rule::backprop(), beta, 1)));
        assert!(relative_distance(&ours, &textbook) < 1e-14);
    }
    let differences = flat(reference::finite_differences(&network, &xs, &ys, reference::Loss::CrossEntropy, 1e-5));
    // Central differences: h² of truncation and eps/h of rounding, both about 1e-10 here.
    assert!(relative_distance(&backprop(problem), &differences) < 1e-8);
}

/// Asymmetric nudging is a one-sided difference, symmetric nudging a central one.
#[test]
fn halving_beta_halves_the_distance_to_backprop_and_quarters_it_at_alpha_one_half() {
    Problem::of_every_kind(Activation::Tanh, 4, 3).iter().for_each(check_halving);
}

fn check_halving(problem: &Problem) {
    // A pool has a kink wherever two pixels are equal: a smaller nudge crosses none.
    let beta = if problem.topology.is_dense() { 0.02 } else { 1e-4 };
    for (rule, expected) in [
        (Rule::dp_transpose(0.0), 2.0),
        (Rule::dp_transpose(1.0), 2.0),
        (Rule::dp_transpose(0.25), 2.0),
        (Rule::dp(0.0), 2.0),
        (Rule::dp(1.0), 2.0),
        (Rule::dp_transpose(0.5), 4.0),
        (Rule::dp(0.5), 4.0),
    ] {
        let ratio = distance_to_backprop(problem, &rule, beta) / distance_to_backprop(problem, &rule, beta / 2.0);
        // The next order contributes a share of about β to the ratio.
        assert!((ratio / expected - 1.0).abs() < 0.05, "{rule:?}: {ratio}, expected {expected}");
    }
}

#[test]
fn a_small_beta_in_f32_keeps_the_gradients_of_f64() {
    for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid] {
        let problem = Problem::new(&[20, 32, 24, 10], activation, 16, 5);
        for rule in [Rule::dp_transpose(0.0), Rule::dp_transpose(0.5), Rule::dp_transpose(1.0), Rule::dp(0.5)] {
            let inference = inference(rule.clone(), 1e-4, 1);
            let narrow = gradients(&problem.settled::<f32>(&inference));
            let wide = gradients(&problem.settled::<f64>(&inference));
            let error = relative_distance(&narrow, &wide);
            assert!(error < 1e-5, "{activation:?} {rule:?}: {error}");
        }
    }
}

/// Without a kink between the compartments ReLU is linear there, and the finite difference exact.
#[test]
fn relu_dp_transpose_is_backprop_to_rounding_once_no_dyad_straddles_a_kink() {
    let problem = Problem::new(&[6, 8, 7, 5], Activation::Relu, 4, 2);
    let (x, y) = problem.batch::<f64>(0);
    for alpha in [0.0, 0.5, 1.0] {
        let inference = inference(Rule::dp_transpose(alpha), 1e-6, 3);
        let mut engine: Engine<f64> = problem.engine(&inference, PlanOptions::default(), 1);
        engine.infer(&problem.parameters, &x, &y).unwrap();
        let pool = dualprop::compute::Pool::new(1).unwrap();
        let settling = dualprop::analysis::settling(&engine, &problem.parameters, &y, &pool).unwrap();
        assert!(settling.iter().all(|layer| layer.straddling == 0.0), "{settling:?}");
        assert!(settling.iter().all(|layer| layer.residual < 1e-15), "{settling:?}");
        let distance = relative_distance(&gradients(&engine), &backprop(&problem));
        assert!(distance < 1e-14, "alpha {alpha}: {distance}");
    }
    assert!(distance_to_backprop(&problem, &Rule::dp_transpose(0.0), 2.0) > 1e-3, "a strong nudge crosses kinks");
}

#[test]
fn gains_cancel_in_the_limit_and_only_if_divided() {
    let problem = Problem::new(&[6, 8, 7, 5], Activation::Tanh, 4, 3);
    let rule = Rule { gain: PerLayer::Each(vec![0.5, 3.0]), ..Rule::dp_transpose(0.5) };
    let divided = inference(rule, 1e-5, 2);
    let plain = Inference { divide_gain: false, ..divided.clone() };
    let [divided, plain] = [divided, plain].map(|inference| gradients(&problem.settled::<f64>(&inference)));
    assert!(relative_distance(&divided, &backprop(&problem)) < 1e-8);
    // Layer 1 hears the error through both gains, layer 2 through the second, the output through none.
    for (layer, gain) in [(0, 1.5), (1, 3.0), (2, 1.0)] {
        let scaled: Vec<Vec<f64>> =
            divided[2 * layer..2 * layer + 2].iter().map(|g| g.iter().map(|g| gain * g).collect()).collect();
        assert!(relative_distance(&plain[2 * layer..2 * layer + 2], &scaled) < 1e-14);
    }
}
