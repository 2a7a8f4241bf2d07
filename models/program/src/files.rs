//! Files written whole or not at all.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How temporary siblings begin, so that a person and a cleaner know them.
const TEMPORARY_PREFIX: &str = ".writing-";

/// Writes a file beside its place, flushes it to the disk and renames it: a reader never sees half of it, and a crash
/// never costs the previous one. Missing folders are made.
///
/// # Errors
/// The first error of the system, with the path; nothing is left behind then, and what was there stays.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole_parts(path, &[bytes])
}

/// The same for a content that lies in pieces: gigabytes need not be put together first.
///
/// # Errors
/// Those of [`write_whole`].
pub fn write_whole_parts(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    Unfinished::write(path, parts)?.finish()
}

/// A file that is written beside its place and not there yet. It is removed where it is not finished.
#[derive(Debug)]
pub struct Unfinished {
    file: tempfile::NamedTempFile,
    place: PathBuf,
}

impl Unfinished {
    /// Writes it, and flushes it to the disk. Missing folders are made.
    ///
    /// # Errors
    /// The first error of the system, with the path; nothing is left behind then.
    pub fn write(place: &Path, parts: &[&[u8]]) -> io::Result<Self> {
        let folder = folder_of(place);
        let at = |error| cannot_write(place, &error);
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            // What File::create asks for; the user's umask is applied to it.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(at)?;
        parts.iter().try_for_each(|part| file.write_all(part)).map_err(at)?;
        file.as_file().sync_all().map_err(at)?;
        Ok(Self { file, place: place.to_owned() })
    }

    /// Where it is for now.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Moves it to its place, whatever is there.
    ///
    /// # Errors
    /// The system's, with the path; what was there stays.
    pub fn finish(self) -> io::Result<()> {
        sync_folder(folder_of(&self.rename()?))
    }

    /// Moves it to its place, which is given back. A power failure may undo that until its folder is flushed:
    /// [`sync_folder`].
    ///
    /// # Errors
    /// Those of [`Self::finish`].
    pub fn rename(self) -> io::Result<PathBuf> {
        self.file.persist(&self.place).map_err(|error| cannot_write(&self.place, &error.error))?;
        Ok(self.place)
    }
}

/// A file that grows beside its place, line by line, and takes it when it is whole. What a killed program left of it is
/// what the next one for the same place begins with: nothing piles up.
#[derive(Debug)]
pub struct Growing {
    file: File,
    beside: PathBuf,
    place: PathBuf,
}

impl Growing {
    /// Begins it. Missing folders are made.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn begin(place: &Path) -> io::Result<Self> {
        let beside = unfinished(place);
        fs_err::create_dir_all(folder_of(place))?;
        let file = File::create(&beside).map_err(|error| cannot_write(place, &error))?;
        Ok(Self { file, beside, place: place.to_owned() })
    }

    /// Flushes it to the disk and moves it to its place, whatever is there.
    ///
    /// # Errors
    /// The system's, with the path; what was there stays.
    pub fn finish(self) -> io::Result<()> {
        self.file.sync_all().map_err(|error| cannot_write(&self.place, &error))?;
        fs_err::rename(&self.beside, &self.place)?;
        sync_folder(folder_of(&self.place))
    }
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| cannot_write(&self.place, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // nothing is held back here
    }
}

/// Where it was not finished. One that was is not there any more.
impl Drop for Growing {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.beside);
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes what a rename, or a new or removed name in a folder, has changed to the disk.
///
/// # Errors
/// The system's, with the path.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// The name beside its place under which a folder or a file is filled before it is renamed to it. [`remove_unfinished`]
/// knows it.
pub fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{TEMPORARY_PREFIX}{name}"))
}

/// Removes a folder, of which nobody ever sees a part: it is renamed first. None there is fine.
///
/// # Errors
/// The system's, with the path.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let going = unfinished(path);
    if going.exists() {
        fs_err::remove_dir_all(&going)?;
    }
    fs_err::rename(path, &going)?;
    fs_err::remove_dir_all(&going)
}

/// Whether a file has the name of one that is being written, or was when its program was killed.
pub fn is_unfinished(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY_PREFIX.as_bytes())
}

/// Removes what a program that was killed had begun to write into a folder. Only for who knows that no other program
/// writes there now. A folder that is not there is fine.
///
/// # Errors
/// The system's, with the path.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if is_unfinished(&entry.file_name()) {
            match entry.file_type()?.is_dir() {
                true => fs_err::remove_dir_all(entry.path())?,
                false => fs_err::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/er/file");
        write_whole(&path, b"first").expect("writable");
        write_whole(&path, b"second").expect("writable");
        assert_eq!(fs_err::read(&path).expect("just written"), b"second");
        assert_eq!(fs_err::read_dir(path.parent().expect("has one")).expect("readable").count(), 1);
    }

    #[test]
    fn what_a_killed_program_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in [".writing-x1Y2z3", "whole.png", ".hidden"] {
            fs_err::write(folder.path().join(name), b"bytes").expect("writable");
        }
        let best = folder.path().join("best");
        fs_err::create_dir(unfinished(&best)).expect("writable");
        fs_err::write(unfinished(&best).join("file"), b"bytes").expect("writable");
        fs_err::create_dir(&best).expect("writable");
        remove_folder(&best).expect("removable");
        remove_folder(&best).expect("no folder is fine");
        fs_err::create_dir(unfinished(&best)).expect("writable");
        remove_unfinished(folder.path()).expect("removable");
        remove_unfinished(&folder.path().join("none")).expect("no folder is fine");
        let mut left: Vec<_> = fs_err::read_dir(folder.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".hidden", "whole.png"]);
    }

    #[test]
    fn a_failed_write_keeps_what_was_there_and_names_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taken = folder.path().join("taken");
        fs_err::create_dir_all(taken.join("inside")).expect("writable");
        let error = write_whole(&taken, b"bytes").expect_err("a folder is in the way").to_string();
        assert!(error.contains("taken"), "{error}");
        assert_eq!(fs_err::read_dir(folder.path()).expect("readable").count(), 1, "no temporary file stays");
    }
}
