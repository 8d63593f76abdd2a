//! What every setting of a case does.

use super::{DAMPED, Draft, PLAIN, TRAINING, plain};
use crate::base::Named;
use crate::compute::spectral::Power;
use crate::compute::{Activation, Loss, Pool};
use crate::inference::{Damping, Inference, Nudge, PerLayer, PoolRouting, Rule, Schedule, Start};
use crate::learning::{OptimizerKind, Rate};
use crate::training::case::steps::Training;
use crate::training::case::{TraceOptions, trace};

#[test]
fn an_unchanged_golden_file_means_what_its_name_says() {
    let case = plain().read().unwrap();
    let inference = Inference {
        passes: 3,
        pool_routing: PoolRouting::Plus,
        ..Inference::new(Rule::dp_transpose(0.25), 0.5, Loss::SquaredError)
    };
    assert_eq!(case.inference(), &inference);
    assert_eq!((case.name().as_str(), case.samples(), case.is_training()), (PLAIN, 6, false));
    assert_eq!(case.topology().depth(), 3);
    assert_eq!(case.settings(), &plain().metadata);
    assert_eq!(plain().unset("name").unset("arch").read().unwrap().name(), "case");
}

#[test]
fn every_further_setting_reaches_the_inference() {
    let base = || plain().read().unwrap().inference().clone();
    let rule = |rule: Rule| Inference { rule, ..base() };
    let dp_transpose = || Rule::dp_transpose(0.25);
    let each = |a: f64, b: f64| PerLayer::Each(vec![a, b]);
    let live = |rule: Rule| Inference { rule, nudge: Nudge::LinearisedLive, ..base() };
    let damped = |damping| rule(Rule::dp_damped(0.25, damping));
    let spectral = |power, asymmetry| Damping::Spectral { power, asymmetry };
    let table: Vec<(&[(&str, &str)], Inference)> = vec![
        (&[("rule", "dp")], live(Rule::dp(0.25))),
        (&[("rule", "backprop")], rule(Rule { alpha: PerLayer::Uniform(0.25), ..Rule::backprop() })),
        (&[("rule", "general"), ("alpha_feedback", "0.75")], rule(Rule::general(0.25, 0.75))),
        (
            &[("rule", "general"), ("alpha_feedback", "[0.75, 1e-1]")],
            rule(Rule { alpha_feedback: Some(each(0.75, 0.1)), ..Rule::general(0.25, 0.0) }),
        ),
        (&[("rule", "dp_damped")], damped(spectral(Power::Converged, false))),
        (
            &[("rule", "dp_damped"), ("damping_power_iterations", "7"), ("damping_asymmetry", "true")],
            damped(spectral(Power::Iterations(7), true)),
        ),
        (&[("alpha", "[0.5, 1]")], rule(Rule { alpha: each(0.5, 1.0), ..dp_transpose() })),
        (&[("feedback_gain", "2")], rule(Rule { gain: PerLayer::Uniform(2.0), ..dp_transpose() })),
        (&[("feedback_gain", "[2, 0.5]")], rule(Rule { gain: each(2.0, 0.5), ..dp_transpose() })),
        (&[("divide_gain", "false")], Inference { divide_gain: false, ..base() }),
        (&[("nudge", "linearised_live")], live(dp_transpose())),
        (
            &[("nudge", "proximal"), ("output_alpha", "0.5")],
            Inference { nudge: Nudge::Proximal, ..rule(Rule { output_alpha: Some(0.5), ..dp_transpose() }) },
        ),
        (&[("nudge_from_pass", "3")], Inference { nudge_from_pass: 3, ..base() }),
        (&[("start", "zero")], Inference { start: Start::Zero, ..base() }),
        (&[("start", "forward")], base()),
        (&[("schedule", "random"), ("seed", "4")], Inference { schedule: Schedule::Random, seed: 4, ..base() }),
        (&[("schedule", "parallel")], Inference { schedule: Schedule::Parallel, ..base() }),
        (&[("schedule", "fwK")], Inference { schedule: Schedule::Forward, ..base() }),
        (&[("schedule", "bwK")], Inference { schedule: Schedule::Backward, ..base() }),
        (&[("schedule", "bwfwK")], Inference { schedule: Schedule::BackwardForward, ..base() }),
        (&[("schedule", "oddeven")], Inference { schedule: Schedule::OddEven, ..base() }),
        (&[("schedule", "evenodd")], Inference { schedule: Schedule::EvenOdd, ..base() }),
        (&[("loss", "half_squared_error"), ("beta", "2e-06")], Inference { loss: Loss::HalfSquaredError, beta: 2e-6, ..base() }),
    ];
    for (settings, expected) in table {
        let draft = settings.iter().fold(plain(), |draft, (key, value)| draft.set(key, value));
        let case = draft.read().unwrap_or_else(|error| panic!("{settings:?}: {error}"));
        assert_eq!(case.inference(), &expected, "{settings:?}");
        let states = draft.trace::<f64>();
        assert!(states.values().flatten().all(|x| x.is_finite()), "{settings:?}");
    }
    for (name, activation) in Activation::ALL {
        assert_eq!(plain().set("activation", name).read().unwrap().topology().activation(), *activation);
    }
    let strong = plain().set("rule", "dp").set("alpha", "0").set("loss", "cross_entropy").set("nudge", "proximal");
    assert!(strong.clone().set("beta", "3").read().unwrap().warnings()[0].contains("beyond 2"));
    assert!(strong.set("beta", "2").read().unwrap().warnings().is_empty());
}

