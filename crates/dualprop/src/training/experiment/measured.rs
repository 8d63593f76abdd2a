//! The figures of *Two Tales* (2024) that are drawn from what is measured while a network learns.

use super::{Experiment, Quantity, Quick, SMALL, dp_transpose};

/// The heat maps, and the curves.
pub(super) fn all() -> Vec<Experiment> {
    vec![angles(), norms()]
}

fn angles() -> Experiment {
    Experiment {
        name: "angles",
        title: "CIFAR-100 by VGG16: angles between DP-transpose and backpropagation, by layers and time",
        source: "ICML 2024, the figure of heat maps; the authors' plot_heatmaps.py",
        setting: &[
            "The training of the experiment cifar100 at alpha = 0 with beta = 1 and with beta = 0.01.",
            "The angle of each layer's local gradient to backpropagation is measured in each of the first 200 batches, and in every \
             hundredth batch of all 200 epochs.",
        ],
        columns: &["method", "alpha", "beta"],
        seeds: &[1988],
        quantities: &[Quantity::TestAccuracy, Quantity::Angles],
        published: &[],
        remarks: &[
            "The gradients are those before weight decay and momentum, as in the authors' program.",
            "Means over an epoch are of every hundredth batch.",
            "The numbers behind the figure are not known here.",
        ],
        set: &["analysis.first_batches=200"],
        arms: ["1", "0.01"].map(|beta| dp_transpose("cifar100", "0", beta)).into(),
        quick: Quick { set: SMALL, seeds: &[1988] },
    }
}

fn norms() -> Experiment {
    Experiment {
        name: "norms",
        title: "CIFAR-10 by VGG16: spectral norms and dampings of the layers, by epochs",
        source: "ICML 2024, what the authors' train.py logs",
        setting: &[
            "The training of the experiment cifar10 at beta = 0.1.",
            "After each epoch the spectral norm of every layer's kernel, and L = max(0, (gamma^2 - 1)/2) of it, are measured by 20 \
             and by 10 power iterations.",
        ],
        columns: &["method", "alpha", "beta"],
        seeds: &[1988],
        quantities: &[Quantity::TestAccuracy, Quantity::Norms],
        published: &[],
        remarks: &[
            "Whether the paper prints these curves is not known here.",
            "Local Lipschitz constants at 10 validation samples are measured with them.",
        ],
        // These lines come with the Lipschitz constants.
        set: &["analysis.lipschitz_samples=10"],
        arms: ["0", "0.5", "1"].map(|alpha| dp_transpose("cifar10", alpha, "0.1")).into(),
        quick: Quick { set: SMALL, seeds: &[1988] },
    }
}
