//! Photos to files' bytes, tagged as sRGB. The same photo gives the same bytes.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::error::{EncodingError, ImageFormatHint};
use image::{DynamicImage, ImageEncoder, ImageError, ImageFormat};
use image_webp::WebPEncoder;
use moxcms::{ColorProfile, WHITE_POINT_D50};

use super::{Depth, Encoding, Kept, exif, tiff};
use crate::backdrop::on_background;
use crate::write::JPEG_QUALITY;
use crate::{EncodeError, Format};

/// Whether transparency can be kept.
pub fn has_alpha(format: Format) -> bool {
    matches!(format, Format::Png | Format::WebP | Format::Tiff | Format::Qoi)
}

/// Whether 16 bits a channel can be kept.
pub fn has_sixteen_bits(format: Format) -> bool {
    matches!(format, Format::Png | Format::Tiff | Format::Pnm)
}

/// Whether [`encode`] knows the format.
pub fn can_write(format: Format) -> bool {
    use ImageFormat::{Bmp, Jpeg, Png, Pnm, Qoi, Tiff, WebP};
    matches!(format, Bmp | Jpeg | Png | Pnm | Qoi | Tiff | WebP)
}

/// The most that a JPEG segment holds beside its length.
const LARGEST_SEGMENT: usize = 0xffff - 2;

/// What stands before XMP in a JPEG segment (XMP specification, part 3).
const XMP_IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const XMP_IN_PNG: &str = "XML:com.adobe.xmp";

/// A photo's bytes. Transparency is laid on the background where the format has none; EXIF and XMP are written where it has
/// a place for them, EXIF with the photo's size.
///
/// # Errors
/// If the format is not written, cannot do what is asked, or cannot hold so many columns or rows.
pub fn encode(image: DynamicImage, kept: &Kept, encoding: &Encoding) -> Result<Vec<u8>, EncodeError> {
    let &Encoding { format, quality, lossless, depth, background } = encoding;
    match format {
        _ if !can_write(format) => return Err(EncodeError::NotWritten { format }),
        _ if depth == Depth::Sixteen && !has_sixteen_bits(format) => return Err(EncodeError::NoSixteenBits { format }),
        Format::Jpeg if lossless => return Err(EncodeError::LossyJpeg),
        Format::WebP if quality.is_some() && !lossless => return Err(EncodeError::LossyWebP),
        _ => {}
    }
    let image = if has_alpha(format) { image } else { on_background(image, background) };
    let image: DynamicImage = match (depth, image.color().has_alpha()) {
        (Depth::Eight, false) => image.into_rgb8().into(),
        (Depth::Eight, true) => image.into_rgba8().into(),
        (Depth::Sixteen, false) => image.into_rgb16().into(),
        (Depth::Sixteen, true) => image.into_rgba16().into(),
    };
    let size = (image.width(), image.height());
    let kept = Kept { exif: kept.exif.as_deref().map(|block| exif::sized(block, size)), xmp: kept.xmp.clone() };
    let encoded = match format {
        Format::Jpeg => jpeg(&image, kept, quality.unwrap_or(JPEG_QUALITY)),
        Format::Png => png(&image, kept),
        Format::WebP => webp(&image, kept),
        Format::Tiff => tiff::encode(&image, &kept, &srgb()).map_err(|error| other(format, error)),
        _ => {
            let mut bytes = Cursor::new(Vec::new());
            image.write_to(&mut bytes, format).map(|()| bytes.into_inner())
        }
    };
    encoded.map_err(|error| EncodeError::Encoder { format, error })
}

fn other(format: Format, error: impl std::error::Error + Send + Sync + 'static) -> ImageError {
    ImageError::Encoding(EncodingError::new(ImageFormatHint::Exact(format), error))
}

