//! Measured stability against the closed form, and what must not change it.

use super::*;
use crate::compute::{Activation, Loss, Pool};
use crate::inference::{Inference, Nudge, Rule, Schedule};

const PASSES: usize = 600;
const LOSS: Loss = Loss::HalfSquaredError;

fn networks(activation: Activation, gain: f64, depth: usize, count: usize, samples: usize) -> Networks {
    let spec = RandomNetworks { activation, gain, depth, width: 12, count, samples, seed: 3 };
    spec.draw(&Pool::new(1).unwrap()).unwrap()
}

fn settle(networks: &Networks, inference: &Inference) -> Vec<SampleSettling> {
    let pool = Pool::new(1).unwrap();
    let mut settler = Settler::new(&networks.topology, inference, 8, &pool).unwrap();
    let of = |trial: &Trial| settler.settle(&trial.parameters, &trial.x, &trial.y).unwrap();
    networks.trials.iter().flat_map(of).collect()
}

/// The β at which |α_m − α_f|·(cβ)_nudge·λ is this: β for the live nudge, and for the proximal one the root of
/// |α_m − α_f| λ cβ = g (1 + u cβ)(1 − d cβ) by bisection, the left side growing and the right one falling to 0 at cβ = 1/d.
fn beta_of(rule: &Rule, nudge: Nudge, lambda: f64, gain: f64) -> f64 {
    let at = |beta: f64| {
        let inference = Inference { nudge, ..Inference::new(rule.clone(), beta, LOSS) };
        loop_gain(&inference, lambda).unwrap_or(f64::INFINITY)
    };
    let (mut below, mut above) = (0.0, 1e6);
    for _ in 0..200 {
        let middle = 0.5 * (below + above);
        if at(middle) < gain { below = middle } else { above = middle }
    }
    below
}

/// The closed form is sharp under the schedules that go down and up layer by layer.
#[test]
fn linear_networks_settle_below_the_threshold_and_diverge_above_it() {
    let rules =
        [Rule::dp(0.0), Rule::dp(1.0), Rule::dp(0.3), Rule::general(0.9, 0.2), Rule::general(0.1, 0.6), Rule::general(1.0, 0.9)];
    for depth in 2..=5 {
        let networks = networks(Activation::Identity, 1.2, depth, 1, 3);
        let lambda = networks.trials[0].lambda_max;
        for (rule, nudge) in rules.iter().flat_map(|rule| [(rule, Nudge::LinearisedLive), (rule, Nudge::Proximal)]) {
            for (gain, said) in [(0.9, Prediction::Settles), (1.1, Prediction::Diverges)] {
                let beta = beta_of(rule, nudge, lambda.unwrap(), gain);
                for schedule in [Schedule::ForwardBackward, Schedule::BackwardForward] {
                    let inference = Inference { nudge, schedule, passes: 400, ..Inference::new(rule.clone(), beta, LOSS) };
                    let found = settle(&networks, &inference);
                    let text = format!("{rule:?} {nudge:?} {schedule:?} depth {depth} gain {gain}: {found:?}");
                    assert_eq!(predict(&inference, lambda), Some(said), "{text}");
                    // Above the threshold the states grow by µ = ∓1.1 a pass, so that ‖s′ − s‖/‖s′‖ is |1 − 1/µ|.
                    let growing = (1.0 + leak(&inference).unwrap().signum() / 1.1).abs();
                    let as_said = |sample: &SampleSettling| match said {
                        Prediction::Settles => sample.ending == Ending::Settled,
                        // The last pass of backward_forward goes down twice: by 1 − 1/µ² in the hidden layers, for either sign.
                        Prediction::Diverges if schedule == Schedule::BackwardForward => {
                            sample.ending == Ending::Moving && sample.residual > 0.05
                        }
                        Prediction::Diverges => sample.ending == Ending::Moving && (sample.residual / growing - 1.0).abs() < 0.02,
                    };
                    assert!(found.iter().all(as_said), "{text}");
                }
            }
        }
    }
    let one = networks(Activation::Identity, 1.2, 2, 1, 2);
    let beta = beta_of(&Rule::dp(0.0), Nudge::LinearisedLive, one.trials[0].lambda_max.unwrap(), 2.0);
    let live = Inference { nudge: Nudge::LinearisedLive, passes: 400, ..Inference::new(Rule::dp(0.0), beta, LOSS) };
    assert!(settle(&one, &live).iter().all(|sample| sample.ending == Ending::Diverged && sample.passes < 360));
}

