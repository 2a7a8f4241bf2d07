//! The networks as ONNX graphs: the one place that writes and reads ONNX files.
//!
//! [`export`] folds a network into a graph of standard operators for a [`Target`]; [`open`] reads any ONNX file,
//! [`metadata`], [`weights`] and [`interface()`] what our own carry, [`summary()`] what any file says; [`samples`] are for tests. The file format's messages are in [`proto`].

mod bias;
mod error;
mod export;
mod external;
mod graph;
mod interface;
mod layers;
mod names;
mod part;
pub mod proto;
mod read;
pub mod samples;
mod summary;
mod target;

pub use bias::cancelled_biases;
pub use error::ReadError;
pub use export::{ExportError, Exported, export};
pub use external::{Beside, Data, check_data, check_own_data, data_files};
pub use graph::{INPUT, METADATA_KEY, OUTPUT};
pub use interface::{BYTES_IN, BYTES_OUT, Interface, interface, interface_with};
pub use names::{LayerValue, layer_values};
pub use part::{of_any_size, prefix, suffix};
pub use read::{dropped_biases, metadata, open, open_with_data, parse, precision, weights, written_hash};
pub use summary::{End, Initializers, Side, Summary, floats, summary};
pub use target::{Io, OPSETS, Precision, Target};
