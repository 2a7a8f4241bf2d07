//! What can be said of a model's input and output, as it is typed and printed.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// What black and white are for a model; they differ.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct PixelRange(pub(crate) [f32; 2]);

impl PixelRange {
    /// Of bytes.
    pub const BYTES: Self = Self([0.0, 255.0]);
}

impl FromStr for PixelRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends = text.split_once("..").and_then(|(black, white)| Some([number(black)?, number(white)?]));
        match ends {
            Some([black, white]) if black != white && (white - black).is_finite() => Ok(Self([black, white])),
            _ => Err("use two different numbers, those of black and white, like -1..1, 0..1 or 0..255".into()),
        }
    }
}

impl TryFrom<String> for PixelRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for PixelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0[0], self.0[1])
    }
}

/// A number for each of red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "[f32; 3]")]
pub struct PerChannel(pub(crate) [f32; 3]);

impl FromStr for PerChannel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f32>> = text.split(',').map(number).collect();
        match numbers.as_deref() {
            Some(&[red, green, blue]) => Ok(Self([red, green, blue])),
            _ => Err("use three numbers, those of red, green and blue, like 0.485,0.456,0.406".into()),
        }
    }
}

impl TryFrom<[f32; 3]> for PerChannel {
    type Error = String;

    fn try_from(numbers: [f32; 3]) -> Result<Self, String> {
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(Self(numbers)),
            false => Err("use three finite numbers, those of red, green and blue".into()),
        }
    }
}

impl fmt::Display for PerChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "{red},{green},{blue}")
    }
}

/// In which order a batch of pictures lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[batch, channels, height, width]`: planes.
    Nchw,
    /// `[batch, height, width, channels]`: interleaved.
    Nhwc,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nchw => "nchw",
            Self::Nhwc => "nhwc",
        })
    }
}

/// Which channel comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red.
    Rgb,
    /// Blue, as OpenCV has it.
    Bgr,
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        })
    }
}

/// What a tensor's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Bytes.
    U8,
}

impl Element {
    /// Bytes of one.
    pub const fn size(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::U8 => 1,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "32-bit floats",
            Self::F16 => "16-bit floats",
            Self::U8 => "bytes",
        })
    }
}

/// A batch of pictures as a graph has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its numbers.
    pub element: Element,
    /// Their order.
    pub layout: Layout,
}

fn number(text: &str) -> Option<f32> {
    text.trim().parse().ok().filter(|number: &f32| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_numbers_of_channels_are_read_as_they_are_printed_and_nothing_else_is() {
        for text in ["-1..1", "0..1", "0..255", "1..0", "-0.5..0.5"] {
            assert_eq!(text.parse::<PixelRange>().map(|range| range.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "1", "0..0", "0..", "..1", "a..b", "0..inf", "NaN..1", "-3e38..3e38", "0..1e99"] {
            let error = wrong.parse::<PixelRange>().expect_err(wrong);
            assert!(error.contains("like -1..1"), "{error}");
        }
        assert_eq!("0.5, 0.25,1".parse(), Ok(PerChannel([0.5, 0.25, 1.0])));
        for wrong in ["", "1", "1,2", "1,2,3,4", "1,2,x", "1,2,inf"] {
            assert!(wrong.parse::<PerChannel>().is_err(), "{wrong}");
        }
    }
}
