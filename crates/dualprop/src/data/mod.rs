//! Data sets: the embedded digits, their division into training, validation and test, standardisation, and batches.

mod batch;
mod dataset;
mod digits;
mod split;
mod standardizer;

pub use batch::{Batch, epoch_order};
pub use dataset::Dataset;
pub use digits::{ATTRIBUTION, digits};
pub use split::Split;
pub use standardizer::Standardizer;
