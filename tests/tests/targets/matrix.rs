//! Every target that `exporter` can make a file for, against libtorch: in ONNX Runtime, in rten, and under the `onnx`
//! package's checker, shape inference and reference evaluator.
//!
//! Networks, precisions, interfaces and operator sets are crossed with one another; of what a file may fix or keep besides,
//! each operator set gets both values of everything, and each row all combinations.
//!
//! `cargo nextest run -p tests every_target --no-capture` prints the table.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use half::f16;
use models::families::{Family, GeneratorOptions, UpConvolution};
use models::{Network, pixels};
use models_onnx::{Io, OPSETS, Precision, Target};
use models_runtime::{Options, Session};
use program::Device;
use tests::{Problem, on_torch, python_with_onnx};

const BATCH: usize = 2;
const SIZE: [usize; 2] = [16, 24];

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F16];
const IOS: [Io; 3] = [Io::Float, Io::F16, Io::Uint8];

/// An 8-bit step.
const STEP: f32 = 1.0 / 127.5;

/// What a file may be off, of outputs in [-1, 1]. With 16-bit ends, input and output are rounded whatever lies between;
/// with bytes, the output is rounded to the nearest.
fn tolerance(precision: Precision, io: Io) -> f32 {
    match io {
        Io::Float => precision.tolerance(),
        Io::F16 => Precision::F16.tolerance(),
        Io::Uint8 => precision.tolerance() + STEP / 2.0,
    }
}

fn networks() -> [(&'static str, Network); 3] {
    let size = GeneratorOptions::sized(4, 1);
    let resize = GeneratorOptions { up: UpConvolution::Resize, ..size };
    [
        ("paper", Family::Paper.generator(size)),
        ("concat", Family::Concat.generator(size)),
        ("paper, resize", Family::Paper.generator(resize)),
    ]
}

/// The targets of one precision and interface: two for each operator set, opposite in all that is fixed or kept.
fn targets(precision: Precision, io: Io) -> Vec<Target> {
    let mut targets = Vec::new();
    for (turn, opset) in OPSETS.enumerate() {
        let [fixed_batch, fixed_size] = [turn % 2 == 1, turn / 2 % 2 == 1];
        for keep_bias in [false, true] {
            let batch = (fixed_batch != keep_bias).then_some(BATCH);
            let size = (fixed_size != keep_bias).then_some(SIZE);
            targets.push(Target { opset, batch, size, precision, io, keep_bias, ..Target::default() });
        }
    }
    targets
}

/// What is in the table rests on this.
#[test]
fn each_operator_set_meets_every_choice_and_choices_meet_in_every_combination() {
    let targets = targets(Precision::F32, Io::Float);
    let choices = |target: &Target| [target.batch.is_some(), target.size.is_some(), target.keep_bias];
    for opset in OPSETS {
        for (place, value) in (0..3).flat_map(|place| [(place, false), (place, true)]) {
            let meets = |target: &Target| target.opset == opset && choices(target)[place] == value;
            assert!(targets.iter().any(meets), "{opset}, {place}, {value}");
        }
    }
    let combinations: BTreeSet<[bool; 3]> = targets.iter().map(choices).collect();
    assert_eq!(combinations.len(), 8);
}

/// A picture's batch in each form that a model takes.
struct Input {
    bytes: Vec<u8>,
    planes: Vec<f32>,
}

impl Input {
    fn of(problem: &mut Problem) -> Self {
        let bytes: Vec<u8> = problem.input.iter().map(|&value| pixels::to_byte(value)).collect();
        for (bytes, planes) in bytes.chunks(bytes.len() / BATCH).zip(problem.input.chunks_mut(bytes.len() / BATCH)) {
            pixels::to_planes(bytes, planes);
        }
        Self { bytes, planes: problem.input.clone() }
    }

    fn shape(io: Io) -> [usize; 4] {
        let [height, width] = SIZE;
        match io {
            Io::Uint8 => [BATCH, height, width, 3],
            Io::Float | Io::F16 => [BATCH, 3, height, width],
        }
    }
}

/// Bytes of a batch as planes, to compare with what libtorch gives.
fn to_planes(bytes: &[u8]) -> Vec<f32> {
    let mut planes = vec![0.0; bytes.len()];
    for (bytes, planes) in bytes.chunks(bytes.len() / BATCH).zip(planes.chunks_mut(bytes.len() / BATCH)) {
        pixels::to_planes(bytes, planes);
    }
    planes
}

fn on_onnx_runtime(file: &[u8], io: Io, input: &Input) -> Vec<f32> {
    let options = Options { device: Device::Cpu, threads: Some(1), ..Options::default() };
    let mut session = Session::open(file, options).expect("a model that ONNX Runtime takes");
    let (values, shape) = match io {
        Io::Uint8 => {
            let (bytes, shape) = session.run_bytes(&input.bytes, Input::shape(io)).expect("it fits");
            (to_planes(&bytes), shape)
        }
        Io::Float | Io::F16 => session.run(&input.planes, Input::shape(io)).expect("it fits"),
    };
    assert_eq!(shape, Input::shape(io));
    values
}

/// rten computes 16-bit floats in 32 bits; what differs from a model in 32 bits are the weights.
fn on_rten(file: &[u8], io: Io, input: &Input) -> Vec<f32> {
    let model = rten::Model::load(file.to_vec()).expect("a model that rten takes");
    let id = |name: &str| model.node_id(name).expect("our names");
    let shape = Input::shape(io);
    let value = match io {
        Io::Uint8 => rten::Value::from_shape(shape.as_slice(), input.bytes.clone()).expect("as many bytes"),
        Io::Float | Io::F16 => {
            rten::Value::from_shape(shape.as_slice(), input.planes.clone()).expect("as many numbers")
        }
    };
    let inputs = vec![(id(models_onnx::INPUT), value.into())];
    let output = model.run(inputs, &[id(models_onnx::OUTPUT)], None).expect("it runs").remove(0);
    match io {
        Io::Uint8 => to_planes(&output.into_shape_vec::<u8, 4>().expect("[n, h, w, c] bytes").1),
        Io::Float | Io::F16 => output.into_shape_vec::<f32, 4>().expect("[n, c, h, w] floats").1,
    }
}

fn largest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    differences.fold(0.0, |most, difference| if difference.is_nan() { f32::INFINITY } else { most.max(difference) })
}

