//! Attacks within their budgets, and what they reach where that is known.

use super::*;
use crate::base::random::{Purpose, Random};
use crate::compute::{Activation, Loss, Pool};
use crate::inference::Predictor;
use crate::network::{BiasInitializer, Initializer, Parameters, Shape, Topology, initialize};

const INPUTS: usize = 5;
const SAMPLES: usize = 4;
const OUTPUTS: usize = 3;

struct Net {
    topology: Topology,
    parameters: Parameters<f64>,
    x: Vec<f64>,
    y: Vec<f64>,
    range: InputRange<f64>,
    pool: Pool,
}

/// Inputs (pixel − mean)/scale with a scale of its own for each place, the last of which is no pixel.
fn net(layers: &[usize]) -> Net {
    let topology = Topology::mlp(Shape::flat(INPUTS), layers, Activation::Tanh).unwrap();
    let range = InputRange { lower: vec![-1.0, 0.0, -2.0, -0.5, 0.0], extent: vec![2.0, 1.0, 4.0, 1.0, 0.0] };
    let mut random = Random::new(4, Purpose::Synthetic, 0, 0);
    let place = |i: usize| (range.lower[i % INPUTS], range.extent[i % INPUTS]);
    let x = (0..SAMPLES * INPUTS).map(|i| place(i).0 + random.uniform() * place(i).1).collect();
    let y = (0..SAMPLES * OUTPUTS).map(|i| f64::from(u8::from(i % OUTPUTS == i / OUTPUTS % OUTPUTS))).collect();
    let parameters = initialize(&topology, Initializer::LecunNormal, BiasInitializer::Normal, 2);
    Net { topology, parameters, x, y, range, pool: Pool::new(1).unwrap() }
}

impl Net {
    fn attacked(&self, loss: Loss, attack: Attack) -> Vec<f64> {
        let mut x = self.x.clone();
        let mut attacker = Attacker::new(&self.topology, loss, self.range.clone(), SAMPLES, &self.pool).unwrap();
        attacker.perturb(&self.parameters, (&mut x, &self.y), attack, (7, 0, &[0, 1, 2, 3])).unwrap();
        x
    }

    fn losses(&self, loss: Loss, x: &[f64]) -> Vec<f64> {
        let mut predictor = Predictor::new(&self.topology, SAMPLES, &self.pool);
        let z = predictor.predict(&self.parameters, x).unwrap();
        z.chunks(OUTPUTS).zip(self.y.chunks(OUTPUTS)).map(|(z, y)| loss.value(z, y)).collect()
    }

    /// The perturbation of every sample, in units of a pixel's range.
    fn moved(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let unit = |i: usize| if self.range.extent[i % INPUTS] == 0.0 { 1.0 } else { self.range.extent[i % INPUTS] };
        let moved: Vec<f64> = x.iter().zip(&self.x).enumerate().map(|(i, (x, origin))| (x - origin) / unit(i)).collect();
        moved.chunks(INPUTS).map(<[f64]>::to_vec).collect()
    }
}

fn attack(kind: AttackKind, norm: Norm, epsilon: f64) -> Attack {
    Attack { kind, norm, epsilon, steps: 40 }
}

#[test]
fn perturbed_samples_are_possible_and_within_the_budget() {
    let net = net(&[6, OUTPUTS]);
    for kind in [AttackKind::Fgsm, AttackKind::Pgd, AttackKind::Noise] {
        for norm in [Norm::Linf, Norm::L2] {
            for epsilon in [0.0, 1e-3, 0.1, 0.7, 5.0] {
                let x = net.attacked(Loss::CrossEntropy, attack(kind, norm, epsilon));
                for (i, &x) in x.iter().enumerate() {
                    let (lower, extent) = (net.range.lower[i % INPUTS], net.range.extent[i % INPUTS]);
                    assert!(x >= lower && x <= lower + extent, "{kind:?} {norm:?} {epsilon}");
                }
                for moved in net.moved(&x) {
                    let size = match norm {
                        Norm::Linf => moved.iter().fold(0.0, |most: f64, d| most.max(d.abs())),
                        Norm::L2 => moved.iter().map(|d| d * d).sum::<f64>().sqrt(),
                    };
                    assert!(size <= epsilon * (1.0 + 1e-12) + 1e-15, "{kind:?} {norm:?} {epsilon}: {size}");
                    assert!(epsilon == 0.0 || size > 0.0);
                    assert_eq!(moved[INPUTS - 1], 0.0, "what is no pixel has moved");
                }
            }
        }
    }
}

