//! What we export under the `onnx` package's own checker, with full shape inference.

use std::process::{Command, Stdio};

use models::families::{Family, GeneratorOptions};
use tests::Problem;

/// Checks a file and prints the shape that inference gives its output.
const SCRIPT: &str = "
import sys, onnx
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
assert all(len(node.output) == 1 and node.name for node in inferred.graph.node)
print(model.opset_import[0].version, model.graph.name)
";

/// The Python that has `onnx`; CI installs it and names it.
fn python() -> Option<String> {
    let python = std::env::var("CYCLEGAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_onnx = Command::new(&python).args(["-c", "import onnx"]).stderr(Stdio::null()).status();
    has_onnx.is_ok_and(|status| status.success()).then_some(python)
}

#[test]
fn the_onnx_package_accepts_every_family() {
    let Some(python) = python() else {
        assert!(std::env::var_os("CI").is_none(), "CI must have Python's `onnx` package: see .ci/run");
        eprintln!("SKIPPED: Python's `onnx` package is not installed (pip install onnx, or set CYCLEGAN_TEST_PYTHON)");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for family in [Family::Paper, Family::Concat] {
        let problem = Problem::random(family.generator(GeneratorOptions::sized(4, 2)), 1, 16, 16, 1);
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, problem.to_onnx()).expect("writable");
        let output = Command::new(&python).arg("-c").arg(SCRIPT).arg(&path).output().expect("it just ran");
        assert!(output.status.success(), "{family:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "17 g_ab\n", "{family:?}");
    }
}
