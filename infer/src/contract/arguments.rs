//! What flags, or a file beside the model, say of it.

use std::num::NonZeroU16;

use clap::builder::RangedU64ValueParser;
use serde::Deserialize;

use super::values::{Channels, Layout, PerChannel, PixelRange};

/// The largest factor by which a model may enlarge.
pub(super) const LARGEST_SCALE: u32 = 16;

/// Flags about the model.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ContractArguments {
    /// What the model's file does not say.
    #[command(flatten)]
    pub said: Said,
    /// Take a model whose weights lie in other files of its folder
    #[arg(long, help_heading = HEADING)]
    pub allow_external_data: bool,
    /// Print what is known of the model, and from where, and end
    #[arg(long, help_heading = HEADING, conflicts_with_all = ["inputs", "output"])]
    pub print_contract: bool,
}

const HEADING: &str = "Other people's models";

/// What can be said of a model that does not say it. As a file, these are the keys of `NAME.toml` beside `NAME.onnx`.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Said {
    /// What black and white are for the model: -1..1, 0..1 or 0..255
    ///
    /// This and the next seven may stand in a file NAME.toml beside NAME.onnx, as in range = "0..1", mean = [0.5, 0.5, 0.5]
    /// or size-multiple = 4. A flag wins over the file, the file over what the model says of itself; what contradicts the
    /// graph is refused.
    #[arg(long, value_name = "BLACK..WHITE", allow_hyphen_values = true, help_heading = HEADING)]
    pub range: Option<PixelRange>,
    /// The same of its output [default: as the input, unless that has mean and deviation]
    #[arg(long, value_name = "BLACK..WHITE", allow_hyphen_values = true, help_heading = HEADING)]
    pub output_range: Option<PixelRange>,
    /// What is subtracted from the input's channels, in its range
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, help_heading = HEADING)]
    pub mean: Option<PerChannel>,
    /// What they are then divided by
    #[arg(long, value_name = "R,G,B", help_heading = HEADING)]
    pub std: Option<PerChannel>,
    /// Order of the numbers: nchw (planes) or nhwc
    #[arg(long, value_enum, value_name = "LAYOUT", hide_possible_values = true, help_heading = HEADING)]
    pub layout: Option<Layout>,
    /// Order of the channels: rgb or bgr
    #[arg(long, value_enum, value_name = "ORDER", hide_possible_values = true, help_heading = HEADING)]
    pub channels: Option<Channels>,
    /// What width and height must be a multiple of; 1 where any will do
    #[arg(long, value_name = "N", help_heading = HEADING)]
    pub size_multiple: Option<NonZeroU16>,
    /// How many times as wide and high the output is
    #[arg(long, value_name = "N", help_heading = HEADING, value_parser = RangedU64ValueParser::<u32>::new().range(1..=u64::from(LARGEST_SCALE)))]
    pub scale: Option<u32>,
}
