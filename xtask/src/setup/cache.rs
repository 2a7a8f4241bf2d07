//! The cache: a folder for each set of libraries, made whole or not at all, and a lock for who makes one.

use std::fmt::Write;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err::File;
use walkdir::WalkDir;

/// Lists what a set has: a line with size and path for each file. It is written last.
const MANIFEST: &str = "manifest";
/// How a set that is being made begins. Who finds one while holding the lock knows that its maker is dead.
const UNFINISHED: &str = "unfinished-";
/// How sets begin.
const SET: &str = "native-";
/// How Python environments begin that `.ci/run` makes for tests.
const TEST_PYTHON: &str = "python-";
/// How programs begin that cargo installs for `cargo xtask prove`.
const PROGRAM: &str = "cargo-";
const LOCK: &str = "setup.lock";

/// The right to change the cache, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Waits until nobody else changes the cache; `waiting` is called once if somebody does.
pub(super) fn lock(cache: &Path, waiting: impl Fn()) -> Result<Lock> {
    let path = cache.join(LOCK);
    loop {
        fs_err::create_dir_all(cache)?;
        let opened = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = match opened {
            // Another run has just removed the folder.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            file => file?,
        };
        match file.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.file().lock().with_context(|| format!("{} cannot be locked", path.display()))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        // `--remove` deletes the lock file too: a lock on a deleted file excludes nobody.
        let locked = file.metadata()?;
        if fs_err::metadata(&path).is_ok_and(|data| (data.dev(), data.ino()) == (locked.dev(), locked.ino())) {
            return Ok(Lock { _file: file });
        }
    }
}

/// A new folder to make a set in. What dead runs left is deleted.
pub(super) fn begin(cache: &Path, _lock: &Lock) -> Result<PathBuf> {
    remove_beginning_with(cache, &[UNFINISHED])?;
    let folder = cache.join(format!("{UNFINISHED}{}", std::process::id()));
    fs_err::create_dir(&folder)?;
    Ok(folder)
}

/// Puts a finished set in its place. A damaged one that lies there makes room.
pub(super) fn finish(unfinished: &Path, folder: &Path, _lock: &Lock) -> Result<()> {
    let mut manifest = String::new();
    for entry in WalkDir::new(unfinished).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            let path = entry.path().strip_prefix(unfinished).expect("it was found below it");
            // Of a link the size of what it leads to.
            let bytes = fs_err::metadata(entry.path())?.len();
            writeln!(manifest, "{bytes} {}", path.display()).expect("a string takes all");
        }
    }
    program::files::write_whole(&unfinished.join(MANIFEST), manifest.as_bytes())?;
    let damaged = unfinished.with_extension("damaged");
    if folder.symlink_metadata().is_ok() {
        fs_err::rename(folder, &damaged)?;
    }
    fs_err::rename(unfinished, folder)?;
    if damaged.symlink_metadata().is_ok() {
        remove(&damaged)?;
    }
    Ok(())
}

/// Whether a set has all files of its manifest in their sizes. It reads no file but the manifest: a few thousand looks.
pub(super) fn is_whole(folder: &Path) -> bool {
    let Ok(manifest) = std::fs::read_to_string(folder.join(MANIFEST)) else { return false };
    let file_is_there = |line: &str| {
        let Some((bytes, path)) = line.split_once(' ') else { return false };
        std::fs::metadata(folder.join(path)).is_ok_and(|data| Ok(data.len()) == bytes.parse())
    };
    !manifest.is_empty() && manifest.lines().all(file_is_there)
}

/// Deletes all sets; gives how many there were. Other things in the folder stay.
pub(super) fn clear(cache: &Path, _lock: Lock) -> Result<usize> {
    let sets = remove_beginning_with(cache, &[SET])?;
    remove_beginning_with(cache, &[UNFINISHED, TEST_PYTHON, PROGRAM])?;
    fs_err::remove_file(cache.join(LOCK))?;
    match std::fs::remove_dir(cache) {
        Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
            Err(error).with_context(|| format!("cannot remove {}", cache.display()))
        }
        _ => Ok(sets),
    }
}

fn remove_beginning_with(cache: &Path, prefixes: &[&str]) -> Result<usize> {
    let mut removed = 0;
    for entry in fs_err::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name();
        if prefixes.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
            remove(&entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove(path: &Path) -> Result<()> {
    match path.symlink_metadata().is_ok_and(|data| data.is_dir()) {
        true => fs_err::remove_dir_all(path)?,
        false => fs_err::remove_file(path)?,
    }
    Ok(())
}
