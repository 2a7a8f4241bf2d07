//! JPEG files, whose inks are kept as they are until a profile has been asked for. `image` makes them RGB at once.

use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageError};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::colour::Pixels;
use super::decode::{Bound, Header, Stored};
use crate::{Format, ReadError};

/// What the decoder takes for each pixel, at the worst: coefficients of four channels that are all kept while the scans of a
/// progressive file come in.
const WORK: u64 = 8;

fn open(bytes: &[u8]) -> Result<JpegDecoder<ZCursor<&[u8]>>, ReadError> {
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(failed)?;
    Ok(decoder)
}

fn failed(error: DecodeErrors) -> ReadError {
    ReadError::Decode(ImageError::Decoding(DecodingError::new(ImageFormatHint::Exact(Format::Jpeg), error)))
}

fn size(decoder: &JpegDecoder<ZCursor<&[u8]>>) -> (u32, u32) {
    let (width, height) = decoder.dimensions().expect("the headers were decoded");
    (width as u32, height as u32)
}

/// Columns, rows and orientation.
pub(super) fn header(bytes: &[u8]) -> Result<Header, ReadError> {
    let decoder = open(bytes)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    Ok(Header { size: size(&decoder), orientation })
}

pub(super) fn decode(bytes: &[u8], bound: &Bound) -> Result<Stored, ReadError> {
    let mut decoder = open(bytes)?;
    let (width, height) = size(&decoder);
    let stored_as = decoder.input_colorspace().expect("the headers were decoded");
    let kind = match stored_as {
        ColorSpace::Luma | ColorSpace::CMYK | ColorSpace::YCCK => stored_as,
        _ => ColorSpace::RGB,
    };
    bound.check((width, height), kind.num_components() as u64, 3, WORK)?;
    if !is_whole(bytes) {
        return Err(failed(DecodeErrors::FormatStatic("it is cut off")));
    }
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(kind));
    let (exif, xmp, icc) = (decoder.exif().cloned(), decoder.xmp().cloned(), decoder.icc_profile());
    let mut samples = decoder.decode().map_err(failed)?;
    let pixels = match kind {
        ColorSpace::Luma => {
            ImageBuffer::from_raw(width, height, samples).map(|grey| Pixels::Light(DynamicImage::ImageLuma8(grey)))
        }
        ColorSpace::RGB => {
            ImageBuffer::from_raw(width, height, samples).map(|colours| Pixels::Light(DynamicImage::ImageRgb8(colours)))
        }
        _ => {
            if kind == ColorSpace::YCCK {
                samples.as_chunks_mut().0.iter_mut().for_each(|[y, cb, cr, _]| {
                    [*y, *cb, *cr] = rgb_of([*y, *cb, *cr]).map(|light| 255 - light);
                });
            }
            // What is stored is what is left of the paper, not the ink: Adobe's way, and so everybody's.
            samples.iter_mut().for_each(|ink| *ink = 255 - *ink);
            (samples.len() as u64 == u64::from(width) * u64::from(height) * 4).then_some(Pixels::Inks8 {
                width,
                height,
                inks: samples,
            })
        }
    };
    let pixels = pixels.ok_or(ReadError::Panicked)?;
    Ok(Stored { pixels, icc, exif, xmp, orientation: None, remarks: Vec::new() })
}

/// Whether the file has its end. Without one the decoder fills up what is missing, and somebody would lose half a photo.
fn is_whole(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END: [u8; 2] = [0xff, 0xd9];
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        match *rest {
            // An end before the first scan is that of a thumbnail.
            [0xff, START_OF_SCAN, ..] => return rest.windows(2).any(|pair| pair == END),
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                rest = rest.get(2 + length..).unwrap_or_default();
            }
            // What stands between segments is nobody's.
            [_, ..] => rest = &rest[1..],
            [] => return false,
        }
    }
}

/// JFIF's YCbCr (ITU-R BT.601, full range) to RGB.
pub(super) fn rgb_of([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|value| value.round() as u8)
}
