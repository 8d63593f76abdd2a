//! **Dual propagation**: training deep networks without backpropagation.
//!
//! Every neuron is a *dyad* of two compartments s⁺ and s⁻. Their weighted mean s̄ = α s⁺ + (1−α) s⁻ travels up, their
//! difference Δ = s⁺ − s⁻ travels down, and each weight learns from the difference above it times the mean below it.
//! The theory is in R. Høier and C. Zach, *Two Tales of Single-Phase Contrastive Hebbian Learning*, ICML 2024.
//!
//! The folders are floors: a module imports only from itself and from the floors below it.
//!
//! | floor | what lives there |
//! |---|---|
//! | [`base`] | errors, counter-based random numbers, deterministic mathematics, files |
//! | [`compute`] | the dozen operations of dual propagation and the device that executes a list of them |
//! | [`network`] | layers, named parameters, initialisation, spectral norms, model files, models as ONNX and NPZ |
//! | [`inference`] | the paper: rule, nudge, schedule, the plan compiler and the engine |
//! | [`learning`] | optimisers and learning-rate schedules |
//! | [`analysis`] | how close the local gradients are to backpropagation, whether the states settle, how large the operators |
//! | [`data`] | known data sets, IDX files, splits, normalisation, augmentation, batches |
//! | [`training`] | recipe, trainer, run directory, and the golden cases that `dualprop trace` replays |
//! | `report` | figures and reports, with the feature of that name |
//! | [`mod@reference`] | the naive f64 path that everything above is tested against; it imports `base` only |
//!
//! The two types to know are [`inference::Engine`], which settles one batch of dyads and yields its local gradients, and
//! [`training::Trainer`], which turns a [`training::Recipe`] into a run directory and tells a listener what happens.

pub mod analysis;
pub mod base;
pub mod compute;
pub mod data;
pub mod inference;
pub mod learning;
pub mod network;
pub mod reference;
#[cfg(feature = "report")]
pub mod report;
pub mod training;

pub use base::{Error, Result};

/// The README's Rust runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So does that of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/first-steps.md")]
struct FirstSteps;
