//! Files to pictures.

use std::io::{self, BufRead, BufReader, Cursor, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::backdrop::on_background;

/// What a decoder may allocate: a picture of 16-bit RGBA with 60 million pixels. It stops decompression bombs.
const MOST_BYTES: u64 = 512 << 20;

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system cannot open or read the file.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// Its first bytes are none of a format known here.
    #[error("is not a PNG, JPEG, WebP, TIFF, BMP, GIF, PNM or QOI picture")]
    UnknownFormat,
    /// Its header announces more than decoding may take: a damaged file, or a decompression bomb.
    #[error("announces {width}×{height} pixels, more than the {} MB that decoding one picture may take", most_bytes >> 20)]
    TooLarge {
        /// Columns announced.
        width: u32,
        /// Rows announced.
        height: u32,
        /// What may be taken.
        most_bytes: u64,
    },
    /// Its header announces more pixels than were allowed.
    #[error("announces {width}×{height} pixels, more than the {most_pixels} that a picture may have")]
    TooManyPixels {
        /// Columns announced.
        width: u32,
        /// Rows announced.
        height: u32,
        /// What is allowed.
        most_pixels: u64,
    },
    /// A picture of floats where one is no number.
    #[error("has a value that is not a number, which is no colour")]
    NotANumber,
    /// The decoder gave up in a way of its own.
    #[error("cannot be decoded: it is damaged in a way that its decoder does not expect")]
    Panicked,
    /// It begins like a picture, but is cut or damaged, or of a kind that the decoder lacks.
    #[error("cannot be decoded: {0}")]
    Decode(#[source] image::ImageError),
}

/// Reads a picture. The format is told by the content, never by the name.
///
/// # Errors
/// See [`ReadError`]; the messages go behind the path, which the caller knows.
pub fn read(path: &Path) -> Result<RgbImage, ReadError> {
    Ok(read_with_format(path)?.0)
}

/// Reads a picture, and says in which format it was. The file is streamed: a large one that is no picture costs nothing.
///
/// # Errors
/// As [`read`].
pub fn read_with_format(path: &Path) -> Result<(RgbImage, ImageFormat), ReadError> {
    decode_from(BufReader::new(std::fs::File::open(path).map_err(ReadError::Open)?))
}

/// Reads a picture from memory.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, ReadError> {
    Ok(decode_from(Cursor::new(bytes))?.0)
}

/// Columns and rows of a picture as its header says, before any orientation. The pixels are not decoded.
///
/// # Errors
/// As [`read`].
pub fn dimensions(path: &Path) -> Result<(u32, u32), ReadError> {
    let file = BufReader::new(std::fs::File::open(path).map_err(ReadError::Open)?);
    let reader = ImageReader::new(file).with_guessed_format().map_err(ReadError::Open)?;
    if reader.format().is_none() {
        return Err(ReadError::UnknownFormat);
    }
    catch_unwind(AssertUnwindSafe(|| reader.into_dimensions().map_err(ReadError::Decode)))
        .unwrap_or(Err(ReadError::Panicked))
}

/// The format of a picture in memory, by its first bytes.
///
/// # Errors
/// [`ReadError::UnknownFormat`].
pub fn format(bytes: &[u8]) -> Result<ImageFormat, ReadError> {
    image::guess_format(bytes).map_err(|_| ReadError::UnknownFormat)
}

/// Decoders are written for the outside world's files, and some panic on damaged ones: that is the file's error.
fn decode_from(source: impl BufRead + Seek) -> Result<(RgbImage, ImageFormat), ReadError> {
    catch_unwind(AssertUnwindSafe(|| decode_unguarded(source))).unwrap_or(Err(ReadError::Panicked))
}

fn decode_unguarded(source: impl BufRead + Seek) -> Result<(RgbImage, ImageFormat), ReadError> {
    let mut reader = ImageReader::new(source).with_guessed_format().map_err(ReadError::Open)?;
    let format = reader.format().ok_or(ReadError::UnknownFormat)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(ReadError::Decode)?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MOST_BYTES {
        return Err(ReadError::TooLarge { width, height, most_bytes: MOST_BYTES });
    }
    let orientation = decoder.orientation().map_err(ReadError::Decode)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(ReadError::Decode)?;
    image.apply_orientation(orientation);
    Ok((on_background(image, [255; 3]).into_rgb8(), format))
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageBuffer, Luma, LumaA, Rgb, Rgba, RgbaImage};

    use super::*;

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).expect("a small picture");
        bytes.into_inner()
    }

    #[test]
    fn transparency_is_laid_on_white() {
        let mut image = RgbaImage::new(3, 1);
        for (x, pixel) in [[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]].into_iter().enumerate() {
            image.put_pixel(x as u32, 0, Rgba(pixel));
        }
        let picture = decode(&png(image)).expect("a whole PNG");
        assert_eq!(picture.as_raw(), &[255, 0, 0, 255, 255, 255, 127, 127, 127]);
    }

    #[test]
    fn grey_and_16_bit_pictures_are_brought_to_8_bit_rgb() {
        let grey = GrayImage::from_pixel(1, 1, Luma([77]));
        assert_eq!(decode(&png(grey)).expect("a whole PNG").as_raw(), &[77; 3]);
        let deep: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, Luma([200 * 257 + 100]));
        assert_eq!(decode(&png(deep)).expect("a whole PNG").as_raw(), &[200; 3], "rounded to the nearest, not cut");
        let both: ImageBuffer<LumaA<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, LumaA([0, 0x8000]));
        assert_eq!(decode(&png(both)).expect("a whole PNG").as_raw(), &[127; 3]);
    }

    #[test]
    fn what_is_no_picture_says_so() {
        let whole = png(GrayImage::from_pixel(16, 16, Luma([1])));
        assert!(matches!(decode(b"hello, world"), Err(ReadError::UnknownFormat)));
        assert!(matches!(decode(&whole[..whole.len() / 2]), Err(ReadError::Decode(_))));
        assert!(matches!(read(Path::new("no/such.png")), Err(ReadError::Open(_))));
    }

    /// A JPEG's EXIF segment, written by hand: orientation 6 says that the stored picture is to be turned right.
    #[test]
    fn the_exif_orientation_is_applied() {
        let mut jpeg = Cursor::new(Vec::new());
        let half = RgbImage::from_fn(32, 16, |x, _| if x < 16 { Rgb([0; 3]) } else { Rgb([255; 3]) });
        half.write_to(&mut jpeg, ImageFormat::Jpeg).expect("a small picture");
        let exif: &[u8] = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let mut turned = jpeg.into_inner();
        turned.splice(2..2, exif.iter().copied());
        let picture = decode(&turned).expect("a whole JPEG");
        assert_eq!(picture.dimensions(), (16, 32));
        assert!(picture.get_pixel(8, 2).0[0] < 10 && picture.get_pixel(8, 29).0[0] > 245, "left is now the top");
    }

    /// A BMP header, which no checksum guards, for 30000 × 30000 pixels of 24 bits with nothing behind it.
    #[test]
    fn a_decompression_bomb_is_refused_before_it_allocates() {
        let mut bomb = Cursor::new(Vec::new());
        RgbImage::new(1, 1).write_to(&mut bomb, ImageFormat::Bmp).expect("a small picture");
        let mut bomb = bomb.into_inner();
        bomb[18..22].copy_from_slice(&30_000_u32.to_le_bytes());
        bomb[22..26].copy_from_slice(&30_000_u32.to_le_bytes());
        assert!(matches!(decode(&bomb), Err(ReadError::TooLarge { width: 30_000, height: 30_000, .. })));
    }
}
