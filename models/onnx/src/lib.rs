//! The networks as ONNX graphs: the one place that writes and reads ONNX files.
//!
//! [`export`] folds a network into a graph of standard operators; [`parse`] reads any ONNX file, [`metadata`] and
//! [`weights`] what our own carry. The file format's messages are in [`proto`].

mod export;
mod prefix;
pub mod proto;
mod read;

pub use export::{ExportError, INPUT, METADATA_KEY, OPSET, OUTPUT, export, value_names};
pub use prefix::prefix;
pub use read::{ReadError, metadata, parse, weights};
