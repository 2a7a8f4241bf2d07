//! Pictures to files' bytes.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

/// A picture that cannot be encoded.
#[derive(Debug, thiserror::Error)]
#[error("cannot be encoded as {format:?}: {error}")]
pub struct EncodeError {
    /// The format asked for.
    pub format: ImageFormat,
    /// What the encoder says.
    #[source]
    pub error: image::ImageError,
}

/// JPEG's quality: what photographs are usually kept at. The other formats are written without loss.
const JPEG_QUALITY: u8 = 95;

/// A picture's bytes in the given format.
///
/// # Errors
/// If the format cannot hold it (WebP has at most 16383 pixels a side).
pub fn encode(picture: &RgbImage, format: ImageFormat) -> Result<Vec<u8>, EncodeError> {
    if format == ImageFormat::Jpeg {
        return encode_jpeg(picture, JPEG_QUALITY);
    }
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).map_err(|error| EncodeError { format, error })?;
    Ok(bytes.into_inner())
}

/// A picture's bytes as JPEG, with a quality from 1 to 100: lower where a page has to be light.
///
/// # Errors
/// If JPEG cannot hold it: it has at most 65535 pixels a side.
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let written = picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality));
    written.map_err(|error| EncodeError { format: ImageFormat::Jpeg, error })?;
    Ok(bytes)
}
