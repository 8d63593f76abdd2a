//! Networks: what layers there are, what their parameters are called, how they start, and how they are kept in files.

mod architecture;
mod initializer;
mod model_file;
mod parameters;
pub(crate) mod tensor_file;
mod topology;

pub use architecture::Architecture;
pub use initializer::{BiasInitializer, Initializer, initialize};
pub use model_file::{FORMAT, Model};
pub use parameters::Parameters;
pub use topology::{Layer, Shape, Topology};