#[test]
fn without_its_tensor_the_damping_is_that_of_the_spectral_norm() {
    let (given, found) = (Draft::of(DAMPED), Draft::of(DAMPED).without("damping"));
    let kind = |draft: &Draft| draft.read().unwrap().inference().rule.damping.clone();
    assert_eq!(kind(&given), Some(Damping::Given(given.f64s("damping")[1..].to_vec())));
    assert_eq!(kind(&found), Some(Damping::Spectral { power: Power::Converged, asymmetry: false }));
    let (given, found) = (given.trace::<f64>(), found.trace::<f64>());
    for (name, values) in given {
        assert!(values.iter().zip(&found[&name]).all(|(a, b)| (a - b).abs() < 1e-11), "{name}");
    }
}

#[test]
fn labels_and_numbers_may_be_narrower() {
    let expected = plain().trace::<f64>();
    let labels: Vec<i64> = plain().tensors["labels"].2.as_chunks().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect();
    let narrow: Vec<_> = labels.iter().map(|&label| (label as i32).to_le_bytes()).collect();
    assert_eq!(plain().with("labels", "I32", &[6], &narrow).trace::<f64>(), expected);
    let narrow: Vec<_> = labels.iter().map(|&label| [label as u8]).collect();
    assert_eq!(plain().with("labels", "U8", &[6], &narrow).trace::<f64>(), expected);
    let single = |x: Vec<f64>| x.into_iter().map(|x| (x as f32).to_le_bytes()).collect::<Vec<_>>();
    let double = |x: Vec<f64>| x.into_iter().map(|x| f64::from(x as f32).to_le_bytes()).collect::<Vec<_>>();
    let x = plain().f64s("x");
    let narrow = plain().with("x", "F32", &[6, 8, 8, 1], &single(x.clone()));
    assert_eq!(narrow.trace::<f64>(), plain().with("x", "F64", &[6, 8, 8, 1], &double(x)).trace::<f64>());
    assert_ne!(narrow.trace::<f64>(), expected);
}

#[test]
fn from_zero_states_the_logits_and_losses_are_still_those_of_the_forward_pass() {
    let (forward, zero) = (plain().trace::<f64>(), plain().set("start", "zero").trace::<f64>());
    for name in ["logits", "loss", "bp_grad_kernel.0"] {
        assert_eq!(forward[name], zero[name], "{name}");
    }
    assert_ne!(forward["s_plus.1"], zero["s_plus.1"]);
    let losses = |draft: Draft| draft.trace::<f64>()["step_loss"].clone();
    let downward = || Draft::of(TRAINING).set("schedule", "bwK");
    let (forward, zero) = (losses(downward()), losses(downward().set("start", "zero")));
    assert!((forward[0] - zero[0]).abs() < 1e-14 && forward[1] != zero[1], "{forward:?} {zero:?}");
}

