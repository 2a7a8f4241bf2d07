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
    let mut bytes = Cursor::new(Vec::new());
    let written = match format {
        ImageFormat::Jpeg => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)),
        _ => picture.write_to(&mut bytes, format),
    };
    written.map_err(|error| EncodeError { format, error })?;
    Ok(bytes.into_inner())
}
