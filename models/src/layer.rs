//! The tree of layers that a network is.

use serde::{Deserialize, Serialize};

/// Rows and columns added around a picture, or cut off from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pads {
    /// Rows above the first.
    pub top: usize,
    /// Columns left of the first.
    pub left: usize,
    /// Rows below the last.
    pub bottom: usize,
    /// Columns right of the last.
    pub right: usize,
}

impl Pads {
    /// No padding.
    pub const NONE: Self = Self::all(0);

    /// The same padding on every side.
    pub const fn all(by: usize) -> Self {
        Self { top: by, left: by, bottom: by, right: by }
    }

    /// TensorFlow's `same` for sizes that the stride divides: `kernel − stride` in total, the odd one at the bottom and
    /// right.
    pub const fn same(kernel: usize, stride: usize) -> Self {
        let total = kernel - stride;
        let first = total / 2;
        Self { top: first, left: first, bottom: total - first, right: total - first }
    }

    /// Whether opposite sides are padded alike.
    pub const fn is_symmetric(self) -> bool {
        self.top == self.bottom && self.left == self.right
    }
}

/// How a skip connection joins its body's output with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// `body(x) + x`; the body keeps the number of channels.
    Add,
    /// `[body(x), x]` along the channels, in this order.
    Concat,
}

/// One layer. Features are `[n, c, h, w]`; convolution weights are in PyTorch's layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// Cross-correlation with bias. Weight `[to, from, kernel, kernel]`.
    Conv {
        /// Prefix of its parameters' names.
        name: String,
        /// Channels in.
        from: usize,
        /// Channels out.
        to: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Rows and columns from one output to the next.
        stride: usize,
        /// Explicit padding with zeros.
        pad: Pads,
    },
    /// Transposed convolution with bias. Weight `[from, to, kernel, kernel]`.
    ///
    /// Its full output has `(size − 1) · stride + kernel` rows and columns; `extra` more follow at the bottom and right
    /// (PyTorch's `output_padding`), then `crop` is cut off.
    ConvTranspose {
        /// Prefix of its parameters' names.
        name: String,
        /// Channels in.
        from: usize,
        /// Channels out.
        to: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Rows and columns from one input's place in the output to the next.
        stride: usize,
        /// What is cut off the output.
        crop: Pads,
        /// Rows and columns added at the bottom and right before the cut.
        extra: usize,
    },
    /// `(x − mean) / √(variance + eps)` over each channel of each picture, biased variance (arXiv 1607.08022).
    InstanceNorm {
        /// Prefix of its scale and bias, `[channels]` each; none means neither is trained.
        name: Option<String>,
        /// Channels in and out.
        channels: usize,
        /// Added to the variance.
        eps: f64,
    },
    /// Mirrors `by` rows and columns around the picture without repeating the outermost.
    ReflectPad {
        /// Rows and columns on each side.
        by: usize,
    },
    /// Nearest neighbour by a whole factor. With a convolution behind it, the cure for checkerboards.
    Upsample {
        /// Output pixels to an input pixel, along each side.
        factor: usize,
    },
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, `slope · x` elsewhere.
    LeakyRelu {
        /// Slope left of zero.
        slope: f64,
    },
    /// Hyperbolic tangent.
    Tanh,
    /// `join(body(x), x)`.
    Skip {
        /// The layers around which the input is carried.
        body: Vec<Layer>,
        /// How both are put together.
        join: Join,
    },
}

/// A generator or discriminator: layers applied one after the other to `[n, channels, h, w]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Channels of the input: 3 for pictures.
    pub channels: usize,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}
