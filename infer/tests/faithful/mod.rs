//! What the network does not change comes through: colours, depth, transparency, orientation, descriptions.

use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, Rgba};
use pictures::Format;
use pictures::photo::{Depth, Encoding, Kept, Limits, Photo, can_write, decode, encode, has_alpha, has_sixteen_bits};
use proptest::prelude::*;

use crate::support::{assert_ends, folder_with, identity_model, run, write};

const LIMITS: Limits = Limits { most_pixels: 1 << 20, most_bytes: 64 << 20 };
/// Of 255, on average: what JPEG at the usual quality takes from smooth pictures.
const JPEG: f64 = 3.0;
/// The photos that `pictures` is tested with, which Pillow reads alike.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pictures/tests/fixtures");

fn photo(bytes: &[u8]) -> Photo {
    decode(bytes, &LIMITS).expect("whole")
}

/// Fails unless both show the same: exactly where nothing with loss is between them.
fn assert_same(found: &Photo, expected: &DynamicImage, what: &str) {
    let size = |image: &DynamicImage| (image.width(), image.height());
    assert_eq!(size(&found.image), size(expected), "{what}");
    let expected = match (expected.color().has_alpha(), found.image.color().has_alpha()) {
        (true, false) => on_white(expected),
        _ => expected.clone(),
    };
    if found.format == Format::Jpeg {
        let (one, other) = (found.image.to_rgb8(), expected.to_rgb8());
        let sum: f64 = one.iter().zip(other.iter()).map(|(one, other)| f64::from(one.abs_diff(*other))).sum();
        let apart = sum / one.len() as f64;
        assert!(apart < JPEG, "{what}: {apart} of 255");
        return;
    }
    let bits = |image: &DynamicImage| image.color().bytes_per_pixel() / image.color().channel_count();
    if has_sixteen_bits(found.format) {
        assert_eq!(bits(&found.image), bits(&expected), "{what}: its depth");
    }
    let (one, other) = match bits(&found.image) {
        2 => (found.image.to_rgba16(), expected.to_rgba16()),
        // Where the format has no more bits.
        _ => (wide(&found.image.to_rgba8()), wide(&expected.to_rgba8())),
    };
    for (one, other) in one.pixels().zip(other.pixels()) {
        // What nobody sees has no colour.
        assert!(one == other || one.0[3] == 0 && other.0[3] == 0, "{what}: {one:?} is not {other:?}");
    }
}

fn wide(image: &image::RgbaImage) -> ImageBuffer<Rgba<u16>, Vec<u16>> {
    DynamicImage::from(image.clone()).to_rgba16()
}

fn on_white(image: &DynamicImage) -> DynamicImage {
    let encoding =
        Encoding { format: Format::Bmp, quality: None, lossless: false, depth: Depth::Eight, background: [255; 3] };
    photo(&encode(image.clone(), &Kept::default(), &encoding).expect("small")).image
}

/// Every input of a report with its output.
fn reported(report: &Path) -> Vec<(PathBuf, PathBuf, String)> {
    let text = std::fs::read_to_string(report).expect("written");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let path = |value: &serde_json::Value| PathBuf::from(value.as_str().expect("Unicode"));
    lines
        .filter(|line| line.get("input").is_some())
        .map(|line| (path(&line["input"]), path(&line["output"]), line["status"].as_str().expect("a word").to_owned()))
        .collect()
}

#[test]
fn every_kind_of_photo_comes_through_with_all_that_describes_it() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    let mut count = 0;
    for entry in std::fs::read_dir(FIXTURES).expect("in the repository") {
        let name = entry.expect("readable").file_name().into_string().expect("ASCII");
        let bytes = std::fs::read(Path::new(FIXTURES).join(&name)).expect("readable");
        if !name.ends_with(".expected.png") && decode(&bytes, &LIMITS).is_ok() {
            write(&here.join("photos").join(name), &bytes);
            count += 1;
        }
    }
    assert!(count >= 45, "{count} photos");
    for flags in [&[][..], &["--strip"]] {
        let arguments = ["photos", "out", "--fit", "native", "--batch", "4", "--report", "report.jsonl"];
        let output = run(here, &[&arguments[..], flags].concat());
        assert_ends(&output, 0, &format!("translated {count}, skipped 0, failed 0"), "note: ");
        for (input, output, _) in reported(&here.join("report.jsonl")) {
            let (input, output) = (here.join(input), here.join(output));
            let what = input.display().to_string();
            let before = photo(&std::fs::read(&input).expect("there"));
            let after = photo(&std::fs::read(&output).expect("written"));
            assert_same(&after, &before.image, &what);
            assert!(after.remarks.is_empty(), "{what}: a translation is of one frame, in sRGB: {:?}", after.remarks);
            let keeps = matches!(after.format, Format::Jpeg | Format::Png | Format::WebP | Format::Tiff);
            let is_stripped = !flags.is_empty();
            if !is_stripped && keeps {
                assert_eq!(after.kept.xmp, before.kept.xmp, "{what}");
                // A TIFF file always says more of itself.
                let is_alike = after.kept.exif.is_some() == before.kept.exif.is_some();
                assert!(is_alike || after.format == Format::Tiff && after.kept.exif.is_some(), "{what}");
            } else if after.format == Format::Tiff {
                assert_eq!(after.kept.xmp, None, "{what}");
            } else {
                assert_eq!(after.kept, Kept::default(), "{what}");
            }
        }
    }
}

/// EXIF that says nothing but an orientation.
fn turned(orientation: u8) -> Kept {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    exif[19] = orientation;
    Kept { exif: Some(exif), xmp: None }
}

