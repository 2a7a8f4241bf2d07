//! What the fuzzer runs, and what must hold whatever it feeds. `tests/hostile` of `pictures` runs the same on the seeds.

use image::ColorType;
use pictures::Format;
use pictures::photo::{Depth, Encoding, Limits, decode, decode_header, encode};

/// Small ones, so that the fuzzer is fast and what takes more is seen.
pub const LIMITS: Limits = Limits { most_pixels: 1 << 20, most_bytes: 32 << 20 };

/// Any file. What can be read has the size that its header says, is of the promised kinds, and is the same after it was
/// written and read again.
pub fn photo(input: &[u8]) {
    let header = decode_header(input);
    let Ok(photo) = decode(input, &LIMITS) else { return };
    let size = (photo.image.width(), photo.image.height());
    assert_eq!(header.expect("what can be read has a header"), size);
    assert!(u64::from(size.0) * u64::from(size.1) <= LIMITS.most_pixels);
    let kind = photo.image.color();
    let is_deep = matches!(kind, ColorType::Rgb16 | ColorType::Rgba16);
    assert!(is_deep || matches!(kind, ColorType::Rgb8 | ColorType::Rgba8));
    let depth = if is_deep { Depth::Sixteen } else { Depth::Eight };
    let encoding = Encoding { format: Format::Png, quality: None, lossless: true, depth, background: [0; 3] };
    let Ok(written) = encode(photo.image.clone(), &photo.kept, &encoding) else {
        assert!(size.0 == 0 || size.1 == 0, "a PNG can hold it");
        return;
    };
    let again = decode(&written, &LIMITS).expect("what was written here");
    assert!(again.image == photo.image, "the same pixels");
    assert!(again.kept.exif.is_some() == photo.kept.exif.is_some());
}