/// Of a linear network with a cross-entropy of two classes the loss rises with one direction w of the input, and the most that an ℓ∞
/// budget can do is ε Σ|wᵢ|, by an ℓ₂ budget ε‖w‖: FGSM and PGD both reach it.
#[test]
fn on_a_linear_classifier_fgsm_and_pgd_reach_the_optimum() {
    let topology = Topology::mlp(Shape::flat(3), &[2], Activation::Relu).unwrap();
    let mut parameters = Parameters::zeros(&topology);
    parameters.tensors_mut()[0].data_mut().copy_from_slice(&[0.5, -0.5, -1.0, 1.0, 0.25, -0.25]);
    let range = InputRange { lower: vec![-9.0; 3], extent: vec![18.0; 3] };
    let (pool, origin, y) = (Pool::new(1).unwrap(), [0.1, -0.3, 0.2], [1.0, 0.0]);
    let w: [f64; 3] = [1.0, -2.0, 0.5];
    let logit = |x: &[f64]| -> f64 { x.iter().zip(w).map(|(x, w)| x * w).sum() };
    for kind in [AttackKind::Fgsm, AttackKind::Pgd] {
        for (norm, dual) in [(Norm::Linf, 3.5), (Norm::L2, (1.0f64 + 4.0 + 0.25).sqrt())] {
            let mut x = origin.to_vec();
            let mut attacker = Attacker::new(&topology, Loss::CrossEntropy, range.clone(), 1, &pool).unwrap();
            // A pixel's range is 18 inputs.
            attacker.perturb(&parameters, (&mut x, &y), attack(kind, norm, 0.1 / 18.0), (0, 0, &[0])).unwrap();
            let fallen = logit(&origin) - logit(&x);
            // On the sphere PGD turns towards the best direction without ever having it; the corner of a cube it reaches.
            let tolerance = if (kind, norm) == (AttackKind::Pgd, Norm::L2) { 1e-2 * dual } else { 1e-6 };
            assert!((fallen - 0.1 * dual).abs() < 0.1 * tolerance.max(1e-5), "{kind:?} {norm:?}: {fallen} of {}", 0.1 * dual);
        }
    }
}

#[test]
fn attacks_raise_the_loss_and_many_steps_more_than_one() {
    let net = net(&[8, 6, OUTPUTS]);
    for loss in [Loss::CrossEntropy, Loss::HalfSquaredError] {
        for (norm, epsilon) in [(Norm::Linf, 0.1), (Norm::L2, 0.2)] {
            let mean = |x: &[f64]| net.losses(loss, x).iter().sum::<f64>();
            let [noise, fgsm, pgd] = [AttackKind::Noise, AttackKind::Fgsm, AttackKind::Pgd]
                .map(|kind| mean(&net.attacked(loss, attack(kind, norm, epsilon))));
            assert!(mean(&net.x) < fgsm && noise < fgsm && fgsm <= pgd + 1e-6, "{loss:?} {norm:?}: {noise} {fgsm} {pgd}");
        }
    }
}

#[test]
fn the_gradient_is_added_as_it_is() {
    let net = net(&[6, OUTPUTS]);
    let x = net.attacked(Loss::CrossEntropy, attack(AttackKind::Gradient, Norm::Linf, 0.5));
    for i in 0..x.len() {
        let loss_at = |h: f64| {
            let mut x = net.x.clone();
            x[i] += h;
            net.losses(Loss::CrossEntropy, &x).iter().sum::<f64>()
        };
        let slope = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6;
        assert!((x[i] - net.x[i] - 0.5 * slope).abs() < 1e-8, "{i}");
    }
}

#[test]
fn a_sample_is_perturbed_alike_in_any_batch() {
    let net = net(&[6, OUTPUTS]);
    let attack = attack(AttackKind::Pgd, Norm::L2, 0.3);
    let together = net.attacked(Loss::CrossEntropy, attack);
    let mut attacker = Attacker::new(&net.topology, Loss::CrossEntropy, net.range.clone(), 1, &net.pool).unwrap();
    for sample in 0..SAMPLES {
        let mut x = net.x[sample * INPUTS..][..INPUTS].to_vec();
        let y = &net.y[sample * OUTPUTS..][..OUTPUTS];
        attacker.perturb(&net.parameters, (&mut x, y), attack, (7, 0, &[sample as u32])).unwrap();
        let expected = &together[sample * INPUTS..][..INPUTS];
        assert!(x.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{sample}");
    }
}

/// An input that no pixel of its place could be, as a crop may leave one, stays possible.
#[test]
fn a_budget_of_nothing_moves_nothing_wherever_an_input_stands() {
    let mut net = net(&[6, OUTPUTS]);
    net.x.iter_mut().step_by(3).for_each(|x| *x += 7.0);
    for kind in [AttackKind::Fgsm, AttackKind::Pgd, AttackKind::Noise] {
        for norm in [Norm::Linf, Norm::L2] {
            assert_eq!(net.attacked(Loss::CrossEntropy, attack(kind, norm, 0.0)), net.x, "{kind:?} {norm:?}");
        }
    }
}

#[test]
fn impossible_attacks_are_refused_by_name() {
    for (epsilon, steps, field) in [(-0.1, 1, "epsilon"), (f64::NAN, 1, "epsilon"), (0.1, 0, "steps"), (0.1, 10_001, "steps")] {
        let attack = Attack { kind: AttackKind::Pgd, norm: Norm::Linf, epsilon, steps };
        assert!(attack.check().unwrap_err().to_string().starts_with(field));
    }
}
