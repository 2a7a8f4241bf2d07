//! TIFF files: their first page with its inks, floats and transparency, and what describes it. Written too.

use std::io::Cursor;

use image::error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageError};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKindStandard, TiffValue, colortype};
use tiff::tags::{ExtraSamples, Tag, Type, ValueBuffer};
use tiff::{ColorType, TiffError, TiffResult};

use super::colour::Pixels;
use super::decode::{Bound, Header, Stored, kept};
use super::exif::{self, Description, EXIF_DIRECTORY, GPS_DIRECTORY, Value};
use super::jpeg::rgb_of;
use super::{Kept, Remark};
use crate::{Format, ReadError};

const XMP: Tag = Tag::Unknown(700);

fn open(bytes: &[u8]) -> Result<Decoder<Cursor<&[u8]>>, ReadError> {
    // The decoder makes room for all places of strips before it looks for them.
    if !exif::has_whole_values(bytes) {
        return Err(failed(TiffError::LimitsExceeded));
    }
    Ok(Decoder::new(Cursor::new(bytes)).map_err(failed)?.with_limits(limits(bytes)))
}

/// Places of strips and tiles cost the decoder 32 bytes for each of theirs.
fn limits(bytes: &[u8]) -> Limits {
    let mut limits = Limits::default();
    limits.ifd_value_size = (32 * bytes.len()).min(limits.decoding_buffer_size);
    limits.decoding_buffer_size = limits.ifd_value_size;
    limits
}

fn failed(error: TiffError) -> ReadError {
    ReadError::Decode(ImageError::Decoding(DecodingError::new(ImageFormatHint::Exact(Format::Tiff), error)))
}

fn unsupported(what: String) -> ReadError {
    let kind = UnsupportedErrorKind::GenericFeature(what);
    let hint = ImageFormatHint::Exact(Format::Tiff);
    ReadError::Decode(ImageError::Unsupported(UnsupportedError::from_format_and_kind(hint, kind)))
}

fn orientation(decoder: &mut Decoder<Cursor<&[u8]>>) -> Option<Orientation> {
    let value = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    value.and_then(Orientation::from_exif)
}

/// Columns, rows and orientation.
pub(super) fn header(bytes: &[u8]) -> Result<Header, ReadError> {
    let mut decoder = open(bytes)?;
    Ok(Header { size: decoder.dimensions().map_err(failed)?, orientation: orientation(&mut decoder) })
}

pub(super) fn decode(bytes: &[u8], bound: &Bound) -> Result<Stored, ReadError> {
    let mut decoder = open(bytes)?;
    let (width, height) = decoder.dimensions().map_err(failed)?;
    let kind = decoder.colortype().map_err(failed)?;
    // Floats become 16 bits; one copy more than the decoder's where planes are put together.
    let samples = u64::from(kind.num_samples());
    let decoded = samples * u64::from(kind.bit_depth().div_ceil(8));
    let photo = samples.max(3) * if kind.bit_depth() > 8 { 2 } else { 1 };
    bound.check((width, height), decoded, photo, decoded)?;
    let mut remarks = Vec::new();
    let icc = kept(bytes_of(&mut decoder, Tag::IccProfile, bytes.len()), Remark::Profile, &mut remarks);
    let xmp = kept(bytes_of(&mut decoder, XMP, bytes.len()), Remark::Description, &mut remarks);
    let orientation = orientation(&mut decoder);
    let pixels = u64::from(width) * u64::from(height);
    let most = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut limits = limits(bytes);
    limits.decoding_buffer_size = most(pixels * decoded);
    limits.intermediate_buffer_size = most(bound.0.most_bytes.saturating_sub(pixels * decoded));
    decoder = decoder.with_limits(limits);

    let pixels = read_pixels(&mut decoder, kind, (width, height))?;
    let pages = count_pages(bytes)?;
    if pages > 1 {
        remarks.push(Remark::FirstPage { pages });
    }
    Ok(Stored { pixels, icc, exif: block(&Description::read(bytes)), xmp, orientation, remarks })
}

