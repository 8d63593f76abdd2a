//! What must hold whatever the numbers are.

use dualprop::analysis::{contrastive_objective, settling};
use dualprop::base::Named;
use dualprop::compute::{Activation, Loss, Pool};
use dualprop::inference::{
    Damping, Engine, Feedback, Inference, Nudge, PerLayer, Plan, PlanOptions, Predictor, Rule, Schedule, Start,
};
use dualprop::network::{PoolOrder, Shape};

use crate::setup::{Problem, gradients, outcome, relative_distance};

fn forward(rule: Rule, passes: usize) -> Inference {
    Inference { schedule: Schedule::Forward, passes, ..Inference::new(rule, 0.5, Loss::CrossEntropy) }
}

#[test]
fn at_alpha_zero_and_one_the_means_of_dp_transpose_are_the_forward_states_to_the_bit() {
    let kinds = Activation::ALL.iter().flat_map(|(name, f)| Problem::of_every_kind(*f, 5, 4).into_iter().map(move |p| (name, p)));
    for (name, problem) in kinds {
        let at_rest = problem.settled::<f32>(&forward(Rule::backprop(), 1));
        for alpha in [0.0, 1.0] {
            let settled = problem.settled::<f32>(&forward(Rule::dp_transpose(alpha), 4));
            for k in 1..3 {
                assert_eq!(settled.mean(k), at_rest.mean(k), "{name}, alpha {alpha}, layer {k}");
                assert!(settled.difference(k).iter().any(|&d| d != 0.0), "{name}, alpha {alpha}, layer {k}: nothing fed back");
            }
        }
    }
}

#[test]
fn dp_is_dp_transpose_at_alpha_one_half_with_the_same_nudge() {
    let kinds =
        Nudge::ALL.iter().flat_map(|nudge| Problem::of_every_kind(Activation::Relu, 5, 4).into_iter().map(move |p| (nudge, p)));
    for ((name, nudge), problem) in kinds {
        let settled = |rule| outcome(&problem.settled::<f64>(&Inference { nudge: *nudge, ..forward(rule, 7) }));
        assert_eq!(settled(Rule::dp(0.5)), settled(Rule::dp_transpose(0.5)), "{name}");
        assert_ne!(settled(Rule::dp(0.4)), settled(Rule::dp_transpose(0.4)), "{name}");
    }
}

/// Σ wᵢ gᵢ / Σ wᵢ of the samples' own gradients; a weight of 0 leaves a sample out, and 1 for all changes no bit.
#[test]
fn weighted_samples_have_the_weighted_mean_of_their_gradients_and_the_states_that_they_had() {
    const WEIGHTS: [f64; 7] = [2.0, 0.0, 1.0, 0.25, 3.0, 0.0, 1.5];
    for problem in Problem::of_every_kind(Activation::Tanh, 7, 4) {
        let ((x, y), inputs) = (problem.batch::<f64>(0), problem.topology.input().neurons());
        let inference = forward(Rule::dp_transpose(0.3), 4);
        let mut single: Engine<f64> = problem.engine(&inference, PlanOptions::default(), 1);
        let mut engine: Engine<f64> = problem.engine(&inference, PlanOptions::default(), 2);
        engine.infer(&problem.parameters, &x, &y).unwrap();
        let plain = outcome(&engine);
        engine.infer_weighted(&problem.parameters, &x, &y, &[4.0; 7]).unwrap();
        assert_eq!(outcome(&engine), plain);
        engine.infer_weighted(&problem.parameters, &x, &y, &WEIGHTS).unwrap();
        let weighted = gradients(&engine);
        let mut mean: Vec<Vec<f64>> = weighted.iter().map(|g| vec![0.0; g.len()]).collect();
        for ((x, y), weight) in x.chunks(inputs).zip(y.chunks(6)).zip(WEIGHTS) {
            single.infer(&problem.parameters, x, y).unwrap();
            for (sum, own) in mean.iter_mut().flatten().zip(gradients(&single).into_iter().flatten()) {
                *sum += weight * own / WEIGHTS.iter().sum::<f64>();
            }
        }
        // Only the order of sums differs.
        assert!(relative_distance(&weighted, &mean) < 1e-13);
        engine.infer(&problem.parameters, &x, &y).unwrap();
        assert_eq!(outcome(&engine), plain, "weights outlive their batch");
    }
}

