//! A GPU computes what the CPU computes: any network, rule, nudge, schedule, start and feedback, by the kernels of the GPU themselves.

mod emulator;

use std::path::Path;

use dualprop::base::Real;
use dualprop::compute::cuda::{Cuda, Precision, Step};
use dualprop::compute::spectral::Power;
use dualprop::compute::update::{AdamConstants, Update, UpdateRule};
use dualprop::compute::{Activation, BufferId, Cpu, Loss, Op, ParameterId, Pool, Program, Tensor};
use dualprop::inference::{Damping, Disturbance, Inference, Nudge, Plan, PlanOptions, PoolRouting, Rule, Start};
use dualprop::training::case::Case;
use proptest::prelude::*;
use safetensors::SafeTensors;

use crate::against_reference::{has_equal_pixels, settings};
use crate::setup::{Problem, inferences, problems, relative_distance};
use emulator::Emulator;

/// Everything that is left after two batches: buffers and gradients.
type Left<T> = (Vec<Vec<T>>, Vec<Vec<T>>);

fn plan(problem: &Problem, inference: &Inference) -> Plan {
    Plan::compile(&problem.topology, inference, PlanOptions::default()).unwrap()
}

/// The buffers that the operations of a program write and both devices keep: an image that is only pooled has no biases on one of them.
fn written(program: &Program, kept: &Program) -> Vec<BufferId> {
    let next = program.ops.iter().skip(1).map(Some).chain([None]);
    let outputs = program.ops.iter().zip(next).flat_map(|(op, next)| match *op {
        Op::Affine { .. } if matches!(next, Some(Op::Pool { .. })) => vec![],
        Op::Affine { output, .. } | Op::Adjoint { output, .. } | Op::Pool { output, .. } | Op::Unpool { output, .. } => {
            vec![output]
        }
        Op::Activate { mean, .. } => vec![mean],
        Op::Dyad { mean, difference, .. }
        | Op::NudgeLinearised { mean, difference, .. }
        | Op::NudgeProximal { mean, difference, .. } => {
            vec![mean, difference]
        }
        Op::LossGradient { gradient, .. } => vec![gradient],
        Op::Plus { plus, .. } => vec![plus],
        Op::Copy { to, .. } => vec![to],
        _ => vec![],
    });
    let mut written: Vec<BufferId> = outputs.filter(|id| kept.buffers[id.0] > 0).collect();
    written.sort_unstable();
    written.dedup();
    written
}

/// What both leave, the CPU first.
fn both<T: Real>(problem: &Problem, inference: &Inference, precision: Precision) -> Option<[Left<T>; 2]> {
    let plan = plan(problem, inference);
    let program = plan.program();
    let parameters = problem.parameters.cast::<T>();
    let mut cpu = Cpu::<T>::new(program.clone(), problem.samples, Pool::new(1).unwrap());
    let mut gpu = Cuda::<T, _>::new(program.clone(), problem.samples, precision, 0, Emulator::new(precision)?).unwrap();
    gpu.set_parameters(parameters.tensors()).unwrap();
    let written = written(program, cpu.program());
    // States to start from come from a first batch, where the inference starts from some.
    for number in if inference.start == Start::Forward { 0..1 } else { 0..2 } {
        let (x, y) = problem.batch::<T>(number);
        for (id, numbers) in [(BufferId(0), &x), (BufferId(1), &y)] {
            cpu.buffer_mut(id).copy_from_slice(numbers);
            gpu.write(id, numbers).unwrap();
        }
        cpu.execute(0..program.ops.len(), parameters.tensors()).unwrap();
        gpu.execute(0..program.ops.len()).unwrap();
    }
    let data = |tensors: &[Tensor<T>]| tensors.iter().map(|tensor| tensor.data().to_vec()).collect::<Vec<_>>();
    let on_cpu = (written.iter().map(|&id| cpu.buffer(id).to_vec()).collect(), data(cpu.gradients()));
    let on_gpu = (written.iter().map(|&id| gpu.read(id).unwrap()).collect(), data(&gpu.gradients().unwrap()));
    Some([on_cpu, on_gpu])
}

/// The largest distance of a buffer or a gradient, relative to its size; sizes below a millionth of that of all together count as
/// that much, since what is left where numbers cancel has no digit in common.
fn distance<T: Real>([cpu, gpu]: &[Left<T>; 2]) -> f64 {
    let norm = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
    let arrays = || cpu.0.iter().chain(&cpu.1).zip(gpu.0.iter().chain(&gpu.1));
    let floor = 1e-6 * norm(&mut arrays().flat_map(|(cpu, _)| cpu).map(|x| x.to_f64()));
    arrays().fold(0.0, |largest: f64, (cpu, gpu)| {
        assert_eq!(cpu.len(), gpu.len());
        let size = norm(&mut cpu.iter().map(|x| x.to_f64())).max(floor);
        let distance = norm(&mut cpu.iter().zip(gpu).map(|(cpu, gpu)| cpu.to_f64() - gpu.to_f64())) / size;
        assert!(!distance.is_nan());
        largest.max(distance)
    })
}

