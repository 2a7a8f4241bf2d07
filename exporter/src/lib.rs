//! Turns a trained generator into an ONNX file and proves that it computes the same.
//!
//! ```text
//! exporter g_ab.ot -o g_ab.onnx      export, run libtorch and ONNX Runtime on the same inputs, then write
//! exporter inspect g_ab.onnx         layers, shapes, costs, metadata of an .ot, .safetensors or .onnx; --svg draws it
//! exporter diff g_ab.ot g_ab.onnx    what differs between two files, of any formats
//! ```

mod arguments;
mod artefact;
mod difference;
mod drawing;
mod inspection;
mod table;
pub mod verification;

use std::path::Path;

use anyhow::{Context, anyhow};
use models::Metadata;
use models_torch::{Format, Module, SavedNetwork};
use program::{Console, Exit, Failure, OrExit, bytes, count, files, print_result};

use arguments::ExportArguments;
pub use arguments::{Arguments, Command, DiffArguments, InspectArguments};

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let console = Console::new(arguments.console);
    match arguments.command {
        Some(Command::Inspect(arguments)) => inspection::run(&arguments, &console),
        Some(Command::Diff(arguments)) => difference::run(&arguments),
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
    let module =
        Module::from_weights(metadata.network.clone(), &weights, tch::Device::Cpu).or_exit(Exit::CannotStart)?;
    let file = models_onnx::export(&metadata, weights)
        .with_context(|| source.display().to_string())
        .or_exit(Exit::CannotStart)?;

    let report = verification::verify(&module, &file, metadata.training_size).or_exit(Exit::CannotStart)?;
    console.say(&report);
    if !report.agrees() {
        let message = "ONNX Runtime does not compute what libtorch does (see above); nothing was written";
        return Err(Failure::new(Exit::Differs, format!("{}: {message}", target.display())));
    }
    files::write_whole(target, &file).or_exit(Exit::Fault)?;
    console.say(format!("wrote {}, {}", target.display(), bytes(file.len() as u64)));
    print_result(target.display());
    Ok(Exit::Done)
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
