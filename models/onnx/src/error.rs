//! Why a file is refused.

use std::path::PathBuf;

use models::MetadataError;

use crate::graph::METADATA_KEY;

/// Why an ONNX file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system's.
    #[error("cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// The bytes are no protobuf message of this kind.
    #[error("is no ONNX file, or a damaged one: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A message that holds no graph: another protobuf file, or an empty one.
    #[error("is no ONNX file, or a damaged one: it holds no graph")]
    NoGraph,
    /// A file from elsewhere.
    #[error(
        "has no `{METADATA_KEY}` metadata, so its pixel range and sizes are unknown; was it written by `exporter`?"
    )]
    NoMetadata,
    /// Metadata of another version.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A learned tensor whose numbers are not what is written here.
    #[error("tensor `{name}` is not stored as 32-bit or 16-bit floats; was it written by `exporter`?")]
    Storage {
        /// Its name.
        name: String,
    },
    /// A tensor that the graph needs and that is not there.
    #[error("tensor `{name}` is missing; is the file damaged, or of another network than its metadata says?")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A graph that is not one picture in, one picture out.
    #[error(
        "does not take and give one batch of pictures, as [n, 3, h, w] floats or [n, h, w, 3] bytes; was it written by \
         `exporter`?"
    )]
    Interface,
    /// A graph whose ends are not those of a network.
    #[error(
        "does not take and give one batch of pictures as the network does, which takes {takes} channels and gives {gives}: \
         [n, {takes}, h, w] floats (or bytes [n, h, w, {takes}]) in, of the same number and size out; is it this network's?"
    )]
    Channels {
        /// What the network takes.
        takes: usize,
        /// What it gives.
        gives: usize,
    },
    /// A tensor outside the file, in a place where none is looked for.
    #[error("tensor `{name}` is stored outside the file and has {found}; was it written by `exporter`?")]
    Place {
        /// Its name.
        name: String,
        /// What is wrong with its place.
        found: String,
    },
    /// A file of weights beside the model.
    #[error("its weights are in {}, which cannot be used: {reason}\nmove both files together", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}
