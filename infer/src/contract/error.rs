//! Why a model is not taken.

use std::fmt;
use std::path::PathBuf;

use models::shapes::{self, Shape};

use super::MOST_AT_ONCE;

/// Why a model is not taken. The messages go behind the model's path, which the caller knows.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The file, or its metadata.
    #[error(transparent)]
    File(#[from] models_onnx::ReadError),
    /// The network in the metadata contradicts itself.
    #[error(transparent)]
    Network(#[from] shapes::ShapeError),
    /// A discriminator.
    #[error("is the {0}, which judges pictures; translate with g_ab.onnx or g_ba.onnx")]
    NotAGenerator(models::Role),
    /// A network that does not give back pictures.
    #[error("gives {output} for a picture of {input}; a translation is as large as its picture, in three channels")]
    NotAPicture {
        /// Channels, rows and columns in.
        input: Shape,
        /// Channels, rows and columns out.
        output: Shape,
    },
    /// A size that no picture has.
    #[error("has the training size {0}; it must be from 1 to 65535")]
    TrainingSize(usize),
    /// A fixed batch that no machine needs.
    #[error("takes {0} pictures at once; this program knows batches of 1 to {MOST_AT_ONCE}")]
    Batch(u64),
    /// A fixed size that no picture has.
    #[error("takes pictures of {width}×{height} only; sides must be from 1 to 65535")]
    FixedSize {
        /// Columns.
        width: u64,
        /// Rows.
        height: u64,
    },
    /// A graph that is not one batch of pictures in, and one out.
    #[error("is not image-to-image: {0}")]
    NotImageToImage(String),
    /// What a flag or the file beside the model says, and the graph says otherwise.
    #[error("{said} contradicts the graph, {graph}; leave it out")]
    Contradiction {
        /// Who says what.
        said: String,
        /// What the graph says.
        graph: String,
    },
    /// A deviation of zero.
    #[error("cannot be given pixels that are divided by 0: mend the std of the {0}")]
    ZeroDeviation(String),
    /// A factor that no model has.
    #[error("cannot enlarge {said} times, as the {said_by} says; use a scale from 1 to 16")]
    Scale {
        /// The factor.
        said: u32,
        /// Who says it.
        said_by: String,
    },
    /// What nobody says.
    #[error(
        "does not say all that is needed, and this program does not guess; missing:{}\nuse the flags, or write the same keys \
         into {}, as in `size-multiple = 4`",
        lines(missing), file.display()
    )]
    Missing {
        /// What is missing.
        missing: Vec<Missing>,
        /// Where it could be written.
        file: PathBuf,
    },
    /// The file beside the model.
    #[error("{}, which describes the model, cannot be used: {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Weights in other files.
    #[error(
        "has weights in other files of its folder, which this program reads only when it is told to: use \
         --allow-external-data if you trust the model"
    )]
    ExternalData,
}

/// Something that must be known of a model and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// What black and white are for it.
    Range,
    /// What black and white are in its output.
    OutputRange,
    /// Planes or interleaved.
    Layout,
    /// How much larger its output is.
    Scale,
    /// What its sides must be a multiple of.
    SizeMultiple,
    /// Red or blue first.
    Channels,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Range => "what black and white are for it: --range -1..1, 0..1, 0..255 or others",
            Self::OutputRange => "what black and white are in its output: --output-range -1..1, 0..1, 0..255 or others",
            Self::Layout => "the order of its numbers: --layout nchw or nhwc",
            Self::Scale => "how many times as wide and high its output is: --scale 1, 2, 4 or another",
            Self::SizeMultiple => {
                "what width and height must be a multiple of: --size-multiple N (1 where any will do)"
            }
            Self::Channels => "the order of its channels: --channels rgb or bgr",
        })
    }
}

fn lines(missing: &[Missing]) -> String {
    missing.iter().map(|missing| format!("\n  {missing}")).collect()
}
