//! Measurements on an inference and on a network: how close the local gradients are to backpropagation, how settled the
//! states, and how much the layers stretch what passes through them; and the statistics of results that come in pairs.

mod alignment;
mod attack;
mod contrastive;
mod feedback;
mod finite_differences;
mod lipschitz;
mod objectives;
mod operator_norms;
mod settling;
pub mod stability;
mod statistics;

pub use alignment::{Alignment, align, degrees};
pub use attack::{Attack, AttackKind, Attacker, InputRange, Norm};
pub use contrastive::contrastive_objective;
pub use feedback::feedback_cosines;
pub use finite_differences::{FiniteDifferences, finite_differences};
pub use lipschitz::{LipschitzMeter, LipschitzSummary, LocalLipschitz};
pub use objectives::{Lagrangian, LayerTerms, Lifted, LiftedOptions, ObjectiveRow, Objectives, OneLevel, Settled};
pub use objectives::{lagrangian, lifted, objectives, one_level};
pub use operator_norms::{OperatorNorms, operator_norms, operator_norms_by};
pub use settling::{DyadStatistics, Settling, dyad_statistics, settling};
pub use statistics::{PairedDifference, TTest, Wilcoxon};
