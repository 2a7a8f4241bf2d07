//! Files from people who mean harm, and damaged ones: each ends in an error or in a photo, within seconds and within the
//! memory that the limits allow.

#[path = "../../fuzz/src/lib.rs"]
mod target;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use pictures::photo::{Photo, decode, decode_header};
use pictures::{Format, ReadError};
use target::LIMITS;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// What reading may take beside the limits: a JPEG decoder's tables, a profile's.
const ALWAYS: usize = 24 << 20;

/// Places of strips and tiles cost 32 bytes for each of theirs, and are read for the photo and for the number of pages.
const PER_BYTE: usize = 70;

/// A debug build on a shared machine.
const LONGEST: Duration = Duration::from_secs(10);

/// One at a time: memory is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs something on a file within the bounds.
fn within<T>(name: &str, file: &[u8], run: impl FnOnce(&[u8]) -> T) -> T {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let start = Instant::now();
    let result = run(file);
    let took = start.elapsed();
    let most = ALLOCATED.peak_usage().saturating_sub(before);
    assert!(took < LONGEST, "{name}: {took:?}");
    let allowed = LIMITS.most_bytes as usize + ALWAYS + PER_BYTE * file.len();
    assert!(most <= allowed, "{name}: {most} bytes of memory, more than {allowed}");
    result
}

fn read(name: &str, file: &[u8]) -> Result<Photo, ReadError> {
    within(name, file, |file| {
        let _ = decode_header(file);
        decode(file, &LIMITS)
    })
}

/// Files of a folder of this crate by name, without what is expected of them.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("kept in the repository")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| !path.to_string_lossy().ends_with(".expected.png") && path.extension() != Some("py".as_ref()));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("readable"))
    };
    paths.into_iter().map(read).collect()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).expect(name)
}

#[test]
fn the_corpus_ends_quickly_and_without_a_panic() {
    let (seeds, fixtures) = (files("fuzz/seeds/photo"), files("tests/fixtures"));
    assert!(!seeds.is_empty() && !fixtures.is_empty());
    for (name, file) in seeds.into_iter().chain(fixtures) {
        within(&name, &file, target::photo);
    }
}

#[test]
fn a_file_that_is_cut_is_an_error() {
    for (name, file) in files("tests/fixtures") {
        // The ends of formats that say nothing about pixels: a PNG's last chunk, a GIF's last byte, later pages and frames.
        for share in [0.02, 0.1, 0.3, 0.6] {
            let cut = &file[..(file.len() as f64 * share) as usize];
            let result = read(&name, cut);
            let has_more = name.starts_with("animated") || name == "pages.tif" || name.starts_with("palette");
            assert!(result.is_err() || has_more, "{name}: {share} of it is enough");
        }
    }
}

/// Each byte of the beginnings, where sizes and counts stand, one after the other.
#[test]
fn damaged_headers_take_no_memory() {
    for (name, file) in files("tests/fixtures") {
        for place in 0..file.len().min(96) {
            for value in [0, 0x7f, 0xff] {
                let mut damaged = file.clone();
                damaged[place] = value;
                let _ = read(&format!("{name} with {value} at {place}"), &damaged);
            }
        }
    }
}

