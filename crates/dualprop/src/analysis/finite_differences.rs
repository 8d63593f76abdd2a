//! Gradients of a loss held against finite differences of it.

use crate::base::Result;
use crate::base::random::{Purpose, Random};
use crate::compute::Tensor;
use crate::network::{Parameters, Topology};

/// How the gradient of one layer, its kernel and bias, compares with finite differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FiniteDifferences {
    /// The largest |d − g| / max(|d|, |g|, ‖d‖/√n) of difference quotient d and gradient g, over the coordinates that were
    /// compared; ‖d‖/√n is the size of a typical quotient of the layer, below which rounding would be all that is seen.
    pub worst: f64,
    /// Coordinates that were compared.
    pub compared: usize,
    /// Coordinates left out, since the loss has a kink there.
    pub at_kinks: usize,
}

/// The step of a coordinate, relative to max(|w|, 1/8): truncation is of the order of its square, rounding of 2⁻⁵² over it.
const STEP: f64 = 1e-5;
/// The second, smaller step.
const PART: f64 = 0.125;
/// Two central differences of a smooth loss agree better than this, in units of the component; with a kink between the
/// steps they do not.
const SMOOTH: f64 = 1e-7;
/// The two one-sided differences of a smooth loss agree better than this; at a kink they do not.
const ONE_SIDED: f64 = 1e-2;

/// Compares `gradients`, in the order of the parameters, with central differences (ℓ(w+h) − ℓ(w−h))/2h of `loss` at up to
/// `coordinates` random places of each tensor, for each layer k = 1..L.
///
/// A piecewise linear activation has kinks. A coordinate is left out where the difference quotients at h and h/8, or the two
/// one-sided ones, disagree: a criterion that does not know the gradient, so that a wrong one cannot hide behind it.
///
/// # Errors
/// Whatever `loss` reports.
pub fn finite_differences(
    topology: &Topology,
    parameters: &Parameters<f64>,
    gradients: &[Tensor<f64>],
    coordinates: usize,
    seed: u64,
    mut loss: impl FnMut(&Parameters<f64>) -> Result<f64>,
) -> Result<Vec<FiniteDifferences>> {
    let mut moved = parameters.clone();
    let middle = loss(parameters)?;
    let mut layers = vec![];
    for k in 1..=topology.depth() {
        let mut quotients = vec![];
        for id in [topology.kernel(k), topology.bias(k)] {
            let gradient = gradients[id.0].data();
            for place in places(gradient.len(), coordinates, seed, id.0 as u32) {
                let w = parameters.get(id).data()[place];
                let h = STEP * w.abs().max(0.125);
                let mut at = |w: f64| {
                    moved.tensors_mut()[id.0].data_mut()[place] = w;
                    loss(&moved)
                };
                let (up, down) = (at(w + h)?, at(w - h)?);
                let (near_up, near_down) = (at(w + PART * h)?, at(w - PART * h)?);
                at(w)?;
                quotients.push(Quotients {
                    wide: (up - down) / (2.0 * h),
                    near: (near_up - near_down) / (2.0 * PART * h),
                    bend: (up - middle) / h - (middle - down) / h,
                    rounding: 4.0 * f64::EPSILON * middle.abs() / (PART * h),
                    gradient: gradient[place],
                });
            }
        }
        layers.push(compare(&quotients));
    }
    Ok(layers)
}

/// What is known of the slope at one coordinate.
struct Quotients {
    /// The central differences at h and at h/8.
    wide: f64,
    near: f64,
    /// The difference of the two one-sided ones.
    bend: f64,
    /// Rounding of the near differences, where the loss is large against its slope.
    rounding: f64,
    /// The gradient under test.
    gradient: f64,
}

fn compare(quotients: &[Quotients]) -> FiniteDifferences {
    let squares: f64 = quotients.iter().map(|q| q.wide * q.wide).sum();
    let typical = (squares / quotients.len() as f64).sqrt();
    let mut layer = FiniteDifferences { worst: 0.0, compared: 0, at_kinks: 0 };
    for &Quotients { wide, near, bend, rounding, gradient } in quotients {
        let scale = wide.abs().max(typical);
        if (wide - near).abs() > SMOOTH * scale + rounding || bend.abs() > ONE_SIDED * scale + rounding {
            layer.at_kinks += 1;
            continue;
        }
        layer.compared += 1;
        let error = (wide - gradient).abs();
        // A loss of constant slope zero agrees with a gradient of zero, whatever its quotients are rounded to.
        let error = if error <= rounding && typical <= rounding { 0.0 } else { error / scale.max(gradient.abs()) };
        // Not f64::max, which would pass over a gradient that is no number.
        layer.worst = if error <= layer.worst { layer.worst } else { error };
    }
    layer
}