/// The bytes of a value, which cannot be more than the file's.
fn bytes_of(decoder: &mut Decoder<Cursor<&[u8]>>, tag: Tag, most: usize) -> TiffResult<Option<Vec<u8>>> {
    let mut directory = decoder.image_ifd();
    match directory.find_entry(tag) {
        Some(entry) if entry.count() > most as u64 => Err(TiffError::LimitsExceeded),
        Some(_) => {
            let mut value = ValueBuffer::empty(Type::BYTE);
            directory.find_tag_buf(tag, &mut value)?;
            Ok(Some(value.as_bytes().to_vec()))
        }
        None => Ok(None),
    }
}

/// Pages whose directories can be read.
fn count_pages(bytes: &[u8]) -> Result<usize, ReadError> {
    let mut decoder = open(bytes)?;
    let mut pages = 1;
    while decoder.more_images() && decoder.next_image().is_ok() {
        pages += 1;
    }
    Ok(pages)
}

/// Samples in the order of pixels.
enum Samples {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
}

fn read_pixels(decoder: &mut Decoder<Cursor<&[u8]>>, kind: ColorType, size: (u32, u32)) -> Result<Pixels, ReadError> {
    let alpha: Vec<u16> = decoder.find_tag_unsigned_vec(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(failed)?;
    if result.as_buffer(0).as_bytes().len() < layout.complete_len {
        return Err(failed(TiffError::LimitsExceeded));
    }
    let count = size.0 as usize * size.1 as usize;
    let channels = usize::from(kind.num_samples());
    let samples = match result {
        DecodingResult::U8(samples) if kind.bit_depth() < 8 => Samples::Eight(unpacked(&samples, kind, size)),
        DecodingResult::U8(samples) => Samples::Eight(interleaved(samples, layout.planes, count)),
        DecodingResult::U16(samples) => Samples::Sixteen(interleaved(samples, layout.planes, count)),
        DecodingResult::U32(samples) => Samples::Sixteen(
            interleaved(samples, layout.planes, count).into_iter().map(|value| (value >> 16) as u16).collect(),
        ),
        DecodingResult::F32(samples) => Samples::Sixteen(levels(interleaved(samples, layout.planes, count))?),
        DecodingResult::F16(samples) => {
            Samples::Sixteen(levels(interleaved(samples, layout.planes, count).into_iter().map(f32::from))?)
        }
        DecodingResult::F64(samples) => {
            Samples::Sixteen(levels(interleaved(samples, layout.planes, count).into_iter().map(|value| value as f32))?)
        }
        _ => return Err(unsupported(format!("samples of {kind:?}"))),
    };
    let found = match &samples {
        Samples::Eight(samples) => samples.len(),
        Samples::Sixteen(samples) => samples.len(),
    };
    if found != count * channels {
        return Err(unsupported(format!("{found} samples for {count} pixels of {kind:?}")));
    }
    pixels(samples, kind, size, &alpha).ok_or_else(|| unsupported(format!("colours of {kind:?}")))
}

/// Grey of fewer than 8 bits, row by row in whole bytes, to bytes.
fn unpacked(packed: &[u8], kind: ColorType, (width, _): (u32, u32)) -> Vec<u8> {
    let bits = usize::from(kind.bit_depth());
    let (width, most) = (width as usize, (1_u16 << bits) - 1);
    let level = |row: &[u8], x: usize| {
        let place = x * bits;
        let shift = 8 - bits - place % 8;
        let value = u16::from(row[place / 8] >> shift) & most;
        (value * 255 / most) as u8
    };
    packed.chunks_exact((width * bits).div_ceil(8)).flat_map(|row| (0..width).map(move |x| level(row, x))).collect()
}

/// Planes behind each other to pixels.
fn interleaved<T: Copy>(samples: Vec<T>, planes: usize, count: usize) -> Vec<T> {
    if planes < 2 {
        return samples;
    }
    (0..count).flat_map(|pixel| samples.iter().skip(pixel).step_by(count).take(planes).copied()).collect()
}

/// Floats to 16 bits: what is beyond 0 and 1 is taken as these.
fn levels(samples: impl IntoIterator<Item = f32>) -> Result<Vec<u16>, ReadError> {
    let level = |value: f32| {
        let level = (value.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16;
        if value.is_nan() { Err(ReadError::NotANumber) } else { Ok(level) }
    };
    samples.into_iter().map(level).collect()
}

/// Samples as what they mean; none where nothing here knows that.
fn pixels(samples: Samples, kind: ColorType, (width, height): (u32, u32), extra: &[u16]) -> Option<Pixels> {
    let is_alpha = extra.iter().any(|&kind| kind == 1 || kind == 2);
    let is_multiplied = extra.contains(&1);
    macro_rules! light {
        ($variant:ident, $samples:expr) => {
            ImageBuffer::from_raw(width, height, $samples).map(DynamicImage::$variant).map(Pixels::Light)
        };
    }
    match (samples, kind) {
        (Samples::Eight(samples), ColorType::Gray(_)) => light!(ImageLuma8, samples),
        (Samples::Sixteen(samples), ColorType::Gray(_)) => light!(ImageLuma16, samples),
        (Samples::Eight(samples), ColorType::RGB(_)) => light!(ImageRgb8, samples),
        (Samples::Sixteen(samples), ColorType::RGB(_)) => light!(ImageRgb16, samples),
        (Samples::Eight(mut samples), ColorType::RGBA(_)) => {
            if is_multiplied {
                samples.as_chunks_mut::<4>().0.iter_mut().for_each(|pixel| divide(pixel, 255));
            }
            light!(ImageRgba8, samples)
        }
        (Samples::Sixteen(mut samples), ColorType::RGBA(_)) => {
            if is_multiplied {
                samples.as_chunks_mut::<4>().0.iter_mut().for_each(|pixel| divide(pixel, 65535));
            }
            light!(ImageRgba16, samples)
        }
        (Samples::Eight(mut samples), ColorType::Multiband { num_samples: 2, .. }) if is_alpha => {
            if is_multiplied {
                samples.as_chunks_mut::<2>().0.iter_mut().for_each(|pixel| divide(pixel, 255));
            }
            light!(ImageLumaA8, samples)
        }
        (Samples::Sixteen(mut samples), ColorType::Multiband { num_samples: 2, .. }) if is_alpha => {
            if is_multiplied {
                samples.as_chunks_mut::<2>().0.iter_mut().for_each(|pixel| divide(pixel, 65535));
            }
            light!(ImageLumaA16, samples)
        }
        (Samples::Eight(mut samples), ColorType::YCbCr(8)) => {
            samples.as_chunks_mut().0.iter_mut().for_each(|pixel| *pixel = rgb_of(*pixel));
            light!(ImageRgb8, samples)
        }
        (Samples::Eight(inks), ColorType::CMYK(8)) => Some(Pixels::Inks8 { width, height, inks }),
        (Samples::Sixteen(inks), ColorType::CMYK(16)) => Some(Pixels::Inks16 { width, height, inks }),
        _ => None,
    }
}

/// Takes out of colours that they were multiplied with their alpha, the last of the samples.
fn divide<T: Copy + Into<u32> + TryFrom<u32>, const N: usize>(pixel: &mut [T; N], most: u32) {
    let alpha: u32 = pixel[N - 1].into();
    for value in &mut pixel[..N - 1] {
        let light: u32 = (*value).into();
        let divided = (u64::from(light) * u64::from(most) + u64::from(alpha) / 2).checked_div(u64::from(alpha));
        let divided = divided.unwrap_or(0).min(u64::from(most)) as u32;
        *value = T::try_from(divided).unwrap_or(*value);
    }
}

type File = Cursor<Vec<u8>>;
type Directory<'a, 'f> = DirectoryEncoder<'a, &'f mut File, TiffKindStandard>;

/// A description as an EXIF block: a TIFF file without a picture. None where there is nothing to say.
fn block(description: &Description) -> Option<Vec<u8>> {
    let write = || -> TiffResult<Vec<u8>> {
        let mut file = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut file)?;
        let pointers = write_below(&mut encoder, description)?;
        let mut directory = encoder.image_directory()?;
        write_first(&mut directory, description, &pointers)?;
        directory.finish()?;
        Ok(file.into_inner())
    };
    if description.is_empty() { None } else { write().ok() }
}

/// Bytes of a TIFF file without compression.
pub(super) fn encode(image: &DynamicImage, kept: &Kept, icc: &[u8]) -> TiffResult<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    let size = (image.width(), image.height());
    match image {
        DynamicImage::ImageRgba8(image) => write::<colortype::RGBA8>(&mut file, size, image, kept, icc),
        DynamicImage::ImageRgb16(image) => write::<colortype::RGB16>(&mut file, size, image, kept, icc),
        DynamicImage::ImageRgba16(image) => write::<colortype::RGBA16>(&mut file, size, image, kept, icc),
        other => write::<colortype::RGB8>(&mut file, size, &other.to_rgb8(), kept, icc),
    }?;
    Ok(file.into_inner())
}

