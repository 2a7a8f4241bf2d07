//! Turns a trained generator into an ONNX file and proves that it computes the same.
//!
//! ```text
//! exporter g_ab.ot -o g_ab.onnx      export, run libtorch and ONNX Runtime on the same inputs, then write
//! exporter inspect g_ab.onnx         layers, shapes, parameters, metadata of an .ot, .safetensors or .onnx
//! ```

mod arguments;
mod inspection;
mod target;
pub mod verification;

use std::path::Path;

use anyhow::{Context, anyhow};
use models::Metadata;
use models_onnx::Exported;
use models_torch::{Format, Module, SavedNetwork};
use program::{Console, Exit, Failure, OrExit, bytes, count, files, print_result};

use arguments::ExportArguments;
pub use arguments::{Arguments, Command};
use verification::Report;

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let console = Console::new(arguments.console);
    match arguments.command {
        Some(Command::Inspect { file }) => inspection::run(&file),
        None => export(&arguments.export, &console),
    }
}

fn export(arguments: &ExportArguments, console: &Console) -> Result<Exit, Failure> {
    let (source, target) = (arguments.input(), arguments.output());
    refuse_odd_target(source, target)?;
    let SavedNetwork { metadata, weights } = read(source)?;
    let Metadata { role, data_set, training_size, steps, .. } = &metadata;
    let training_size = *training_size;
    let parameters = count(weights.iter().map(|weight| weight.bytes.len() as u64 / 4).sum());
    let trained = format!("trained on {data_set} at {training_size}×{training_size} for {steps} steps");
    console.say(format!("{}: {role}, {trained}, {parameters} parameters", source.display()));
    let module =
        Module::from_weights(metadata.network.clone(), &weights, tch::Device::Cpu).or_exit(Exit::CannotStart)?;
    let made_for = arguments.target.target();
    let exported = models_onnx::export(&metadata, weights, &made_for).map_err(|error| {
        let exit = if error.is_of_target() { Exit::Usage } else { Exit::CannotStart };
        Failure::new(exit, format!("{}: {error}", source.display()))
    })?;
    say_what_became_of_weights(&exported, console);

    // ONNX Runtime finds data where it will lie. Until a model names it, nobody else looks for it.
    let folder = models_onnx::folder_of(target);
    let data = exported.data.as_ref().map(|data| (folder.join(&data.name), data));
    let data_was_there = data.as_ref().is_some_and(|(path, _)| path.exists());
    if let Some((_, data)) = &data {
        data.write(folder).or_exit(Exit::Fault)?;
    }
    let report =
        verification::verify(&module, &exported.model, data.as_ref().map(|_| folder), &made_for, training_size);
    let agrees = report.as_ref().is_ok_and(Report::agrees);
    if let Some((path, _)) = data.as_ref().filter(|_| !agrees && !data_was_there) {
        std::fs::remove_file(path).with_context(|| path.display().to_string()).or_exit(Exit::Fault)?;
    }
    console.say(report.or_exit(Exit::CannotStart)?);
    if !agrees {
        let message = "ONNX Runtime does not compute what libtorch does (see above); nothing was written";
        return Err(Failure::new(Exit::Differs, format!("{}: {message}", target.display())));
    }
    files::write_whole(target, &exported.model).or_exit(Exit::Fault)?;
    console.say(format!("wrote {}, {}", target.display(), bytes(exported.model.len() as u64)));
    if let Some((path, data)) = data {
        console.say(format!("wrote {}, {}: move both together", path.display(), bytes(data.len() as u64)));
    }
    print_result(target.display());
    Ok(Exit::Done)
}

fn say_what_became_of_weights(exported: &Exported, console: &Console) {
    let Exported { dropped, vanished, .. } = exported;
    if !dropped.is_empty() {
        console.say(format!("{} biases have no effect before a norm and are left out (--keep-bias)", dropped.len()));
    }
    if *vanished > 0 {
        console.say(format!("{vanished} weights are below 3e-8, which is 0 in 16 bits"));
    }
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