/// The profile that says sRGB (IEC 61966-2-1), of no date: moxcms writes the time of the run. Its code points are left out
/// too, which moxcms gives the range of video.
fn srgb() -> Vec<u8> {
    const DATE: std::ops::Range<usize> = 24..36;
    let mut profile = ColorProfile::new_srgb();
    profile.cicp = None;
    profile.media_white_point = Some(WHITE_POINT_D50.to_xyzd()); // ICC.1:2010, 9.2.34
    let mut bytes = profile.encode().expect("a profile made here");
    bytes[DATE].copy_from_slice(&DAY_OF_THE_STANDARD);
    bytes
}

/// 1 October 1999, year, month and day, then the time.
const DAY_OF_THE_STANDARD: [u8; 12] = [0x07, 0xcf, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0];

fn jpeg(image: &DynamicImage, kept: Kept, quality: u8) -> Result<Vec<u8>, ImageError> {
    let unsupported = |error| ImageError::Unsupported(error);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.set_icc_profile(srgb()).map_err(unsupported)?;
    let fits = |before: usize, content: &Vec<u8>| before + content.len() <= LARGEST_SEGMENT;
    if let Some(exif) = kept.exif.filter(|exif| fits(b"Exif\0\0".len(), exif)) {
        encoder.set_exif_metadata(exif).map_err(unsupported)?;
    }
    encoder.encode_image(image)?;
    if let Some(xmp) = kept.xmp.filter(|xmp| fits(XMP_IN_JPEG.len(), xmp)) {
        let at = behind_application_segments(&bytes);
        let length = (2 + XMP_IN_JPEG.len() + xmp.len()) as u16;
        let segment = [&b"\xff\xe1"[..], &length.to_be_bytes(), XMP_IN_JPEG, &xmp].concat();
        bytes.splice(at..at, segment);
    }
    Ok(bytes)
}

/// Where the segments end that say what a JPEG file is: JFIF's, EXIF's, the profile's.
fn behind_application_segments(jpeg: &[u8]) -> usize {
    let mut at = 2;
    while let [0xff, 0xe0..=0xef, high, low, ..] = jpeg[at..] {
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    at
}

fn png(image: &DynamicImage, kept: Kept) -> Result<Vec<u8>, ImageError> {
    let (colour, depth) = match image {
        DynamicImage::ImageRgba8(_) => (png::ColorType::Rgba, png::BitDepth::Eight),
        DynamicImage::ImageRgb16(_) => (png::ColorType::Rgb, png::BitDepth::Sixteen),
        DynamicImage::ImageRgba16(_) => (png::ColorType::Rgba, png::BitDepth::Sixteen),
        _ => (png::ColorType::Rgb, png::BitDepth::Eight),
    };
    let mut info = png::Info::with_size(image.width(), image.height());
    (info.color_type, info.bit_depth) = (colour, depth);
    info.icc_profile = Some(srgb().into());
    info.exif_metadata = kept.exif.map(Into::into);
    let mut bytes = Vec::new();
    let write = || -> Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::with_info(&mut bytes, info)?;
        // A packet that is not UTF-8 has no place here.
        if let Some(xmp) = kept.xmp.and_then(|xmp| String::from_utf8(xmp).ok()) {
            encoder.add_itxt_chunk(XMP_IN_PNG.into(), xmp)?;
        }
        let mut writer = encoder.write_header()?;
        match depth {
            png::BitDepth::Sixteen => {
                let samples =
                    image.as_bytes().as_chunks().0.iter().flat_map(|&sample| u16::from_ne_bytes(sample).to_be_bytes());
                writer.write_image_data(&samples.collect::<Vec<u8>>())?;
            }
            _ => writer.write_image_data(image.as_bytes())?,
        }
        writer.finish()
    };
    write().map_err(|error| other(Format::Png, error))?;
    Ok(bytes)
}

