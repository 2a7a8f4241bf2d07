//! The zip archive that PyTorch writes: one folder, in it `data.pkl`, and under `data/` the numbers of each storage.

use std::io::{self, Cursor, Read};

use bytes::Bytes;
use zip::CompressionMethod;
use zip::read::{ZipArchive, ZipReadOptions};
use zip::result::ZipError;

use crate::ArchiveError;
use crate::allowance::Allowance;
use crate::error::{said, shown};

/// The value that tensors are in.
const PICKLE: &str = "data.pkl";

/// An open archive.
#[derive(Debug)]
pub(crate) struct Container {
    file: Bytes,
    archive: ZipArchive<Cursor<Bytes>>,
    /// The folder that everything is in, with its slash.
    root: String,
}

impl Container {
    /// Reads the archive's directory and finds the folder.
    pub(crate) fn open(file: Bytes) -> Result<Self, ArchiveError> {
        let archive = ZipArchive::new(Cursor::new(file.clone())).map_err(damaged)?;
        // Readers differ in which of two they take: no honest program writes them.
        if archive.has_duplicate_names() {
            return Err(ArchiveError::Zip("it has two entries of one name".into()));
        }
        let names = archive.file_names_raw().filter_map(|name| std::str::from_utf8(name).ok());
        let mut roots = names.filter_map(|name| {
            let root = name.strip_suffix(PICKLE)?;
            let is_folder = root.strip_suffix('/').is_none_or(|folder| !folder.contains('/'));
            (is_folder && (root.is_empty() || root.ends_with('/'))).then(|| root.to_owned())
        });
        let found = (roots.next(), roots.next());
        drop(roots);
        let root = match found {
            (Some(root), None) => root,
            (Some(_), Some(_)) => return Err(ArchiveError::NotPyTorch(format!("it has more than one {PICKLE}"))),
            (None, _) => {
                let first = archive.file_names_raw().next().map(|name| shown(&String::from_utf8_lossy(name)));
                let holds = first.map_or("is empty".to_owned(), |name| format!("holds `{name}`"));
                return Err(ArchiveError::NotPyTorch(format!("it has no {PICKLE} but {holds}")));
            }
        };
        Ok(Self { file, archive, root })
    }

    /// Whether `torch.jit.save` or libtorch wrote it: then there are constants and code beside the value.
    pub(crate) fn is_script(&self) -> bool {
        self.has("constants.pkl")
    }

    fn has(&self, name: &str) -> bool {
        self.archive.index_for_name_raw(format!("{}{name}", self.root).as_bytes()).is_some()
    }

    /// The pickle that says what the archive holds.
    pub(crate) fn pickle(&mut self, allowance: &mut Allowance) -> Result<Bytes, ArchiveError> {
        self.entry(PICKLE, None, allowance)
    }

    /// Refuses numbers that lie the other way round. Archives of before PyTorch 2.1 do not say.
    pub(crate) fn refuse_big_endian(&mut self, allowance: &mut Allowance) -> Result<(), ArchiveError> {
        const NAME: &str = "byteorder";
        if self.has(NAME) && self.entry(NAME, None, allowance)?.trim_ascii() != b"little" {
            return Err(ArchiveError::BigEndian);
        }
        Ok(())
    }

    /// The numbers of a storage, which must be so many bytes.
    pub(crate) fn storage(&mut self, key: &str, bytes: u64, allowance: &mut Allowance) -> Result<Bytes, ArchiveError> {
        self.entry(&format!("data/{key}"), Some(bytes), allowance)
    }

    /// An entry's bytes: a part of the file if they are stored as they are. Its checksum is right, and its own header says
    /// what the directory does.
    fn entry(&mut self, name: &str, expected: Option<u64>, allowance: &mut Allowance) -> Result<Bytes, ArchiveError> {
        let at_entry = |why: String| ArchiveError::Entry { entry: shown(name), why };
        let read = |error: io::Error| at_entry(format!("cannot be read: {}", said(error)));
        let Some(index) = self.archive.index_for_name_raw(format!("{}{name}", self.root).as_bytes()) else {
            return Err(at_entry("is missing".into()));
        };
        let options = ZipReadOptions::new().enforce_header_consistency(true);
        let mut entry = self
            .archive
            .by_index_with_options(index, options)
            .map_err(|error| at_entry(format!("cannot be read: {}", said(error))))?;
        let size = entry.size();
        if let Some(expected) = expected.filter(|expected| *expected != size) {
            return Err(at_entry(format!("has {size} bytes, and data.pkl says {expected}")));
        }
        // Also where nothing is copied: entries that lie in each other would be read as often as there are any.
        allowance.take(size)?;
        if entry.compression() == CompressionMethod::Stored {
            let start = entry.data_start();
            let place = start
                .and_then(|start| Some(usize::try_from(start).ok()?..usize::try_from(start.checked_add(size)?).ok()?));
            let place = place.filter(|place| place.end <= self.file.len() && entry.compressed_size() == size);
            let place = place.ok_or_else(|| at_entry("does not lie in the file".into()))?;
            // Reading to the end compares the checksum.
            io::copy(&mut entry, &mut io::sink()).map_err(read)?;
            return Ok(self.file.slice(place));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        entry.take(size.saturating_add(1)).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 != size {
            return Err(at_entry(format!("does not unpack to the {size} bytes that it says")));
        }
        Ok(bytes.into())
    }
}

fn damaged(error: ZipError) -> ArchiveError {
    ArchiveError::Zip(said(error))
}
