//! Files from people who mean harm, and damaged ones: each ends in an error or in what it holds, within a second and within
//! the memory that its size allows.

mod archives;
mod assembler;
mod bounds;
mod damaged;
mod pickles;
mod safetensors;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

/// A folder of the fuzzer's seeds, by name.
fn seeds(of: &str) -> Vec<(String, Vec<u8>)> {
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
fn seed(of: &str, name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(of).join(name)).expect("it is kept")
}

/// Reads a file within the bounds, and fails with its error's message.
fn read(file: &[u8]) -> Result<models_archive::Contents, String> {
    bounds::within(file.len(), || models_archive::read(bytes::Bytes::copy_from_slice(file), None))
        .map_err(|error| error.to_string())
}

/// Asserts that each file ends in an error that begins or goes on with some words.
fn assert_refused(cases: &[(&str, Vec<u8>, &str)]) {
    for (case, file, expected) in cases {
        match read(file) {
            Ok(contents) => panic!("{case}: read as {contents:?}"),
            Err(message) => assert!(message.contains(expected), "{case}: {message}"),
        }
    }
}

#[test]
fn the_corpus_ends_quickly_and_without_a_panic() {
    type Target = fn(&[u8]);
    let targets: [(&str, Target); 7] = [
        ("archive", targets::archive),
        ("pickle", targets::pickle),
        ("safetensors", targets::safetensors),
        ("onnx", targets::onnx),
        ("external", targets::external),
        ("metadata", targets::metadata),
        ("recognise", targets::recognise),
    ];
    for (name, target) in targets {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        for (_, bytes) in seeds {
            bounds::within(bytes.len(), || target(&bytes));
        }
    }
}