#[test]
fn a_training_is_what_its_keys_say() {
    let case = Draft::of(TRAINING).read().unwrap();
    let optimizer = OptimizerKind::Sgd { momentum: 0.9, weight_decay: 5e-4 };
    let rate = Rate::WarmupCosine { first: 0.001, peak: 0.05, last: 2e-6, warmup_steps: 2, decay_steps: 4 };
    assert_eq!(case.training, Some(Training { steps: 5, optimizer, rate }));
    let names = ["optimizer", "beta1", "beta2", "epsilon"].into_iter().zip(["adam", "0.5", "0.75", "1e-8"]);
    let draft = names.fold(Draft::of(TRAINING), |draft, (key, value)| draft.set(key, value));
    let optimizer = OptimizerKind::Adam { beta1: 0.5, beta2: 0.75, epsilon: 1e-8 };
    let case = draft.unset("momentum").unset("weight_decay").read().unwrap();
    assert_eq!(case.training, Some(Training { steps: 5, optimizer, rate }));
}

/// With ε large against √v̂ and β₁ = β₂ = 0, Adam is gradient descent with the rate η/ε up to √v̂/ε.
#[test]
fn adam_trains_by_its_own_constants() {
    let unused = ["momentum", "weight_decay", "init_learning_rate", "final_learning_rate", "warmup_steps", "decay_steps"];
    let adam = |keys: &[&str]| keys.iter().fold(Draft::of(TRAINING).set("optimizer", "adam"), |draft, key| draft.unset(key));
    let adam = adam(&[&unused[..], &["schedule_kind"]].concat()).set("beta1", "0").set("beta2", "0");
    let adam = adam.set("epsilon", "1e9").set("learning_rate", "1e7");
    let sgd = Draft::of(TRAINING).set("momentum", "0").set("weight_decay", "0").set("schedule_kind", "constant");
    let sgd = unused[2..].iter().fold(sgd.set("learning_rate", "0.01"), |draft, key| draft.unset(key));
    let (adam, sgd) = (adam.trace::<f64>(), sgd.trace::<f64>());
    assert_eq!((&adam["step_learning_rate"], &sgd["step_learning_rate"]), (&vec![1e7; 5], &vec![0.01; 5]));
    let start = Draft::of(TRAINING).f64s("kernel.0");
    for ((adam, sgd), start) in adam["trained_kernel.0"].iter().zip(&sgd["trained_kernel.0"]).zip(start) {
        assert!((adam - sgd).abs() < 1e-10 && *adam != start, "{adam} {sgd} {start}");
    }
}

#[test]
fn a_case_that_diverges_is_traced_and_says_so() {
    let draft = plain().poked("x", 0, 1e308f64.to_le_bytes()).poked("kernel.0", 0, 1e308f64.to_le_bytes());
    let trace = trace::<f64>(&draft.read().unwrap(), TraceOptions::default(), &Pool::new(1).unwrap()).unwrap();
    assert!(trace.warnings().iter().any(|text| text.starts_with("logits has")), "{:?}", trace.warnings());
}

/// What is proved redundant is so for finite states only: one sweep leaves Δ₂ = 0, and 0·∞ is not 0. So it can be seen that
/// a naive trace leaves nothing out.
#[test]
fn a_naive_trace_carries_out_what_is_redundant_for_finite_states() {
    let infinite = plain().poked("x", 0, 1e308f64.to_le_bytes()).poked("kernel.0", 0, 1e308f64.to_le_bytes());
    let case = infinite.set("schedule", "fwK").set("passes", "1").read().unwrap();
    let gradient = |naive| {
        let options = TraceOptions { naive, ..TraceOptions::default() };
        trace::<f64>(&case, options, &Pool::new(1).unwrap()).unwrap().tensors()["grad_kernel.1"].data().to_vec()
    };
    assert!(gradient(false).iter().all(|x| *x == 0.0));
    assert!(gradient(true).iter().any(|x| x.is_nan()));
}
