//! The ground floor: what every other floor may use and what knows nothing of networks.

pub(crate) mod disk;
mod error;
pub mod file;
pub(crate) mod json;
pub mod memory;
mod named;
pub(crate) mod protobuf;
pub mod random;
mod real;

pub use error::{Error, Result};
pub use json::Name;
pub use named::Named;
pub use real::Real;
