//! Seeds of the fuzzer, and files read within the bounds.

use std::path::Path;

use crate::bounds;

/// A folder of the fuzzer's seeds, by name.
pub fn seeds(of: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(of);
    let seed = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("readable").path();
        (path.file_name().expect("it has one").to_string_lossy().into_owned(), std::fs::read(&path).expect("readable"))
    };
    let mut seeds: Vec<_> = std::fs::read_dir(folder).expect("it is kept in the repository").map(seed).collect();
    seeds.sort();
    seeds
}

/// One of them.
pub fn seed(of: &str, name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(of).join(name)).expect("it is kept")
}

/// Reads a file within the bounds, and fails with its error's message.
pub fn read(file: &[u8]) -> Result<models_archive::Contents, String> {
    bounds::within(file.len(), || models_archive::read(bytes::Bytes::copy_from_slice(file), None))
        .map_err(|error| error.to_string())
}

/// Asserts that each file ends in an error that begins or goes on with some words.
pub fn assert_refused(cases: &[(&str, Vec<u8>, &str)]) {
    for (case, file, expected) in cases {
        match read(file) {
            Ok(contents) => panic!("{case}: read as {contents:?}"),
            Err(message) => assert!(message.contains(expected), "{case}: {message}"),
        }
    }
}
