//! The experiments with convolutional networks of *Two Tales* (2024), section 6.2, and one of them in small.

use crate::training::sweep::Arm;

use super::{Experiment, Quantity, Quick, SMALL, arm, dp_transpose};

const SOURCE: &str = "R. Høier and C. Zach, Two Tales of Single-Phase Contrastive Hebbian Learning, ICML 2024, section 6.2";

/// The seeds of the authors' scripts.
const SEEDS: &[u64] = &[1988, 1542, 8697];

const COLUMNS: &[&str] = &["method", "alpha", "beta"];

/// Of the networks that need days: the small one, and one seed.
const QUICK: Quick = Quick { set: SMALL, seeds: &[1988] };

const NOT_AVAILABLE: &str = "No numbers of the table are known here.";

const GRID_REMARKS: &[&str] = &[
    "The grid is that of the authors' scripts; which of its entries the paper prints is not known here.",
    "Pools route as in their program, at the state of s+ (learning.pool_routing = plus).",
    "Random numbers are not theirs: a seed is their seed by name only.",
    NOT_AVAILABLE,
];

/// In the order of the paper.
pub(super) fn all() -> Vec<Experiment> {
    let cifar10 = Experiment {
        name: "cifar10",
        title: "CIFAR-10 by VGG16: DP-transpose over alpha and beta, and backpropagation",
        source: SOURCE,
        setting: &[
            "VGG16 without normalisation layers is trained on the cross-entropy for 130 epochs, in batches of 100, by SGD with \
             momentum 0.9 and weight decay 5e-4.",
            "The learning rate rises to 0.025 in 10 epochs and falls by a cosine to 2e-6 at epoch 120.",
            "DP-transpose makes 16 bottom-to-top sweeps; images are cut at random and flipped; the last 10 % validate.",
        ],
        columns: COLUMNS,
        seeds: SEEDS,
        quantities: &[Quantity::TestAccuracy],
        published: &[],
        remarks: GRID_REMARKS,
        set: &[],
        arms: grid("cifar10"),
        quick: QUICK,
    };
    let cifar100 = Experiment {
        name: "cifar100",
        title: "CIFAR-100 by VGG16: DP-transpose over alpha and beta, and backpropagation",
        setting: &[
            "VGG16 without normalisation layers is trained on the cross-entropy for 200 epochs, in batches of 50, by SGD with \
             momentum 0.9 and weight decay 5e-4.",
            "The learning rate rises to 0.015 in 10 epochs and falls by a cosine to 2e-6 at epoch 190.",
            "DP-transpose makes 16 bottom-to-top sweeps; images are cut at random and flipped; the last 10 % validate.",
        ],
        arms: grid("cifar100"),
        ..cifar10.clone()
    };
    let minicnn = Experiment {
        name: "cifar10-minicnn",
        title: "CIFAR-10 by two convolutions: the grid of the table in an hour or two instead of months",
        source: "the grid of ICML 2024, section 6.2, with a network that the paper has not",
        setting: &[
            "Two pooled convolutions of 64 channels and a dense output are trained on 20,000 images for 20 epochs, in batches of 100.",
            "The learning rate rises to 0.025 in 2 epochs and falls by a cosine to 2e-6 at epoch 19; all else is as in the \
             experiment cifar10, with 3 sweeps.",
        ],
        seeds: &[1988],
        remarks: &[
            "It is no experiment of the paper: network, images and epochs are smaller.",
            "Pools route as in the authors' program, at the state of s+ (learning.pool_routing = plus).",
        ],
        arms: grid("cifar10-quick"),
        ..cifar10.clone()
    };
    vec![cifar10, cifar100, imagenet32(), mnist_cnn(), minicnn]
}

/// Backpropagation, DP⊤ at each α with each β, and α = 0 with a β that no other α bears.
fn grid(recipe: &str) -> Vec<Arm> {
    let mut arms = vec![arm(recipe, &["backprop", "", ""], &["learning.rule=backprop"])];
    for alpha in ["0", "0.5", "1"] {
        arms.extend(["0.01", "0.1", "1"].map(|beta| dp_transpose(recipe, alpha, beta)));
    }
    arms.push(dp_transpose(recipe, "0", "10"));
    arms
}

fn imagenet32() -> Experiment {
    Experiment {
        name: "imagenet32",
        title: "ImageNet 32 x 32 by VGG16: top-1 and top-5 of DP-transpose",
        source: SOURCE,
        setting: &[
            "VGG16 without normalisation layers is trained on the cross-entropy for 130 epochs, in batches of 250, by SGD with \
             momentum 0.9 and weight decay 5e-4.",
            "The learning rate rises to 0.02 in 10 epochs and falls by a cosine to 2e-6 at epoch 120.",
            "DP-transpose makes 16 bottom-to-top sweeps; the last 5 % of the training images validate, the official validation \
             images test.",
        ],
        columns: COLUMNS,
        seeds: SEEDS,
        quantities: &[Quantity::TestAccuracy, Quantity::TestTop5],
        published: &[],
        remarks: &[
            "The text of the paper names alpha = 1/2 with beta = 0.01 alone; alpha = 0 with beta = 0.1 is in the authors' scripts.",
            "Pools route as in their program, at the state of s+ (learning.pool_routing = plus).",
            NOT_AVAILABLE,
        ],
        set: &[],
        arms: [("0.5", "0.01"), ("0", "0.1")].map(|(alpha, beta)| dp_transpose("imagenet32", alpha, beta)).into(),
        quick: Quick {
            set: &[
                "network.architecture=minicnn",
                "learning.passes=3",
                "data.limit_train=2000",
                "data.validation=1000",
                "training.epochs=2",
                "training.alignment_every=4",
                "optimizer.schedule.warmup_epochs=1",
                "optimizer.schedule.decay_epochs=2",
            ],
            seeds: &[1988],
        },
    }
}

fn mnist_cnn() -> Experiment {
    Experiment {
        name: "mnist-cnn",
        title: "MNIST by five convolutions: DP-transpose over alpha",
        source: "the authors' program of ICML 2024, train_mnist_dp_original_dampened",
        setting: &[
            "Five pooled convolutions of 64, 128, 256, 512 and 512 channels and a dense layer of 4096 are trained on the \
             cross-entropy for 100 epochs, in batches of 100, by SGD with momentum 0.9 and weight decay 2.5e-4.",
            "The learning rate rises to 0.025 in 10 epochs and falls by a cosine to 2e-6 at epoch 90.",
            "DP-transpose makes 8 bottom-to-top sweeps with beta = 1/2; images are padded to 32 x 32; the last 10 % validate.",
        ],
        columns: COLUMNS,
        seeds: &[9800, 4486, 17515],
        quantities: &[Quantity::TestAccuracy],
        published: &[],
        remarks: &[
            "The name of the authors' script says damped DP; what it runs is DP-transpose, at alpha = 1 as committed, 0 and 1/2 in \
             a comment.",
            "Whether the paper prints these numbers is not known here.",
        ],
        set: &[],
        arms: ["0", "0.5", "1"].map(|alpha| dp_transpose("mnist-cnn", alpha, "0.5")).into(),
        quick: Quick { seeds: &[9800], ..QUICK },
    }
}
