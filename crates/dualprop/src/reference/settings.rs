//! Everything that defines an inference, as plain numbers.

use crate::base::Named;

use super::{Disturbance, Loss, Network, States, schedule};

/// How the loss pulls at the output dyad; g = ∂ℓ/∂a_L.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// s⁺ = a − uβg and s⁻ = a + dβg, with g at the first output pre-activation of the inference: after a forward start the
    /// logits of the forward pass, else what the first update of the output finds.
    LinearisedFrozen,
    /// The same with g at the current pre-activation.
    LinearisedLive,
    /// s⁺ = argmin uβ ℓ(s) + ½‖s−a‖² and s⁻ = argmax dβ ℓ(s) − ½‖s−a‖²; see [`super::proximal`].
    Proximal,
}

impl Named for Nudge {
    const WHAT: &'static str = "nudge";
    const ALL: &'static [(&'static str, Self)] = &[
        ("linearised_frozen", Nudge::LinearisedFrozen),
        ("linearised_live", Nudge::LinearisedLive),
        ("proximal", Nudge::Proximal),
    ];
}

/// The state of a layer at which the feedback through the max pools of the map above it is linearised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolRouting {
    /// s̄
    Mean,
    /// s⁺, as in the authors' program.
    Plus,
}

impl Named for PoolRouting {
    const WHAT: &'static str = "pool routing";
    const ALL: &'static [(&'static str, Self)] = &[("mean", PoolRouting::Mean), ("plus", PoolRouting::Plus)];
}

/// The states before the first update.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// s_k⁺ = s_k⁻ = the forward pass.
    Forward,
    /// s_k⁺ = s_k⁻ = 0 in layers 1..L.
    Zero,
    /// These states in layers 1..L; layer 0 is the sample's input whatever they hold there.
    Previous(States),
}

/// An inference in a network of L layers. Vectors of length L hold layer k = 1..L at index k−1, those of length L−1 the
/// hidden layers k = 1..L−1 likewise.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// α of each layer (length L) in s̄ = α s⁺ + (1−α) s⁻; that of the output is used only by who looks at s̄_L.
    pub alpha_mean: Vec<f64>,
    /// w⁺ of the hidden layers, last u of the output (length L).
    pub w_plus: Vec<f64>,
    /// w⁻ of the hidden layers, last d of the output (length L).
    pub w_minus: Vec<f64>,
    /// g_k of each hidden layer (length L−1) in fb_k = g_k W_kᵀ Δ_{k+1}.
    pub gain: Vec<f64>,
    /// L_k of each hidden layer (length L−1) in s ← f((a + L_k s_old ± w fb) / (1 + L_k)); none for undamped updates.
    pub damping: Option<Vec<f64>>,
    /// Backpropagation as the limit of small feedback: s̄ = f(a) and Δ = f′(a) fb (w⁺ + w⁻) in the hidden layers.
    pub limit: bool,
    /// How the loss pulls.
    pub nudge: Nudge,
    /// The first pass, counted from 1, in which it pulls; in those before, the output is s⁺ = s⁻ = a.
    pub nudge_from_pass: usize,
    /// β > 0, how strongly it pulls; the loss is that of one sample, so β does not depend on the batch size.
    pub beta: f64,
    /// ℓ
    pub loss: Loss,
    /// Where the feedback through max pools is linearised; the limit of small feedback does it at s̄, the forward state.
    pub pool_routing: PoolRouting,
    /// B_k of each hidden layer (length L−1) in fb_k = g_k B_kᵀ Δ_{k+1}, laid out as the kernel W_k of the map into layer k + 1; none
    /// for B_k = W_k.
    pub feedback: Option<Vec<Vec<f64>>>,
    /// Where the states start.
    pub start: Start,
    /// (α, w⁺, w⁻) of every neuron of hidden layer k at k−1, in the place of those of the layer.
    pub neurons: Option<Vec<Vec<[f64; 3]>>>,
    /// What disturbs the dyads after every update, and those of a forward start.
    pub disturbance: Option<Disturbance>,
    /// Passes → groups → layers (1..L); the layers of a group are updated at once from the values before it. See
    /// [`schedule`]. The first p passes alone give the states after pass p.
    pub order: Vec<Vec<Vec<usize>>>,
}

impl Settings {
    /// The general family for `depth` layers: `alpha_m` in the mean, (w⁺, w⁻) = (1−`alpha_f`, `alpha_f`) in the feedback,
    /// the same in all layers; gains 1, undamped, the frozen nudge, from a forward pass.
    pub fn general(depth: usize, (alpha_m, alpha_f): (f64, f64), beta: f64, loss: Loss, order: Vec<Vec<Vec<usize>>>) -> Self {
        Settings::uniform(depth, alpha_m, (1.0 - alpha_f, alpha_f), beta, loss, order)
    }

    /// DP: (w⁺, w⁻) = (α, 1−α), with the live nudge.
    pub fn dp(depth: usize, alpha: f64, beta: f64, loss: Loss, order: Vec<Vec<Vec<usize>>>) -> Self {
        let settings = Settings::uniform(depth, alpha, (alpha, 1.0 - alpha), beta, loss, order);
        Settings { nudge: Nudge::LinearisedLive, ..settings }
    }

