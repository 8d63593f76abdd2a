//! A network as the linear map that it is around a batch: products with its Jacobian and with the transpose of it.

use std::ops::Range;

use crate::base::{Error, Real, Result};
use crate::compute::dyad::DyadWeights;
use crate::compute::{BufferId, Cpu, Op, Pool};
use crate::network::{Parameters, Topology};

use super::engine::{program, samples_of};
use super::plan::{Layout, Maps};

/// f′(a) alone: the limit of small feedback, in which a dyad's difference is f′(a)·fb.
const DERIVATIVE: DyadWeights = DyadWeights { alpha: 0.0, w_plus: 1.0, w_minus: 0.0, limit: true };

/// The Jacobians of a network's outputs z with respect to its input, one for each sample x of a batch, none of which is formed:
///
/// ```text
/// J   = W_L D_{L−1} W_{L−1} … D_1 W_1       from the input to the outputs
/// D_k = diag f′(a_k)                        at the states of a forward pass of x
/// ```
///
/// J v is one sweep up and Jᵀ u one sweep down, by the maps that inference itself uses; a max pool is held at its routing at x,
/// and f′ is the derivative that backpropagation would use where f has a kink.
///
/// ```
/// use dualprop::compute::{Activation, Pool};
/// use dualprop::inference::Linearisation;
/// use dualprop::network::{BiasInitializer, Initializer, Shape, Topology, initialize};
///
/// let topology = Topology::mlp(Shape::flat(3), &[4, 2], Activation::Tanh)?;
/// let parameters = initialize::<f64>(&topology, Initializer::HeNormal, BiasInitializer::Zero, 0);
/// let mut network = Linearisation::new(&topology, 1, &Pool::new(1)?);
/// network.settle(&parameters, &[0.5, -1.0, 2.0])?;
/// let first_column = network.forward(&[1.0, 0.0, 0.0])?.to_vec();
/// let first_row = network.adjoint(&[1.0, 0.0])?;
/// assert!((first_column[0] - first_row[0]).abs() < 1e-15);
/// # Ok::<(), dualprop::Error>(())
/// ```
pub struct Linearisation<T> {
    topology: Topology,
    layout: Layout,
    device: Cpu<T>,
    /// The kernels, with biases of zero.
    linear: Parameters<T>,
    settle: Range<usize>,
    forward: Range<usize>,
    adjoint: Range<usize>,
}

impl<T: Real> Linearisation<T> {
    /// Reserves memory for batches of up to `capacity` samples, and for the parameters once more.
    pub fn new(topology: &Topology, capacity: usize, pool: &Pool) -> Self {
        let layout = Layout::new(topology);
        let mut ops = vec![];
        let mut end_of = |part: Vec<Op>| {
            ops.extend(part);
            ops.len()
        };
        let settled = end_of(Maps { topology, layout: &layout }.forward_pass());
        let up = end_of(forward(topology, &layout));
        let down = end_of(adjoint(topology, &layout));
        let program = program(topology, &layout, ops).without_unused(&[]);
        Linearisation {
            topology: topology.clone(),
            layout,
            device: Cpu::new(program, capacity, pool.clone()),
            linear: Parameters::zeros(topology),
            settle: 0..settled,
            forward: settled..up,
            adjoint: up..down,
        }
    }

    /// Bytes that [`Linearisation::new`] reserves.
    pub fn memory(topology: &Topology, capacity: usize) -> u64 {
        let layout = Layout::new(topology);
        let all = [Maps { topology, layout: &layout }.forward_pass(), forward(topology, &layout), adjoint(topology, &layout)];
        program(topology, &layout, all.concat()).without_unused(&[]).memory(capacity, size_of::<T>())
    }

    /// The network.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The largest batch.
    pub fn capacity(&self) -> usize {
        self.device.capacity()
    }

