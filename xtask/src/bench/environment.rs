//! Pythons for what we are compared with. Nothing but benches uses them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Task;
use crate::setup::Setup;

/// An environment, by its packages.
pub(super) struct Environment {
    /// `setup --remove` deletes what begins with `python-`.
    folder: &'static str,
    /// What pip is told to install.
    packages: &'static [&'static str],
    /// What it takes on the disk, for a person.
    size: &'static str,
}

/// torch is of the same version as our libtorch and onnxruntime as ours, so that a difference is ours. The last two are what
/// torch.onnx.export needs.
pub(super) const TORCH: Environment = Environment {
    folder: "python-bench",
    packages: &[
        "torch==2.13.0",
        "numpy==2.4.6",
        "pillow==13.0.0",
        "onnxruntime==1.31.1",
        "onnx==1.23.2",
        "onnxscript==0.7.2",
    ],
    size: "2.7 GB",
};

/// What people translate folders with; onnxruntime of the same version as ours.
pub(super) const RUNTIMES: Environment = Environment {
    folder: "python-runtimes",
    packages: &["onnxruntime==1.31.1", "openvino==2026.4.1", "ncnn==1.0.20261020", "numpy==2.4.6", "pillow==13.0.0"],
    size: "0.4 GB",
};

/// What makes ncnn's files of ONNX files: a program on its own, whose package asks for torch.
pub(super) const PNNX: Environment =
    Environment { folder: "python-pnnx", packages: &["--no-deps", "pnnx==20261020"], size: "0.1 GB" };

/// Lists the packages of a finished environment. It is written last.
const COMPLETE: &str = "complete";

/// The Python of the environment, which is made if it is not there or has other packages.
pub(super) fn python(root: &Path, environment: &Environment) -> Result<PathBuf> {
    let Environment { folder, packages: names, size } = environment;
    let folder = Setup::of_this_machine(root)?.cache.join(folder);
    let python = folder.join("bin/python");
    let packages = names.join(" ");
    let complete = std::fs::read_to_string(folder.join(COMPLETE)).ok();
    if complete.as_ref().is_some_and(|complete| *complete == packages) {
        return Ok(python);
    }
    eprintln!("installing {packages} into {}: {size}, once", folder.display());
    // An environment that was once whole only gets what it lacks.
    if complete.is_none() && folder.is_dir() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&folder)?;
    let remedy = "the bench needs Python 3 with pip and venv (Debian: apt-get install python3-pip python3-venv)";
    // Debian's Python has no ensurepip of its own, so the pip outside installs into the environment.
    let words = |words: &'static str| words.split_whitespace().map(OsStr::new);
    let venv = words("-m venv --without-pip").chain([folder.as_os_str()]);
    Task::new("python3", venv).run(root).context(remedy)?;
    let install = words("install --disable-pip-version-check --no-input").chain(names.iter().map(OsStr::new));
    let pip = words("-m pip --python").chain([python.as_os_str()]).chain(install);
    Task::new("python3", pip).run(root).context(remedy)?;
    program::files::write_whole(&folder.join(COMPLETE), packages.as_bytes())?;
    Ok(python)
}
