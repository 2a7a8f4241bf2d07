//! Formats whose pixels `image` decodes as they are: PNG, WebP, GIF, BMP, PNM and QOI.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageReader};
use image_webp::WebPDecoder;

use super::colour::Pixels;
use super::decode::{Bound, Header, Stored, kept};
use super::{Remark, exif};
use crate::{Format, ReadError};

/// Bytes a pixel that the decoders take beside their result; the most is WebP's: planes and their colours.
const WORK: u64 = 8;

/// What gAMA says in a file of sRGB, and how far from it is still that, in 100,000ths.
const SRGB_GAMMA: u32 = 45_455;
const GAMMA_TOLERANCE: u32 = 1_000;

/// Columns, rows and orientation.
pub(super) fn header(bytes: &[u8], format: Format, bound: &Bound) -> Result<Header, ReadError> {
    if format == Format::WebP {
        let mut decoder = open_webp(bytes)?;
        let block = decoder.exif_metadata().ok().flatten().map(exif::block);
        let orientation = block.as_deref().and_then(Orientation::from_exif_chunk);
        return Ok(Header { size: decoder.dimensions(), orientation });
    }
    let mut decoder = open(bytes, format, bound)?;
    Ok(Header { size: decoder.dimensions(), orientation: decoder.orientation().ok() })
}

pub(super) fn decode_png(bytes: &[u8], bound: &Bound) -> Result<Stored, ReadError> {
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), bound.for_decoder()).map_err(ReadError::Decode)?;
    let is_animated = decoder.is_apng().map_err(ReadError::Decode)?;
    let mut stored = decode_with(decoder, bound)?;
    if is_animated {
        stored.remarks.push(Remark::FirstFrame);
    }
    if stored.icc.is_none() && png_gamma(bytes).is_some_and(|gamma| gamma.abs_diff(SRGB_GAMMA) > GAMMA_TOLERANCE) {
        stored.remarks.push(Remark::Gamma);
    }
    Ok(stored)
}

/// What gAMA says before the pixels, unless sRGB says more.
fn png_gamma(bytes: &[u8]) -> Option<u32> {
    let mut gamma = None;
    let mut rest = bytes.get(8..)?;
    while let Some((&[l0, l1, l2, l3, name @ ..], content)) = rest.split_first_chunk::<8>() {
        match &name {
            b"sRGB" => return None,
            b"gAMA" => gamma = content.first_chunk().map(|value| u32::from_be_bytes(*value)),
            b"IDAT" => break,
            _ => {}
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        rest = content.get(length.saturating_add(4)..).unwrap_or_default();
    }
    gamma
}

pub(super) fn decode_gif(bytes: &[u8], bound: &Bound) -> Result<Stored, ReadError> {
    let decoder = GifDecoder::new(Cursor::new(bytes)).map_err(ReadError::Decode)?;
    let mut stored = decode_with(decoder, bound)?;
    if has_second_gif_frame(bytes) {
        stored.remarks.push(Remark::FirstFrame);
    }
    Ok(stored)
}

/// BMP, PNM and QOI.
pub(super) fn decode_plain(bytes: &[u8], format: Format, bound: &Bound) -> Result<Stored, ReadError> {
    decode_with(open(bytes, format, bound)?, bound)
}

fn open<'a>(bytes: &'a [u8], format: Format, bound: &Bound) -> Result<impl ImageDecoder + 'a, ReadError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(bound.for_decoder());
    reader.into_decoder().map_err(ReadError::Decode)
}

