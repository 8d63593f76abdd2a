//! Data sets: what is known and where it is found, their division into training, validation and test, and batches.

mod augmentation;
mod batch;
mod cifar;
mod dataset;
mod digits;
mod folders;
mod idx;
mod imported;
mod known;
mod mat;
mod normalizer;
mod npy;
mod npz;
mod order;
mod records;
pub mod remote;
pub(crate) mod source;
mod split;

pub use augmentation::Augmentation;
pub use batch::Batch;
pub use cifar::{CifarKind, read_cifar};
pub use dataset::Dataset;
pub use digits::{ATTRIBUTION, digits};
pub use folders::Folders;
pub use idx::{Images, read_images, read_labels};
pub use imported::{Imported, ImportedFile, import, import_arrays, imported_files};
pub use known::{Classes, Constants, KNOWN, Known};
pub use mat::read_svhn;
pub use normalizer::{Normalization, Normalizer};
pub use npy::{read_images_npy, read_labels_npy};
pub use npz::read_imagenet_npz;
pub use order::{Shuffle, epoch_order};
pub use records::Records;
pub use source::{Description, Source};
pub use split::{Held, Split};
