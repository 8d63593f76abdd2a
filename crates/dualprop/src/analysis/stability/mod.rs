//! Stability: whether the states of an inference come to rest, measured pass by pass and predicted in closed form.
//!
//! The paper's claim (*Two Tales*, PAPER 1.5): dual propagation in its relaxation view is stable only under symmetric nudging,
//! α = ½; DP⊤ for every α.

mod closed_form;
mod grid;
mod networks;
mod row;
mod settle;

pub use closed_form::{Prediction, lambda_max, leak, loop_gain, nudge_strength, predict};
pub use grid::{InferenceGrid, NetworkGrid};
pub use networks::{Networks, RandomNetworks, Trial};
pub use row::StabilityRow;
pub use settle::{Ending, SampleSettling, Settler, TOLERANCE};

#[cfg(test)]
mod tests;