/// Headers that announce 30,000 × 30,000 pixels or more with next to nothing behind them.
#[test]
fn decompression_bombs_are_refused_by_their_headers() {
    let changed = |name: &str, changes: &[(usize, &[u8])]| {
        let mut file = fixture(name);
        for (at, bytes) in changes {
            file[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        file
    };
    let side = 30_000_u32;
    let (low, high) = (side.to_le_bytes(), side.to_be_bytes());
    let jpeg = fixture("progressive.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc2]).expect("a progressive frame");
    let tiff = fixture("rgb.tif");
    let directory = u32::from_le_bytes(tiff[4..8].try_into().expect("four bytes")) as usize;
    let lossy = fixture("lossy.webp");
    let inner = lossy.windows(4).position(|name| name == b"VP8 ").expect("a lossy frame") + 8 + 6;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("JPEG", changed("progressive.jpg", &[(frame + 5, &high[2..]), (frame + 7, &high[2..])])),
        ("PNG", png(&[(b"IHDR", &[&high[..], &high, &[8, 2, 0, 0, 0]].concat()), (b"IDAT", &[0; 9])])),
        ("WebP", changed("lossy.webp", &[(inner, &[0xff, 0x3f]), (inner + 2, &[0xff, 0x3f])])),
        ("BMP", changed("rgb.bmp", &[(18, &low), (22, &low)])),
        // Columns, rows, and the rows of the one strip.
        ("TIFF", changed("rgb.tif", &[0, 1, 7].map(|entry| (directory + 2 + 12 * entry + 8, &low[..])))),
        ("GIF", changed("transparent.gif", &[(6, &low[..2]), (8, &low[..2])])),
        ("PNM", b"P6\n30000 30000\n255\nabc".to_vec()),
        ("PAM", b"P7\nWIDTH 30000\nHEIGHT 30000\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n".to_vec()),
        // Its specification ends at 400 million pixels.
        ("QOI", changed("rgb.qoi", &[(4, &19_000_u32.to_be_bytes()), (8, &19_000_u32.to_be_bytes())])),
    ];
    for (name, file) in cases {
        let before = ALWAYS / 4;
        let result = within(name, &file, |file| {
            let start = ALLOCATED.current_usage();
            ALLOCATED.reset_peak_usage();
            let result = decode(file, &LIMITS);
            let most = ALLOCATED.peak_usage().saturating_sub(start);
            assert!(most < before, "{name}: {most} bytes before it was refused");
            result
        });
        assert!(
            matches!(result, Err(ReadError::TooManyPixels { .. })),
            "{name}: {:?}",
            result.map(|photo| photo.remarks)
        );
    }
}

/// A canvas of one size, a frame of another: the decoder compares them when it is too late.
#[test]
fn a_lossy_frame_larger_than_its_canvas_is_refused() {
    let mut file = fixture("lossy-alpha.webp");
    let frame = file.windows(4).position(|name| name == b"VP8 ").expect("a lossy frame") + 8 + 6;
    file[frame..frame + 4].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    assert!(matches!(read("frame", &file), Err(ReadError::TooManyPixels { .. })));
}

/// Profiles and texts that unpack to a hundred times what the limits allow cost their words, not the pixels.
#[test]
fn descriptions_that_unpack_without_end_are_left_out() {
    let zeros = zlib_of_zeros(1 << 20);
    let header: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
    let pixel: &[u8] = &[0x78, 1, 1, 2, 0, 0xfd, 0xff, 0, 77, 0, 79, 0, 78];
    let chunks: [(&[u8; 4], Vec<u8>); 3] = [
        (b"iCCP", [b"bomb\0\0", &zeros[..]].concat()),
        (b"zTXt", [b"bomb\0\0", &zeros[..]].concat()),
        (b"iTXt", [b"XML:com.adobe.xmp\0\x01\0\0\0", &zeros[..]].concat()),
    ];
    for (name, content) in chunks {
        let file = png(&[(b"IHDR", header), (name, &content), (b"IDAT", pixel), (b"IEND", &[])]);
        let name = String::from_utf8_lossy(name).into_owned();
        match read(&name, &file) {
            Ok(photo) => assert_eq!(photo.image.as_bytes(), [77; 3], "{name}"),
            Err(error) => assert_eq!(name, "iCCP", "{error}"),
        }
    }
}

/// A TIFF file whose places of strips are as many as its header likes.
#[test]
fn values_of_a_tiff_file_that_lie_beyond_its_end_are_refused() {
    let mut file = fixture("rgb.tif");
    let directory = u32::from_le_bytes(file[4..8].try_into().expect("four bytes")) as usize;
    let entries = usize::from(u16::from_le_bytes([file[directory], file[directory + 1]]));
    let strips = (0..entries).map(|entry| directory + 2 + 12 * entry).find(|&at| file[at..at + 2] == [0x11, 1]);
    let count = strips.expect("places of strips") + 4;
    file[count..count + 4].copy_from_slice(&8_000_000_u32.to_le_bytes());
    assert!(matches!(read("strips", &file), Err(ReadError::Decode(_))));
}

/// The limits hold at the very pixel, and are named.
#[test]
fn limits_are_those_that_were_given() {
    let file = fixture("rgb.ppm");
    let limits = |most_pixels, most_bytes| pictures::photo::Limits { most_pixels, most_bytes };
    assert!(decode(&file, &limits(26 * 18, 1 << 20)).is_ok());
    let error = decode(&file, &limits(26 * 18 - 1, 1 << 20)).expect_err("one too many").to_string();
    assert_eq!(error, "announces 26×18 pixels, more than the 467 that a picture may have");
    assert!(matches!(decode(&file, &limits(1000, 3 * 26 * 18)), Err(ReadError::TooLarge { .. })));
    assert_eq!(pictures::format(&file).ok(), Some(Format::Pnm));
}

/// A PNG file of these chunks.
fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let chunk = |&(name, content): &(&[u8; 4], &[u8])| {
        let length = (content.len() as u32).to_be_bytes();
        let named = [&name[..], content].concat();
        [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
    };
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.iter().flat_map(chunk).collect()].concat()
}

/// PNG's checksum (ISO 3309), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

/// So many times 258 zeros and one more, packed by the fixed codes of RFC 1951: a literal, then matches with the last byte.
fn zlib_of_zeros(matches: u32) -> Vec<u8> {
    let mut bits: Vec<u8> = vec![1, 1, 0]; // the last block, of fixed codes
    let mut code = |value: u16, length: u32| bits.extend((0..length).rev().map(|bit| (value >> bit & 1) as u8));
    code(0b0011_0000, 8);
    for _ in 0..matches {
        code(0b1100_0101, 8); // 258 bytes
        code(0, 5); // one byte back
    }
    code(0, 7);
    bits.resize(bits.len().next_multiple_of(8), 0);
    let packed = bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | bit));
    let count = 1 + 258 * u64::from(matches);
    let adler = ((count % 65_521) as u32) << 16 | 1;
    [vec![0x78, 0x01], packed.collect(), adler.to_be_bytes().to_vec()].concat()
}
