//! Networks by name.

use crate::base::Named;

use super::Layer;

/// A network that the papers name; the last layer of each has one neuron for every class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Two hidden layers of 512 neurons: the multi-layer perceptron of *Two Tales*, section 6.1.
    Mlp,
    /// Two pooled convolutions of 64 channels.
    MiniCnn,
    /// Five pooled convolutions and a dense layer: what *Two Tales* trains on MNIST.
    Cnn,
    /// Four pooled convolutions of the authors' 2024 program.
    VggLike,
    /// Five convolutions, of which three are pooled, of their 2023 program.
    VggLike2023,
    /// Simonyan and Zisserman's network of 11 layers, for images of 32 × 32 pixels.
    Vgg11,
    /// Their network of 16 layers: *Two Tales*, section 6.2.
    Vgg16,
}

impl Named for Architecture {
    const WHAT: &'static str = "architecture";
    const ALL: &'static [(&'static str, Self)] = &[
        ("mlp", Architecture::Mlp),
        ("minicnn", Architecture::MiniCnn),
        ("cnn", Architecture::Cnn),
        ("vgg_like", Architecture::VggLike),
        ("vgg_like_2023", Architecture::VggLike2023),
        ("vgg11", Architecture::Vgg11),
        ("vgg16", Architecture::Vgg16),
    ];
}

/// A pooled convolution.
const P: bool = true;
/// One that is not pooled.
const N: bool = false;

impl Architecture {
    /// Its layers.
    pub fn layers(self, classes: usize) -> Vec<Layer> {
        let (convolutions, hidden): (&[(usize, bool)], &[usize]) = match self {
            Architecture::Mlp => (&[], &[512, 512]),
            Architecture::MiniCnn => (&[(64, P), (64, P)], &[]),
            Architecture::Cnn => (&[(64, P), (128, P), (256, P), (512, P), (512, P)], &[4096]),
            Architecture::VggLike => (&[(128, P), (256, P), (512, P), (512, P)], &[]),
            Architecture::VggLike2023 => (&[(128, P), (128, P), (256, P), (256, P), (512, P)], &[]),
            Architecture::Vgg11 => {
                (&[(64, P), (128, P), (256, N), (256, P), (512, N), (512, P), (512, N), (512, P)], &[4096, 4096])
            }
            #[rustfmt::skip]
            Architecture::Vgg16 => (
                &[
                    (64, N), (64, P), (128, N), (128, P), (256, N), (256, N), (256, P),
                    (512, N), (512, N), (512, P), (512, N), (512, N), (512, P),
                ],
                &[4096, 4096],
            ),
        };
        let convolutions = convolutions.iter().map(|&(channels, pool)| Layer::conv(channels, pool));
        let dense = hidden.iter().copied().chain([classes]).map(Layer::dense);
        convolutions.chain(dense).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Activation;
    use crate::network::{PoolOrder, Shape, Topology};

    /// Weight layers and trainable numbers over 32 x 32 x 3 and ten classes, counted by hand from the papers' descriptions.
    #[test]
    fn named_networks_have_the_published_sizes() {
        for (name, depth, parameters) in [
            ("mlp", 3, 3072 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10),
            ("minicnn", 3, 27 * 64 + 64 + 576 * 64 + 64 + 8 * 8 * 64 * 10 + 10),
            ("vgg11", 11, 9_220_480 + 512 * 4096 + 4096 + 4096 * 4096 + 4096 + 40_970),
            ("vgg16", 16, 14_714_688 + 512 * 4096 + 4096 + 4096 * 4096 + 4096 + 40_970),
        ] {
            let layers = Architecture::parse(name).unwrap().layers(10);
            let topology = Topology::new(Shape::image(32, 32, 3), layers, Activation::Relu, PoolOrder::default()).unwrap();
            assert_eq!((topology.depth(), topology.parameter_count()), (depth, parameters), "{name}");
        }
        for (_, architecture) in Architecture::ALL {
            let layers = architecture.layers(100);
            let topology = Topology::new(Shape::image(32, 32, 1), layers, Activation::Relu, PoolOrder::AfterActivation);
            assert_eq!(topology.unwrap().outputs(), 100);
        }
    }
}
