//! Pictures to files' bytes.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

/// A picture that cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The format cannot hold it, or there is no memory for it.
    #[error("cannot be encoded as {format:?}: {error}")]
    Encoder {
        /// The format asked for.
        format: ImageFormat,
        /// What the encoder says.
        #[source]
        error: image::ImageError,
    },
    /// The format is read but not written.
    #[error("{format:?} is not written: choose PNG, JPEG, WebP, TIFF, BMP, PNM or QOI")]
    NotWritten {
        /// The format asked for.
        format: ImageFormat,
    },
    /// JPEG always loses something.
    #[error("JPEG cannot be written without loss: choose PNG or WebP, or do not ask for it")]
    LossyJpeg,
    /// WebP with loss needs libwebp, which is not Rust.
    #[error("WebP is written without loss only: leave the quality out, or choose JPEG")]
    LossyWebP,
    /// The format has 8 bits a channel.
    #[error("{format:?} has no 16 bits a channel: choose PNG, TIFF or PNM, or 8 bits")]
    NoSixteenBits {
        /// The format asked for.
        format: ImageFormat,
    },
}

/// JPEG's quality: what photographs are usually kept at. The other formats are written without loss.
pub(crate) const JPEG_QUALITY: u8 = 95;

/// A picture's bytes in the given format.
///
/// # Errors
/// If the format cannot hold it (WebP has at most 16383 pixels a side).
pub fn encode(picture: &RgbImage, format: ImageFormat) -> Result<Vec<u8>, EncodeError> {
    if format == ImageFormat::Jpeg {
        return encode_jpeg(picture, JPEG_QUALITY);
    }
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).map_err(|error| EncodeError::Encoder { format, error })?;
    Ok(bytes.into_inner())
}

/// A picture's bytes as JPEG, with a quality from 1 to 100: lower where a page has to be light.
///
/// # Errors
/// If JPEG cannot hold it: it has at most 65535 pixels a side.
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let written = picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality));
    written.map_err(|error| EncodeError::Encoder { format: ImageFormat::Jpeg, error })?;
    Ok(bytes)
}
