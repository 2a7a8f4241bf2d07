//! The kernels' tests with the address sanitizer: all of our own unsafe code is there.

use std::path::Path;

use anyhow::{Context, Result};

use crate::process::Task;
use crate::root::target_folder;

/// What the sanitizer is for. Flags of the compiler hold for this one only where a target is named: procedural macros run
/// in the compiler, which was built without.
const MACHINE: &str = "x86_64-unknown-linux-gnu";

/// Builds them once more, and runs them.
pub(super) fn run(root: &Path) -> Result<()> {
    let folder = target_folder(root)?.join("sanitized").display().to_string();
    let words = ["test", "--package", "kernels", "--lib", "--tests", "--target", MACHINE, "--target-dir", &folder];
    let task = Task::cargo(words)
        // The sanitizer is an option of a nightly compiler.
        .with_variable("RUSTC_BOOTSTRAP", "1")
        .with_variable("RUSTFLAGS", "-Zsanitizer=address")
        // What ONNX Runtime keeps until the program ends is not ours.
        .with_variable("ASAN_OPTIONS", "detect_leaks=0");
    task.run(root).context("the first lines above say which address was wrong, and where it was used")
}
