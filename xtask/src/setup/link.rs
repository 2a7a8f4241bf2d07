//! `.native` in the project: the link to the set that programs are built against.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where the link lies, as .cargo/config.toml and the crates know it.
pub(super) fn place(root: &Path) -> PathBuf {
    root.join(".native")
}

/// Where it leads, if it is there.
pub(super) fn target(root: &Path) -> Result<Option<PathBuf>> {
    let place = place(root);
    match std::fs::read_link(&place) {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidInput => bail!(
            "{} is a file or folder, and set-up would put a link there: move it away, and name libraries of your own with \
             LIBTORCH and ORT_DYLIB_PATH",
            place.display()
        ),
        Err(error) => Err(error).with_context(|| format!("cannot read the link {}", place.display())),
    }
}

/// Makes it lead to a folder, in one step: there is no moment without a link.
pub(super) fn point(root: &Path, folder: &Path) -> Result<()> {
    let (place, beside) = (place(root), root.join(".native-next"));
    if beside.symlink_metadata().is_ok() {
        fs_err::remove_file(&beside)?; // of a run that died between the next two lines
    }
    fs_err::os::unix::fs::symlink(folder, &beside)?;
    fs_err::rename(&beside, &place)?;
    Ok(())
}
