//! Files written whole or not at all.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How temporary siblings begin, so that a person and a cleaner know them.
const TEMPORARY_PREFIX: &str = ".writing-";

/// Writes a file beside its place, flushes it to the disk and renames it: a reader never sees half of it, and a crash
/// never costs the previous one. Missing folders are made.
///
/// # Errors
/// The first error of the system, with the path; nothing is left behind then, and what was there stays.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let at = |error: io::Error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()));
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        // What File::create asks for; the user's umask is applied to it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(at)?;
    file.write_all(bytes).map_err(at)?;
    file.as_file().sync_all().map_err(at)?;
    file.persist(path).map_err(|error| at(error.error))?;
    // The rename itself lives in the folder.
    fs_err::File::open(folder)?.sync_all()
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
    fn a_failed_write_keeps_what_was_there_and_names_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let taken = folder.path().join("taken");
        fs_err::create_dir_all(taken.join("inside")).expect("writable");
        let error = write_whole(&taken, b"bytes").expect_err("a folder is in the way").to_string();
        assert!(error.contains("taken"), "{error}");
        assert_eq!(fs_err::read_dir(folder.path()).expect("readable").count(), 1, "no temporary file stays");
    }
}
