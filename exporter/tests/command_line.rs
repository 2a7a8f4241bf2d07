//! `exporter` as a user types it.

mod difference;
mod inspection;
mod support;

use std::path::Path;

use models::families::Family;
use models::{Metadata, Role, weights_hash};
use models_torch::{Module, SavedNetwork};
use snapbox::file;
use support::{assert_ends, folder, run, saved, write};

#[test]
fn help_says_what_it_is_and_what_it_takes() {
    snapbox::assert_data_eq!(run(Path::new("."), &["--help"]).stdout, file!["snapshots/help.txt"]);
}

#[test]
fn a_generator_is_verified_and_written_with_its_metadata() {
    let folder = folder();
    for (family, name) in [(Family::Paper, "g_ab.ot"), (Family::Concat, "g_ab.safetensors")] {
        let saved = saved(Role::GAb, family);
        write(folder.path(), name, &saved);
        let output = run(folder.path(), &[name, "-o", "out/g_ab.onnx"]);
        assert_ends(&output, 0, "they agree");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "out/g_ab.onnx\n", "the result, for scripts");
        let said = String::from_utf8_lossy(&output.stderr);
        for row in ["1 × 16×16", "2 × 16×16", "1 × 16×24", "1 × 32×32"] {
            assert!(said.contains(row), "{row} in {said}");
        }
        let file = std::fs::read(folder.path().join("out/g_ab.onnx")).expect("it was written");
        let model = models_onnx::parse(file.clone()).expect("our own file");
        let hash = Some(weights_hash(&saved.weights));
        let expected = Metadata { weights_sha256: hash, ..saved.metadata };
        assert_eq!(models_onnx::metadata(&model).expect("our own metadata"), expected);
        assert_ends(&run(folder.path(), &[name, "-o", "again.onnx"]), 0, "");
        assert!(std::fs::read(folder.path().join("again.onnx")).expect("it was written") == file, "the same bytes");
    }
}

#[test]
fn what_cannot_be_exported_says_why_and_leaves_nothing() {
    let folder = folder();
    write(folder.path(), "g_ab.ot", &saved(Role::GAb, Family::Paper));
    write(folder.path(), "d_a.ot", &saved(Role::DA, Family::Paper));
    std::fs::write(folder.path().join("broken.ot"), b"no archive").expect("writable");
    std::fs::write(folder.path().join("published.pth"), b"other").expect("writable");
    std::fs::write(folder.path().join("g_ab.onnx"), b"earlier").expect("writable");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["g_ab.ot"], 2, "--output <FILE>"),
        (&["missing.ot", "-o", "g_ab.onnx"], 3, "missing.ot: cannot be read"),
        (&["broken.ot", "-o", "g_ab.onnx"], 3, "broken.ot: is no libtorch archive"),
        (&["published.pth", "-o", "g_ab.onnx"], 3, "published.pth: is no .ot or .safetensors"),
        (&["d_a.ot", "-o", "g_ab.onnx"], 3, "only generators (g_ab, g_ba) translate pictures"),
        (&["g_ab.ot", "-o", "g_ab.ot"], 2, "must end in .onnx"),
        (&["inspect", "broken.ot"], 3, "broken.ot: is no libtorch archive"),
        (&["inspect", "g_ab.onnx"], 3, "is no ONNX file, or a damaged one"),
    ];
    for (arguments, code, message) in cases {
        assert_ends(&run(folder.path(), arguments), code, message);
    }
    assert_eq!(std::fs::read(folder.path().join("g_ab.onnx")).expect("still there"), b"earlier");
}

/// A module with other weights than the file stands for any fault: whoever made the file does not matter.
#[test]
fn a_file_that_computes_something_else_is_reported() {
    let file = {
        let SavedNetwork { metadata, weights } = saved(Role::GAb, Family::Concat);
        models_onnx::export(&metadata, weights).expect("its own weights")
    };
    let mut changed = saved(Role::GAb, Family::Concat);
    let module = |saved: &SavedNetwork| {
        Module::from_weights(saved.metadata.network.clone(), &saved.weights, tch::Device::Cpu).expect("its own weights")
    };
    assert!(exporter::verification::verify(&module(&changed), &file, 32).expect("both run").agrees());

    let weight = changed.weights.iter_mut().find(|weight| weight.name == "block1.conv2.weight").expect("it has one");
    weight.bytes[..4].copy_from_slice(&1.0_f32.to_le_bytes());
    let report = exporter::verification::verify(&module(&changed), &file, 32).expect("both run");
    assert!(!report.agrees());
    assert!(report.to_string().contains("DIFFERS") && report.to_string().ends_with("they do not agree"), "{report}");
}
