//! Small files that would be large pictures.

use pictures::photo::{Limits, decode};
use pictures::{Format, ReadError};

use crate::bounds::{ALLOCATED, ALWAYS, within};
use crate::target::LIMITS;
use crate::{fixture, read};

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

/// The limits hold at the very pixel, and are named.
#[test]
fn limits_are_those_that_were_given() {
    let file = fixture("rgb.ppm");
    let limits = |most_pixels, most_bytes| Limits { most_pixels, most_bytes };
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
