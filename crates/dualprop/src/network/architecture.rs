//! Networks by name.

use crate::base::Named;

use super::Layer;

/// A network that the papers name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Two hidden layers of 512 neurons: the multi-layer perceptron of *Two Tales*, section 6.1.
    Mlp,
}

impl Named for Architecture {
    const WHAT: &'static str = "architecture";
    const ALL: &'static [(&'static str, Self)] = &[("mlp", Architecture::Mlp)];
}

impl Architecture {
    /// Its layers, the last with one neuron for each class.
    pub fn layers(self, classes: usize) -> Vec<Layer> {
        match self {
            Architecture::Mlp => [512, 512, classes].map(|neurons| Layer::Dense { neurons }).to_vec(),
        }
    }
}
