//! How translations are written.

use std::fmt;
use std::str::FromStr;

use pictures::photo::Depth;
use serde_json::{Value, json};

/// Flags of what is written.
#[derive(Clone, Debug, clap::Args)]
pub struct OutputArguments {
    /// Scale translations back to their pictures' sizes
    #[arg(long)]
    pub restore_size: bool,
    /// Quality of JPEG, from 1 to 100 [default: 95]
    #[arg(long, value_name = "Q", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: Option<u8>,
    /// Write no format with loss
    ///
    /// A translation that would be a JPEG fails. All other formats are written without loss anyway.
    #[arg(long, conflicts_with = "quality")]
    pub lossless: bool,
    /// Bits of a channel, 8 or 16 [default: the picture's, where the format has them]
    #[arg(long, value_name = "BITS", value_parser = depth)]
    pub depth: Option<Depth>,
    /// Colour behind transparent pictures in formats without transparency, as #rrggbb
    #[arg(long, value_name = "COLOUR", default_value_t)]
    pub background: Colour,
    /// Leave EXIF and XMP out
    #[arg(long)]
    pub strip: bool,
    /// Pixels of a picture, at most; larger ones fail before they are decoded
    #[arg(long, value_name = "N", default_value_t = 200_000_000, value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    pub max_pixels: u64,
}

impl OutputArguments {
    /// What of it changes how translations look.
    pub fn recipe(&self) -> Value {
        let Self { restore_size, quality, lossless, depth, background, strip, max_pixels: _ } = self;
        let bits = depth.as_ref().map(|depth| if *depth == Depth::Sixteen { 16 } else { 8 });
        json!({
            "restore-size": restore_size, "quality": quality, "lossless": lossless, "depth": bits,
            "background": background.to_string(), "strip": strip,
        })
    }
}

fn depth(text: &str) -> Result<Depth, String> {
    match text {
        "8" => Ok(Depth::Eight),
        "16" => Ok(Depth::Sixteen),
        _ => Err("use 8 or 16".into()),
    }
}

/// A colour in sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

/// White, on which most programs lay transparent pictures.
impl Default for Colour {
    fn default() -> Self {
        Self([255; 3])
    }
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = [("white", [255; 3]), ("black", [0; 3])];
        if let Some((_, colour)) = named.iter().find(|(name, _)| *name == text) {
            return Ok(Self(*colour));
        }
        let digits = text.strip_prefix('#').unwrap_or(text);
        let is_hex = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        let [_, colour @ ..] = number.ok_or("use #rrggbb, white or black")?.to_be_bytes();
        Ok(Self(colour))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_pages_write_them() {
        let cases = [("#0a0B0c", [10, 11, 12]), ("ffffff", [255; 3]), ("black", [0; 3])];
        for (text, colour) in cases {
            assert_eq!(text.parse(), Ok(Colour(colour)), "{text}");
        }
        assert_eq!(Colour([1, 2, 255]).to_string().parse(), Ok(Colour([1, 2, 255])));
        for wrong in ["", "#fff", "#+12345", "red", "#12345g", "#1234567"] {
            assert!(wrong.parse::<Colour>().is_err(), "{wrong}");
        }
    }
}