    /// Holds the network at the states that a forward pass gives x [n, H, W, C].
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Setting`] for inputs or parameters that do not fit.
    pub fn settle(&mut self, parameters: &Parameters<T>, x: &[T]) -> Result<()> {
        self.device.set_samples(samples_of(&self.topology, x)?)?;
        self.device.buffer_mut(self.layout.input()).copy_from_slice(x);
        self.device.execute(self.settle.clone(), parameters.tensors())?;
        for k in 1..=self.topology.depth() {
            let kernel = self.topology.kernel(k);
            self.linear.tensors_mut()[kernel.0].data_mut().copy_from_slice(parameters.get(kernel).data());
        }
        Ok(())
    }

    /// The outputs z [n, outputs] of that forward pass.
    pub fn outputs(&self) -> &[T] {
        self.device.buffer(self.layout.pre_activation(self.topology.depth()))
    }

    /// J v [n, outputs] of v [n, H, W, C], every sample by its own Jacobian.
    ///
    /// # Errors
    /// [`Error::Shape`] if v is not as large as the batch.
    pub fn forward(&mut self, v: &[T]) -> Result<&[T]> {
        let (input, output) = (self.layout.feedback(0), self.layout.plus(self.topology.depth()));
        self.apply(("a direction of the input", v), input, self.forward.clone(), output)
    }

    /// Jᵀ u [n, H, W, C] of u [n, outputs], every sample by its own Jacobian.
    ///
    /// # Errors
    /// [`Error::Shape`] if u is not as large as the batch.
    pub fn adjoint(&mut self, u: &[T]) -> Result<&[T]> {
        let (input, output) = (self.layout.difference(self.topology.depth()), self.layout.feedback(0));
        self.apply(("a direction of the outputs", u), input, self.adjoint.clone(), output)
    }

    fn apply(&mut self, (what, values): (&str, &[T]), from: BufferId, ops: Range<usize>, to: BufferId) -> Result<&[T]> {
        let input = self.device.buffer_mut(from);
        if values.len() != input.len() {
            return Err(Error::shape(what, &[values.len()], &[input.len()]));
        }
        input.copy_from_slice(values);
        self.device.execute(ops, self.linear.tensors())?;
        Ok(self.device.buffer(to))
    }
}

/// A direction from `feedback(0)` to `plus(L)`.
fn forward(topology: &Topology, layout: &Layout) -> Vec<Op> {
    let mut ops = vec![];
    for k in 1..=topology.depth() {
        let input = if k == 1 { layout.feedback(0) } else { layout.difference(k - 1) };
        ops.extend(Maps { topology, layout }.linear_up(k, input, layout.plus(k)));
        if k < topology.depth() {
            ops.push(derivative(topology, layout, k, layout.plus(k)));
        }
    }
    ops
}

/// A direction from `difference(L)` to `feedback(0)`.
fn adjoint(topology: &Topology, layout: &Layout) -> Vec<Op> {
    let mut ops = vec![];
    for k in (1..=topology.depth()).rev() {
        ops.extend(Maps { topology, layout }.down(k, layout.routing(k)));
        if k > 1 {
            ops.push(derivative(topology, layout, k - 1, layout.feedback(k - 1)));
        }
    }
    ops
}

/// `difference(k)` = f′(a_k) · input.
fn derivative(topology: &Topology, layout: &Layout, k: usize, input: BufferId) -> Op {
    Op::Dyad {
        activation: topology.activation(),
        weights: DERIVATIVE,
        neurons: None,
        damping: None,
        pre_activation: layout.pre_activation(k),
        feedback: input,
        mean: layout.mean(k),
        difference: layout.difference(k),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::Activation;
    use crate::inference::Predictor;
    use crate::network::{BiasInitializer, Initializer, Layer, PoolOrder, Shape, initialize};

    const SAMPLES: usize = 2;

    fn networks() -> Vec<Topology> {
        let layers = |texts: &[&str]| texts.iter().map(|text| Layer::parse("layer", text).unwrap()).collect::<Vec<_>>();
        let dense = layers(&["dense 6", "dense 5", "dense 3"]);
        let pooled = layers(&["conv 3 pool", "conv 4 pool", "dense 5", "dense 3"]);
        let mut networks = vec![];
        for activation in [Activation::Tanh, Activation::Relu] {
            networks.push(Topology::new(Shape::flat(4), dense.clone(), activation, PoolOrder::default()).unwrap());
            for order in [PoolOrder::BeforeActivation, PoolOrder::AfterActivation] {
                networks.push(Topology::new(Shape::image(7, 6, 2), pooled.clone(), activation, order).unwrap());
            }
        }
        networks
    }

    fn random(n: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed, Purpose::Synthetic, 0, 0);
        (0..n).map(|_| random.normal()).collect()
    }

    fn settled(topology: &Topology, x: &[f64]) -> (Parameters<f64>, Linearisation<f64>) {
        let parameters = initialize(topology, Initializer::HeNormal, BiasInitializer::Normal, 1);
        let mut network = Linearisation::new(topology, SAMPLES + 1, &Pool::new(2).unwrap());
        network.settle(&parameters, x).unwrap();
        (parameters, network)
    }

    #[test]
    fn forward_is_the_derivative_of_the_outputs_along_a_direction() {
        for topology in networks() {
            let n = SAMPLES * topology.input().neurons();
            let (x, v) = (random(n, 2), random(n, 3));
            let (parameters, mut network) = settled(&topology, &x);
            let mut predictor = Predictor::new(&topology, SAMPLES, &Pool::new(1).unwrap());
            let mut moved = |h: f64| {
                let x: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x + h * v).collect();
                predictor.predict(&parameters, &x).unwrap().to_vec()
            };
            let h = 1e-6;
            let (above, below) = (moved(h), moved(-h));
            for ((found, above), below) in network.forward(&v).unwrap().iter().zip(above).zip(below) {
                let expected = (above - below) / (2.0 * h);
                assert!((found - expected).abs() < 1e-8, "{topology:?}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn adjoint_is_the_transpose_of_forward() {
        for topology in networks() {
            let (inputs, outputs) = (topology.input().neurons(), topology.outputs());
            let (_, mut network) = settled(&topology, &random(SAMPLES * inputs, 4));
            let (v, u) = (random(SAMPLES * inputs, 5), random(SAMPLES * outputs, 6));
            let forth = network.forward(&v).unwrap().to_vec();
            let back = network.adjoint(&u).unwrap().to_vec();
            for sample in 0..SAMPLES {
                let dot = |a: &[f64], b: &[f64], n: usize| {
                    let row = sample * n..(sample + 1) * n;
                    a[row.clone()].iter().zip(&b[row]).map(|(a, b)| a * b).sum::<f64>()
                };
                let (forth, back) = (dot(&forth, &u, outputs), dot(&v, &back, inputs));
                assert!((forth - back).abs() < 1e-12 * forth.abs().max(1.0), "{topology:?}: {forth} {back}");
            }
        }
    }

    #[test]
    fn vectors_of_another_batch_are_refused() {
        let topology = &networks()[0];
        let (_, mut network) = settled(topology, &random(SAMPLES * 4, 7));
        let message = |result: Result<&[f64]>| result.unwrap_err().to_string();
        assert!(message(network.forward(&[0.0; 4])).starts_with("a direction of the input"));
        assert!(message(network.adjoint(&[0.0; 3])).starts_with("a direction of the outputs"));
    }
}
