//! The experiments with dense networks of *Two Tales* (2024), section 6.1.

use crate::training::sweep::Arm;

use super::{Experiment, Quantity, Quick, arm};

const SOURCE: &str = "R. Høier and C. Zach, Two Tales of Single-Phase Contrastive Hebbian Learning, ICML 2024, section 6.1";

const SETTING: &[&str] = &[
    "A network of 784-512-512-10 with ReLU is trained for 20 epochs by Adam at 1e-3, in batches of 50, on half the squared error.",
    "The last 10,000 training samples validate.",
    "Beta is 1/2 everywhere; alpha is 0, 1/2 or 1.",
    "Compared are DP-transpose, DP as it is and damped, DP with alpha at the output alone, backpropagation, and backpropagation on \
     inputs moved by 1/2 of their gradient.",
];

const REMARKS: &[&str] = &[
    "The authors' program has no validation samples and tells the test accuracy of every epoch; here the parameters best on \
     validation are tested once.",
    "Their program is committed with 128 hidden neurons and one seed; the text says 512. The seeds 0, 1, 2 are this program's.",
    "They shuffle the order of fixed batches; here samples are shuffled (--set training.shuffle=batches does as they do).",
    "The output of DP-transpose and of undamped DP is nudged by the gradient at its present state, that of damped and of mixed DP \
     by the exact proximal step.",
    "At alpha = 1/2 undamped DP is DP-transpose, and has no arm of its own. Damped DP at 1/2 is not damped either, but its nudge \
     and its 15 rounds are others.",
    "No numbers of the table are known here.",
];

const QUICK: Quick = Quick { set: &["training.epochs=3", "data.limit_train=5000", "data.validation=2000"], seeds: &[0] };

/// In the order of the paper's two data sets.
pub(super) fn all() -> Vec<Experiment> {
    let mnist = Experiment {
        name: "mnist",
        title: "MNIST: accuracy and norm of the network by rule and alpha",
        source: SOURCE,
        setting: SETTING,
        columns: &["method", "alpha"],
        seeds: &[0, 1, 2],
        quantities: &[Quantity::TestAccuracy, Quantity::ProductNorm],
        published: &[],
        remarks: REMARKS,
        set: &[],
        arms: arms("mnist"),
        quick: QUICK,
    };
    let fashion = Experiment {
        name: "fashion-mnist",
        title: "Fashion-MNIST: accuracy and norm of the network by rule and alpha",
        // Beyond the data, the recipe fashion-mnist is that of mnist.
        set: &["data.dataset=fashion-mnist"],
        arms: arms("fashion-mnist"),
        ..mnist.clone()
    };
    vec![mnist, fashion]
}

/// The arms; `recipe` is that of DP⊤.
fn arms(recipe: &str) -> Vec<Arm> {
    let each = |alphas: &[&str], make: &dyn Fn(&str) -> Arm| alphas.iter().map(|alpha| make(alpha)).collect::<Vec<_>>();
    let at = |key: &str, alpha: &str| format!("learning.{key}={alpha}");
    let alphas = ["0", "0.5", "1"];
    let mut arms = each(&alphas, &|alpha| arm(recipe, &["dp_transpose", alpha], &[&at("alpha", alpha)]));
    // Another rule would bring its own nudge.
    let undamped = ["learning.rule=dp", "learning.nudge=linearised_live"];
    arms.extend(each(&["0", "1"], &|alpha| arm(recipe, &["dp", alpha], &[undamped[0], undamped[1], &at("alpha", alpha)])));
    arms.extend(each(&alphas, &|alpha| arm("mnist-damped", &["dp_damped", alpha], &[&at("alpha", alpha)])));
    arms.extend(each(&alphas, &|alpha| arm("mnist-mixed", &["dp_mixed", alpha], &[&at("output_alpha", alpha)])));
    arms.push(arm(recipe, &["backprop", ""], &["learning.rule=backprop"]));
    arms.push(arm("mnist-adversarial", &["input_adversarial", ""], &[]));
    arms
}