/// All files of one network, precision and interface.
struct Row {
    network: &'static str,
    precision: Precision,
    io: Io,
    files: Vec<String>,
    /// Largest differences in ONNX Runtime, in rten, and in the reference evaluator once it has run.
    largest: [f32; 3],
}

impl Row {
    /// Counts what a runtime gave.
    fn see(&mut self, runtime: usize, found: &[f32], truth: &[f32]) {
        self.largest[runtime] = self.largest[runtime].max(largest(found, truth));
    }
}

#[test]
fn every_target_computes_what_libtorch_does_in_three_runtimes_and_passes_the_checker() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut rows, mut index, mut truths) = (Vec::new(), Vec::new(), Vec::new());
    for (seed, (name, network)) in (1..).zip(networks()) {
        let mut problem = Problem::random(network, BATCH, SIZE[0], SIZE[1], seed);
        let input = Input::of(&mut problem);
        let truth = on_torch(&problem);
        for io in IOS {
            write_input(folder.path(), seed, io, &input);
        }
        for (precision, io) in PRECISIONS.into_iter().flat_map(|precision| IOS.map(|io| (precision, io))) {
            let mut row = Row { network: name, precision, io, files: Vec::new(), largest: [0.0; 3] };
            for target in targets(precision, io) {
                let file = problem.exported(&target).model;
                row.see(0, &on_onnx_runtime(&file, io, &input), &truth);
                row.see(1, &on_rten(&file, io, &input), &truth);
                let name = format!("{seed}-{precision}-{io}-{}.onnx", row.files.len());
                std::fs::write(folder.path().join(&name), &file).expect("writable");
                let kind = ["float32", "float16", "uint8"][io as usize];
                let input = format!("{seed}-{io}.in");
                let shape = Input::shape(io);
                index.push(serde_json::json!({ "file": name, "input": input, "kind": kind, "shape": shape }));
                row.files.push(name);
            }
            truths.push(truth.clone());
            rows.push(row);
        }
    }
    std::fs::write(folder.path().join("index.json"), serde_json::json!(index).to_string()).expect("writable");
    let checked = under_the_onnx_package(folder.path(), &mut rows, &truths);
    eprintln!("{}", table(&rows, checked));
    for row in &rows {
        let most = row.largest.iter().copied().fold(0.0, f32::max);
        assert!(most <= tolerance(row.precision, row.io), "{}, {}, {}: {most:e}", row.network, row.precision, row.io);
    }
}

fn write_input(folder: &Path, seed: u64, io: Io, input: &Input) {
    let bytes = match io {
        Io::Uint8 => input.bytes.clone(),
        Io::Float => input.planes.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Io::F16 => input.planes.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
    };
    std::fs::write(folder.join(format!("{seed}-{io}.in")), bytes).expect("writable");
}

/// One process for all files, since Python is slow to start. Gives how many models it accepted.
fn under_the_onnx_package(folder: &Path, rows: &mut [Row], truths: &[Vec<f32>]) -> usize {
    let Some(python) = python_with_onnx() else { return 0 };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/targets/check.py");
    let processes = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let output = Command::new(python).arg(script).arg(folder).arg(processes).output().expect("it just ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (row, truth) in rows.iter_mut().zip(truths) {
        let outputs: Vec<_> = row.files.iter().map(|file| folder.join(format!("{file}.out"))).collect();
        for output in outputs {
            let bytes = std::fs::read(output).expect("the script wrote it");
            let values: Vec<f32> =
                bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four"))).collect();
            let values = match row.io {
                Io::Uint8 => to_planes(&values.iter().map(|&value| value as u8).collect::<Vec<_>>()),
                Io::Float | Io::F16 => values,
            };
            row.see(2, &values, truth);
        }
    }
    let checked = String::from_utf8(output.stdout).expect("JSON").lines().count();
    assert_eq!(checked, rows.iter().map(|row| row.files.len()).sum::<usize>());
    checked
}

/// In Markdown.
fn table(rows: &[Row], checked: usize) -> String {
    let mut text = format!(
        "opsets {OPSETS:?}, each with batch any and {BATCH}, size any and {}×{}, with and without biases: 20 files a row\n\n\
         | network | precision | io | ONNX Runtime | rten | onnx reference | tolerance |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
        SIZE[0], SIZE[1]
    );
    for Row { network, precision, io, largest: [runtime, rten, reference], .. } in rows {
        let tolerance = tolerance(*precision, *io);
        writeln!(
            text,
            "| {network} | {precision} | {io} | {runtime:.1e} | {rten:.1e} | {reference:.1e} | {tolerance:.1e} |"
        )
        .expect("a string takes all");
    }
    let files: usize = rows.iter().map(|row| row.files.len()).sum();
    writeln!(text, "\n{checked} of {files} files accepted by the onnx checker and by strict shape inference")
        .expect("a string takes all");
    text
}
