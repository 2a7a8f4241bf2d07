//! Where the project lies.

use std::path::{Path, PathBuf};

/// The project's root: `cargo run` says at run time where this crate lies, so that a moved checkout is found.
pub(crate) fn root() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map(Path::to_path_buf).expect("this crate lies in a folder of the project")
}