/// A picture with smooth colours and, where it is to be transparent, alpha from nothing to all.
fn generated(width: u32, height: u32, seed: u16, depth: Depth, alpha: bool) -> DynamicImage {
    let image = ImageBuffer::from_fn(width, height, |x, y| {
        let wave = |x: u32, y: u32| {
            let place = (x * 1900 + y * 1300 + u32::from(seed)) % 131_072;
            place.min(131_071 - place) as u16 / 2 + 9000
        };
        let seen = if alpha { ((x + y) * 6000).min(65_535) as u16 } else { 65_535 };
        Rgba([wave(x, y), wave(y, x), wave(x, 0), seen])
    });
    let image = DynamicImage::ImageRgba16(image);
    match (depth, alpha) {
        (Depth::Sixteen, true) => image,
        (Depth::Sixteen, false) => image.to_rgb16().into(),
        (Depth::Eight, true) => image.to_rgba8().into(),
        (Depth::Eight, false) => image.to_rgb8().into(),
    }
}

const FORMATS: [(Format, &str); 7] = [
    (Format::Png, "png"),
    (Format::Jpeg, "jpg"),
    (Format::WebP, "webp"),
    (Format::Tiff, "tif"),
    (Format::Bmp, "bmp"),
    (Format::Pnm, "ppm"),
    (Format::Qoi, "qoi"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_picture_in_any_format_depth_transparency_and_orientation_comes_back(
        width in 1..24_u32,
        height in 1..24_u32,
        seed in any::<u16>(),
    ) {
        let folder = folder_with(&identity_model());
        let here = folder.path();
        let mut expected = Vec::new();
        for (format, ending) in FORMATS {
            prop_assert!(can_write(format));
            for (depth, bits) in [(Depth::Eight, 8), (Depth::Sixteen, 16)] {
                for alpha in [false, true] {
                    if bits == 16 && !has_sixteen_bits(format) || alpha && !has_alpha(format) {
                        continue;
                    }
                    let is_turned = matches!(format, Format::Png | Format::Jpeg | Format::WebP);
                    for orientation in if is_turned { 1..=8 } else { 1..=1 } {
                        let mut image = generated(width, height, seed, depth, alpha);
                        let encoding =
                            Encoding { format, quality: None, lossless: false, depth, background: [255; 3] };
                        let kept = if is_turned { turned(orientation) } else { Kept::default() };
                        let name = format!("{bits}-{alpha}-{orientation}.{ending}");
                        write(&here.join("photos").join(&name), &encode(image.clone(), &kept, &encoding).expect("small"));
                        image.apply_orientation(Orientation::from_exif(orientation).expect("one of eight"));
                        expected.push((name, image));
                    }
                }
            }
        }
        let output = run(here, &["photos", "out", "--fit", "native", "--batch", "8"]);
        assert_ends(&output, 0, &format!("translated {}, skipped 0, failed 0", expected.len()), "");
        for (name, image) in expected {
            let bytes = std::fs::read(here.join("out").join(&name)).expect("written");
            assert_same(&photo(&bytes), &image, &name);
            let plain = image::load_from_memory(&bytes).expect("whole");
            prop_assert_eq!((plain.width(), plain.height()), (image.width(), image.height()), "{}: upright as it lies", name);
        }
    }
}

#[test]
fn flags_change_what_they_say_and_nothing_else() {
    let folder = folder_with(&identity_model());
    let here = folder.path();
    let encoded = |depth, alpha| {
        let encoding = Encoding { format: Format::Png, quality: None, lossless: false, depth, background: [0; 3] };
        encode(generated(20, 12, 7, depth, alpha), &Kept::default(), &encoding).expect("small")
    };
    write(&here.join("deep.png"), &encoded(Depth::Sixteen, false));
    write(&here.join("clear.png"), &encoded(Depth::Eight, true));
    let translated = |input: &str, output: &str, flags: &[&str]| {
        let arguments = [&[input, "out", "--overwrite"][..], flags].concat();
        assert_ends(&run(here, &arguments), 0, "translated 1, skipped 0, failed 0", "");
        std::fs::read(here.join("out").join(output)).expect("written")
    };
    let eight = photo(&translated("deep.png", "deep.png", &["--fit", "native", "--depth", "8"]));
    assert_eq!(eight.image, generated(20, 12, 7, Depth::Sixteen, false).to_rgb8().into());
    let sixteen = photo(&translated("clear.png", "clear.png", &["--fit", "native", "--depth", "16"]));
    assert_same(&sixteen, &generated(20, 12, 7, Depth::Eight, true).to_rgba16().into(), "--depth 16");
    let black = photo(&translated(
        "clear.png",
        "clear.bmp",
        &["--fit", "native", "--format", "bmp", "--background", "#000000"],
    ));
    assert_eq!(black.image.to_rgb8().get_pixel(0, 0).0, [0; 3], "nothing is seen there but the background");
    let [small, large] =
        ["5", "95"].map(|quality| translated("deep.png", "deep.jpg", &["--format", "jpg", "--quality", quality]));
    assert!(small.len() < large.len(), "{} and {} bytes", small.len(), large.len());
    let sized = photo(&translated("deep.png", "deep.png", &["--fit", "16", "--restore-size"]));
    assert_eq!((sized.image.width(), sized.image.height()), (20, 12));

    let refused = |flags: &[&str], said: &str| {
        let arguments = [&["deep.png", "out", "--overwrite"][..], flags].concat();
        assert_ends(&run(here, &arguments), 1, "translated 0, skipped 0, failed 1", said);
    };
    refused(&["--format", "jpg", "--lossless"], "JPEG is never lossless");
    refused(&["--format", "webp", "--depth", "16"], "has no 16 bits a channel; use --format png or tiff");
    refused(&["--max-pixels", "239"], "has 20×12 pixels, more than");
}
