//! Data sets: what is known and where it is found, their division into training, validation and test, and batches.

mod augmentation;
mod batch;
mod catalog;
mod dataset;
mod digits;
mod folders;
mod idx;
mod normalizer;
mod order;
mod split;

pub use augmentation::Augmentation;
pub use batch::Batch;
pub use catalog::{KNOWN, Known, Source};
pub use dataset::Dataset;
pub use digits::{ATTRIBUTION, digits};
pub use folders::Folders;
pub use idx::{Images, read_images, read_labels};
pub use normalizer::{Normalization, Normalizer};
pub use order::{Shuffle, epoch_order};
pub use split::Split;
