//! The pictures of a folder.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// File name endings of the formats that are read.
pub const EXTENSIONS: [&str; 18] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "dib", "tif", "tiff", "gif", "pbm", "pgm", "ppm",
    "pnm", "pam", "qoi",
];

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

/// All pictures below a folder, sorted by path, so that their order does not depend on the file system. Hidden files and
/// folders (a leading dot) are left out: archives made on a Mac put one beside every picture, desktops keep thumbnails
/// and deleted files so.
///
/// Links are followed. One that leads nowhere but is called like a picture is given back: who reads it learns why not.
///
/// # Errors
/// If the folder or one below it cannot be listed.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, FindError> {
    let mut pictures = Vec::new();
    let visible = |entry: &DirEntry| entry.depth() == 0 || !is_hidden(entry.path());
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible) {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_picture(entry.path()) => pictures.push(entry.into_path()),
            Ok(_) => {}
            Err(error) => pictures.extend(picture_behind(error, folder)?),
        }
    }
    Ok(pictures)
}

/// What a link that cannot be followed stands for, where it hides no folder.
fn picture_behind(error: walkdir::Error, folder: &Path) -> Result<Option<PathBuf>, FindError> {
    if error.loop_ancestor().is_some() {
        return Ok(None); // what it leads to is found by its own path
    }
    let path = error.path().unwrap_or(folder).to_path_buf();
    let error = io::Error::from(error);
    if path != folder && path.is_symlink() && error.kind() == io::ErrorKind::NotFound {
        return Ok(Some(path).filter(|path| is_picture(path) && !is_hidden(path)));
    }
    Err(FindError { path, error })
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("writable");
            std::fs::write(path, b"").expect("writable");
        }
        folder
    }

    fn found(folder: &Path) -> Vec<String> {
        let below = |path: PathBuf| path.strip_prefix(folder).expect("found there").display().to_string();
        find(folder).expect("a folder").into_iter().map(below).collect()
    }

    #[test]
    fn pictures_are_told_by_their_names_and_hidden_ones_left_out() {
        let names = ["b.JPG", "a/c.tiff", "notes.txt", ".a.png", ".trash/d.png", "a/.thumbnails/e.png"];
        assert_eq!(found(folder_with(&names).path()), ["a/c.tiff", "b.JPG"]);
    }

    #[test]
    fn links_are_followed_and_those_that_cannot_be_hide_nothing() {
        let folder = folder_with(&["a/one.png"]);
        let link = |to: &str, name: &str| symlink(to, folder.path().join(name)).expect("writable");
        link("a/one.png", "two.png");
        link("..", "a/up");
        link("nowhere", "lost.png");
        link("nowhere", "lost.txt");
        assert_eq!(found(folder.path()), ["a/one.png", "lost.png", "two.png"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = find(Path::new("no/such")).expect_err("nowhere").to_string();
        assert_eq!(error, "cannot list no/such");
    }
}
