//! The recipes that come with the library.

/// A recipe that comes with the library.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// What `dualprop train` calls it.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// How long one seed takes on two cores of a desktop or server.
    pub time: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Every built-in recipe, in the order in which they are listed.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "digits",
        purpose: "the main job: the embedded 8 x 8 digits by one backward sweep of DP-transpose",
        time: "1 s",
        text: include_str!("../../../recipes/digits.toml"),
    },
    BuiltIn {
        name: "mnist",
        purpose: "the paper's MLP experiment (section 6.1) on MNIST by DP-transpose; choose learning.alpha",
        time: "40 s",
        text: include_str!("../../../recipes/mnist.toml"),
    },
    BuiltIn {
        name: "fashion-mnist",
        purpose: "the same on Fashion-MNIST",
        time: "40 s",
        text: include_str!("../../../recipes/fashion-mnist.toml"),
    },
    BuiltIn {
        name: "mnist-mixed",
        purpose: "the paper's mixed DP: alpha at the output only, 1/2 inside, proximal nudge",
        time: "80 s",
        text: include_str!("../../../recipes/mnist-mixed.toml"),
    },
    BuiltIn {
        name: "mnist-damped",
        purpose: "the paper's damped DP: DP at any alpha, each compartment held back by a proximal term, 15 rounds",
        time: "3 min",
        text: include_str!("../../../recipes/mnist-damped.toml"),
    },
    BuiltIn {
        name: "mnist-adversarial",
        purpose: "the paper's baseline: input-adversarial training, backpropagation on x + 1/2 of its gradient",
        time: "1 min",
        text: include_str!("../../../recipes/mnist-adversarial.toml"),
    },
    BuiltIn {
        name: "mnist-sgd",
        purpose: "MNIST by DP-transpose with cross-entropy and SGD, as the paper trains its convolutional networks",
        time: "40 s",
        text: include_str!("../../../recipes/mnist-sgd.toml"),
    },
    BuiltIn {
        name: "mnist-devices",
        purpose: "MNIST by a 784-128-128-10 network in five epochs, to be swept over disturbances: docs/devices.md",
        time: "3 s",
        text: include_str!("../../../recipes/mnist-devices.toml"),
    },
    BuiltIn {
        name: "mnist-2023",
        purpose: "the MLP of the paper before (ICML 2023), four layers of 1000, by DP in one sweep",
        time: "30 min",
        text: include_str!("../../../recipes/mnist-2023.toml"),
    },
    BuiltIn {
        name: "cifar10",
        purpose: "the paper's CIFAR-10 experiment (section 6.2): VGG16 by DP-transpose, 16 passes",
        time: "days",
        text: include_str!("../../../recipes/cifar10.toml"),
    },
    BuiltIn {
        name: "cifar10-quick",
        purpose: "the same algorithm on 20,000 images with two convolutions",
        time: "10 min",
        text: include_str!("../../../recipes/cifar10-quick.toml"),
    },
    BuiltIn {
        name: "cifar100",
        purpose: "the paper's CIFAR-100 experiment (section 6.2): VGG16",
        time: "days",
        text: include_str!("../../../recipes/cifar100.toml"),
    },
    BuiltIn {
        name: "cifar100-quick",
        purpose: "the same algorithm on 20,000 images with two convolutions",
        time: "10 min",
        text: include_str!("../../../recipes/cifar100-quick.toml"),
    },
    BuiltIn {
        name: "imagenet32",
        purpose: "the paper's ImageNet 32 x 32 experiment (section 6.2): VGG16",
        time: "weeks",
        text: include_str!("../../../recipes/imagenet32.toml"),
    },
    BuiltIn {
        name: "imagenet32-quick",
        purpose: "the same algorithm on 20,000 images with two convolutions",
        time: "10 min",
        text: include_str!("../../../recipes/imagenet32-quick.toml"),
    },
    BuiltIn {
        name: "mnist-cnn",
        purpose: "the paper's convolutional network on MNIST, padded to 32 x 32",
        time: "days",
        text: include_str!("../../../recipes/mnist-cnn.toml"),
    },
    BuiltIn {
        name: "mnist-cnn-quick",
        purpose: "the same algorithm on 10,000 images with two convolutions",
        time: "2 min",
        text: include_str!("../../../recipes/mnist-cnn-quick.toml"),
    },
];
