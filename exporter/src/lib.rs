//! Turns a trained generator into an ONNX file and proves that it computes the same.
//!
//! ```text
//! exporter g_ab.ot -o g_ab.onnx      export, run libtorch and ONNX Runtime on the same inputs, then write
//! exporter verify g_ab.ot g_ab.onnx  compare a pair that was made earlier
//! exporter inspect g_ab.onnx         layers, shapes, parameters, metadata of an .ot, .safetensors or .onnx
//! ```

mod arguments;
mod inspection;
pub mod verification;

use std::path::Path;

use anyhow::{Context, anyhow};
use models::Metadata;
use models_torch::{Format, Module, SavedNetwork};
use program::{Console, Exit, Failure, OrExit, bytes, count, files, print_result};
use serde_json::json;

pub use arguments::{Arguments, Command};
use arguments::{ExportArguments, VerificationArguments};
use verification::{Pair, Report};

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let console = Console::new(arguments.console);
    match arguments.command {
        Some(Command::Inspect { file }) => inspection::run(&file),
        Some(Command::Verify { weights, file, verification }) => {
            let report = compare(&weights, &file, &verification)?;
            print_result(&report);
            Ok(if report.agrees() { Exit::Done } else { Exit::Differs })
        }
        None => export(&arguments.export, &console),
    }
}

fn export(arguments: &ExportArguments, console: &Console) -> Result<Exit, Failure> {
    let (source, target) = (arguments.input(), arguments.output());
    refuse_odd_target(source, target)?;
    let SavedNetwork { metadata, weights } = read(source)?;
    let Metadata { role, data_set, training_size, steps, .. } = &metadata;
    let parameters = count(weights.iter().map(|weight| weight.bytes.len() as u64 / 4).sum());
    let trained = format!("trained on {data_set} at {training_size}×{training_size} for {steps} steps");
    console.say(format!("{}: {role}, {trained}, {parameters} parameters", source.display()));
    let file = models_onnx::export(&metadata, weights)
        .with_context(|| source.display().to_string())
        .or_exit(Exit::CannotStart)?;
    if !arguments.no_verify {
        let report = verified(source, target, &file, &arguments.verification)?;
        console.say(&report);
        if !report.agrees() {
            let message = "ONNX Runtime does not compute what libtorch does (see above); nothing was written";
            return Err(Failure::new(Exit::Differs, format!("{}: {message}", target.display())));
        }
    }
    files::write_whole(target, &file).or_exit(Exit::Fault)?;
    console.say(format!("wrote {}, {}", target.display(), bytes(file.len() as u64)));
    print_result(target.display());
    Ok(Exit::Done)
}

/// Compares a generator with an ONNX file.
fn compare(weights: &Path, file: &Path, arguments: &VerificationArguments) -> Result<Report, Failure> {
    read(weights)?; // what is said of it comes first, as it does on the command line
    let bytes = fs_err::read(file).or_exit(Exit::CannotStart)?;
    models_onnx::parse(bytes.clone()).with_context(|| file.display().to_string()).or_exit(Exit::CannotStart)?;
    verified(weights, file, &bytes, arguments)
}

/// Compares a generator with the bytes of an ONNX file, and writes the report where one is asked for.
fn verified(weights: &Path, file: &Path, bytes: &[u8], arguments: &VerificationArguments) -> Result<Report, Failure> {
    let saved = read(weights)?;
    if !saved.metadata.role.is_generator() {
        let error =
            anyhow!("{}: this is the {}; only generators translate pictures", weights.display(), saved.metadata.role);
        return Err(error).or_exit(Exit::CannotStart);
    }
    let training_size = Some(saved.metadata.training_size);
    drop(saved);
    let module = || {
        let SavedNetwork { metadata, weights: numbers } = read(weights).map_err(|failure| failure.error)?;
        Ok(Module::from_weights(metadata.network, &numbers, tch::Device::Cpu)?)
    };
    let (largest_size, pictures) = (arguments.largest_size, arguments.pictures.as_deref());
    let pair = Pair { module: &module, file: bytes, training_size, largest_size, pictures };
    let report = verification::verify(&pair).or_exit(Exit::CannotStart)?;
    if let Some(path) = &arguments.report {
        let json = json!({ "weights": weights, "file": file, "agrees": report.agrees(), "report": &report });
        let text = serde_json::to_string_pretty(&json).expect("plain values");
        files::write_whole(path, text.as_bytes()).or_exit(Exit::Fault)?;
    }
    Ok(report)
}

/// Refuses what would confuse a person later, or destroy the weights.
fn refuse_odd_target(source: &Path, target: &Path) -> Result<(), Failure> {
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    if target.extension().is_none_or(|extension| extension != "onnx") {
        return usage(format!("-o {}: the file's name must end in .onnx", target.display()));
    }
    let is_source =
        matches!((source.canonicalize(), target.canonicalize()), (Ok(source), Ok(target)) if source == target);
    if is_source {
        return usage(format!("-o {}: that is the input", target.display()));
    }
    if target.is_dir() {
        return usage(format!("-o {}: that is a folder; name the file in it", target.display()));
    }
    Ok(())
}

/// Reads a network in a format of libtorch's side.
fn read(path: &Path) -> Result<SavedNetwork, Failure> {
    let foreign = Format::of(path).is_err() && path.exists();
    let read = if foreign {
        Err(anyhow!("is no .ot or .safetensors of `trainer`; those are what is exported"))
    } else {
        models_torch::read(path).map_err(anyhow::Error::from)
    };
    read.map_err(|error| anyhow!("{}: {error:#}", path.display())).or_exit(Exit::CannotStart)
}
