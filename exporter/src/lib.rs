//! Turns a trained generator into an ONNX file and proves that it computes the same.
//!
//! ```text
//! exporter g_ab.ot -o g_ab.onnx      export, run libtorch and ONNX Runtime on the same inputs, then write
//! exporter g.safetensors -o g.onnx    the same for one that another program trained: see `models::recognise`
//! exporter inspect g_ab.onnx         layers, shapes, parameters, metadata of an .ot, .safetensors or .onnx
//! ```

mod arguments;
mod inspection;
pub mod source;
pub mod verification;

use std::path::Path;

use anyhow::Context;
use models_torch::{Module, SavedNetwork};
use program::{Console, Exit, Failure, OrExit, bytes, count, files, print_result};

use arguments::ExportArguments;
pub use arguments::{Arguments, Command, SourceArguments};

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let console = Console::new(arguments.console);
    match arguments.command {
        Some(Command::Inspect { file, source }) => inspection::run(&file, &source),
        None => export(&arguments.export, &arguments.source, &console),
    }
}

fn export(arguments: &ExportArguments, said: &SourceArguments, console: &Console) -> Result<Exit, Failure> {
    let (source, target) = (arguments.input(), arguments.output());
    refuse_odd_target(source, target)?;
    let source::Source { network, recognised } = source::read(source, said)?;
    let SavedNetwork { metadata, weights } = network;
    let parameters = count(weights.iter().map(|weight| weight.bytes.len() as u64 / 4).sum());
    let (role, training) = (metadata.role, metadata.training());
    console.say(format!("{}: {role}, {training}, {parameters} parameters", source.display()));
    if let Some(recognised) = recognised {
        console.say(format!("recognised as a {recognised}; {}", source::assumed(&metadata)));
    }
    let module =
        Module::from_weights(metadata.network.clone(), &weights, tch::Device::Cpu).or_exit(Exit::CannotStart)?;
    let file = models_onnx::export(&metadata, weights)
        .with_context(|| source.display().to_string())
        .or_exit(Exit::CannotStart)?;

    let report = verification::verify(&module, &file, metadata.usual_size()).or_exit(Exit::CannotStart)?;
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
