//! Updates while gradients are computed are updates by the gradients, to the bit.

use dualprop::base::{Named, Real};
use dualprop::compute::{Activation, Loss};
use dualprop::inference::{Engine, Feedback, Inference, PlanOptions, Rule, Schedule};
use dualprop::learning::{Optimizer, OptimizerKind};
use dualprop::network::Parameters;

use crate::setup::Problem;

const KINDS: [OptimizerKind; 2] = [
    OptimizerKind::Sgd { momentum: 0.9, weight_decay: 5e-4 },
    OptimizerKind::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 },
];

/// Parameters and optimiser after some steps.
fn trained<T: Real>(
    problem: &Problem,
    inference: &Inference,
    (kind, threads): (OptimizerKind, usize),
    step: impl Fn(&mut Engine<T>, &mut Optimizer<T>, &mut Parameters<T>, (&[T], &[T])),
) -> (Parameters<T>, Optimizer<T>) {
    let mut engine = problem.engine::<T>(inference, PlanOptions::default(), threads);
    let (mut parameters, mut optimizer) = (problem.parameters.cast(), Optimizer::new(kind, &problem.topology));
    for number in 0..3 {
        let (x, y) = problem.batch::<T>(number);
        step(&mut engine, &mut optimizer, &mut parameters, (&x, &y));
    }
    (parameters, optimizer)
}

fn check<T: Real>(problem: &Problem, inference: &Inference) {
    for kind in KINDS {
        let pool = dualprop::compute::Pool::new(1).unwrap();
        let after = trained::<T>(problem, inference, (kind, 1), |engine, optimizer, parameters, (x, y)| {
            engine.infer(parameters, x, y).unwrap();
            optimizer.step(parameters, engine.gradients(), 0.01, None, &pool);
        });
        for threads in [1, 3] {
            let meanwhile = trained::<T>(problem, inference, (kind, threads), |engine, optimizer, parameters, (x, y)| {
                let mut update = optimizer.update(parameters, 0.01, None);
                engine.infer_and_update(&mut update, x, y).unwrap();
                assert_eq!(update.broken(), None);
            });
            assert!(after == meanwhile, "{kind:?}, {threads} threads, {} samples, {}", problem.samples, T::NAME);
        }
    }
}

/// Dense maps of one panel and of several, edges in every direction, more samples than a block has terms; convolutions; and a
/// schedule whose lowest layer has no difference yet, so that its gradient is zero.
#[test]
fn updates_meanwhile_are_updates_afterwards_to_the_bit() {
    let dp = Inference::new(Rule::dp_transpose(0.5), 0.1, Loss::CrossEntropy);
    let idle = Inference { schedule: Schedule::Forward, passes: 2, ..dp.clone() };
    for (widths, samples) in [(&[9, 12, 11, 6][..], 5), (&[37, 200, 70, 10], 33), (&[20, 40, 30, 10], 300)] {
        let problem = Problem::new(widths, Activation::Relu, samples, 3);
        check::<f32>(&problem, &dp);
        check::<f64>(&problem, &dp);
        check::<f32>(&problem, &idle);
        for (_, feedback) in Feedback::ALL {
            check::<f32>(&problem, &Inference { feedback: *feedback, ..dp.clone() });
            check::<f64>(&problem, &Inference { feedback: *feedback, ..idle.clone() });
        }
    }
    for problem in Problem::of_every_kind(Activation::Relu, 4, 3) {
        check::<f32>(&problem, &dp);
        check::<f32>(&problem, &Inference { feedback: Feedback::KolenPollack, ..dp.clone() });
    }
}

/// The large batch has more samples than a block has terms, and is updated by afterwards; the small one meanwhile.
#[test]
fn a_smaller_batch_than_the_engine_has_room_for_is_updated_too() {
    let dp = Inference::new(Rule::dp_transpose(0.5), 0.1, Loss::CrossEntropy);
    let [large, small] = [300, 20].map(|samples| Problem::new(&[20, 40, 30, 10], Activation::Relu, samples, 3));
    let mut engine = large.engine::<f32>(&dp, PlanOptions::default(), 2);
    let train = |engine: &mut Engine<f32>, problem: &Problem| {
        let (mut parameters, mut optimizer) = (large.parameters.cast(), Optimizer::new(KINDS[0], &large.topology));
        let (x, y) = problem.batch::<f32>(0);
        engine.infer_and_update(&mut optimizer.update(&mut parameters, 0.01, None), &x, &y).unwrap();
        parameters
    };
    train(&mut engine, &large);
    assert!(train(&mut engine, &small) == train(&mut small.engine(&dp, PlanOptions::default(), 2), &small));
}

/// An input reaches every gradient; a weight of the last layer those below it through what it feeds back.
#[test]
fn a_gradient_that_is_not_finite_is_named() {
    let problem = Problem::new(&[9, 12, 11, 6], Activation::Relu, 5, 3);
    let dp = Inference::new(Rule::dp_transpose(0.0), 0.1, Loss::CrossEntropy);
    for input in [true, false] {
        let mut engine = problem.engine::<f32>(&dp, PlanOptions::default(), 2);
        let (mut parameters, (mut x, y)) = (problem.parameters.cast::<f32>(), problem.batch::<f32>(0));
        if input {
            x[3] = f32::NAN
        } else {
            parameters.tensors_mut()[4].data_mut()[0] = f32::NAN
        }
        engine.infer(&parameters, &x, &y).unwrap();
        let not_finite: Vec<bool> = engine.gradients().iter().map(|gradient| !gradient.is_finite()).collect();
        let mut optimizer = Optimizer::new(KINDS[0], &problem.topology);
        let mut update = optimizer.update(&mut parameters, 0.01, None);
        engine.infer_and_update(&mut update, &x, &y).unwrap();
        assert!(not_finite[update.broken().unwrap().0], "{not_finite:?}");
    }
}
