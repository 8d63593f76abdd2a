//! The experiments of *Dual Propagation* (2023), the paper before.

use super::{Experiment, Published, Quantity, Quick, arm};

const SOURCE: &str = "R. Høier, D. Staudt and C. Zach, Dual Propagation: Accelerating Contrastive Hebbian Learning with Dyadic \
                      Neurons, ICML 2023";

/// Who else printed numbers of the paper.
const QUOTED: &str = "quoted of the paper in Table 4 of the SCFF paper, Nature Communications 2025; without a deviation";

/// The two tables.
pub(super) fn all() -> Vec<Experiment> {
    vec![flavours(), vgg16()]
}

fn flavours() -> Experiment {
    Experiment {
        name: "flavours",
        title: "MNIST by four layers of 1000: flavours of dual propagation",
        source: SOURCE,
        setting: &[
            "A network of 784-1000-1000-1000-1000-10 is trained for 100 epochs by Adam at 3e-5, in batches of 100, on the squared \
             error; kernels start as Glorot and Bengio draw them; 10 % validate.",
            "dual: DP at alpha = 1/2 with the proximal nudge and gain 1, one sweep down from a forward pass.",
            "parallel: all layers at once, as many times as there are layers. random: layers drawn anew for each batch.",
            "multistep: two updates of the weights per batch. no_reinitialisation: states start from those of the batch before. \
             linearised: the output is nudged by the gradient of the loss.",
        ],
        columns: &["flavour"],
        seeds: &[139, 946, 992, 640, 731],
        quantities: &[Quantity::TestAccuracy],
        published: &[Published { values: &["dual"], quantity: Quantity::TestAccuracy, value: "98.4", source: QUOTED }],
        remarks: &[
            // (W(z⁺ + z⁻) + 2b ± γy)/(2 ± γ) = (a ± (γ/2)y)/(1 ± γ/2): the proximal step of half the squared error with αβ = γ/2.
            "The authors' output with gain 1 is the proximal step of half the squared error at alpha = 1/2, beta = 1.",
            "Their `parallel` updates the weights twice per batch, which here would be another flavour: it updates once, after as \
             many passes as the difference needs to reach the first layer.",
            "How many layers their `random` draws, and how many updates their `multistep` makes, is not known here: five times five \
             draws, and two updates.",
            "Without re-initialisation the states see the new batch by a sweep up and down after the first sweep.",
            "Whether their activation is ReLU and their Glorot kernels are uniform, as here, is not known here.",
        ],
        set: &[],
        arms: vec![
            arm("mnist-2023", &["backprop"], &["learning.rule=backprop"]),
            arm("mnist-2023", &["dual"], &[]),
            arm("mnist-2023", &["parallel"], &["learning.schedule=parallel", "learning.passes=5"]),
            arm("mnist-2023", &["random"], &["learning.schedule=random", "learning.passes=5", "disturbance.redraw_order=true"]),
            arm("mnist-2023", &["multistep"], &["learning.multistep=2"]),
            arm("mnist-2023", &["no_reinitialisation"], &["learning.start=previous", "learning.passes=2"]),
            arm("mnist-2023", &["linearised"], &["learning.nudge=linearised_frozen"]),
        ],
        quick: Quick {
            set: &["training.epochs=2", "data.limit_train=3000", "data.validation=2000", "optimizer.learning_rate=1e-3"],
            seeds: &[139],
        },
    }
}

fn vgg16() -> Experiment {
    Experiment {
        name: "vgg16-2023",
        title: "CIFAR-10 by VGG16: backpropagation, DP, and DP with feedback kernels of its own",
        source: SOURCE,
        setting: &[
            "VGG16, pooled after the activation, is trained on the cross-entropy for 130 epochs, in batches of 100, by SGD with \
             momentum 0.9 and weight decay 5e-4.",
            "The learning rate rises in 10 epochs from 5e-3 to 0.025 and falls by a cosine to 0; with Kolen-Pollack feedback it \
             rises in 15 epochs from 1e-4.",
            "DP at alpha = 1/2 makes one sweep down, with beta = 0.02.",
        ],
        columns: &["method"],
        seeds: &[182, 271, 944, 583, 220],
        quantities: &[Quantity::TestAccuracy],
        published: &[Published { values: &["dp"], quantity: Quantity::TestAccuracy, value: "92.3", source: QUOTED }],
        remarks: &[
            "The authors differentiate the mean loss of a batch of B = 100 and replace the derivative of ReLU by \
             (relu(a + b dy) - relu(a - b dy))/2b with b = 1. Here states are relu(a + fb/2) and relu(a - fb/2), with fb = W^T D and \
             D = -beta g of each sample's own gradient g. Both are the same where b dy = fb/2, that is with dy = g/B where beta = \
             2b/B = 0.02.",
            "That images are cut and flipped, and that 10 % validate, is as in the authors' programs of 2024.",
        ],
        set: &[
            "network.pool_order=after_activation",
            "learning.alpha=0.5",
            // b dy = ½ WᵀΔ with b = 1 and dy of the mean over B = 100: β = 2b/B.
            "learning.beta=0.02",
            "learning.schedule=forward_backward",
            "learning.passes=1",
            "learning.pool_routing=mean",
            "optimizer.schedule.first=5e-3",
            "optimizer.schedule.last=0.0",
            "optimizer.schedule.warmup_epochs=10",
            "optimizer.schedule.decay_epochs=130",
        ],
        arms: vec![
            arm("cifar10", &["backprop"], &["learning.rule=backprop"]),
            arm("cifar10", &["dp"], &["learning.rule=dp"]),
            arm(
                "cifar10",
                &["kolen_pollack"],
                &[
                    "learning.rule=dp",
                    "learning.feedback=kolen_pollack",
                    "optimizer.schedule.first=1e-4",
                    "optimizer.schedule.warmup_epochs=15",
                ],
            ),
        ],
        quick: Quick {
            set: &[
                "network.architecture=minicnn",
                "data.limit_train=1000",
                "data.validation=1000",
                "training.epochs=2",
                "training.alignment_every=5",
            ],
            seeds: &[182],
        },
    }
}
