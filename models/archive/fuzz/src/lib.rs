//! What the fuzzer runs, one function for each target, and what must hold whatever it feeds. `tests/hostile` of
//! `models-archive` runs the same functions on the seeds.

use std::collections::HashSet;
use std::io::{Cursor, Write};

use bytes::Bytes;
use models_archive::{ArchiveError, Contents};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Bytes of the storages `data/0`, `data/1`, … beside a pickle: those of `seeds/pickle/state_dict.pkl`.
const STORAGES: [usize; 9] = [216, 12, 12, 12, 12, 12, 8, 48, 4];

/// Any file.
pub fn archive(input: &[u8]) {
    check(input, None);
    check(input, Some("networks.g_ab"));
}

/// A `data.pkl` in an otherwise good archive: checksums would keep the fuzzer out of it.
pub fn pickle(input: &[u8]) {
    let storages = STORAGES.map(|size| vec![0x3f; size]);
    for entries in [&[][..], &[("constants.pkl", &b"\x80\x02)."[..])]] {
        check(&wrapped(input, &storages, entries), None);
    }
}

/// A safetensors header and numbers. The header ends at the last brace.
pub fn safetensors(input: &[u8]) {
    check(input, None);
    let header = input.iter().rposition(|&byte| byte == b'}').map_or(0, |last| last + 1);
    check(&[&(header as u64).to_le_bytes(), input].concat(), None);
}

/// An ONNX file.
pub fn onnx(input: &[u8]) {
    if let Ok(model) = models_onnx::parse(input.to_vec()) {
        let _ = models_onnx::metadata(&model);
        let _ = models_onnx::weights(&model);
    }
}

/// An archive as torch.save writes it.
pub fn wrapped(pickle: &[u8], storages: &[Vec<u8>], others: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(format!("archive/{name}"), stored).expect("another name");
        archive.write_all(bytes).expect("in memory");
    };
    add("data.pkl", pickle);
    for (number, storage) in storages.iter().enumerate() {
        add(&format!("data/{number}"), storage);
    }
    others.iter().for_each(|(name, bytes)| add(name, bytes));
    archive.finish().expect("in memory").into_inner()
}

/// Reads a file and checks what is promised of all that can be read.
pub fn check(file: &[u8], key: Option<&str>) -> Option<Contents> {
    let contents = match models_archive::read(Bytes::copy_from_slice(file), key) {
        Ok(contents) => contents,
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 5000 && !message.contains(char::is_control), "{message:?}");
            assert!(!matches!(error, ArchiveError::NoKey { .. }) || key.is_some());
            return None;
        }
    };
    let mut total = 0;
    let mut names = HashSet::new();
    for weight in &contents.tensors {
        assert_eq!(weight.bytes.len(), 4 * weight.shape.iter().product::<usize>(), "{}", weight.name);
        assert!(names.insert(&weight.name), "{} twice", weight.name);
        total += weight.bytes.len();
    }
    assert!(total <= 8 * file.len() + (16 << 20), "{total} bytes out of {}", file.len());
    assert!(contents.converted.iter().all(|(name, _)| names.contains(name)));
    Some(contents)
}
