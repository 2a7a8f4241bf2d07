//! Wheels to files.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::pins::{Kind, LIBTORCH_VERSION, Wheel};
use super::python::{Python, last_lines};

/// A wheel is a zip archive, and Python, which fetched it, reads those: no other program or crate is needed.
const SCRIPT: &str = include_str!("unpack.py");

/// Unpacks what is kept of a wheel into a folder.
pub(super) fn unpack(python: &Python, wheel: &Wheel, file: &Path, folder: &Path) -> Result<()> {
    let mut command = Command::new(&python.program);
    command.args(["-c", SCRIPT]).args([file, folder]).args(wheel.keep);
    let output = command.output().with_context(|| format!("{} cannot be started", python.program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    if python.says_disk_full(&printed) {
        bail!(python.disk_full());
    }
    bail!("{} {} cannot be unpacked into {}: {}", wheel.name, wheel.version, folder.display(), last_lines(&printed, 1));
}

/// What is not in the wheels: what torch-sys looks at, and libtorch.so without CUDA.
pub(super) fn complete(kind: Kind, folder: &Path) -> Result<()> {
    if kind == Kind::Infer {
        return Ok(());
    }
    fs_err::write(folder.join("torch/build-version"), LIBTORCH_VERSION)?;
    if kind == Kind::Cpu {
        // The wheel's own is an empty shim that needs libtorch_cuda.so.
        fs_err::os::unix::fs::symlink("libtorch_cpu.so", folder.join("torch/lib/libtorch.so"))?;
    }
    Ok(())
}