fn webp(image: &DynamicImage, kept: Kept) -> Result<Vec<u8>, ImageError> {
    let colour = if image.color().has_alpha() { image_webp::ColorType::Rgba8 } else { image_webp::ColorType::Rgb8 };
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    encoder.set_icc_profile(srgb());
    if let Some(exif) = kept.exif {
        encoder.set_exif_metadata(exif);
    }
    if let Some(xmp) = kept.xmp {
        encoder.set_xmp_metadata(xmp);
    }
    let written = encoder.encode(image.as_bytes(), image.width(), image.height(), colour);
    written.map_err(|error| other(Format::WebP, error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn encoding(format: Format) -> Encoding {
        Encoding { format, quality: None, lossless: false, depth: Depth::Eight, background: [255; 3] }
    }

    #[test]
    fn the_same_photo_gives_the_same_bytes_and_says_that_it_is_srgb() {
        for format in [Format::Jpeg, Format::Png, Format::WebP, Format::Tiff] {
            let write = || encode(DynamicImage::new_rgb8(9, 5), &Kept::default(), &encoding(format)).expect("small");
            let bytes = write();
            assert_eq!(bytes, write(), "{format:?}");
            if format == Format::Tiff {
                assert!(bytes.windows(srgb().len()).any(|part| part == srgb()), "stored as it is");
                continue;
            }
            let mut decoder =
                image::ImageReader::with_format(Cursor::new(&bytes), format).into_decoder().expect("ours");
            assert_eq!(image::ImageDecoder::icc_profile(&mut decoder).expect("ours"), Some(srgb()), "{format:?}");
        }
    }

    /// moxcms writes the time of the run into a profile, and no test can wait for the next second.
    #[test]
    fn the_profile_has_no_clock() {
        assert_eq!(srgb()[24..36], DAY_OF_THE_STANDARD);
    }

    #[test]
    fn what_a_format_cannot_do_is_refused() {
        let refused = |change: &dyn Fn(&mut Encoding), format| {
            let mut encoding = encoding(format);
            change(&mut encoding);
            encode(DynamicImage::new_rgb8(2, 2), &Kept::default(), &encoding).expect_err("refused").to_string()
        };
        for (found, expected) in [
            (refused(&|encoding| encoding.lossless = true, Format::Jpeg), "JPEG cannot be written without loss"),
            (refused(&|encoding| encoding.quality = Some(80), Format::WebP), "WebP is written without loss only"),
            (refused(&|encoding| encoding.depth = Depth::Sixteen, Format::WebP), "WebP has no 16 bits a channel"),
            (refused(&|_| {}, Format::Gif), "Gif is not written"),
        ] {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn transparency_is_laid_on_the_background_where_there_is_no_place_for_it() {
        let image = RgbaImage::from_pixel(1, 1, Rgba([0, 100, 200, 51]));
        for format in [Format::Bmp, Format::Pnm] {
            let encoding = Encoding { background: [255, 0, 100], ..encoding(format) };
            let bytes = encode(image.clone().into(), &Kept::default(), &encoding).expect("small");
            let laid = image::load_from_memory(&bytes).expect("ours").into_rgb8();
            assert_eq!(laid.get_pixel(0, 0).0, [204, 20, 120], "a fifth of the colour, {format:?}");
        }
    }

    #[test]
    fn jpeg_keeps_all_samples_of_colour() {
        let bytes = encode(DynamicImage::new_rgb8(16, 16), &Kept::default(), &encoding(Format::Jpeg)).expect("small");
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a baseline frame");
        let sampling: Vec<u8> = (0..3).map(|component| bytes[frame + 11 + 3 * component]).collect();
        assert_eq!(sampling, [0x11; 3]);
    }

    #[test]
    fn descriptions_that_are_too_long_for_jpeg_are_left_out() {
        let kept = Kept { exif: Some(vec![7; 70_000]), xmp: Some(vec![b' '; 70_000]) };
        let bytes = encode(DynamicImage::new_rgb8(2, 2), &kept, &encoding(Format::Jpeg)).expect("small");
        assert!(bytes.len() < 10_000);
    }
}
