//! Models whose output is known without running them, pictures, and the program itself.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use models::{FORMAT_VERSION, Layer, Metadata, Network, Pads, Role, Weight, pixels};
use models_onnx::{Exported, Target, export};
use pictures::{Format, Picture};

/// Side of the pictures that the models say they were trained on.
pub const TRAINING_SIZE: u32 = 16;

/// A model of one 1×1 convolution that gives each output channel the input channel named here.
pub fn channel_model(channels: [usize; 3]) -> Vec<u8> {
    channel_model_for(channels, &Target::default()).model
}

/// The same, made for something.
pub fn channel_model_for(channels: [usize; 3], target: &Target) -> Exported {
    let weight = |to: usize, from: usize| if channels[to] == from { 1.0_f32 } else { 0.0 };
    model((0..9).map(|place| weight(place / 3, place % 3)).collect(), target)
}

/// Gives back what it gets.
pub fn identity_model() -> Vec<u8> {
    channel_model([0, 1, 2])
}

/// Gives NaN for any picture that is not black all over: ∞ · x + ∞.
pub fn nan_model() -> Vec<u8> {
    model(vec![f32::NAN; 9], &Target::default()).model
}

/// The metadata of such a model.
pub fn metadata(role: Role) -> Metadata {
    let conv = Layer::Conv { name: "mix".into(), from: 3, to: 3, kernel: 1, stride: 1, pad: Pads::NONE };
    Metadata {
        format_version: FORMAT_VERSION,
        role,
        family: None,
        network: Network { channels: 3, layers: vec![conv] },
        data_set: Some("none".into()),
        training_size: Some(TRAINING_SIZE as usize),
        pixel_range: pixels::RANGE,
        steps: Some(0),
        seed: Some(0),
        program: "tests".into(),
        weights_sha256: None,
        assumptions: Vec::new(),
    }
}

fn model(weights: Vec<f32>, target: &Target) -> Exported {
    let tensor = |name: &str, shape: &[usize], values: &[f32]| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Weight { name: name.into(), shape: shape.to_vec(), bytes }
    };
    let weights = vec![tensor("mix.weight", &[3, 3, 1, 1], &weights), tensor("mix.bias", &[3], &[0.0; 3])];
    export(&metadata(Role::GAb), weights, target).expect("its own weights")
}

/// A folder with a model in it.
pub fn folder_with(model: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder.path().join("model.onnx"), model);
    folder
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("inside a folder")).expect("writable");
    std::fs::write(path, bytes).expect("writable");
}

/// A picture in which no two neighbours are alike.
pub fn picture(width: u32, height: u32) -> Picture {
    Picture::from_fn(width, height, |x, y| [(x * 37 + y * 11) as u8, (y * 53) as u8, (x * y + 5) as u8].into())
}

/// Its bytes.
pub fn encoded(picture: &Picture, format: Format) -> Vec<u8> {
    pictures::encode(picture, format).expect("small")
}

/// The program in a folder, with nothing in its environment that could help it.
pub fn infer(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env_remove("ORT_DYLIB_PATH").env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs it with `--model model.onnx`.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    infer(folder, &[&["--model", "model.onnx"], arguments].concat()).output().expect("it starts")
}

/// Runs it with `--model model.onnx` and something on its standard input.
pub fn piped(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut infer = infer(folder, &[&["--model", "model.onnx"], arguments].concat());
    let mut child =
        infer.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Who refuses to start does not read.
    let _unread = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends")
}

/// Checks how it ended, the last line of its results, and something that it said.
#[track_caller]
pub fn assert_ends(output: &Output, code: i32, last_line: &str, said: &str) {
    let (results, messages) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{results}{messages}");
    assert_eq!(results.lines().last().unwrap_or_default(), last_line, "{messages}");
    assert!(messages.contains(said), "{said} in {messages}");
}
