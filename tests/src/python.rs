//! The Python that has the `onnx` package.

use std::process::{Command, Stdio};

/// Its name; none where a machine lacks it, which is said, and which CI must not be.
///
/// # Panics
/// Where CI lacks it.
pub fn python_with_onnx() -> Option<String> {
    let python = std::env::var("CYCLEGAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_onnx = Command::new(&python).args(["-c", "import onnx"]).stderr(Stdio::null()).status();
    if has_onnx.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "CI must have Python's `onnx` package: see .ci/run");
    eprintln!("SKIPPED: Python's `onnx` package is not installed (pip install onnx, or set CYCLEGAN_TEST_PYTHON)");
    None
}