/// Where α_m < α_f the leaks of all layers add up under every schedule; where α_m > α_f they may cancel.
#[test]
fn under_other_schedules_the_closed_form_is_sufficient_and_for_small_alpha_necessary() {
    let networks = networks(Activation::Identity, 1.2, 4, 1, 2);
    let lambda = networks.trials[0].lambda_max;
    let mut cancelled = 0;
    for schedule in [Schedule::Forward, Schedule::OddEven, Schedule::EvenOdd, Schedule::Parallel] {
        for alpha in [0.0, 1.0] {
            for gain in [0.9, 1.1] {
                let beta = beta_of(&Rule::dp(alpha), Nudge::LinearisedLive, lambda.unwrap(), gain);
                let nudge = Nudge::LinearisedLive;
                let inference = Inference { nudge, schedule, passes: 2500, ..Inference::new(Rule::dp(alpha), beta, LOSS) };
                let found = settle(&networks, &inference);
                let all = |ending| found.iter().all(|sample| sample.ending == ending);
                let expected = match gain < 1.0 {
                    true => Some(Prediction::Settles),
                    false => (alpha == 0.0).then_some(Prediction::Diverges),
                };
                assert_eq!(predict(&inference, lambda), expected);
                match expected {
                    Some(Prediction::Settles) => assert!(all(Ending::Settled), "{schedule:?} {alpha}: {found:?}"),
                    Some(Prediction::Diverges) => {
                        assert!(!found.iter().any(|sample| sample.ending == Ending::Settled), "{schedule:?}: {found:?}");
                    }
                    None => cancelled += usize::from(all(Ending::Settled)),
                }
            }
        }
    }
    assert!(cancelled > 0, "the bound would be sharp for every schedule");
}

/// Without a leak, and with a gradient that does not change, one sweep does all: β is far beyond every threshold.
#[test]
fn decoupled_streams_settle_in_one_sweep() {
    let networks = networks(Activation::Identity, 2.0, 5, 2, 2);
    let lambda = networks.trials[0].lambda_max;
    let decoupled = [0.0, 0.25, 0.8, 1.0].map(Rule::dp_transpose).into_iter().chain([Rule::dp(0.5), Rule::backprop()]);
    for rule in decoupled {
        for loss in [LOSS, Loss::CrossEntropy] {
            let live = Inference { nudge: Nudge::LinearisedLive, passes: PASSES, ..Inference::new(rule.clone(), 5.0, loss) };
            for (schedule, most) in [(Schedule::ForwardBackward, 2), (Schedule::Forward, 5), (Schedule::Parallel, 5)] {
                let inference = Inference { schedule, ..live.clone() };
                assert_eq!(predict(&inference, lambda), Some(Prediction::Settles), "{rule:?}");
                let found = settle(&networks, &inference);
                let in_time = |sample: &SampleSettling| sample.ending == Ending::Settled && sample.passes <= most;
                assert!(found.iter().all(in_time), "{rule:?} {schedule:?}: {found:?}");
            }
        }
    }
    for alpha in [0.0, 0.7, 1.0] {
        let frozen = Inference { nudge: Nudge::LinearisedFrozen, passes: PASSES, ..Inference::new(Rule::dp(alpha), 5.0, LOSS) };
        assert_eq!(predict(&frozen, lambda), Some(Prediction::Settles));
        assert!(settle(&networks, &frozen).iter().all(|sample| sample.ending == Ending::Settled && sample.passes <= 3));
    }
}

/// PAPER 1.3: at α ∈ {0, 1} the mean of DP⊤ is the forward state whatever f is; between, kinks keep it from settling.
#[test]
fn with_kinks_only_one_sided_nudging_decouples_exactly() {
    let relu = networks(Activation::Relu, 2.0, 6, 4, 2);
    let of = |alpha: f64| {
        let inference = Inference { passes: PASSES, ..Inference::new(Rule::dp_transpose(alpha), 1.0, LOSS) };
        (predict(&inference, None), settle(&relu, &inference))
    };
    for alpha in [0.0, 1.0] {
        let (said, found) = of(alpha);
        assert_eq!(said, Some(Prediction::Settles));
        assert!(found.iter().all(|s| s.ending == Ending::Settled && s.passes <= 2 && s.residual == 0.0), "{found:?}");
    }
    let (said, found) = of(0.5);
    assert_eq!(said, None);
    assert!(found.iter().any(|sample| sample.ending != Ending::Settled), "{found:?}");
}

/// Of a random order a pass may leave out a layer: nothing has settled before every one has been updated again.
#[test]
fn a_pass_that_moves_nothing_proves_nothing_if_it_updates_not_all() {
    let networks = networks(Activation::Identity, 1.0, 5, 1, 1);
    for seed in 0..20 {
        let plain = Inference::new(Rule::dp_transpose(0.0), 0.5, LOSS);
        let inference = Inference { schedule: Schedule::Random, passes: 100, seed, ..plain };
        let orders = Schedule::Random.passes(100, 5, seed);
        let found = settle(&networks, &inference)[0];
        assert_eq!((found.ending, predict(&inference, None)), (Ending::Settled, Some(Prediction::Settles)));
        // The differences stand once 5, 4, 3, 2, 1 have been updated in this order.
        let mut waiting = 5;
        let mut last = 0;
        for (pass, layer) in (1..).zip(&orders).flat_map(|(pass, order)| order.iter().flatten().map(move |&k| (pass, k))) {
            if layer == waiting {
                (waiting, last) = (waiting - 1, pass);
            }
        }
        assert_eq!((waiting, found.passes), (0, last), "seed {seed}");
    }
}

