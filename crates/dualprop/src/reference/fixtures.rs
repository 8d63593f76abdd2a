//! Small random networks and batches for the tests of this folder.

use crate::base::random::{Purpose, Random};

use super::{Activation, Layer, Network};

/// `n` standard normal numbers.
pub(super) fn normals(n: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed, Purpose::Synthetic, 0, 0);
    (0..n).map(|_| random.normal()).collect()
}

/// A network of these sizes (inputs first), kernels of variance 1.5 / inputs, biases of standard deviation 0.1.
pub(super) fn network(sizes: &[usize], activation: Activation, seed: u64) -> Network {
    let mut random = Random::new(seed, Purpose::Initialisation, 0, 0);
    let mut layers = Vec::new();
    for pair in sizes.windows(2) {
        let (inputs, outputs) = (pair[0], pair[1]);
        let scale = (1.5 / inputs as f64).sqrt();
        let kernel = (0..inputs * outputs).map(|_| scale * random.normal()).collect();
        let bias = (0..outputs).map(|_| 0.1 * random.normal()).collect();
        layers.push(Layer::dense(inputs, outputs, kernel, bias));
    }
    Network { layers, activation }
}

/// A batch of `n` normal inputs with one-hot targets.
pub(super) fn batch(network: &Network, n: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (inputs, outputs) = (network.layers[0].linear.inputs(), network.layers[network.depth() - 1].linear.outputs());
    let xs = (0..n).map(|sample| normals(inputs, 1000 * seed + sample as u64)).collect();
    let ys = (0..n).map(|sample| (0..outputs).map(|i| if i == sample % outputs { 1.0 } else { 0.0 }).collect()).collect();
    (xs, ys)
}

/// The largest difference between two vectors of the same size.
pub(super) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    // Not f64::max, which would hide a NaN.
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |worst, d| if d <= worst { worst } else { d })
}