/// What a GPU does not carry out.
fn is_refused(inference: &Inference) -> bool {
    matches!(inference.rule.damping, Some(Damping::Spectral { .. }))
}

/// Whether rounding decides what comes out: which of two equal pixels wins in a pool, or by how much states run away.
fn is_left_to_rounding(problem: &Problem, inference: &Inference, left: &Left<f64>) -> bool {
    let pooled = !problem.topology.is_dense() && has_equal_pixels(problem, &settings(problem, inference));
    pooled || !left.0.iter().flatten().all(|x| x.abs() < 1e3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_gpu_computes_what_the_cpu_computes_in_f64(
        (problem, inference) in problems().prop_flat_map(|problem| {
            let depth = problem.topology.depth();
            (Just(problem), inferences(depth, 0.4))
        })
    ) {
        prop_assume!(!is_refused(&inference));
        // From other starts all pixels of an image are equal.
        let start = if problem.topology.is_dense() { inference.start } else { Start::Forward };
        let inference = Inference { start, ..inference };
        let Some(both) = both::<f64>(&problem, &inference, Precision::F64) else { return Ok(()) };
        prop_assume!(!is_left_to_rounding(&problem, &inference, &both[0]));
        let distance = distance(&both);
        prop_assert!(distance < 1e-9, "{inference:?}: {distance:e}");
    }
}

/// A network of every kind with each rule's own way through the kernels: pools before and after the activation, more samples than a
/// part of a bias gradient has rows, and cross-entropy by Newton's iteration.
fn cases(activation: Activation, samples: usize) -> Vec<(Problem, Inference)> {
    let inferences = [
        Inference::new(Rule::dp_transpose(0.0), 0.1, Loss::CrossEntropy),
        Inference { nudge: Nudge::Proximal, passes: 2, ..Inference::new(Rule::dp_transpose(0.5), 0.3, Loss::CrossEntropy) },
        Inference::new(Rule::dp_damped(1.0, Damping::Given(vec![0.4, 0.2])), 0.1, Loss::SquaredError),
        Inference::new(Rule::backprop(), 0.1, Loss::HalfSquaredError),
    ];
    let problems = Problem::of_every_kind(activation, samples, 3);
    problems.into_iter().flat_map(|problem| inferences.clone().map(|inference| (problem.clone(), inference))).collect()
}

#[test]
fn a_gpu_computes_what_the_cpu_computes_in_f32() {
    for (problem, inference) in cases(Activation::Sigmoid, 5).into_iter().chain(cases(Activation::Relu, 300)) {
        let Some(both) = both::<f32>(&problem, &inference, Precision::F32) else { return };
        let distance = distance(&both);
        assert!(distance < 1e-4, "{inference:?}: {distance:e}");
    }
}

/// Each number of a state has 8 bits, and each layer rounds it a few times; in a pool of sigmoids one of twenty windows has another
/// winner then, whose place all that is fed back through it changes.
#[test]
fn states_in_bfloat16_are_those_of_f32_to_two_digits_or_so() {
    for (problem, inference) in cases(Activation::Sigmoid, 40) {
        let Some(both) = both::<f32>(&problem, &inference, Precision::Bf16) else { return };
        let (distance, bound) = (distance(&both), if problem.topology.is_dense() { 0.03 } else { 0.5 });
        assert!(1e-4 < distance && distance < bound, "{inference:?}: {distance:e}");
    }
}

/// Of the same gradients: updates are made number by number, and rounded alike.
#[test]
fn updates_are_those_of_the_cpu_to_the_bit() {
    let constants = AdamConstants { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    let rule = |moments: usize, step: u64| match moments {
        1 => UpdateRule::Sgd { learning_rate: 0.01, momentum: 0.9, weight_decay: 5e-4 },
        _ => UpdateRule::Adam { learning_rate: 0.01, step, constants },
    };
    let pool = Pool::new(1).unwrap();
    for moments in [1, 2] {
        for problem in Problem::of_every_kind(Activation::Relu, 4, 3) {
            let plan = plan(&problem, &Inference::new(Rule::dp_transpose(0.5), 0.1, Loss::CrossEntropy));
            let Some(emulator) = Emulator::new(Precision::F32) else { return };
            let mut gpu =
                Cuda::<f32, _>::new(plan.program().clone(), problem.samples, Precision::F32, moments, emulator).unwrap();
            let mut parameters = problem.parameters.cast::<f32>();
            gpu.set_parameters(parameters.tensors()).unwrap();
            let zeros: Vec<Tensor<f32>> = parameters.tensors().iter().map(|tensor| Tensor::zeros(tensor.shape())).collect();
            let [mut first, mut second] = [zeros.clone(), if moments == 2 { zeros } else { vec![] }];
            for step in 1..=3 {
                let (x, y) = problem.batch::<f32>(step as u32);
                gpu.write(BufferId(0), &x).unwrap();
                gpu.write(BufferId(1), &y).unwrap();
                gpu.execute(0..plan.program().ops.len()).unwrap();
                let gradients = gpu.gradients().unwrap();
                let mut update = Update::new(rule(moments, step), parameters.tensors_mut(), [&mut first, &mut second]);
                let learning = (0..).map(ParameterId).zip(&gradients).filter(|(_, gradient)| !gradient.data().is_empty());
                learning.for_each(|(id, gradient)| update.apply(&pool, id, gradient.data()));
                gpu.update(Step::new(rule(moments, step))).unwrap();
                assert!(gpu.parameters().unwrap() == parameters.tensors(), "update {step} with {moments} moments");
                assert_eq!(gpu.broken().unwrap(), None);
            }
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_named() {
    let problem = Problem::new(&[9, 12, 11, 6], Activation::Relu, 5, 3);
    let plan = plan(&problem, &Inference::new(Rule::dp_transpose(0.0), 0.1, Loss::CrossEntropy));
    let Some(emulator) = Emulator::new(Precision::F32) else { return };
    let mut gpu = Cuda::<f32, _>::new(plan.program().clone(), 5, Precision::F32, 1, emulator).unwrap();
    let (mut parameters, (x, y)) = (problem.parameters.cast::<f32>(), problem.batch::<f32>(0));
    // Of the last layer: what it feeds back reaches all others, but by a layer whose ReLU may be closed.
    parameters.tensors_mut()[4].data_mut()[0] = f32::INFINITY;
    gpu.set_parameters(parameters.tensors()).unwrap();
    gpu.write(BufferId(0), &x).unwrap();
    gpu.write(BufferId(1), &y).unwrap();
    gpu.execute(0..plan.program().ops.len()).unwrap();
    let not_finite = gpu.gradients().unwrap().iter().position(|gradient| !gradient.is_finite());
    gpu.update(Step::new(UpdateRule::Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0 })).unwrap();
    assert!(not_finite.is_some() && gpu.broken().unwrap().map(|id| id.0) == not_finite, "{not_finite:?}");
}

#[test]
fn what_a_gpu_does_not_carry_out_is_refused() {
    let problem = Problem::new(&[9, 12, 11, 6], Activation::Relu, 5, 3);
    let dp = Inference::new(Rule::dp_transpose(0.0), 0.1, Loss::CrossEntropy);
    let damping = Damping::Spectral { power: Power::Iterations(3), asymmetry: false };
    let noise = Disturbance { state_noise: 0.1, ..Disturbance::default() };
    for (inference, problem_of) in [
        (Inference { rule: Rule::dp_damped(0.0, damping), ..dp.clone() }, "learning.power_iterations"),
        (Inference { disturbance: noise, ..dp.clone() }, "disturbance"),
    ] {
        let Some(emulator) = Emulator::new(Precision::F32) else { return };
        let program = plan(&problem, &inference).program().clone();
        let error = Cuda::<f32, _>::new(program, 5, Precision::F32, 0, emulator).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("device = cuda") && error.contains(problem_of), "{error}");
    }
    let Some(emulator) = Emulator::new(Precision::F64) else { return };
    let error = Cuda::<f32, _>::new(plan(&problem, &dp).program().clone(), 5, Precision::F64, 0, emulator).err();
    assert!(error.is_some_and(|error| error.to_string().contains("precision = f64: the numbers are f32")));
}

/// What the paper's authors' program has printed for a case, of gradients alone.
fn golden(path: &Path) -> Vec<Vec<f64>> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let of = |name: &str| {
        file.tensor(name).ok().map(|view| view.data().as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect())
    };
    (0..).map_while(|i| Some([of(&format!("grad_kernel.{i}"))?, of(&format!("grad_bias.{i}"))?])).flatten().collect()
}

fn gradients_of_case<T: Real>(case: &Case, precision: Precision) -> Option<Vec<Vec<f64>>> {
    let inference = Inference { pool_routing: PoolRouting::Plus, ..case.inference().clone() };
    let plan = Plan::compile(case.topology(), &inference, PlanOptions::default()).unwrap();
    let mut gpu = Cuda::<T, _>::new(plan.program().clone(), case.samples(), precision, 0, Emulator::new(precision)?).unwrap();
    let (x, y) = case.batch::<T>(0);
    gpu.set_parameters(case.parameters().cast().tensors()).unwrap();
    gpu.write(BufferId(0), &x).unwrap();
    gpu.write(BufferId(1), &y).unwrap();
    gpu.execute(0..plan.program().ops.len()).unwrap();
    Some(gpu.gradients().unwrap().iter().map(|gradient| gradient.cast::<f64>().data().to_vec()).collect())
}

#[test]
fn golden_cases_give_the_gradients_of_the_authors_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors")).collect();
    assert_eq!(paths.len(), 15);
    for path in paths {
        let (case, expected) = (Case::read(&path).unwrap(), golden(&path));
        let Some(wide) = gradients_of_case::<f64>(&case, Precision::F64) else { return };
        let distance = relative_distance(&wide, &expected);
        assert!(distance < 1e-10, "{}: {distance:e}", path.display());
        let single = gradients_of_case::<f32>(&case, Precision::F32).unwrap();
        let distance = relative_distance(&single, &expected);
        assert!(distance < 1e-4, "{}: {distance:e}", path.display());
    }
}
