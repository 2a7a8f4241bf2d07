//! Files from people who mean harm, and damaged ones: each ends in an error or in a photo, within seconds and within the
//! memory that the limits allow.

mod bombs;
mod bounds;
mod damaged;
#[path = "../../fuzz/src/lib.rs"]
mod target;

use std::path::{Path, PathBuf};

use bounds::within;
use pictures::ReadError;
use pictures::photo::{Photo, decode, decode_header};
use target::LIMITS;

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