#[test]
fn weights_that_are_none_are_refused() {
    let problem = Problem::of_every_kind(Activation::Relu, 2, 4).remove(0);
    let (x, y) = problem.batch::<f64>(0);
    let mut engine: Engine<f64> = problem.engine(&forward(Rule::backprop(), 1), PlanOptions::default(), 2);
    for (weights, expected) in [
        (&[1.0][..], "the sample weights has shape [1], expected [2]"),
        (&[1.0, -1.0], "weight of sample 1 = -1: expected a finite number"),
        (&[f64::NAN, 1.0], "weight of sample 0 = NaN"),
        (&[0.0, 0.0], "mean sample weight = 0: expected a finite number above 0"),
    ] {
        let error = engine.infer_weighted(&problem.parameters, &x, &y, weights).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn the_gradient_of_a_batch_is_the_mean_of_its_samples() {
    let nudges = [Nudge::LinearisedFrozen, Nudge::LinearisedLive, Nudge::Proximal];
    for (nudge, problem) in
        nudges.into_iter().flat_map(|n| Problem::of_every_kind(Activation::Tanh, 7, 4).into_iter().map(move |p| (n, p)))
    {
        let ((x, y), inputs) = (problem.batch::<f64>(0), problem.topology.input().neurons());
        let inference = Inference { nudge, ..forward(Rule::dp_transpose(0.3), 4) };
        let whole = gradients(&problem.settled::<f64>(&inference));
        let mut engine: Engine<f64> = problem.engine(&inference, PlanOptions::default(), 1);
        let mut mean: Vec<Vec<f64>> = whole.iter().map(|g| vec![0.0; g.len()]).collect();
        for (x, y) in x.chunks(inputs).zip(y.chunks(6)) {
            engine.infer(&problem.parameters, x, y).unwrap();
            for (sum, single) in mean.iter_mut().flatten().zip(gradients(&engine).into_iter().flatten()) {
                *sum += single / 7.0;
            }
        }
        // Only the order of sums differs.
        assert!(relative_distance(&whole, &mean) < 1e-14, "{nudge:?}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    // Large enough that every loop is cut into several pieces.
    let dense = Problem::new(&[70, 300, 150, 10], Activation::Relu, 97, 4);
    let layers = ["conv 80 pool", "conv 100 pool", "dense 70", "dense 10"];
    let order = (Activation::Relu, PoolOrder::BeforeActivation);
    let convolutional = Problem::convolutional(Shape::image(12, 11, 3), &layers, order, 9, 4);
    let feedbacks = [Feedback::Tied, Feedback::Random, Feedback::KolenPollack];
    for (problem, feedback) in [dense, convolutional].iter().flat_map(|problem| feedbacks.map(|feedback| (problem, feedback))) {
        let inference = Inference { nudge: Nudge::Proximal, feedback, ..forward(Rule::dp_transpose(0.3), 4) };
        let (x, y) = problem.batch::<f32>(0);
        let run = |threads| {
            let mut engine: Engine<f32> = problem.engine(&inference, PlanOptions::default(), threads);
            engine.infer(&problem.parameters.cast(), &x, &y).unwrap();
            outcome(&engine)
        };
        let one = run(1);
        for threads in [2, 3, 8] {
            assert!(run(threads) == one, "{feedback:?}, {threads} threads");
        }
    }
}

#[test]
fn a_predictor_gives_the_logits_of_the_engine_to_the_bit() {
    for problem in Problem::of_every_kind(Activation::Sigmoid, 7, 4) {
        let engine = problem.settled::<f32>(&forward(Rule::dp(0.5), 3));
        let mut predictor = Predictor::new(&problem.topology, 7, &Pool::new(2).unwrap());
        let logits = predictor.predict(&problem.parameters.cast(), &problem.batch::<f32>(0).0).unwrap();
        assert_eq!(logits, engine.logits());
    }
}

/// Two passes and then three more of the same inference are five.
#[test]
fn a_continued_inference_goes_on_where_the_passes_ended() {
    let kinds =
        Nudge::ALL.iter().flat_map(|nudge| Problem::of_every_kind(Activation::Tanh, 3, 3).into_iter().map(move |p| (nudge, p)));
    for ((name, nudge), problem) in kinds {
        let (x, y) = problem.batch::<f64>(0);
        let part = |passes, start| Inference { nudge: *nudge, start, ..forward(Rule::dp(0.2), passes) };
        let whole = problem.settled::<f64>(&part(5, Start::Forward));
        let first = problem.settled::<f64>(&part(2, Start::Forward));
        let mut rest: Engine<f64> = problem.engine(&part(3, Start::Continued), PlanOptions::default(), 1);
        for k in 1..=3 {
            rest.set_state(3, k, first.mean(k), first.difference(k)).unwrap();
        }
        rest.set_prediction(first.logits()).unwrap();
        rest.infer(&problem.parameters, &x, &y).unwrap();
        assert_eq!(outcome(&rest), outcome(&whole), "{name}");
    }
}

#[test]
fn the_contrastive_objective_does_not_depend_on_what_gradients_are_divided_by() {
    Problem::of_every_kind(Activation::Tanh, 3, 3).iter().for_each(check_objective);
}

fn check_objective(problem: &Problem) {
    let rule = Rule { gain: PerLayer::Each(vec![0.5, 3.0]), ..Rule::dp_transpose(0.3) };
    let objective = |divide_gain| {
        let settled = problem.settled::<f64>(&Inference { divide_gain, ..forward(rule.clone(), 3) });
        contrastive_objective(&settled, &problem.parameters).unwrap()
    };
    let (divided, plain) = (objective(true), objective(false));
    assert!((divided - plain).abs() < 1e-14 * plain.abs(), "{divided} {plain}");
}

#[test]
fn the_residual_is_the_relative_move_of_one_more_parallel_update() {
    Problem::of_every_kind(Activation::Tanh, 3, 3).iter().for_each(check_residual);
}

fn check_residual(problem: &Problem) {
    let (_, y) = problem.batch::<f64>(0);
    let parallel = |passes| Inference { schedule: Schedule::Parallel, ..forward(Rule::dp(0.2), passes) };
    let (now, next) = (problem.settled::<f64>(&parallel(4)), problem.settled::<f64>(&parallel(5)));
    let found = settling(&now, &problem.parameters, &y, &Pool::new(1).unwrap()).unwrap();
    for k in 1..=3 {
        let both = |engine: &Engine<f64>| {
            let (s_plus, s_minus) = engine.compartments(k);
            vec![s_plus, s_minus]
        };
        let expected = relative_distance(&both(&next), &both(&now));
        let residual = found[k - 1].residual;
        assert!((residual - expected).abs() < 1e-15 + 1e-12 * expected, "layer {k}: {residual} {expected}");
    }
}

#[test]
fn what_a_plan_or_a_type_cannot_do_is_refused() {
    let problem = Problem::new(&[5, 7, 6, 4], Activation::Tanh, 3, 3);
    let (x, y) = problem.batch::<f64>(0);
    let mut engine: Engine<f64> = problem.engine(&forward(Rule::dp(0.2), 4), PlanOptions::default(), 1);
    let error = engine.infer_by_pass(&problem.parameters, &x, &y, |_, _| Ok(())).unwrap_err().to_string();
    assert!(error.starts_with("every_pass = false"), "{error}");
    let pool = Pool::new(1).unwrap();
    let damped = Rule::dp_damped(0.5, Damping::Given(vec![1e39, 0.0]));
    for (inference, field) in [
        (Inference { beta: 1e-39, ..forward(Rule::dp(0.5), 1) }, "learning.beta"),
        (Inference { beta: 1e39, ..forward(Rule::dp(0.5), 1) }, "learning.beta"),
        (forward(damped, 1), "learning.damping"),
    ] {
        let plan = || Plan::compile(&problem.topology, &inference, PlanOptions::default()).unwrap();
        let error = Engine::<f32>::new(plan(), 1, &pool).err().unwrap().to_string();
        assert!(error.starts_with(field) && error.contains("range of f32"), "{error}");
        assert!(Engine::<f64>::new(plan(), 1, &pool).is_ok());
    }
    assert_eq!(Pool::new(0).unwrap().threads(), std::thread::available_parallelism().unwrap().get());
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let problem = Problem::new(&[9, 12, 6], Activation::Relu, 4, 4);
    let mut engine: Engine<f32> = problem.engine(&forward(Rule::dp(0.5), 1), PlanOptions::default(), 1);
    let parameters = problem.parameters.cast();
    let message = |result: dualprop::Result<()>| result.expect_err("must be refused").to_string();
    assert_eq!(message(engine.infer(&parameters, &[0.0; 10], &[0.0; 6])), "the input has shape [10], expected [0, 9]");
    assert!(message(engine.infer(&parameters, &[0.0; 18], &[0.0; 6])).contains("the targets has shape [6], expected [2, 6]"));
    assert!(message(engine.infer(&parameters, &[0.0; 9], &[0.0; 12])).contains("the targets has shape [12], expected [1, 6]"));
    assert!(message(engine.infer(&parameters, &[0.0; 45], &[0.0; 30])).contains("batches of 1 to 4 samples"));
    assert!(message(engine.infer(&parameters, &[], &[])).contains("batch = 0"));
    let other = Problem::new(&[9, 11, 6], Activation::Relu, 4, 4);
    assert!(message(engine.infer(&other.parameters.cast(), &[0.0; 9], &[0.0; 6])).contains("parameter 0"));
}
