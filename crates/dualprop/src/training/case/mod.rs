//! Cases: one batch (or a short training) with its network and all its settings in a safetensors file, and its replay by
//! the engine, which is what `dualprop trace` does.
//!
//! The layout is that of the golden files, which the paper's authors' own program wrote: [`Case::read`] understands their
//! metadata and tensors, and [`trace`] answers with tensors of the same names, shapes and layouts. Tensors that a trace
//! writes may stand in a case, as they do in a golden file; they are not read.
//!
//! Metadata (strings): `rule`, `alpha`, `beta`, `schedule` (fwK, bwK, fwbwK, bwfwK, oddeven, evenodd, parallel, random),
//! `passes`, `activation`, `loss` (squared_error is Σ(z−y)², without ½), `input_shape` \[H, W, C\], `conv_features`,
//! `pool_after_conv`, `dense_features`, `batch`, and for people `name` and `arch`. Where the authors' program has no choice,
//! a case may still make one: `conv_sizes` (a JSON list, 3 for 3 × 3),
//! `pool_order`, `nudge`, `output_alpha`, `alpha_feedback` (rule `general`), `feedback_gain`, `divide_gain`,
//! `nudge_from_pass`, `start` (forward or zero), `seed` (schedule random), and for the rule `dp_damped` without the tensor
//! `damping` `damping_power_iterations` and `damping_asymmetry`. `alpha`, `alpha_feedback` and `feedback_gain` are a number
//! or a JSON list with one for each hidden layer.
//!
//! A training has `steps` and `optimizer`: sgd with `momentum` and `weight_decay`, adam with `beta1`, `beta2` and `epsilon`;
//! and its rate, `schedule_kind` constant (which adam may leave out) with `learning_rate`, or warmup_cosine with
//! `init_learning_rate`, `learning_rate`, `final_learning_rate`, `warmup_steps` and `decay_steps` (warm-up included).
//!
//! A key or tensor that is unknown, or that nothing in the case makes use of, is an error.

mod inference;
mod output;
mod read;
mod replay;
mod settings;
mod steps;
mod tensors;
#[cfg(test)]
mod tests;

pub use output::Trace;
pub use read::Case;
pub use replay::{TraceOptions, trace};