    /// DP⊤: (w⁺, w⁻) = (1−α, α), with the frozen nudge.
    pub fn dp_transpose(depth: usize, alpha: f64, beta: f64, loss: Loss, order: Vec<Vec<Vec<usize>>>) -> Self {
        Settings::uniform(depth, alpha, (1.0 - alpha, alpha), beta, loss, order)
    }

    /// Damped DP: (w⁺, w⁻) = (α, 1−α) with L_k = `damping[k − 1]`, k = 1..L−1, and the frozen nudge.
    pub fn dp_damped(depth: usize, alpha: f64, beta: f64, loss: Loss, order: Vec<Vec<Vec<usize>>>, damping: Vec<f64>) -> Self {
        let settings = Settings::uniform(depth, alpha, (alpha, 1.0 - alpha), beta, loss, order);
        Settings { damping: Some(damping), ..settings }
    }

    /// Backpropagation as the limit of small feedback: one backward sweep from a forward pass, (w⁺, w⁻) = (½, ½).
    pub fn backprop(depth: usize, beta: f64, loss: Loss) -> Self {
        let settings = Settings::uniform(depth, 0.5, (0.5, 0.5), beta, loss, schedule::backward(depth, 1));
        Settings { limit: true, ..settings }
    }

    fn uniform(depth: usize, alpha: f64, w: (f64, f64), beta: f64, loss: Loss, order: Vec<Vec<Vec<usize>>>) -> Self {
        assert!(depth > 0, "a network has at least one layer");
        Settings {
            alpha_mean: vec![alpha; depth],
            w_plus: vec![w.0; depth],
            w_minus: vec![w.1; depth],
            gain: vec![1.0; depth - 1],
            damping: None,
            limit: false,
            nudge: Nudge::LinearisedFrozen,
            nudge_from_pass: 1,
            beta,
            loss,
            pool_routing: PoolRouting::Mean,
            feedback: None,
            start: Start::Forward,
            neurons: None,
            disturbance: None,
            order,
        }
    }

    /// Π_{j=k}^{L−1} g_j: what the gains make of the feedback on its way from the output down to layer k = 1..L.
    pub fn gain_product(&self, k: usize) -> f64 {
        let mut product = 1.0;
        for j in k..self.alpha_mean.len() {
            product *= self.gain[j - 1];
        }
        product
    }

    /// (α, w⁺, w⁻) of the i-th neuron of layer k = 1..L.
    pub(super) fn weights(&self, k: usize, i: usize) -> [f64; 3] {
        match &self.neurons {
            Some(layers) if k < self.alpha_mean.len() => layers[k - 1][i],
            _ => [self.alpha_mean[k - 1], self.w_plus[k - 1], self.w_minus[k - 1]],
        }
    }

    /// Panics unless these settings have the right lengths for the network and can be followed.
    pub(super) fn assert_fit(&self, network: &Network) {
        let depth = network.depth();
        for (name, length) in [("alpha_mean", &self.alpha_mean), ("w_plus", &self.w_plus), ("w_minus", &self.w_minus)] {
            assert_eq!(length.len(), depth, "{name} has one value for each layer");
        }
        assert_eq!(self.gain.len(), depth - 1, "gain has one value for each hidden layer");
        if let Some(damping) = &self.damping {
            assert_eq!(damping.len(), depth - 1, "damping has one value for each hidden layer");
            assert!(!self.limit, "the limit of small feedback has no damping");
        }
        if let Some(feedback) = &self.feedback {
            assert_eq!(feedback.len(), depth - 1, "feedback has one kernel for each hidden layer");
        }
        assert!(self.beta > 0.0 && self.beta.is_finite(), "beta is a finite number above 0, not {}", self.beta);
        assert!(self.nudge_from_pass > 0, "passes are counted from 1");
        let known = |k: &usize| (1..=depth).contains(k);
        assert!(self.order.iter().flatten().flatten().all(known), "the order names layers 1 to {depth}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_general_family_contains_both_tales() {
        let order = || schedule::forward(3, 2);
        for alpha in [0.0, 0.25, 0.5, 1.0] {
            let general = |alpha_f| Settings::general(3, (alpha, alpha_f), 0.1, Loss::CrossEntropy, order());
            let dp_transpose = Settings::dp_transpose(3, alpha, 0.1, Loss::CrossEntropy, order());
            let dp = Settings::dp(3, alpha, 0.1, Loss::CrossEntropy, order());
            assert_eq!(general(alpha), dp_transpose);
            assert_eq!(Settings { nudge: Nudge::LinearisedLive, ..general(1.0 - alpha) }, dp);
            assert_eq!((dp.w_plus[0], dp.w_minus[2]), (alpha, 1.0 - alpha));
            assert_eq!((dp_transpose.w_plus[2], dp_transpose.w_minus[1]), (1.0 - alpha, alpha));
        }
    }

    #[test]
    fn gains_multiply_down_to_the_layer() {
        let settings = Settings::dp(3, 0.5, 0.1, Loss::CrossEntropy, schedule::forward(3, 1));
        let settings = Settings { gain: vec![2.0, 3.0], ..settings };
        assert_eq!([1, 2, 3].map(|k| settings.gain_product(k)), [6.0, 3.0, 1.0]);
    }
}
