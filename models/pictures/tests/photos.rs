//! Photos of every kind that is read, against what Pillow makes of them: see `fixtures/make.py`.

use std::path::{Path, PathBuf};

use image::DynamicImage;
use pictures::photo::{Limits, Photo, Remark, decode, decode_header};
use pictures::{Format, ReadError};

const LIMITS: Limits = Limits { most_pixels: 1 << 20, most_bytes: 16 << 20 };

/// Of 255 (16-bit values are divided by 257). Two decoders that are right round alike where nothing is computed…
const EXACT: f64 = 0.0;
/// … and differ by the last bit of their cosine transforms …
const TRANSFORM: f64 = 3.0;
/// … by how they make few colour samples into many …
const SUBSAMPLED: f64 = 12.0;
/// … and by the last bit of a colour profile's tables, in dark colours above all.
const PROFILE: f64 = 2.0;

/// Colours that were multiplied with their alpha in 8 bits: Pillow cuts where it divides.
const MULTIPLIED: f64 = 1.0;

const NONE: &[Remark] = &[];
const FRAME: &[Remark] = &[Remark::FirstFrame];

#[rustfmt::skip]
const CASES: &[(&str, f64, &[Remark])] = &[
    ("plain.jpg", TRANSFORM, NONE),
    ("subsampled.jpg", SUBSAMPLED, NONE),
    ("progressive.jpg", TRANSFORM, NONE),
    ("grey.jpg", TRANSFORM, NONE),
    ("rgb.jpg", TRANSFORM, NONE),
    ("cmyk.jpg", TRANSFORM, NONE),
    ("cmyk-not-adobe.jpg", TRANSFORM, NONE),
    ("ycck.jpg", TRANSFORM, NONE),
    ("profile.jpg", TRANSFORM + PROFILE, NONE),
    ("profile-cmyk.jpg", TRANSFORM + PROFILE, NONE),
    ("profile-grey.jpg", TRANSFORM + PROFILE, NONE),
    ("profile-broken.jpg", TRANSFORM, &[Remark::Profile]),
    ("profile-of-inks.jpg", TRANSFORM, &[Remark::Profile]),
    ("described.jpg", TRANSFORM, NONE),
    ("grey-1.png", EXACT, NONE),
    ("grey-2.png", EXACT, NONE),
    ("grey-4.png", EXACT, NONE),
    ("grey-8.png", EXACT, NONE),
    ("grey-16.png", EXACT, NONE),
    ("grey-key.png", EXACT, NONE),
    ("grey-alpha.png", EXACT, NONE),
    ("grey-alpha-16.png", EXACT, NONE),
    ("palette-1.png", EXACT, NONE),
    ("palette-2.png", EXACT, NONE),
    ("palette-4.png", EXACT, NONE),
    ("palette-8.png", EXACT, NONE),
    ("palette-transparent.png", EXACT, NONE),
    ("rgb-8.png", EXACT, NONE),
    ("rgb-16.png", EXACT, NONE),
    ("rgba-8.png", EXACT, NONE),
    ("rgba-16.png", EXACT, NONE),
    ("interlaced.png", EXACT, NONE),
    ("interlaced-4.png", EXACT, NONE),
    ("gamma.png", EXACT, &[Remark::Gamma]),
    ("animated.png", EXACT, FRAME),
    ("profile.png", PROFILE, NONE),
    ("profile-alpha.png", PROFILE, NONE),
    ("profile-16.png", PROFILE, NONE),
    ("described.png", EXACT, NONE),
    ("orientation-1.png", EXACT, NONE),
    ("orientation-2.png", EXACT, NONE),
    ("orientation-3.png", EXACT, NONE),
    ("orientation-4.png", EXACT, NONE),
    ("orientation-5.png", EXACT, NONE),
    ("orientation-6.png", EXACT, NONE),
    ("orientation-7.png", EXACT, NONE),
    ("orientation-8.png", EXACT, NONE),
    ("lossy.webp", TRANSFORM, NONE),
    ("lossy-alpha.webp", TRANSFORM, NONE),
    ("lossless.webp", EXACT, NONE),
    ("lossless-alpha.webp", EXACT, NONE),
    ("animated.webp", EXACT, FRAME),
    ("profile.webp", PROFILE, NONE),
    ("described.webp", EXACT, NONE),
    ("rgb.bmp", EXACT, NONE),
    ("palette.bmp", EXACT, NONE),
    ("one-bit.bmp", EXACT, NONE),
    ("transparent.gif", EXACT, NONE),
    ("animated.gif", EXACT, FRAME),
    ("rgb.qoi", EXACT, NONE),
    ("rgba.qoi", EXACT, NONE),
    ("ascii-bits.pbm", EXACT, NONE),
    ("ascii-grey.pgm", EXACT, NONE),
    ("ascii-rgb.ppm", EXACT, NONE),
    ("bits.pbm", EXACT, NONE),
    ("grey.pgm", EXACT, NONE),
    ("rgb.ppm", EXACT, NONE),
    ("rgb-16.ppm", EXACT, NONE),
    ("rgba.pam", EXACT, NONE),
    ("rgb.tif", EXACT, NONE),
    ("lzw.tif", EXACT, NONE),
    ("deflate.tif", EXACT, NONE),
    ("jpeg.tif", SUBSAMPLED, NONE),
    ("one-bit.tif", EXACT, NONE),
    ("grey-alpha.tif", EXACT, NONE),
    ("cmyk.tif", EXACT, NONE),
    ("profile-cmyk.tif", PROFILE, NONE),
    ("profile.tif", PROFILE, NONE),
    ("pages.tif", EXACT, &[Remark::FirstPage { pages: 3 }]),
    ("big-endian.tif", EXACT, NONE),
    ("tiles.tif", EXACT, NONE),
    ("planes.tif", EXACT, NONE),
    ("grey-16.tif", EXACT, NONE),
    ("white-is-zero.tif", EXACT, NONE),
    ("rgb-16.tif", EXACT, NONE),
    ("float.tif", EXACT, NONE),
    ("float-grey.tif", EXACT, NONE),
    ("half.tif", EXACT, NONE),
    ("multiplied.tif", MULTIPLIED, NONE),
    ("described.tif", EXACT, NONE),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect(name)
}

