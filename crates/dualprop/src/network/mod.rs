//! Networks: what layers there are, what their parameters are called, how they start, how they are kept in files, and how other
//! programs get them.

mod architecture;
mod export;
mod initializer;
mod layer;
mod model_file;
mod parameters;
pub(crate) mod tensor_file;
mod topology;

pub use architecture::Architecture;
pub use export::ExportFormat;
pub use initializer::{BiasInitializer, Initializer, initialize};
pub use layer::{Layer, PoolOrder};
pub use model_file::{FORMAT, Model};
pub use parameters::Parameters;
pub use topology::{Shape, Topology};
