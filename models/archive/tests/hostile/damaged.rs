//! Files that a disk or a download damaged.

use super::reading::{read, seed};
use super::targets;

#[test]
fn a_file_cut_anywhere_says_so() {
    let files = [("archive", "state_dict.pth"), ("archive", "libtorch.ot"), ("safetensors", "kinds.safetensors")];
    for (folder, name) in files {
        let whole = seed(folder, name);
        read(&whole).expect(name);
        for length in 0..whole.len() {
            let message = read(&whole[..length]).expect_err(name);
            assert!(
                message.contains("damaged") || length < 9 && message.contains("it seems to be"),
                "{name}, {length} bytes: {message}"
            );
        }
    }
}

#[test]
fn every_flipped_byte_of_a_file_ends_in_what_it_holds_or_an_error() {
    for (folder, name) in [
        ("archive", "state_dict.pth"),
        ("archive", "recompressed.pth"),
        ("archive", "libtorch.ot"),
        ("safetensors", "kinds.safetensors"),
    ] {
        let whole = seed(folder, name);
        let mut read = 0;
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 0xff;
            read += usize::from(targets::check(&flipped, None).is_some());
        }
        assert!(read > 0, "{name}: some bytes mean nothing");
    }
}