fn decode_with(mut decoder: impl ImageDecoder, bound: &Bound) -> Result<Stored, ReadError> {
    let kind = decoder.color_type();
    let sample = u64::from(kind.bytes_per_pixel() / kind.channel_count());
    let channels = if kind.has_alpha() { 4 } else { 3 };
    bound.check(decoder.dimensions(), u64::from(kind.bytes_per_pixel()), channels * sample, WORK)?;
    decoder.set_limits(bound.for_decoder()).map_err(ReadError::Decode)?;
    let mut remarks = Vec::new();
    let icc = kept(decoder.icc_profile(), Remark::Profile, &mut remarks);
    let exif = kept(decoder.exif_metadata(), Remark::Description, &mut remarks);
    let xmp = kept(decoder.xmp_metadata(), Remark::Description, &mut remarks);
    let pixels = Pixels::Light(DynamicImage::from_decoder(decoder).map_err(ReadError::Decode)?);
    Ok(Stored { pixels, icc, exif, xmp, orientation: None, remarks })
}

fn open_webp(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>, ReadError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(webp_failed)?;
    decoder.set_memory_limit(bytes.len()); // A chunk that is larger than the file is not allocated.
    Ok(decoder)
}

fn webp_failed(error: image_webp::DecodingError) -> ReadError {
    ReadError::Decode(ImageError::Decoding(DecodingError::new(ImageFormatHint::Exact(Format::WebP), error)))
}

pub(super) fn decode_webp(bytes: &[u8], bound: &Bound) -> Result<Stored, ReadError> {
    let mut decoder = open_webp(bytes)?;
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    bound.check((width, height), channels, channels, WORK)?;
    for size in lossy_sizes(bytes) {
        bound.check(size, channels, channels, WORK)?; // The decoder compares it with the canvas only afterwards.
    }
    let mut remarks = Vec::new();
    if decoder.num_frames() > 1 {
        remarks.push(Remark::FirstFrame);
    }
    let icc = kept(decoder.icc_profile(), Remark::Profile, &mut remarks);
    let exif = kept(decoder.exif_metadata(), Remark::Description, &mut remarks);
    let xmp = kept(decoder.xmp_metadata(), Remark::Description, &mut remarks);
    let mut samples = vec![0; width as usize * height as usize * channels as usize];
    decoder.read_image(&mut samples).map_err(webp_failed)?;
    let image = if channels == 4 {
        ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba8)
    } else {
        ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    };
    let pixels = Pixels::Light(image.expect("as many samples as pixels"));
    Ok(Stored { pixels, icc, exif, xmp, orientation: None, remarks })
}

/// Columns and rows that the lossy frames of a WebP file announce. The first frames of an animation lie one chunk deeper.
fn lossy_sizes(bytes: &[u8]) -> Vec<(u32, u32)> {
    /// Bytes of an animation's frame before its own chunks.
    const FRAME_HEADER: usize = 16;
    let mut sizes = Vec::new();
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((&[a, b, c, d, size @ ..], content)) = rest.split_first_chunk::<8>() {
        let size = u32::from_le_bytes(size) as usize;
        rest = match &[a, b, c, d] {
            b"ANMF" => content.get(FRAME_HEADER..).unwrap_or_default(),
            name => {
                if let (b"VP8 ", Some(&[w0, w1, h0, h1])) = (name, content.get(6..10)) {
                    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
                    sizes.push((side(w0, w1), side(h0, h1)));
                }
                content.get(size.saturating_add(size % 2)..).unwrap_or_default()
            }
        };
    }
    sizes
}

/// Whether a GIF file goes on behind its first frame. Only the lengths of the blocks are read.
fn has_second_gif_frame(bytes: &[u8]) -> bool {
    const EXTENSION: u8 = 0x21;
    const FRAME: u8 = 0x2c;
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let behind_blocks = |mut at: usize| loop {
        match bytes.get(at) {
            Some(0) | None => return at + 1,
            Some(&length) => at += usize::from(length) + 1,
        }
    };
    let Some(&flags) = bytes.get(10) else { return false };
    let mut at = 13 + table(flags);
    let mut frames = 0;
    loop {
        match bytes.get(at) {
            Some(&EXTENSION) => at = behind_blocks(at + 2),
            Some(&FRAME) => {
                frames += 1;
                let Some(&flags) = bytes.get(at + 9) else { return false };
                at = behind_blocks(at + 10 + table(flags) + 1);
            }
            _ => return false,
        }
        if frames == 2 {
            return true;
        }
    }
}
