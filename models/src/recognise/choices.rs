//! What names and shapes do not say.

use std::fmt;
use std::str::FromStr;

use crate::Role;

/// An enumeration with one word for each value.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$value => $word,)+ })
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$value),)+
                    _ => Err(format!("use {}", [$($word),+].join(" or "))),
                }
            }
        }
    };
}

words! {
    /// What a norm divides by.
    Norm {
        /// The deviation of each channel of each picture.
        Instance = "instance",
        /// The stored deviation, as batch norm does when it is evaluated.
        Batch = "batch",
    }
}

words! {
    /// What stands around a picture.
    Padding {
        /// The picture mirrored.
        Reflect = "reflect",
        /// Zeros.
        Zero = "zero",
    }
}

words! {
    /// Where convolutions that halve or double the size have their uneven row and column.
    StridedPadding {
        /// PyTorch's `padding` of half the kernel, and `output_padding` where the kernel is odd.
        Symmetric = "symmetric",
        /// TensorFlow's `same`: the odd one at the bottom and right.
        Same = "same",
        /// As symmetric, with the picture mirrored instead of zeros where the size is halved.
        Reflect = "reflect",
    }
}

words! {
    /// What the last layer is.
    OutputActivation {
        /// Hyperbolic tangent.
        Tanh = "tanh",
        /// Nothing after the last convolution, or its norm.
        None = "none",
    }
}

words! {
    /// What follows the sum of a block's input and output.
    BlockActivation {
        /// Nothing, as in the paper.
        None = "none",
        /// The activation that is everywhere else, as in a classifier's blocks.
        Same = "same",
    }
}

words! {
    /// What becomes of the running statistics that an instance norm stores.
    RunningStatistics {
        /// They are used, as batch norm would.
        Use = "use",
        /// They are left out, and each picture has its own.
        Ignore = "ignore",
    }
}

/// What to take for the things that names and shapes do not say. What is none here is inferred where the file hints at it,
/// and the published default elsewhere; either is in the list of assumptions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    /// Which generator it is; A to B unless a prefix says otherwise.
    pub role: Option<Role>,
    /// Instance norm, unless scale, bias and running statistics are stored.
    pub norm: Option<Norm>,
    /// Added to the variance: 1e-5, in the concat family 1e-3.
    pub norm_eps: Option<f64>,
    /// Ignored.
    pub running_statistics: Option<RunningStatistics>,
    /// Around the convolutions of the blocks: reflection, in the concat family zeros.
    pub padding: Option<Padding>,
    /// Around the first and the last convolution: reflection, in the concat family zeros.
    pub edge_padding: Option<Padding>,
    /// Around the convolutions after an upsampling: zeros.
    pub upsample_padding: Option<Padding>,
    /// By the numbering, else symmetric, in the concat family `same`.
    pub strided_padding: Option<StridedPadding>,
    /// Slope of the activations left of zero: 0, a ReLU.
    pub leaky_slope: Option<f64>,
    /// None.
    pub block_activation: Option<BlockActivation>,
    /// Hyperbolic tangent.
    pub output_activation: Option<OutputActivation>,
    /// What black and white are: -1 and 1.
    pub pixel_range: Option<[f32; 2]>,
}
