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
    #[error("unpacked, it needs {}, and the disk has {} left", program::bytes(*needed), program::bytes(*free))]
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

/// Unpacks into a folder that is there and empty. `came` hears how many bytes are written, and of how many by the
/// archive's own account.
pub(crate) fn unpack(archive: &Path, folder: &Path, mut came: impl FnMut(u64, Option<u64>)) -> Result<(), UnpackError> {
    let file = fs_err::File::open(archive)?;
    let size = file.metadata()?.len();
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    if archive.len() > MOST_ENTRIES {
        return Err(UnpackError::Crowded(archive.len()));
    }
    let most = MOST_BYTES.min(size.saturating_mul(MOST_GROWTH).saturating_add(ALWAYS_ALLOWED));
    let announced = check_space(&archive, folder, most, size)?;
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
            came(most - left, announced);
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

/// What the archive says of its own size is good for a message before anything is written, and for a bar; the bound is on
/// what is. Some archives do not say.
fn check_space(
    archive: &ZipArchive<fs_err::File>,
    folder: &Path,
    most: u64,
    size: u64,
) -> Result<Option<u64>, UnpackError> {
    let Some(needed) = archive.decompressed_size() else { return Ok(None) };
    let needed = u64::try_from(needed).ok().filter(|needed| *needed <= most).ok_or(UnpackError::Bomb { most, size })?;
    let system = rustix::fs::statvfs(folder).map_err(io::Error::from)?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if needed > free {
        return Err(UnpackError::NoSpace { needed, free });
    }
    Ok(Some(needed))
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    type Writer = ZipWriter<Cursor<Vec<u8>>>;

    fn archive(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut archive);
        archive.finish().expect("in memory").into_inner()
    }

    fn with_file(name: &str, bytes: &[u8]) -> Vec<u8> {
        archive(|archive| {
            archive.start_file(name, SimpleFileOptions::default()).expect("in memory");
            archive.write_all(bytes).expect("in memory");
        })
    }

    /// Unpacks into `out/inside` of a folder of its own, and gives what is in that folder then.
    fn unpacked(bytes: &[u8]) -> (Result<(), UnpackError>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inside = folder.path().join("out/inside");
        fs_err::create_dir_all(&inside).expect("writable");
        let path = folder.path().join("archive.zip");
        fs_err::write(&path, bytes).expect("writable");
        let result = unpack(&path, &inside, |_, _| {});
        fs_err::remove_file(&path).expect("it is there");
        let mut files = Vec::new();
        let mut folders = vec![folder.path().to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs_err::read_dir(next).expect("readable") {
                let path = entry.expect("readable").path();
                let below = path.strip_prefix(folder.path()).expect("found there").display().to_string();
                if path.is_dir() { folders.push(path) } else { files.push(below) }
            }
        }
        files.sort();
        (result, files)
    }

    /// Replaces a name, in the entry's own header and in the directory, by one as long that a writer would refuse.
    fn renamed(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
        assert_eq!(places.len(), 2);
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        bytes
    }

    #[test]
    fn entries_that_lead_elsewhere_are_refused_and_write_nothing() {
        let file = |name: &[u8]| {
            let plain = "x".repeat(name.len());
            renamed(with_file(&plain, b"evil"), plain.as_bytes(), name)
        };
        let link = archive(|archive| {
            archive.add_symlink("trainA", "/etc", SimpleFileOptions::default()).expect("in memory");
            archive.start_file("trainA/passwd", SimpleFileOptions::default()).expect("in memory");
        });
        let mut device = with_file("trainA", b"");
        let directory = device.windows(4).position(|bytes| bytes == b"PK\x01\x02").expect("it has one");
        device[directory + 41] = 0o020_000_u32.to_be_bytes()[2]; // external attributes: a character device
        let cases = [
            (file(b"../evil"), "leads out of its folder"),
            (file(b"a/../../evil"), "leads out of its folder"),
            (file(b"a/.."), "leads out of its folder"),
            (file(b"/tmp/evil"), "has an absolute name"),
            (file(b"C:/evil"), "has an absolute name"),
            (file(b"..\\evil"), "has a backslash or a zero in its name"),
            (file(b"evil\0.png"), "has a backslash or a zero in its name"),
            (file(b"ev\xffil"), "has a name that is not UTF-8"),
            (link, "is a link"),
            (device, "is neither a file nor a folder"),
            (with_file(&"x".repeat(300), b""), "has a name that is too long"),
        ];
        for (bytes, why) in cases {
            let (result, files) = unpacked(&bytes);
            let error = result.expect_err(why);
            assert!(error.to_string().contains(why) && error.is_the_archives(), "{why}: {error}");
            assert_eq!(files, [""; 0], "{why}");
        }
    }

    #[test]
    fn an_entry_below_another_that_is_a_file_is_refused() {
        let bytes = archive(|archive| {
            for name in ["trainA", "trainA/1.png"] {
                archive.start_file(name, SimpleFileOptions::default()).expect("in memory");
            }
        });
        let error = unpacked(&bytes).0.expect_err("a file is no folder").to_string();
        assert!(error.contains("`trainA/1.png` is where another entry is"), "{error}");
    }

    #[test]
    fn a_bomb_is_stopped_by_what_it_says_and_by_what_it_does() {
        let size = 20 << 20; // shrinks a thousandfold
        let bomb = with_file("bomb.png", &vec![0; size]);
        let (result, files) = unpacked(&bomb);
        assert!(matches!(result, Err(UnpackError::Bomb { .. })), "{result:?}");
        assert_eq!(files, [""; 0], "its directory says how large it becomes");
        // A directory that lies: the size is at 24 of the entry there, at 22 of the one before the data.
        let mut liar = bomb;
        let at =
            |signature: &[u8], bytes: &[u8]| bytes.windows(4).position(|four| four == signature).expect("it has one");
        for place in [at(b"PK\x01\x02", &liar) + 24, at(b"PK\x03\x04", &liar) + 22] {
            assert_eq!(liar[place..place + 4], (size as u32).to_le_bytes());
            liar[place..place + 4].copy_from_slice(&1000_u32.to_le_bytes());
        }
        let error = unpacked(&liar).0.expect_err("more comes than was said");
        assert!(matches!(error, UnpackError::Bomb { .. } | UnpackError::Damaged(_)), "{error}");
    }

    #[test]
    fn what_desktops_leave_in_archives_is_left_out() {
        let names =
            ["set/trainA/1.png", "__MACOSX/set/trainA/._1.png", "set/.DS_Store", "set/._trainA", "./set//trainB/2.png"];
        let bytes = archive(|archive| {
            archive.add_directory("set/trainC/", SimpleFileOptions::default()).expect("in memory");
            for name in names {
                archive.start_file(name, SimpleFileOptions::default()).expect("in memory");
            }
        });
        let (result, files) = unpacked(&bytes);
        result.expect("nothing bad is in it");
        assert_eq!(files, ["out/inside/set/trainA/1.png", "out/inside/set/trainB/2.png"]);
    }
}
