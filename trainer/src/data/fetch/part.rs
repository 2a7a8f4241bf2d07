//! What has come of an archive, on the disk: the bytes, and beside them what they are the beginning of.

use std::fs::{OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use program::{Console, files, interrupt};
use serde::{Deserialize, Serialize};

/// How often a process that waits for another looks whether that one is done.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What the bytes are the beginning of: without it they cannot be gone on with, for the file may have changed since.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    pub(crate) url: String,
    /// The server's strong ETag, or the file's date: what `If-Range` takes.
    pub(crate) validator: Option<String>,
    /// The whole length.
    pub(crate) total: Option<u64>,
}

/// The beginning of an archive. Who holds one holds its lock: no other process writes to it.
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    origin_path: PathBuf,
    file: std::fs::File,
    pub(crate) length: u64,
    pub(crate) origin: Origin,
}

impl Part {
    /// Opens what an earlier call left, or begins. Waits while another process is at it; nothing if the user stops that.
    pub(crate) fn open(root: &Path, name: &str, console: &Console) -> io::Result<Option<Self>> {
        fs_err::create_dir_all(root)?;
        let path = root.join(format!(".fetch-{name}.zip.part"));
        let origin_path = root.join(format!(".fetch-{name}.json"));
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut said = false;
        loop {
            let file = OpenOptions::new().create(true).append(true).open(&path).map_err(at)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if interrupt::requested() => return Ok(None),
                Err(TryLockError::WouldBlock) => {
                    if !std::mem::replace(&mut said, true) {
                        console.always(format!("another process is fetching {name} into {}: waiting", root.display()));
                    }
                    thread::sleep(LOOK_AGAIN);
                    continue;
                }
                Err(TryLockError::Error(error)) => return Err(at(error)),
            }
            // The other process may have finished and removed the file whose lock this one then got.
            let (held, there) = (file.metadata().map_err(at)?, std::fs::metadata(&path));
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
                let origin = fs_err::read(&origin_path).ok().and_then(|json| serde_json::from_slice(&json).ok());
                let mut part =
                    Self { path, origin_path, file, length: held.len(), origin: origin.clone().unwrap_or_default() };
                if origin.is_none() {
                    part.restart(Origin::default())?;
                }
                return Ok(Some(part));
            }
        }
    }

    /// Whether all of it is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.origin.total == Some(self.length)
    }

    /// Throws away what is there; what follows is from `origin`.
    pub(crate) fn restart(&mut self, origin: Origin) -> io::Result<()> {
        if self.length > 0 {
            self.file.set_len(0).map_err(|error| self.at(&error))?;
            self.length = 0;
        }
        if self.origin != origin {
            files::write_whole(&self.origin_path, &serde_json::to_vec(&origin).expect("strings and a number"))?;
            self.origin = origin;
        }
        Ok(())
    }

    /// Says that the part is as long as it will be.
    pub(crate) fn end_here(&mut self) -> io::Result<()> {
        let origin = Origin { total: Some(self.length), ..self.origin.clone() };
        files::write_whole(&self.origin_path, &serde_json::to_vec(&origin).expect("strings and a number"))?;
        self.origin = origin;
        Ok(())
    }

    /// Adds what came.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        if let Err(error) = written {
            // A piece may be half there: the length is what the disk says.
            self.length = self.file.metadata().map_or(self.length, |metadata| metadata.len());
            return Err(self.at(&error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes it away: it is unpacked, or worth nothing.
    pub(crate) fn remove(self) -> io::Result<()> {
        match fs_err::remove_file(&self.origin_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs_err::remove_file(&self.path)
    }

    fn at(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}
