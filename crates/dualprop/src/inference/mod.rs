//! Dual propagation itself: what is fed back (rule), how the loss pulls (nudge), in which order layers are updated
//! (schedule), the compiler that turns the three into a list of operations (plan), and what executes it (engine).

mod disturbance;
mod engine;
mod feedback;
mod input_gradient;
mod linearisation;
mod messages;
mod nudge;
mod plan;
mod predictor;
mod rule;
mod schedule;
mod settings;

pub use disturbance::{Disturbance, Drawn, MismatchPer, NoisePer};
pub use engine::Engine;
pub use feedback::Feedback;
pub use input_gradient::InputGradient;
pub use linearisation::Linearisation;
pub use messages::Messages;
pub use nudge::Nudge;
pub use plan::{Plan, PlanOptions, Reason, Removed, Step};
pub use predictor::Predictor;
pub use rule::{Damping, PerLayer, Rule, RuleKind};
pub use schedule::{Pass, Schedule};
pub use settings::{Inference, PoolRouting, Start};
