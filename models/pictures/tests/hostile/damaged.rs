//! Files that are cut, changed, or at odds with themselves.

use pictures::ReadError;

use crate::{files, fixture, read};

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

/// A canvas of one size, a frame of another: the decoder compares them when it is too late.
#[test]
fn a_lossy_frame_larger_than_its_canvas_is_refused() {
    let mut file = fixture("lossy-alpha.webp");
    let frame = file.windows(4).position(|name| name == b"VP8 ").expect("a lossy frame") + 8 + 6;
    file[frame..frame + 4].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    assert!(matches!(read("frame", &file), Err(ReadError::TooManyPixels { .. })));
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
