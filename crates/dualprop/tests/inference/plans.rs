//! The optimised plan gives bitwise what the naive one gives, and leaves out what theory says it can.

use dualprop::compute::{Activation, Loss, Op};
use dualprop::inference::{Inference, Nudge, Plan, PlanOptions, Reason, Rule, Schedule};
use dualprop::network::{Shape, Topology};
use proptest::prelude::*;

use crate::setup::{Problem, inferences, outcome, problems, run_twice};

const NAIVE: PlanOptions = PlanOptions { optimise: false, gradients: true, every_pass: false };

fn cases() -> impl Strategy<Value = (Problem, Inference)> {
    problems().prop_flat_map(|problem| {
        let inference = inferences(problem.topology.depth(), 2.0);
        (Just(problem), inference)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_optimised_plan_gives_the_states_of_the_naive_one_to_the_bit((problem, inference) in cases()) {
        let mut naive = problem.engine::<f64>(&inference, NAIVE, 1);
        let mut optimised = problem.engine::<f64>(&inference, PlanOptions::default(), 1);
        run_twice(&problem, &mut naive).unwrap();
        run_twice(&problem, &mut optimised).unwrap();
        let expected = outcome(&naive);
        // 0·∞ is not 0: the proofs hold for finite numbers.
        prop_assume!(expected.iter().flatten().all(|x| x.is_finite()));
        // −0 = +0 under ==.
        prop_assert_eq!(outcome(&optimised), expected);
    }

    #[test]
    fn a_plan_for_every_pass_has_the_naive_states_after_each((problem, inference) in cases()) {
        let states = |options| {
            let mut engine = problem.engine::<f32>(&inference, options, 1);
            let (x, y) = problem.batch::<f32>(0);
            let mut seen = vec![];
            engine.infer_by_pass(&problem.parameters.cast(), &x, &y, |engine, pass| {
                // The gradients are not computed yet.
                seen.push((pass, outcome(engine)[..2 * problem.topology.depth() + 1].to_vec()));
                Ok(())
            }).unwrap();
            seen
        };
        let naive = states(NAIVE);
        prop_assume!(naive.iter().all(|(_, arrays)| arrays.iter().flatten().all(|x| x.is_finite())));
        prop_assert_eq!(states(PlanOptions { every_pass: true, ..PlanOptions::default() }), naive);
    }
}

fn plan(depth: usize, inference: &Inference) -> Plan {
    let widths = vec![4; depth];
    let topology = Topology::mlp(Shape::flat(4), &widths, Activation::Relu).unwrap();
    Plan::compile(&topology, inference, PlanOptions::default()).unwrap()
}

fn count(plan: &Plan, of: fn(&Op) -> bool) -> usize {
    plan.steps().iter().filter(|step| of(&step.op)).count()
}

fn affine(op: &Op) -> bool {
    matches!(op, Op::Affine { .. })
}
fn adjoint(op: &Op) -> bool {
    matches!(op, Op::Adjoint { .. })
}
fn zero_gradient(op: &Op) -> bool {
    matches!(op, Op::ZeroGradient { .. })
}

fn forward_passes(rule: Rule, passes: usize) -> Inference {
    Inference { schedule: Schedule::Forward, passes, ..Inference::new(rule, 0.1, Loss::CrossEntropy) }
}

/// The paper's setting: 16 passes over 16 layers cost one forward and one backward sweep where the mean ignores feedback.
#[test]
fn passes_collapse_to_one_sweep_where_the_mean_is_the_forward_state() {
    for rule in [Rule::dp_transpose(0.0), Rule::dp_transpose(1.0), Rule::backprop()] {
        for nudge in [Nudge::LinearisedFrozen, Nudge::LinearisedLive] {
            for passes in [5, 6, 16] {
                let plan = plan(5, &Inference { nudge, ..forward_passes(rule.clone(), passes) });
                assert_eq!((count(&plan, affine), count(&plan, adjoint)), (5, 4), "{rule:?} {nudge:?} {passes}");
                assert_eq!(count(&plan, zero_gradient), 0);
            }
        }
    }
}

#[test]
fn too_few_forward_passes_leave_the_lowest_differences_zero() {
    for passes in 1..=5 {
        let plan = plan(5, &forward_passes(Rule::dp_transpose(0.0), passes));
        assert_eq!(count(&plan, zero_gradient), 5 - passes);
        assert_eq!(count(&plan, adjoint), passes - 1);
    }
}

/// At α = ½ the news of pass p reaches layers ≥ L−p+1 only: nothing below needs to be computed again.
#[test]
fn symmetric_nudging_recomputes_only_what_the_error_has_reached() {
    let plan = plan(4, &forward_passes(Rule::dp_transpose(0.5), 4));
    // Layer k's mean changes from pass L−k+1 on, and the map above it would run again each time: maps 4; 3, 4; 2, 3, 4 in
    // passes 2, 3, 4. The output's pre-activation is read by nobody but the last pass: its frozen nudge ignores it.
    assert_eq!(count(&plan, affine), 4 + 1 + 3);
    // Layer 3 hears of the output once, since its difference stays; layer 2 of layer 3 in passes 3 and 4; layer 1 in pass 4.
    assert_eq!(count(&plan, adjoint), 1 + 2 + 1);
}

#[test]
fn a_damped_update_is_never_redundant_and_reasons_are_recorded() {
    use dualprop::inference::Damping;
    let damped = Rule::dp_damped(0.0, Damping::Given(vec![0.0; 3]));
    let settings = forward_passes(damped, 6);
    let plan = plan(4, &settings);
    assert_eq!(count(&plan, |op| matches!(op, Op::Dyad { .. })), 3 * 6);
    let undamped = self::plan(4, &forward_passes(Rule::dp_transpose(0.0), 6));
    for reason in [Reason::Unchanged, Reason::NothingFedBack, Reason::Unread] {
        assert!(undamped.removed().iter().any(|removed| removed.reason == reason), "{reason:?}");
    }
    let text = undamped.to_string();
    assert!(text.contains("proved redundant") && text.contains("its inputs have no new version"), "{text}");
    assert!(undamped.multiply_adds_saved(1) > 3 * undamped.multiply_adds(1), "{text}");
}
