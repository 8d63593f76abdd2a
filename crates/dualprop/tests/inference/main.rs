//! The engine against its oracles: the reference path, closed forms, limits and invariants.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod against_reference;
mod disturbed;
mod feedback;
#[cfg(feature = "cuda")]
mod gpu;
mod invariants;
mod limits;
mod plans;
mod setup;
mod updates;