fn photo(name: &str) -> Photo {
    decode(&bytes(name), &LIMITS).unwrap_or_else(|error| panic!("{name} {error}"))
}

/// The largest difference, of 255; what is fully transparent in both has no colour to compare.
fn difference(first: &DynamicImage, second: &DynamicImage) -> f64 {
    let (first, second) = (first.to_rgba16(), second.to_rgba16());
    let apart = |(a, b): (&image::Rgba<u16>, &image::Rgba<u16>)| {
        let is_hidden = a.0[3] == 0 && b.0[3] == 0;
        let most = a.0.iter().zip(b.0).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
        if is_hidden { 0.0 } else { f64::from(most) / 257.0 }
    };
    first.pixels().zip(second.pixels()).map(apart).fold(0.0, f64::max)
}

#[test]
fn photos_of_every_kind_are_read_as_pillow_reads_them() {
    let mut failures = Vec::new();
    for &(name, tolerance, remarks) in CASES {
        let photo = match decode(&bytes(name), &LIMITS) {
            Ok(photo) => photo,
            Err(error) => {
                failures.push(format!("{name} {error}"));
                continue;
            }
        };
        let expected = image::open(folder().join(format!("{name}.expected.png"))).expect(name);
        let size = (expected.width(), expected.height());
        if (photo.image.width(), photo.image.height()) != size || decode_header(&bytes(name)).ok() != Some(size) {
            failures.push(format!("{name}: not {size:?}, but {}×{}", photo.image.width(), photo.image.height()));
            continue;
        }
        let difference = difference(&photo.image, &expected);
        if difference > tolerance {
            failures.push(format!("{name}: {difference} of 255 apart, more than {tolerance}"));
        }
        let is_deep = |image: &DynamicImage| image.color().bytes_per_pixel() > image.color().channel_count();
        if is_deep(&photo.image) != is_deep(&expected) || !photo.image.color().has_color() {
            failures.push(format!("{name}: {:?} instead of {:?}", photo.image.color(), expected.color()));
        }
        if photo.remarks != remarks {
            failures.push(format!("{name}: remarks {:?}", photo.remarks));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_fixture_is_compared() {
    let compared =
        |name: &str| CASES.iter().any(|case| case.0 == name) || name == "not-a-number.tif" || name == "make.py";
    for entry in std::fs::read_dir(folder()).expect("the fixtures") {
        let name = entry.expect("the fixtures").file_name().into_string().expect("a name of ours");
        assert!(name.ends_with(".expected.png") || compared(&name), "{name} is in no table");
    }
}

#[test]
fn a_float_that_is_no_number_is_an_error() {
    assert!(matches!(decode(&bytes("not-a-number.tif"), &LIMITS), Err(ReadError::NotANumber)));
}

#[test]
fn the_content_says_the_format() {
    for (name, format) in [("plain.jpg", Format::Jpeg), ("bits.pbm", Format::Pnm), ("animated.gif", Format::Gif)] {
        assert_eq!(photo(name).format, format, "{name}");
    }
    assert!(matches!(decode(b"hello, world", &LIMITS), Err(ReadError::UnknownFormat)));
}
