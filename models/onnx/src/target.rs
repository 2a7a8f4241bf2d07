//! What an ONNX file is made for.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The operator sets that can be written. 17 is the oldest that still gets every operator here in its present meaning;
/// 26 the newest that the pinned ONNX Runtime takes: it refuses 27 as one under development. No operator that these
/// networks use changes between them but for the types and modes that it may have.
pub const OPSETS: RangeInclusive<i64> = 17..=26;

/// The version of the file format that came with an operator set, after the table of releases in the ONNX specification.
pub(crate) fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        24 => 12,
        _ => 13,
    }
}

/// What a model's convolutions, and all that moves between layers where nothing forbids it, are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats (5 bits of exponent, 10 of mantissa). Norms stay in 32 bits: a square overflows 16 from 256 on.
    F16,
}

/// What goes into a model and comes out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Io {
    /// `[batch, 3, height, width]`, 32-bit floats in the pixel range of the metadata.
    #[default]
    Float,
    /// The same in 16-bit floats.
    F16,
    /// `[batch, height, width, 3]`, bytes from 0 (black) to 255 (white): scaling, rounding and clamping are in the graph.
    Uint8,
}

/// What an ONNX file is made for. The default is what most runtimes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Operator set, one of [`OPSETS`].
    pub opset: i64,
    /// Pictures at once; none leaves it to who runs the model.
    pub batch: Option<usize>,
    /// Rows and columns; none leaves them to who runs the model.
    pub size: Option<[usize; 2]>,
    /// What it is computed in.
    pub precision: Precision,
    /// What goes in and comes out.
    pub io: Io,
    /// Whether a convolution keeps a bias that the instance norm right behind it takes away again.
    pub keep_bias: bool,
    /// Bytes of the model's file above which its large weights go to a file beside it.
    pub largest_file: usize,
}

/// Protobuf ends at 2 GB: readers count a message's bytes in 32 bits with a sign.
const PROTOBUF_LIMIT: usize = i32::MAX as usize;

impl Default for Target {
    fn default() -> Self {
        Self {
            opset: *OPSETS.start(),
            batch: None,
            size: None,
            precision: Precision::F32,
            io: Io::Float,
            keep_bias: false,
            largest_file: PROTOBUF_LIMIT,
        }
    }
}

impl Precision {
    /// The largest difference from 32-bit libtorch, of outputs in [-1, 1], that still counts as the same.
    ///
    /// In 32 bits two runtimes differ by about 1e-5 over a whole generator, since they sum in other orders. In 16 bits a
    /// rounded number is off by up to 2⁻¹¹ of itself, 3e-4 in the root mean square. A convolution rounds its input, its
    /// weights and its output, which is 5e-4 of what it gives; the norm behind it brings that to the size of 1. Over some 24
    /// convolutions such errors add up as a random walk does, to 2.4e-3, and the largest of 10⁵ numbers lies four or five
    /// times as far out: 1e-2. Twice that is two and a half 8-bit steps; a layer that computes something else is off by
    /// tenths.
    pub const fn tolerance(self) -> f32 {
        match self {
            Self::F32 => 1e-4,
            Self::F16 => 2e-2,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            _ => Err("use f32 or f16".into()),
        }
    }
}

impl fmt::Display for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::F16 => "f16",
            Self::Uint8 => "uint8",
        })
    }
}

impl FromStr for Io {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "float" => Ok(Self::Float),
            "f16" => Ok(Self::F16),
            "uint8" => Ok(Self::Uint8),
            _ => Err("use float, f16 or uint8".into()),
        }
    }
}
