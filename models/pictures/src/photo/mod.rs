//! Photos as people keep them: 8 or 16 bits, transparency, colour profiles, descriptions; turned upright and brought to
//! sRGB, and written so.
//!
//! In: JPEG, PNG, WebP, TIFF, BMP, GIF, PNM and QOI, told by their content. Out: the same without GIF, whose 256 colours
//! are too few for a translated photo.
//!
//! - **Colours.** A file's ICC profile is applied (perceptual intent) and the pixels are sRGB from then on; a file without
//!   one is sRGB. Inks of a JPEG file are taken as inverted, as Adobe writes them; without a profile they become `(1 - ink)(1 - black)`, as Pillow and most viewers do it. PNG's gAMA and
//!   cHRM are not applied, since writers fill them with anything: a gamma far from sRGB's is a [`Remark`].
//! - **Descriptions.** EXIF and XMP are kept as [`Kept`] says. JPEG holds at most 64 KB of each; BMP, PNM and QOI hold none.
//! - **Bounds.** Pixels and memory are checked against [`Limits`] by what the header says, before anything is allocated.

use std::fmt;

use image::DynamicImage;

pub use self::alpha::{Alpha, join_alpha, split_alpha};
pub use self::decode::{decode, decode_header};
pub use self::encode::{can_write, encode, has_alpha, has_sixteen_bits};
pub use self::size::resize;
use crate::Format;

mod alpha;
mod colour;
mod containers;
mod decode;
mod encode;
mod exif;
mod jpeg;
mod size;
mod tiff;

/// A photo in memory.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Upright and sRGB; `ImageRgb8`, `ImageRgba8`, `ImageRgb16` or `ImageRgba16`.
    pub image: DynamicImage,
    /// What the content is, whatever the name says.
    pub format: Format,
    /// Descriptions to be written again.
    pub kept: Kept,
    /// What was left out or taken differently than the file says.
    pub remarks: Vec<Remark>,
}

/// What is kept of a photo beside its pixels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// An EXIF block: the TIFF structure, without `Exif\0\0` before it. The orientation is 1, as the pixels now are, and there
    /// is no thumbnail, which would show the photo as it was.
    pub exif: Option<Vec<u8>>,
    /// An XMP packet; an orientation in it is 1 too.
    pub xmp: Option<Vec<u8>>,
}

/// What somebody should know about a photo that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A TIFF file with more pages.
    FirstPage {
        /// How many there are.
        pages: usize,
    },
    /// An animation.
    FirstFrame,
    /// A damaged profile, or one for other colours than the file's.
    Profile,
    /// A PNG file that says which gamma it has, but has no profile.
    Gamma,
    /// EXIF or XMP that cannot be read.
    Description,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::FirstPage { pages } => write!(f, "the first of {pages} pages"),
            Self::FirstFrame => f.write_str("the first frame of an animation"),
            Self::Profile => f.write_str("its colour profile cannot be used: taken as sRGB"),
            Self::Gamma => f.write_str("its gamma is not sRGB's and is not applied: taken as sRGB"),
            Self::Description => f.write_str("its EXIF or XMP is damaged and left out"),
        }
    }
}

/// What decoding one photo may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Columns times rows.
    pub most_pixels: u64,
    /// Bytes of memory beside the file's own, at the worst moment.
    pub most_bytes: u64,
}

/// Bits a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 8 bits.
    Eight,
    /// 16 bits.
    Sixteen,
}

/// How a photo is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// One that [`can_write`].
    pub format: Format,
    /// JPEG's, from 1 to 100; without it 95. The colours are not subsampled. Formats without loss have none, except that it
    /// asks WebP for loss, which is refused: there is no encoder for that in Rust under a free licence.
    pub quality: Option<u8>,
    /// Refuses formats that lose something.
    pub lossless: bool,
    /// Sixteen is refused where the format has no 16 bits.
    pub depth: Depth,
    /// 8-bit sRGB; what transparency is laid on where the format has none.
    pub background: [u8; 3],
}
