//! Where two sides that do not agree part, for a person.

use std::fmt;

use serde::Serialize;

/// The first layer that is not the same on both sides, or the first step between bytes and the network's numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Divergence {
    /// Its name, as the graph's values are called after it.
    pub layer: String,
    /// Its kind and settings.
    pub kind: String,
    /// What the graph makes of it.
    pub found: Found,
}

/// What a graph makes of a layer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Other numbers.
    Numbers {
        /// The value's name in the graph.
        value: String,
        /// Where they are the furthest apart: picture, channel, row and column, or as the value's axes are.
        at: [usize; 4],
        /// What libtorch makes there of the graph's own numbers before the layer.
        expected: f32,
        /// What ONNX Runtime has there.
        found: f32,
        /// Share of its numbers that are not the same.
        off: f64,
    },
    /// A value of another shape.
    Shape {
        /// The value's name in the graph.
        value: String,
        /// The layer's shape: pictures, channels, rows and columns.
        expected: [usize; 4],
        /// The value's.
        found: Vec<usize>,
    },
    /// Numbers of another precision.
    Precision {
        /// The value's name in the graph.
        value: String,
        /// Whether they are 16-bit floats, where an export has 32-bit ones; else the other way round.
        in_16_bits: bool,
    },
    /// No value of its shape.
    Nothing {
        /// Its shape: pictures, channels, rows and columns.
        shape: [usize; 4],
    },
    /// The graph runs no further.
    Refused {
        /// What ONNX Runtime says.
        reason: String,
    },
}

impl Divergence {
    /// Of a graph whose values can all be computed, but which is no whole.
    pub(super) fn of_output(reason: &str) -> Self {
        let found = Found::Refused { reason: reason.into() };
        Self { layer: models_onnx::OUTPUT.into(), kind: "the graph's output".into(), found }
    }
}

impl Found {
    /// The value in the graph that was compared.
    pub(super) fn value(&self) -> Option<&String> {
        match self {
            Self::Numbers { value, .. } | Self::Shape { value, .. } | Self::Precision { value, .. } => Some(value),
            Self::Nothing { .. } | Self::Refused { .. } => None,
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, kind, found } = self;
        write!(f, "the first layer that differs is {layer} ({kind}): ")?;
        match found {
            Found::Numbers { value, at, expected, found, off } => {
                write!(f, "`{value}` is {found:.6} instead of {expected:.6} at ")?;
                match (value.as_str() == models_onnx::OUTPUT, at) {
                    // Bytes and floats have other axes there.
                    (true, at) => write!(f, "{at:?}")?,
                    (false, [picture, channel, row, column]) => {
                        write!(f, "picture {picture}, channel {channel}, row {row}, column {column}")?;
                    }
                }
                write!(f, "; {:.1} % of its numbers are off", off * 100.0)
            }
            Found::Shape { value, expected, found } => write!(f, "`{value}` is {found:?} instead of {expected:?}"),
            Found::Precision { value, in_16_bits: true } => {
                write!(f, "`{value}` is in 16-bit floats instead of 32-bit ones")
            }
            Found::Precision { value, in_16_bits: false } => {
                write!(f, "`{value}` is in 32-bit floats instead of 16-bit ones")
            }
            Found::Nothing { shape } => write!(f, "no value in the file has its shape {shape:?}"),
            Found::Refused { reason } => write!(f, "there ONNX Runtime stops: {reason}"),
        }
    }
}
