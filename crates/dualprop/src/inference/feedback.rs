//! Through which kernels differences travel down, and what these kernels learn.

use crate::base::{Error, Named, Result};
use crate::compute::{Op, ParameterId};
use crate::network::Topology;

/// The kernels of fb_k = g_k B_kᵀ Δ_{k+1}, k = 1..L−1. The forward map, the nudge and the local gradients of kernels and biases are
/// the same under all of them; so is the spectral norm that damps a layer, which is the forward kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// B = W: the rules as the paper has them.
    Tied,
    /// B is drawn independently of W and never changes. With backpropagation this is feedback alignment (T. Lillicrap et al.,
    /// *Random synaptic feedback weights support error backpropagation for deep learning*, Nature Communications 7, 2016).
    Random,
    /// B is drawn independently of W and has its gradient: ∂J/∂B := ∂J/∂W, and with it the same update and decay, so that W − B
    /// shrinks by the decay alone (J. Kolen and J. Pollack, *Backpropagation without weight transport*, ICNN 1994; M. Akrout et al.,
    /// *Deep learning without weight transport*, NeurIPS 2019; with dual propagation R. Høier, D. Staudt and C. Zach, *Dual
    /// propagation: accelerating contrastive Hebbian learning with dyadic neurons*, ICML 2023).
    KolenPollack,
    /// B is W with noise that whoever owns the parameters draws anew before each inference ([`crate::compute::noisy_copy`]).
    NoisyCopy,
}

impl Named for Feedback {
    const WHAT: &'static str = "feedback";
    const ALL: &'static [(&'static str, Self)] = &[
        ("tied", Feedback::Tied),
        ("random", Feedback::Random),
        ("kolen_pollack", Feedback::KolenPollack),
        ("noisy_copy", Feedback::NoisyCopy),
    ];
}

impl Feedback {
    /// Whether the network needs kernels of their own for it.
    pub fn is_separate(self) -> bool {
        self != Feedback::Tied
    }

    /// That the network has the kernels that this feedback reads.
    ///
    /// # Errors
    /// [`Error::Setting`] if it has not.
    pub(super) fn check(self, topology: &Topology) -> Result<()> {
        match self.is_separate() && !topology.has_feedback() {
            false => Ok(()),
            true => {
                let problem = "the network has no feedback kernels; use `tied`, or a model that was trained with them";
                Err(Error::setting("learning.feedback", self.name(), problem))
            }
        }
    }

    /// The kernel that the adjoint of the map into layer k = 2..L reads.
    pub(super) fn kernel(self, topology: &Topology, k: usize) -> ParameterId {
        topology.feedback(k).filter(|_| self.is_separate()).unwrap_or(topology.kernel(k))
    }

    /// What follows the local gradient of the map into layer k = 1..L.
    pub(super) fn gradient(self, topology: &Topology, k: usize) -> Option<Op> {
        let shared = topology.feedback(k).filter(|_| self == Feedback::KolenPollack);
        shared.map(|to| Op::CopyGradient { from: topology.kernel(k), to })
    }
}
