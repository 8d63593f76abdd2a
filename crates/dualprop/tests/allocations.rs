//! A training step that has been made before allocates nothing: counted by the allocator itself, over all threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use dualprop::base::Named;
use dualprop::compute::spectral::Power;
use dualprop::compute::{Loss, Pool};
use dualprop::inference::{Damping, Engine, Inference, Nudge, Plan, PlanOptions, Rule};
use dualprop::learning::{Optimizer, OptimizerKind};
use dualprop::network::{BiasInitializer, Initializer, initialize};
use dualprop::training::benchmark::{Algorithm, Case, TrainingStep};

/// The system's allocator, which counts what is asked of it.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's guarantee.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's guarantee.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's guarantee.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often memory is asked for by three more calls after some first ones, in which threads come to have what they keep.
fn counted(mut step: impl FnMut()) -> usize {
    (0..6).for_each(|_| step());
    let before = CALLS.load(Ordering::SeqCst);
    (0..3).for_each(|_| step());
    CALLS.load(Ordering::SeqCst) - before
}

/// One test, since everything that runs meanwhile is counted too.
#[test]
fn a_warm_step_allocates_nothing() {
    assert!(counted(|| drop(std::hint::black_box(vec![0u8; 100]))) >= 3, "allocations are counted");
    for threads in [1, 3] {
        let pool = Pool::new(threads).unwrap();
        for case in [Case::Mlp512, Case::MiniCnn, Case::Vgg16] {
            for &(name, algorithm) in Algorithm::ALL {
                // The small images of vgg16 have an algorithm of their own; 16 passes over it add none, and take long.
                if case == Case::Vgg16 && algorithm != Algorithm::Dp {
                    continue;
                }
                let mut step = TrainingStep::new(case, algorithm, 4, &pool).unwrap();
                let calls = counted(|| step.run().unwrap());
                assert_eq!(calls, 0, "{case:?}, {name}, {threads} threads");
            }
        }
        for power in [Power::Iterations(3), Power::Converged] {
            assert_eq!(damped_step(power, &pool), 0, "damped, {power:?}, {threads} threads");
        }
        for exact in [false, true] {
            let calls = proximal_step(&pool.clone().with_exact_convolutions(exact));
            assert_eq!(calls, 0, "proximal nudge, {threads} threads, exact {exact}");
        }
    }
}

/// Damped DP, whose coefficients are found anew for every batch, by power iterations and converged.
fn damped_step(power: Power, pool: &Pool) -> usize {
    let topology = Case::Mlp512.topology().unwrap();
    let rule = Rule::dp_damped(0.0, Damping::Spectral { power, asymmetry: true });
    let inference = Inference { passes: 3, ..Inference::new(rule, 0.1, Loss::CrossEntropy) };
    let plan = Plan::compile(&topology, &inference, PlanOptions::default()).unwrap();
    let mut engine = Engine::<f32>::new(plan, 4, pool).unwrap();
    let parameters = initialize(&topology, Initializer::HeNormal, BiasInitializer::Zero, 0);
    let x = vec![0.5; 4 * topology.input().neurons()];
    let y: Vec<f32> = (0..4 * 10).map(|i| f32::from(u8::from(i % 10 == 3))).collect();
    counted(|| engine.infer(&parameters, &x, &y).unwrap())
}

/// The proximal nudge, Adam, a batch of more rows of differences than are added one after the other, and the rest of a small
/// network of convolutions.
fn proximal_step(pool: &Pool) -> usize {
    let topology = Case::MiniCnn.topology().unwrap();
    let inference = Inference { nudge: Nudge::Proximal, ..Algorithm::Dp16AlphaHalf.inference() };
    let plan = Plan::compile(&topology, &inference, PlanOptions::default()).unwrap();
    let samples = 5;
    let mut engine = Engine::<f32>::new(plan, samples, pool).unwrap();
    let mut parameters = initialize(&topology, Initializer::HeNormal, BiasInitializer::Zero, 0);
    let mut adam = Optimizer::new(OptimizerKind::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, &topology);
    let x = vec![0.5; samples * topology.input().neurons()];
    let y: Vec<f32> = (0..samples * 10).map(|i| f32::from(u8::from(i % 10 == 3))).collect();
    counted(|| {
        engine.infer(&parameters, &x, &y).unwrap();
        adam.step(&mut parameters, engine.gradients(), 1e-3, None, pool);
    })
}
