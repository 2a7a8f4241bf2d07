//! The pictures of a folder.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// File name endings of the formats that are read.
pub const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "dib"];

/// A folder that cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {}", path.display())]
pub struct FindError {
    /// Where it happened.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

/// Whether a file's name says that it is a picture.
pub fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

/// All pictures below a folder, sorted by path, so that their order does not depend on the file system. Hidden files
/// (a leading dot) are left out: archives made on a Mac put one beside every picture.
///
/// # Errors
/// If the folder or one below it cannot be listed.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, FindError> {
    let mut pictures = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry
            .map_err(|error| FindError { path: error.path().unwrap_or(folder).to_path_buf(), error: error.into() })?;
        let hidden = entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().is_file() && !hidden && is_picture(entry.path()) {
            pictures.push(entry.into_path());
        }
    }
    Ok(pictures)
}
