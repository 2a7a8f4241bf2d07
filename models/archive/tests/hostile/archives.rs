//! Hostile zip archives.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::assembler::Pickle;
use super::reading::{assert_refused, read, seed};
use super::targets;

/// Where the first of something is.
fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).expect("it is there")
}

/// A file with some bytes changed.
fn with(file: &[u8], place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[place..place + bytes.len()].copy_from_slice(bytes);
    file
}

fn archive(entries: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, options).expect("another name");
        archive.write_all(bytes).expect("in memory");
    }
    archive.finish().expect("in memory").into_inner()
}

/// A state_dict whose tensor has so many numbers.
fn pickle(count: i64) -> Vec<u8> {
    Pickle::new().raw(b"}").text("w").tensor("0", count, 0, &[count], &[1]).raw(b"s.").0
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

#[test]
fn zip_bombs_are_stopped_by_what_they_say_and_by_what_they_do() {
    // A megabyte more than a small file may become.
    let zeros = vec![0; 17 << 20];
    let bomb = archive(&[("a/data.pkl", &pickle(17 << 18)), ("a/data/0", &zeros)], deflated());
    assert!(bomb.len() < zeros.len() / 500);
    // In both headers: a thousand bytes are announced, and wanted.
    let some = &zeros[..1 << 20];
    let liar = archive(&[("a/data.pkl", &pickle(250)), ("a/data/0", some)], deflated());
    let size = (some.len() as u32).to_le_bytes();
    let first = find(&liar, &size);
    let liar = with(&liar, first, &1000_u32.to_le_bytes());
    let liar = with(&liar, find(&liar, &size), &1000_u32.to_le_bytes());
    // More is announced than comes.
    let small = archive(&[("a/data.pkl", &pickle(1000)), ("a/data/0", &[7; 3999])], deflated());
    let size = 3999_u32.to_le_bytes();
    let first = find(&small, &size);
    let small = with(&small, first, &4000_u32.to_le_bytes());
    let small = with(&small, find(&small, &size), &4000_u32.to_le_bytes());
    let long = archive(&[("a/data.pkl", &[&pickle(1)[..], &zeros].concat())], deflated());
    assert_refused(&[
        ("17 MiB of zeros", bomb, "needs more than 16 MiB of memory"),
        ("1 MiB that is announced as 1000 bytes", liar, "`data/0`"),
        ("3999 bytes that are announced as 4000", small, "`data/0`"),
        ("a pickle of 17 MiB", long, "needs more than 16 MiB of memory"),
    ]);
}

#[test]
fn entries_that_lie_elsewhere_or_are_changed_are_refused() {
    let good = seed("archive", "state_dict.pth");
    read(&good).expect("as PyTorch wrote it");
    let directory = find(&good, b"PK\x01\x02");
    // Numbers of the first storage, which the directory has at 42 of its entry; the name is at 46.
    let entry = directory + find(&good[directory..], b"archive/data/0") - 46;
    let start = u32::from_le_bytes(good[entry + 42..entry + 46].try_into().expect("four")) as usize;
    let name = start + 30;
    let numbers = name + find(&good[name..], b"\x50\x4b\x07\x08") - 4; // the last of them, before the descriptor
    let place = |at: u32| with(&good, entry + 42, &at.to_le_bytes());
    let twice = archive(&[("a/data.pkl", &pickle(1)), ("a/data.pkm", &pickle(1))], SimpleFileOptions::default());
    let second = find(&twice, b"data.pkm");
    let twice = with(&twice, second, b"data.pkl");
    let twice = with(&twice, find(&twice, b"data.pkm"), b"data.pkl");
    let encrypted = with(&with(&good, entry + 8, &[good[entry + 8] | 1]), start + 6, &[good[start + 6] | 1]);
    let plain = SimpleFileOptions::default();
    assert_refused(&[
        ("the header of another", place(0), "`data/0` cannot be read"),
        ("nothing is there", place(17), "`data/0` cannot be read"),
        ("behind the end", place(u32::MAX - 1), "`data/0` cannot be read"),
        ("another number", with(&good, numbers, &[good[numbers] ^ 1]), "`data/0` cannot be read: Invalid checksum"),
        ("another name", with(&good, name, b"archivX"), "`data/0` cannot be read"),
        ("a size of its own", with(&good, entry + 24, &215_u32.to_le_bytes()), "`data/0`"),
        ("encrypted", encrypted, "`data/0` cannot be read"),
        ("two of one name", twice, "two entries of one name"),
        ("two pickles", archive(&[("a/data.pkl", b""), ("b/data.pkl", b"")], plain), "more than one data.pkl"),
        ("no numbers", archive(&[("a/data.pkl", &pickle(1))], plain), "`data/0` is missing"),
        (
            "numpy's",
            archive(&[("weight.npy", b"")], plain),
            "not one of PyTorch: it has no data.pkl but holds `weight.npy`",
        ),
        ("nothing in it", archive(&[], plain), "it has no data.pkl but is empty"),
        ("cut", good[..good.len() - 30].to_vec(), "is a damaged zip archive"),
    ]);
}

#[test]
fn a_directory_of_very_many_entries_takes_little_beside_the_file() {
    let names: Vec<String> = (0..5000).map(|number| format!("{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_refused(&[("many", archive(&entries, SimpleFileOptions::default()), "it has no data.pkl")]);
}

/// The head of an entry, which stands before its bytes and, longer, in the directory.
fn head(signature: &[u8; 4], versions: usize, bytes: &[u8], name: &str) -> Vec<u8> {
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let checksum = archive(&[("a", bytes)], stored)[14..18].to_vec();
    let size = (bytes.len() as u32).to_le_bytes();
    let length = (name.len() as u16).to_le_bytes();
    [&signature[..], &b"\x14\0".repeat(versions), &[0; 8], &checksum, &size, &size, &length, &[0; 2]].concat()
}

#[test]
fn entries_that_lie_in_each_other_are_not_read_as_often_as_there_are_any() {
    // Each entry's bytes are the next entry, head and all: 40 MiB to read in 1 MiB, and all of it as it should be.
    let mut pickle = Pickle::new().raw(b"}(");
    let (mut file, mut directory, mut starts) = (vec![0; 1 << 20], Vec::new(), Vec::new());
    for number in 0..40 {
        let (key, name) = (format!("{number}"), format!("a/data/{number}"));
        pickle = pickle.text(&key).global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
        pickle = pickle.storage("ByteStorage", &key, file.len() as i64).int(0).ints(&[1]).ints(&[1]).raw(b"\x89)tR");
        directory.push((head(b"PK\x01\x02", 2, &file, &name), name.clone()));
        file = [&head(b"PK\x03\x04", 1, &file, &name), name.as_bytes(), &file].concat();
        starts.push(file.len());
    }
    // They were put before each other.
    let whole = file.len();
    let (name, pickle) = ("a/data.pkl", pickle.raw(b"u.").0);
    let starts: Vec<usize> = starts.iter().map(|length| whole - length).chain([whole]).collect();
    directory.push((head(b"PK\x01\x02", 2, &pickle, name), name.into()));
    file = [&file, &head(b"PK\x03\x04", 1, &pickle, name)[..], name.as_bytes(), &pickle].concat();
    let start = file.len();
    for ((head, name), start) in directory.iter().zip(starts) {
        file = [&file, &head[..], &[0; 10], &(start as u32).to_le_bytes(), name.as_bytes()].concat();
    }
    let count = (directory.len() as u16).to_le_bytes();
    let length = ((file.len() - start) as u32).to_le_bytes();
    file =
        [&file, &b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &(start as u32).to_le_bytes(), &[0; 2]].concat();
    assert_refused(&[("each in the one before", file, "needs more than 24 MiB")]);
}

#[test]
fn sizes_of_64_bits_are_read() {
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let file = archive(&[("a/data.pkl", &pickle(1)), ("a/data/0", &1.5_f32.to_le_bytes())], stored);
    let contents = read(&file).expect("zip64");
    assert_eq!(contents.tensors[0].values().collect::<Vec<_>>(), [1.5]);
    targets::archive(&file);
}
