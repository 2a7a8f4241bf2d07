//! `exporter` as a user types it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use models::families::{Family, GeneratorOptions};
use models::{FORMAT_VERSION, Metadata, Role, pixels, weights_hash};
use models_torch::{Format, Module, SavedNetwork};
use rand::SeedableRng;
use snapbox::file;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exporter"));
    command
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .env("COLUMNS", "100")
        .env_remove("LD_LIBRARY_PATH");
    command.output().expect("it starts")
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, message: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(message), "{said}");
}

fn saved(role: Role, family: Family) -> SavedNetwork {
    let network = match role.is_generator() {
        true => family.generator(GeneratorOptions::sized(4, 2)),
        false => family.discriminator(4),
    };
    let mut random = rand_pcg::Pcg64::seed_from_u64(1);
    let module = Module::initialise(network.clone(), &mut random, tch::Device::Cpu).expect("small");
    let metadata = Metadata {
        format_version: FORMAT_VERSION,
        role,
        family: Some(family),
        network,
        data_set: "horse2zebra".into(),
        training_size: 32,
        pixel_range: pixels::RANGE,
        steps: 17,
        seed: 1,
        program: "trainer 0.1.0".into(),
        weights_sha256: None,
    };
    SavedNetwork { metadata, weights: module.weights().to_weights().expect("on the CPU") }
}

fn write(folder: &Path, name: &str, saved: &SavedNetwork) {
    let path = folder.join(name);
    let bytes = models_torch::encode(saved, Format::of(&path).expect("a known ending")).expect("its own weights");
    std::fs::write(path, bytes).expect("writable");
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

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
fn every_format_is_inspected_alike() {
    let folder = folder();
    let saved = saved(Role::GBa, Family::Paper);
    write(folder.path(), "g_ba.ot", &saved);
    write(folder.path(), "g_ba.safetensors", &saved);
    assert_ends(&run(folder.path(), &["g_ba.ot", "-o", "g_ba.onnx"]), 0, "");
    let shown = ["g_ba.ot", "g_ba.safetensors", "g_ba.onnx"].map(|name| {
        let output = run(folder.path(), &["inspect", name]);
        assert_ends(&output, 0, "");
        String::from_utf8(output.stdout).expect("text")
    });
    snapbox::assert_data_eq!(shown[0].clone(), file!["snapshots/inspect.txt"]);
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], shown[2]);
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
        (&["broken.ot", "-o", "g_ab.onnx"], 3, "broken.ot: is no file of weights that is read here"),
        (&["published.pth", "-o", "g_ab.onnx"], 3, "published.pth: is no .ot or .safetensors"),
        (&["d_a.ot", "-o", "g_ab.onnx"], 3, "only generators (g_ab, g_ba) translate pictures"),
        (&["g_ab.ot", "-o", "g_ab.ot"], 2, "must end in .onnx"),
        (&["inspect", "broken.ot"], 3, "broken.ot: is no file of weights that is read here"),
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
    weight.bytes = [&1.0_f32.to_le_bytes()[..], &weight.bytes[4..]].concat().into();
    let report = exporter::verification::verify(&module(&changed), &file, 32).expect("both run");
    assert!(!report.agrees());
    assert!(report.to_string().contains("DIFFERS") && report.to_string().ends_with("they do not agree"), "{report}");
}