/// Up to `most` different places of a tensor: all of a small one.
fn places(elements: usize, most: usize, seed: u64, tensor: u32) -> Vec<usize> {
    if elements <= most {
        return (0..elements).collect();
    }
    let mut random = Random::new(seed, Purpose::Synthetic, 1, tensor);
    let mut places: Vec<usize> = (0..most).map(|_| random.below(elements)).collect();
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::{Activation, Loss, Pool};
    use crate::inference::{Engine, Inference, Plan, PlanOptions, Predictor, Rule};
    use crate::network::{BiasInitializer, Initializer, Layer, PoolOrder, Shape, initialize};

    const N: usize = 6;

    fn check(activation: Activation, loss: Loss, spoil: impl Fn(&mut [Tensor<f64>])) -> Vec<FiniteDifferences> {
        of_network(&Topology::mlp(Shape::flat(5), &[7, 6, 3], activation).unwrap(), loss, spoil)
    }

    fn of_network(topology: &Topology, loss: Loss, spoil: impl Fn(&mut [Tensor<f64>])) -> Vec<FiniteDifferences> {
        let parameters = initialize(topology, Initializer::HeNormal, BiasInitializer::Normal, 4);
        let mut random = Random::new(1, Purpose::Synthetic, 0, 0);
        let x: Vec<f64> = (0..N * topology.input().neurons()).map(|_| random.normal()).collect();
        let y: Vec<f64> = (0..N * 3).map(|i| f64::from(u8::from(i % 3 == (i / 3) % 3))).collect();
        let pool = Pool::new(1).unwrap();
        let plan = Plan::compile(topology, &Inference::new(Rule::backprop(), 1.0, loss), PlanOptions::default()).unwrap();
        let mut engine = Engine::new(plan, N, &pool).unwrap();
        engine.infer(&parameters, &x, &y).unwrap();
        let mut gradients = engine.gradients().to_vec();
        spoil(&mut gradients);
        let mut predictor = Predictor::new(topology, N, &pool);
        let mean_loss = |parameters: &Parameters<f64>| {
            let z = predictor.predict(parameters, &x)?;
            Ok(z.chunks(3).zip(y.chunks(3)).map(|(z, y)| loss.value(z, y)).sum::<f64>() / N as f64)
        };
        finite_differences(topology, &parameters, &gradients, 40, 0, mean_loss).unwrap()
    }

    /// Odd sides, an image of one pixel, one channel, kernels of three sizes, pools on either side of the activation.
    #[test]
    fn backpropagation_through_convolutions_and_pools_agrees_with_them() {
        for (input, layers) in [
            ((7, 6, 2), vec!["conv 3 pool", "conv 4 5x5 pool", "dense 3"]),
            ((5, 5, 1), vec!["conv 2", "conv 3 pool", "dense 6", "dense 3"]),
            ((1, 1, 3), vec!["conv 4", "conv 1 1x1", "dense 3"]),
            ((2, 9, 1), vec!["conv 3 1x1 pool", "conv 2 7x7", "dense 3"]),
        ] {
            for order in [PoolOrder::BeforeActivation, PoolOrder::AfterActivation] {
                let layers = layers.iter().map(|text| Layer::parse("layer", text).unwrap()).collect();
                let input = Shape::image(input.0, input.1, input.2);
                let topology = Topology::new(input, layers, Activation::Tanh, order).unwrap();
                for (k, layer) in of_network(&topology, Loss::CrossEntropy, |_| {}).iter().enumerate() {
                    assert!(layer.worst < 1e-7 && layer.compared > 2 * layer.at_kinks, "{topology:?}: {k}: {layer:?}");
                }
            }
        }
    }

    #[test]
    fn backpropagation_agrees_with_them() {
        for activation in [Activation::Relu, Activation::Tanh, Activation::HardSigmoid, Activation::LeakyRelu] {
            for loss in [Loss::CrossEntropy, Loss::HalfSquaredError] {
                for layer in check(activation, loss, |_| {}) {
                    assert!(layer.worst < 1e-7, "{activation:?} {loss:?}: {layer:?}");
                    assert!(layer.compared >= 20 && layer.at_kinks <= 3, "{activation:?} {loss:?}: {layer:?}");
                }
            }
        }
    }

    #[test]
    fn a_wrong_gradient_cannot_hide_behind_kinks() {
        let worst = |spoil: &dyn Fn(&mut [Tensor<f64>])| check(Activation::Relu, Loss::CrossEntropy, spoil)[1].worst;
        // Of layer 2 the bias is small enough that each of its components is compared.
        assert!(worst(&|gradients| gradients[3].data_mut()[2] += 1e-4) > 1e-5);
        assert!(worst(&|gradients| gradients[3].data_mut().iter_mut().for_each(|g| *g *= 1.001)) > 5e-4);
        assert!(worst(&|gradients| gradients[2].data_mut().fill(0.0)) > 0.99);
        assert!(worst(&|gradients| gradients[2].data_mut().fill(1e9)) > 0.99);
        // Nor one behind the size of others, at places that were not looked at.
        let unseen = |gradients: &mut [Tensor<f64>]| {
            let seen = places(42, 40, 0, 2);
            let place = (0..42).find(|place| !seen.contains(place)).unwrap();
            gradients[2].data_mut()[place] = 1e9;
            gradients[2].data_mut()[seen[0]] += 1e-3;
        };
        assert!(worst(&unseen) > 1e-5);
        assert!(check(Activation::Relu, Loss::CrossEntropy, |gradients| gradients[3].data_mut()[2] += 1e-4)[0].worst < 1e-7);
    }
}
