//! An archive from the network to a folder. Nothing that the archive says is believed: neither where an entry goes, nor
//! what it is, nor how large it becomes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use program::interrupt;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

/// Bytes that may come out of any archive; the largest published one has a tenth of it.
const MOST_BYTES: u64 = 20_000_000_000;
/// Entries that an archive may have.
const MOST_ENTRIES: usize = 1_000_000;
/// How many times its size an archive may become. Pictures hardly shrink; the text of a bomb shrinks a thousandfold.
const MOST_GROWTH: u64 = 200;
/// What may come out of however small an archive.
const ALWAYS_ALLOWED: u64 = 16 << 20;

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// Not an archive, or a damaged one.
    #[error("it is no whole zip archive: {0}")]
    Damaged(String),
    /// An entry that wants to be where it must not be, or to be what a picture is not.
    #[error("its entry `{entry}` {why}: such an archive is not to be trusted")]
    Hostile {
        /// Its name, as far as it is text.
        entry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than a data set can be.
    #[error("it unpacks to more than {}, which pictures in an archive of {} cannot need", program::bytes(*most), program::bytes(*size))]
    Bomb {
        /// What is allowed.
        most: u64,
        /// The archive's size.
        size: u64,
    },
    /// Too many entries.
    #[error("it has {0} entries, more than the {MOST_ENTRIES} that are allowed")]
    Crowded(usize),
    /// Known before the first file is written.
    #[error("it needs {} and the disk has {} left: free some space, or choose another --data-root", program::bytes(*needed), program::bytes(*free))]
    NoSpace {
        /// What the archive says it becomes.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// The user.
    #[error("stopped by the user")]
    Stopped,
}

impl UnpackError {
    /// Whether fetching the archive again could help: then it is not worth keeping.
    pub(crate) fn is_the_archives(&self) -> bool {
        !matches!(self, Self::NoSpace { .. } | Self::Disk(_) | Self::Stopped)
    }
}

/// Unpacks into a folder that is there and empty. `written` hears of every piece that was written.
pub(crate) fn unpack(archive: &Path, folder: &Path, mut written: impl FnMut(u64)) -> Result<(), UnpackError> {
    let file = fs_err::File::open(archive)?;
    let size = file.metadata()?.len();
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    if archive.len() > MOST_ENTRIES {
        return Err(UnpackError::Crowded(archive.len()));
    }
    let most = MOST_BYTES.min(size.saturating_mul(MOST_GROWTH).saturating_add(ALWAYS_ALLOWED));
    check_space(&archive, folder, most, size)?;
    let mut left = most;
    let mut piece = vec![0; 1 << 16];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let Some(place) = place(&entry)? else { continue };
        let place = folder.join(place);
        if entry.is_dir() {
            fs_err::create_dir_all(&place).map_err(|error| in_the_way(error, &entry))?;
            continue;
        }
        let mut file = create(&place).map_err(|error| in_the_way(error, &entry))?;
        loop {
            // An error here is the archive's: its checksum is wrong, or its stream is.
            let count = entry.read(&mut piece).map_err(|error| UnpackError::Damaged(error.to_string()))?;
            if count == 0 {
                break;
            }
            left = left.checked_sub(count as u64).ok_or(UnpackError::Bomb { most, size })?;
            file.write_all(&piece[..count])?;
            written(count as u64);
            if interrupt::requested() {
                return Err(UnpackError::Stopped);
            }
        }
    }
    // One flush for thousands of files: each on its own would take a minute. The rename that follows must not come to
    // the disk before them.
    rustix::fs::syncfs(File::open(folder)?).map_err(io::Error::from)?;
    Ok(())
}

/// What the archive says of its own size is good for a message before anything is written; the bound is on what is.
fn check_space(archive: &ZipArchive<fs_err::File>, folder: &Path, most: u64, size: u64) -> Result<(), UnpackError> {
    let needed = archive.decompressed_size().unwrap_or_default();
    let needed = u64::try_from(needed).ok().filter(|needed| *needed <= most).ok_or(UnpackError::Bomb { most, size })?;
    let system = rustix::fs::statvfs(folder).map_err(io::Error::from)?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if needed > free {
        return Err(UnpackError::NoSpace { needed, free });
    }
    Ok(())
}

/// Where an entry goes below the folder; nothing for what desktops leave in archives.
fn place(entry: &ZipFile<'_, fs_err::File>) -> Result<Option<PathBuf>, UnpackError> {
    const KIND: u32 = 0o170_000; // of Unix's modes
    let hostile = |why| hostile(entry, why);
    let name = std::str::from_utf8(entry.name_raw()).map_err(|_| hostile("has a name that is not UTF-8"))?;
    if entry.encrypted() {
        return Err(hostile("is encrypted"));
    }
    match entry.unix_mode().unwrap_or_default() & KIND {
        0 | 0o100_000 | 0o040_000 => {}
        0o120_000 => return Err(hostile("is a link")),
        _ => return Err(hostile("is neither a file nor a folder")),
    }
    if name.contains(['\\', '\0']) {
        return Err(hostile("has a backslash or a zero in its name"));
    }
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return Err(hostile("has an absolute name"));
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err(hostile("leads out of its folder"));
    }
    let left_behind = |part: &&str| *part == "__MACOSX" || *part == ".DS_Store" || part.starts_with("._");
    Ok((!parts.is_empty() && !parts.iter().any(left_behind)).then(|| parts.iter().collect()))
}

/// Makes a file and the folders above it, never over what is there.
fn create(place: &Path) -> io::Result<fs_err::File> {
    fs_err::create_dir_all(place.parent().expect("it is inside the folder"))?;
    fs_err::File::create_new(place)
}

/// The folder was empty: what is in an entry's way came out of the same archive.
fn in_the_way(error: io::Error, entry: &ZipFile<'_, fs_err::File>) -> UnpackError {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => hostile(entry, "is where another entry is"),
        io::ErrorKind::InvalidFilename => hostile(entry, "has a name that is too long"),
        _ => UnpackError::Disk(error),
    }
}

fn hostile(entry: &ZipFile<'_, fs_err::File>, why: &'static str) -> UnpackError {
    UnpackError::Hostile { entry: String::from_utf8_lossy(entry.name_raw()).escape_debug().to_string(), why }
}

fn damaged(error: ZipError) -> UnpackError {
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => UnpackError::Disk(error),
        error => UnpackError::Damaged(error.to_string()),
    }
}
