//! The build of ONNX Runtime for NVIDIA cards where CUDA cannot be used: what lacks is said, all of it.
//!
//! `CYCLEGAN_TEST_GPU_RUNTIME` names that build's library. Nothing of CUDA is needed: what the tests want to be there is an
//! empty library of that name.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pictures::Format;
use serde_json::Value;

use crate::support::{assert_ends, encoded, folder_with, identity_model, infer, picture, write};

/// What CUDA needs, as the message calls it, in its order.
const NEEDED: [(&str, &str); 6] = [
    ("libcudart.so.13", "the CUDA 13 runtime cannot be opened (libcudart.so.13: "),
    ("libcublasLt.so.13", "cuBLAS 13 cannot be opened (libcublasLt.so.13: "),
    ("libcublas.so.13", "cuBLAS 13 cannot be opened (libcublas.so.13: "),
    ("libcurand.so.10", "cuRAND 10 cannot be opened (libcurand.so.10: "),
    ("libcudnn.so.9", "cuDNN 9 cannot be opened (libcudnn.so.9: "),
    ("libcuda.so.1", "the NVIDIA driver cannot be opened (libcuda.so.1: "),
];

/// The library; none where the tests cannot be run.
fn library() -> Option<PathBuf> {
    let library = std::env::var_os("CYCLEGAN_TEST_GPU_RUNTIME").map(PathBuf::from);
    if library.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI must have the GPU build of ONNX Runtime: see .ci/run");
        eprintln!("SKIPPED: CYCLEGAN_TEST_GPU_RUNTIME is not set (see .ci/run)");
    }
    // On a machine with a card there is nothing that lacks.
    library.filter(|_| !Path::new("/proc/driver/nvidia/version").exists())
}

/// A folder with an identity model and a picture.
fn folder() -> tempfile::TempDir {
    let folder = folder_with(&identity_model());
    write(&folder.path().join("a.png"), &encoded(&picture(20, 16), Format::Png));
    folder
}

fn run(library: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let common = ["--model", "model.onnx", "a.png", "out", "--fit", "native"];
    let mut infer = infer(folder, &[&common[..], arguments].concat());
    infer.env("ORT_DYLIB_PATH", library).env("LD_LIBRARY_PATH", folder.join("libraries"));
    infer.output().expect("it starts")
}

#[test]
fn all_that_lacks_for_cuda_is_said_in_one_message_and_what_is_there_is_not() {
    let Some(library) = library() else { return };
    let folder = folder();
    let folder = folder.path();
    let libraries = folder.join("libraries");
    std::fs::create_dir(&libraries).expect("writable");
    for there in 0..=NEEDED.len() {
        let output = run(&library, folder, &["--device", "cuda"]);
        assert_ends(&output, 3, "", "cuda:0 was asked for and cannot be used: ");
        let messages = String::from_utf8_lossy(&output.stderr);
        for (place, (_, lacks)) in NEEDED.into_iter().enumerate() {
            assert_eq!(messages.contains(lacks), place >= there, "{there} of them are there: {lacks} in {messages}");
        }
        assert!(messages.contains("ONNX Runtime says: "), "{messages}");
        assert!(messages.contains("use --device cpu, or `cargo xtask setup --cuda`"), "{messages}");
        assert!(!folder.join("out/a.png").exists(), "nothing was translated on another device");
        if let Some((name, _)) = NEEDED.get(there) {
            let mut gcc = Command::new("gcc");
            gcc.args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(libraries.join(name));
            assert!(gcc.status().expect("it links Rust's programs too").success());
        }
    }
}

#[test]
fn auto_says_why_the_cpu_runs_and_reports_what_ran() {
    let Some(library) = library() else { return };
    let folder = folder();
    let output = run(&library, folder.path(), &["--json"]);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{messages}");
    let said = "device    cpu (CPUExecutionProvider, a thread for each core) (no CUDA: ";
    assert!(messages.contains(said), "{messages}");
    for (_, lacks) in NEEDED {
        assert!(messages.contains(lacks), "{lacks} in {messages}");
    }
    let json: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    assert_eq!((&json["devices"][0]["device"], &json["translated"]), (&"cpu".into(), &1.into()));
}

#[test]
fn of_several_cards_the_first_that_cannot_be_used_is_named() {
    let Some(library) = library() else { return };
    let folder = folder();
    let output = run(&library, folder.path(), &["--device", "cuda:1,0"]);
    assert_ends(&output, 3, "", "cuda:1 was asked for and cannot be used: ");
}
