//! Flags that say what an ONNX file is made for.

use clap::Args;
use models_onnx::{Io, OPSETS, Precision, Target};

const HEADING: &str = "Target";

/// What the ONNX file is made for.
#[derive(Clone, Debug, Args)]
pub struct TargetArguments {
    /// Operator set, 17 to 26: older runtimes read lower ones
    #[arg(long, help_heading = HEADING, value_name = "N", default_value_t = *OPSETS.start(), value_parser = clap::value_parser!(i64).range(OPSETS))]
    opset: i64,
    /// Pictures that the model takes at once [default: any number]
    #[arg(long, help_heading = HEADING, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: Option<u16>,
    /// Height and width that the model takes, as in 256x384 [default: any that fits the network]
    #[arg(long, help_heading = HEADING, value_name = "HxW", value_parser = size)]
    size: Option<[usize; 2]>,
    /// What convolutions are computed in: f32 or f16
    ///
    /// With f16, weights and most of what moves between layers take half the memory; norms stay in 32 bits, whose squares 16
    /// cannot hold. It pays on GPUs; most CPUs have no such arithmetic.
    #[arg(long, help_heading = HEADING, value_name = "KIND", default_value_t)]
    precision: Precision,
    /// What goes in and comes out: float, f16 or uint8
    ///
    /// float and f16 are [batch, 3, height, width] in the network's pixel range; uint8 is [batch, height, width, 3], bytes as a
    /// decoded picture has them: scaling, rounding and clamping are in the graph.
    #[arg(long, help_heading = HEADING, value_name = "KIND", default_value_t)]
    io: Io,
    /// Keep a convolution's bias although the instance norm right behind it takes it away again
    #[arg(long, help_heading = HEADING)]
    keep_bias: bool,
    /// Bytes above which large weights go to a file beside, so that tests need no 2 GB
    #[arg(long, value_name = "BYTES", hide = true)]
    largest_file: Option<usize>,
}

impl TargetArguments {
    /// What they ask for.
    pub(crate) fn target(&self) -> Target {
        let Self { opset, batch, size, precision, io, keep_bias, largest_file } = *self;
        let largest_file = largest_file.unwrap_or(Target::default().largest_file);
        Target { opset, batch: batch.map(usize::from), size, precision, io, keep_bias, largest_file }
    }
}

/// Reads a height and a width.
pub(crate) fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=65_535).contains(side));
    let sides = text.split_once(['x', '×']).and_then(|(height, width)| Some([side(height)?, side(width)?]));
    sides.ok_or_else(|| "use height x width in pixels, as in 256x384".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Arguments;

    #[test]
    fn a_flag_that_makes_no_sense_says_what_does() {
        let cases = [
            ("--opset=16", "16 is not in 17..=26"),
            ("--batch=0", "0 is not in 1..=256"),
            ("--size=256", "use height x width in pixels, as in 256x384"),
            ("--precision=int8", "use f32 or f16"),
            ("--io=bytes", "use float, f16 or uint8"),
        ];
        for (flag, message) in cases {
            let parsed = Arguments::try_parse_from(["exporter", "g.ot", "-o", "g.onnx", flag]);
            let error = parsed.expect_err(message).to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_size_is_height_by_width() {
        assert_eq!(size("256x384"), Ok([256, 384]));
        assert_eq!(size("8×16"), Ok([8, 16]));
        for wrong in ["256", "0x8", "8x", "8x8x8", "-8x8", "99999x8", "x"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
