//! The networks as ONNX graphs: the one place that writes and reads ONNX files.
//!
//! [`export`] folds a network into a graph of standard operators; [`parse`] reads any ONNX file, [`metadata`] and
//! [`weights`] what our own carry, [`summary()`] what any file says. The file format's messages are in [`proto`].

mod export;
pub mod proto;
mod read;
mod summary;

pub use export::{ExportError, INPUT, METADATA_KEY, OPSET, OUTPUT, export};
pub use read::{ReadError, metadata, parse, weights};
pub use summary::{End, Initializers, Side, Summary, floats, summary};