#[test]
fn neither_threads_nor_the_rest_of_a_batch_change_a_verdict() {
    let grid = InferenceGrid {
        rules: vec![crate::inference::RuleKind::Dp, crate::inference::RuleKind::General],
        alphas: vec![0.0, 0.5, 0.8],
        alphas_feedback: vec![0.3],
        betas: vec![0.05, 1.5],
        schedules: vec![Schedule::ForwardBackward, Schedule::Parallel],
        nudges: vec![Nudge::LinearisedLive, Nudge::Proximal],
        loss: LOSS,
        passes: 80,
        seed: 0,
    };
    let relu = networks(Activation::Relu, 1.6, 4, 2, 5);
    let rows = grid.run(&relu, &Pool::new(1).unwrap()).unwrap();
    assert_eq!(rows.len(), 2 * 2 * 2 * 2 * 3);
    assert_eq!(grid.run(&relu, &Pool::new(3).unwrap()).unwrap(), rows);
    // Of every sort there is something: settled, not settled, and without a maximiser.
    let shares = || rows.iter().map(|row| row.share_settled);
    assert!(shares().any(|s| s == Some(1.0)) && shares().any(|s| s == Some(0.0)) && shares().any(|s| s.is_none()));

    let inference = Inference { passes: 80, nudge: Nudge::LinearisedLive, ..Inference::new(Rule::dp(0.8), 0.05, LOSS) };
    let whole = settle(&relu, &inference);
    let pool = Pool::new(2).unwrap();
    let mut settler = Settler::new(&relu.topology, &inference, 1, &pool).unwrap();
    let mut each = vec![];
    for trial in &relu.trials {
        for (x, y) in trial.x.chunks(12).zip(trial.y.chunks(10)) {
            each.extend(settler.settle(&trial.parameters, x, y).unwrap());
        }
    }
    for (alone, together) in each.iter().zip(&whole) {
        assert_eq!((alone.ending, alone.passes), (together.ending, together.passes));
        // A product of one row may be summed in another order.
        assert!((alone.residual - together.residual).abs() < 1e-12, "{alone:?} {together:?}");
    }
}

#[test]
fn bad_settings_are_refused_by_name() {
    let grid = || InferenceGrid {
        rules: vec![crate::inference::RuleKind::General],
        alphas: vec![0.5],
        alphas_feedback: vec![0.5],
        betas: vec![0.1],
        schedules: vec![Schedule::ForwardBackward],
        nudges: vec![Nudge::LinearisedLive],
        loss: LOSS,
        passes: 10,
        seed: 0,
    };
    let nets = || NetworkGrid {
        activations: vec![Activation::Relu],
        gains: vec![1.0],
        depths: vec![2],
        width: 4,
        nets: 1,
        samples: 1,
        seed: 0,
    };
    let pool = Pool::new(1).unwrap();
    for (inferences, networks, field) in [
        (InferenceGrid { alphas: vec![], ..grid() }, nets(), "--alpha"),
        (InferenceGrid { alphas: vec![f64::NAN], ..grid() }, nets(), "--alpha"),
        (InferenceGrid { alphas_feedback: vec![1.5], ..grid() }, nets(), "--alpha-feedback"),
        (InferenceGrid { betas: vec![0.1, 0.0], ..grid() }, nets(), "--beta"),
        (InferenceGrid { betas: vec![0.1; 200_000], ..grid() }, nets(), "cells"),
        (InferenceGrid { schedules: vec![], ..grid() }, nets(), "--schedule"),
        (InferenceGrid { schedules: vec![Schedule::Backward], ..grid() }, nets(), "learning.schedule"),
        (InferenceGrid { passes: 20_000, ..grid() }, nets(), "--passes"),
        (InferenceGrid { passes: 0, ..grid() }, nets(), "learning.passes"),
        (grid(), NetworkGrid { gains: vec![-1.0], ..nets() }, "--gain"),
        (grid(), NetworkGrid { depths: vec![0], ..nets() }, "--depth"),
        (grid(), NetworkGrid { width: 0, ..nets() }, "--width"),
        (grid(), NetworkGrid { nets: 0, ..nets() }, "--nets"),
        (grid(), NetworkGrid { samples: 1 << 40, ..nets() }, "--samples"),
        (grid(), NetworkGrid { width: 4096, nets: 100, ..nets() }, "--nets"),
    ] {
        let error = networks.run(&inferences, &pool).expect_err(field).to_string();
        assert!(error.starts_with(&format!("{field} = ")), "{field}: {error}");
    }
    assert_eq!(nets().run(&grid(), &pool).unwrap().len(), 1);
}
