//! The gradient with respect to the input, which no weight needs but input-adversarial training does.

use crate::base::{Real, Result};
use crate::compute::{Cpu, Pool};
use crate::network::{Parameters, Topology};

use super::Engine;
use super::engine::program;
use super::plan::{Layout, Maps};

/// ∂ℓ/∂x of every sample, from the states that an engine has settled.
pub struct InputGradient<T> {
    layout: Layout,
    device: Cpu<T>,
    gradient: Vec<T>,
}

impl<T: Real> InputGradient<T> {
    /// Reserves memory for batches of up to `capacity` samples.
    pub fn new(topology: &Topology, capacity: usize, pool: &Pool) -> Self {
        let layout = Layout::new(topology);
        let maps = Maps { topology, layout: &layout };
        let routed = if maps.pooled(1) { maps.route(1) } else { vec![] };
        let ops = [routed, maps.down(1, layout.routing(1))].concat();
        let program = program(topology, &layout, ops).without_unused(&[layout.input()]);
        InputGradient { layout, device: Cpu::new(program, capacity, pool.clone()), gradient: vec![] }
    }

    /// ∂ℓ/∂x = −1/(β Π g) W_0ᵀ Δ_1 (a pool held at the routing of x), [n, H, W, C], per sample and not a batch mean, of the engine's last batch. By
    /// backpropagation that is the gradient of the loss; by a dual propagation it becomes so as β → 0.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a batch beyond the capacity; [`crate::Error::Shape`] for parameters of another network.
    pub fn of(&mut self, engine: &Engine<T>, parameters: &Parameters<T>) -> Result<&[T]> {
        self.device.set_samples(engine.samples())?;
        self.device.buffer_mut(self.layout.input()).copy_from_slice(engine.mean(0));
        self.device.buffer_mut(self.layout.difference(1)).copy_from_slice(engine.difference(1));
        self.device.execute(0..self.device.program().ops.len(), parameters.tensors())?;
        let inference = engine.inference();
        let gain = if inference.divide_gain { inference.rule.gain_product(1, engine.topology().depth()) } else { 1.0 };
        let scale = T::from_f64(-1.0 / (inference.beta * gain));
        self.gradient.clear();
        self.gradient.extend(self.device.buffer(self.layout.feedback(0)).iter().map(|&feedback| scale * feedback));
        Ok(&self.gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};
    use crate::compute::{Activation, Loss};
    use crate::inference::{Inference, Plan, PlanOptions, Rule};
    use crate::network::{BiasInitializer, Initializer, Layer, PoolOrder, Shape, initialize};

    const OUTPUTS: usize = 3;

    struct Net {
        parameters: Parameters<f64>,
        topology: Topology,
        x: Vec<f64>,
        y: Vec<f64>,
    }

    fn net() -> Net {
        net_of(Topology::mlp(Shape::flat(4), &[6, OUTPUTS], Activation::Tanh).unwrap())
    }

    fn convolutional() -> Net {
        let layers = ["conv 3 pool", "dense 3"].map(|text| Layer::parse("layer", text).unwrap()).to_vec();
        net_of(Topology::new(Shape::image(5, 4, 2), layers, Activation::Tanh, PoolOrder::default()).unwrap())
    }

    fn net_of(topology: Topology) -> Net {
        let mut random = Random::new(2, Purpose::Synthetic, 0, 0);
        let x = (0..2 * topology.input().neurons()).map(|_| random.normal()).collect();
        let y = vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let parameters = initialize(&topology, Initializer::LecunNormal, BiasInitializer::Normal, 1);
        Net { parameters, topology, x, y }
    }

    fn engine(net: &Net, inference: &Inference) -> Engine<f64> {
        let plan = Plan::compile(&net.topology, inference, PlanOptions::default()).unwrap();
        let mut engine = Engine::new(plan, 2, &Pool::new(1).unwrap()).unwrap();
        engine.infer(&net.parameters, &net.x, &net.y).unwrap();
        engine
    }

    fn gradient(net: &Net, inference: &Inference) -> Vec<f64> {
        let mut gradient = InputGradient::new(&net.topology, 2, &Pool::new(1).unwrap());
        gradient.of(&engine(net, inference), &net.parameters).unwrap().to_vec()
    }

    #[test]
    fn backpropagation_gives_the_derivative_of_each_samples_loss() {
        for (loss, net) in [(Loss::CrossEntropy, net()), (Loss::HalfSquaredError, net()), (Loss::CrossEntropy, convolutional())] {
            let h = 1e-6;
            let backprop = gradient(&net, &Inference::new(Rule::backprop(), 0.25, loss));
            for (i, backprop) in backprop.into_iter().enumerate() {
                // The mean loss of two samples, of which one depends on this input.
                let summed = |h: f64| {
                    let mut moved = Net {
                        topology: net.topology.clone(),
                        parameters: net.parameters.clone(),
                        x: net.x.clone(),
                        y: net.y.clone(),
                    };
                    moved.x[i] += h;
                    2.0 * engine(&moved, &Inference::new(Rule::backprop(), 0.25, loss)).loss()
                };
                let expected = (summed(h) - summed(-h)) / (2.0 * h);
                assert!((backprop - expected).abs() < 1e-8, "{loss:?} {i}: {backprop}, expected {expected}");
            }
        }
    }

    #[test]
    fn dual_propagation_converges_to_it() {
        let net = net();
        let backprop = gradient(&net, &Inference::new(Rule::backprop(), 1.0, Loss::CrossEntropy));
        let error = |beta| {
            let found = gradient(&net, &Inference::new(Rule::dp_transpose(0.5), beta, Loss::CrossEntropy));
            found.iter().zip(&backprop).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        // α = ½ is of second order in β.
        let (coarse, fine) = (error(1e-2), error(1e-3));
        assert!(coarse > 0.0 && fine < 0.02 * coarse, "{coarse} {fine}");
    }
}