fn write<C: colortype::ColorType>(
    file: &mut File,
    (width, height): (u32, u32),
    samples: &[C::Inner],
    kept: &Kept,
    icc: &[u8],
) -> TiffResult<()>
where
    [C::Inner]: TiffValue,
{
    const COLOURS: usize = 3;
    let mut encoder = TiffEncoder::new(file)?;
    let description = kept.exif.as_deref().map(Description::read).unwrap_or_default();
    let pointers = write_below(&mut encoder, &description)?;
    let mut image = encoder.new_image::<C>(width, height)?;
    let directory = image.encoder();
    write_first(directory, &description, &pointers)?;
    directory.write_tag(Tag::IccProfile, icc)?;
    if let Some(xmp) = &kept.xmp {
        directory.write_tag(XMP, xmp.as_slice())?;
    }
    if C::BITS_PER_SAMPLE.len() > COLOURS {
        directory.write_tag(Tag::ExtraSamples, ExtraSamples::UnassociatedAlpha.to_u16())?;
    }
    image.write_data(samples)
}

/// Writes what lies below the first directory, and returns where it is.
fn write_below(encoder: &mut TiffEncoder<&mut File>, description: &Description) -> TiffResult<Vec<(Tag, u32)>> {
    let mut pointers = Vec::new();
    for (tag, values) in [(EXIF_DIRECTORY, &description.exif), (GPS_DIRECTORY, &description.gps)] {
        if !values.is_empty() {
            let mut directory = encoder.extra_directory()?;
            write_values(&mut directory, values)?;
            pointers.push((Tag::from_u16_exhaustive(tag), directory.finish_with_offsets()?.offset));
        }
    }
    Ok(pointers)
}

fn write_first(directory: &mut Directory, description: &Description, pointers: &[(Tag, u32)]) -> TiffResult<()> {
    write_values(directory, &description.first)?;
    for &(tag, offset) in pointers {
        directory.write_tag(tag, offset)?;
    }
    Ok(())
}

fn write_values(directory: &mut Directory, values: &[Value]) -> TiffResult<()> {
    for (tag, kind, value) in values {
        let entry = directory.write_entry_bytes(*kind, value)?;
        directory.extend_from(&[(Tag::from_u16_exhaustive(*tag), entry)].into_iter().collect());
    }
    Ok(())
}
