//! Where the project lies.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Task;

/// The project's root: `cargo run` says at run time where this crate lies, so that a moved checkout is found.
pub(crate) fn root() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map(Path::to_path_buf).expect("this crate lies in a folder of the project")
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf> {
    let printed = Task::cargo(["metadata", "--format-version", "1", "--no-deps"]).output(root)?;
    let metadata: serde_json::Value = serde_json::from_slice(&printed).context("cargo metadata is no JSON")?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata has no target_directory")?;
    Ok(folder.into())
}
