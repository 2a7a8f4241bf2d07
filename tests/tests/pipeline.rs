//! The three programs one after the other, as a user types them, from a folder that is not the project's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use models::pixels;
use models_torch::Module;
use tch::{Device, Tensor, no_grad};

/// The folder with the programs, which are built here so that none is stale. After `cargo xtask test` has built them,
/// this takes a moment.
fn programs() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().expect("cargo started this test").success());
    let test = std::env::current_exe().expect("a test knows its place");
    test.ancestors().nth(2).expect("target/debug/deps/test").to_path_buf()
}

fn run(folder: &Path, program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    // A program must find its libraries without any of these.
    for variable in ["LD_LIBRARY_PATH", "LIBTORCH", "ORT_DYLIB_PATH"] {
        command.env_remove(variable);
    }
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().expect("it starts")
}

#[track_caller]
fn assert_done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn photos_become_translated_photos() {
    let programs = programs();
    let program = |name: &str| programs.join(name);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = folder.path();

    assert_done(&run(here, &program("trainer"), &["datasets", "stripes", "photos", "--size", "24"]));
    let small =
        ["--size", "24", "--width", "2", "--blocks", "1", "--threads", "1", "--steps", "3", "--preset", "paper"];
    assert_done(&run(here, &program("trainer"), &[&["--data", "photos"], small.as_slice()].concat()));
    for generator in ["g_ab", "g_ba"] {
        let (weights, model) = (format!("runs/photos/{generator}.ot"), format!("{generator}.onnx"));
        assert_done(&run(here, &program("exporter"), &[&weights, "-o", &model]));
    }
    let translated = run(here, &program("infer"), &["--model", "g_ab.onnx", "photos/testA", "out"]);
    assert_done(&translated);
    let said = String::from_utf8_lossy(&translated.stdout);
    assert!(said.contains("translated 24, skipped 0, failed 0"), "{said}");

    // What lies in the directory is what the trained network gives, to the last 8-bit step.
    let saved = models_torch::read(&here.join("runs/photos/g_ab.ot")).expect("our own file");
    let module = Module::from_weights(saved.metadata.network, &saved.weights, Device::Cpu).expect("its own weights");
    for photo in pictures::find(&here.join("photos/testA")).expect("a folder") {
        let name = photo.file_name().expect("a file");
        let expected = translate(&module, &pictures::read(&photo).expect("a picture"));
        let found = pictures::read(&here.join("out").join(name)).expect("a picture");
        let largest = found.as_raw().iter().zip(&expected).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(largest <= Some(1), "{name:?}: {largest:?} apart");
    }
}

fn translate(module: &Module, photo: &pictures::Picture) -> Vec<u8> {
    let mut planes = vec![0.0; photo.as_raw().len()];
    pixels::to_planes(photo, &mut planes);
    let (width, height) = photo.dimensions();
    let input = Tensor::from_slice(&planes).view([1, 3, i64::from(height), i64::from(width)]);
    let output = no_grad(|| module.forward(&input)).expect("a size that fits").contiguous();
    output.copy_data(&mut planes, output.numel());
    pixels::to_interleaved(&planes)
}

#[test]
fn trained_generators_translate_real_pictures_the_same_on_our_kernels() {
    let programs = programs();
    let program = |name: &str| programs.join(name);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = folder.path();
    let photos = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/emoji");
    assert_done(&run(here, &program("trainer"), &["datasets", "stripes", "stripes", "--size", "32"]));
    for preset in ["paper", "concat"] {
        let network = ["--preset", preset, "--width", "16", "--blocks", "2", "--size", "32", "--steps", "60"];
        let words =
            [&["--data", "stripes", "--run", preset, "--threads", "2", "--device", "cpu"], &network[..]].concat();
        assert_done(&run(here, &program("trainer"), &words));
        let (weights, model) = (format!("{preset}/g_ab.ot"), format!("{preset}.onnx"));
        assert_done(&run(here, &program("exporter"), &[&weights, "-o", &model, "--no-verify"]));
        let translated = |kernels: &str| {
            let to = format!("{preset} {kernels}");
            let words =
                ["--model", &model, photos, &to, "--fit", "native", "--device", "cpu", "--cpu-kernels", kernels];
            assert_done(&run(here, &program("infer"), &words));
            let found = pictures::find(&here.join(to)).expect("a folder").into_iter();
            found.flat_map(|path| pictures::read(&path).expect("a picture").into_raw()).collect::<Vec<u8>>()
        };
        let expected = translated("off");
        assert_eq!(expected.len(), 6 * 64 * 64 * 3);
        for kernels in ["winograd4", "winograd6"] {
            let found = translated(kernels);
            assert_eq!(found.len(), expected.len());
            let far = found.iter().zip(&expected).filter(|(found, expected)| found.abs_diff(**expected) > 1).count();
            assert!(far * 10_000 <= found.len(), "{preset} on {kernels}: {far} of {}", found.len());
            assert_ne!(found, expected, "{preset} on {kernels}: they ran");
        }
    }
}

#[test]
fn infer_does_not_load_libtorch() {
    let output = Command::new("ldd").arg(programs().join("infer")).output().expect("ldd comes with the C library");
    let libraries = String::from_utf8_lossy(&output.stdout);
    assert!(libraries.contains("libc.so"), "{libraries}");
    assert!(!libraries.contains("torch") && !libraries.contains("onnxruntime"), "{libraries}");
}
