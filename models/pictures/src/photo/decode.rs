//! Bytes to photos.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;

use super::colour::{Pixels, to_srgb};
use super::{Kept, Limits, Photo, Remark, containers, exif, jpeg, tiff};
use crate::{Format, ReadError};

/// A file's content as it is stored.
pub(super) struct Stored {
    pub(super) pixels: Pixels,
    pub(super) icc: Option<Vec<u8>>,
    pub(super) exif: Option<Vec<u8>>,
    pub(super) xmp: Option<Vec<u8>>,
    /// Where the format has one of its own beside EXIF's.
    pub(super) orientation: Option<Orientation>,
    pub(super) remarks: Vec<Remark>,
}

/// What a header says: columns and rows as stored, and how they are turned to be upright.
pub(super) struct Header {
    pub(super) size: (u32, u32),
    pub(super) orientation: Option<Orientation>,
}

/// What decoding may take.
pub(super) struct Bound<'a>(pub(super) &'a Limits);

impl Bound<'_> {
    /// Compares what a header announces with the limits. Bytes are those of one pixel: as the decoder gives it, as the photo
    /// has it (twice: turning and colours make a copy), and what the decoder needs to work.
    pub(super) fn check(&self, size: (u32, u32), decoded: u64, photo: u64, work: u64) -> Result<(), ReadError> {
        let (width, height) = size;
        let pixels = u64::from(width) * u64::from(height);
        let Limits { most_pixels, most_bytes } = *self.0;
        if pixels > most_pixels {
            return Err(ReadError::TooManyPixels { width, height, most_pixels });
        }
        if pixels.saturating_mul(decoded + 2 * photo + work) > most_bytes {
            return Err(ReadError::TooLarge { width, height, most_bytes });
        }
        Ok(())
    }

    /// For decoders that count for themselves.
    pub(super) fn for_decoder(&self) -> image::Limits {
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(self.0.most_bytes);
        limits
    }
}

/// What a header may take for itself: colour profiles and descriptions.
const HEADER: Limits = Limits { most_pixels: u64::MAX, most_bytes: 64 << 20 };

/// What stands beside the pixels costs nobody the pixels.
pub(super) fn kept<E>(
    found: Result<Option<Vec<u8>>, E>,
    otherwise: Remark,
    remarks: &mut Vec<Remark>,
) -> Option<Vec<u8>> {
    found.unwrap_or_else(|_| {
        remarks.push(otherwise);
        None
    })
}

/// Decodes a photo. Whatever a file may do, it ends in an error, and takes no more memory than the limits allow.
///
/// # Errors
/// See [`ReadError`]; the messages go behind the path, which the caller knows.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Photo, ReadError> {
    guarded(|| {
        let format = format(bytes)?;
        let bound = Bound(limits);
        let stored = match format {
            Format::Jpeg => jpeg::decode(bytes, &bound)?,
            Format::Tiff => tiff::decode(bytes, &bound)?,
            Format::Png => containers::decode_png(bytes, &bound)?,
            Format::WebP => containers::decode_webp(bytes, &bound)?,
            Format::Gif => containers::decode_gif(bytes, &bound)?,
            other => containers::decode_plain(bytes, other, &bound)?,
        };
        Ok(finished(stored, format))
    })
}

/// Columns and rows of the upright photo, as its header says. No pixel is decoded.
///
/// # Errors
/// As [`decode`], but for limits.
pub fn decode_header(bytes: &[u8]) -> Result<(u32, u32), ReadError> {
    guarded(|| {
        let bound = Bound(&HEADER);
        let Header { size: (width, height), orientation } = match format(bytes)? {
            Format::Jpeg => jpeg::header(bytes)?,
            Format::Tiff => tiff::header(bytes)?,
            other => containers::header(bytes, other, &bound)?,
        };
        let is_turned = orientation.is_some_and(|orientation| orientation.to_exif() >= 5);
        Ok(if is_turned { (height, width) } else { (width, height) })
    })
}

/// The format of the content.
fn format(bytes: &[u8]) -> Result<Format, ReadError> {
    use Format::{Bmp, Gif, Jpeg, Png, Pnm, Qoi, Tiff, WebP};
    let found = crate::format(bytes)?;
    let known = matches!(found, Bmp | Gif | Jpeg | Png | Pnm | Qoi | Tiff | WebP);
    if known { Ok(found) } else { Err(ReadError::UnknownFormat) }
}

/// Decoders are written for the outside world's files, and some panic on damaged ones: that is the file's error.
fn guarded<T>(work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ReadError::Panicked))
}

/// Upright, sRGB, and with descriptions that say so.
fn finished(stored: Stored, format: Format) -> Photo {
    let Stored { pixels, icc, exif, xmp, orientation, mut remarks } = stored;
    let (mut image, remark) = to_srgb(pixels, icc.as_deref());
    remarks.extend(remark);
    let exif = exif.map(exif::block);
    let orientation = orientation.or_else(|| exif.as_deref().and_then(Orientation::from_exif_chunk));
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    let settled = exif.and_then(exif::settled);
    Photo { image, format, kept: Kept { exif: settled, xmp: xmp.map(exif::settled_xmp) }, remarks }
}
