//! Models and descriptions from people who mean harm: the fuzzer's seeds, and what it found.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn every_seed_of_the_fuzzer_ends_in_a_contract_or_an_error_within_a_second() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/contract");
    let (mut taken, mut refused) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("it is kept in the repository") {
        let path = entry.expect("readable").path();
        let start = Instant::now();
        let is_taken = targets::contract(&std::fs::read(&path).expect("readable"));
        assert!(start.elapsed() < Duration::from_secs(1), "{}", path.display());
        *if is_taken { &mut taken } else { &mut refused } += 1;
        // By their names: those that the fuzzer found are neither.
        let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
        assert!(!name.starts_with("taken") || is_taken, "{name}");
    }
    assert!(taken >= 5 && refused >= 1, "{taken} taken, {refused} refused");
}

#[test]
fn a_model_of_many_nodes_and_long_names_is_read_in_time() {
    let mut model = models_onnx::samples::Sample::default().model();
    if let Some(graph) = &mut model.graph {
        let node = graph.node[0].clone();
        graph.node.extend(std::iter::repeat_n(node, 200_000));
        let long = "x".repeat(1 << 20);
        graph.input.extend(std::iter::repeat_n(graph.input[0].clone(), 10_000));
        graph.input[0].name = long;
    }
    let start = Instant::now();
    assert!(!targets::contract(&prost::Message::encode_to_vec(&model)));
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// How the seeds were made; they differ only where this or the writer of samples changes.
#[test]
fn the_seeds_are_those_that_the_writer_of_samples_makes() {
    use models_onnx::proto::DataType;
    use models_onnx::samples::{Operation, Sample};

    let any = Sample::default();
    let said = "range = '0..1'\nchannels = 'bgr'\n";
    let float_to_bytes = Sample { output: DataType::Uint8, interleaved: true, ..any };
    let fixed = Sample { operation: Operation::Reverse, batch: Some(2), size: Some([6, 9]), ..any };
    let cases = [
        ("taken-any.onnx", any, format!("{said}size-multiple = 4")),
        (
            "taken-enlarging.onnx",
            Sample { operation: Operation::Enlarge(3), ..any },
            format!("{said}size-multiple = 1"),
        ),
        ("taken-fixed.onnx", fixed, said.into()),
        ("taken-half.onnx", Sample { input: DataType::Float16, ..fixed }, format!("{said}scale = 1")),
        (
            "taken-normalized.onnx",
            float_to_bytes,
            format!("{said}size-multiple = 2\nmean = [0.5, 0.25, 0]\nstd = [1, 2, 3]\nlayout = 'nhwc'"),
        ),
        ("missing.onnx", any, "output-range = '-1..1'".into()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/contract");
    for (name, sample, description) in cases {
        let seed = [description.as_bytes(), targets::SEPARATOR, &sample.to_bytes()].concat();
        let path = folder.join(name);
        if std::env::var_os("SNAPSHOTS").is_some_and(|action| action == "overwrite") {
            std::fs::write(&path, &seed).expect("writable");
        }
        assert_eq!(std::fs::read(&path).expect("it is kept in the repository"), seed, "{name}");
    }
}
