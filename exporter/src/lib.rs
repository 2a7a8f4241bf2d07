//! Turns a trained generator into an ONNX file and proves that it computes the same.
//!
//! ```text
//! exporter g_ab.ot -o g_ab.onnx        export, run libtorch and ONNX Runtime on the same inputs, then write
//! exporter verify g_ab.ot g_ab.onnx    compare a pair that was made earlier, by anyone
//! exporter inspect g_ab.onnx           layers, shapes, parameters, metadata of an .ot, .safetensors or .onnx
//! ```

mod arguments;
mod comparison;
mod export;
mod inspection;
mod target;
pub mod verification;

use std::path::Path;

use anyhow::anyhow;
use models_torch::{Format, SavedNetwork};
use program::{Console, Exit, Failure, OrExit};

pub use arguments::{Arguments, Command};

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let console = Console::new(arguments.console);
    match arguments.command {
        Some(Command::Inspect { file }) => inspection::run(&file),
        Some(Command::Verify { weights, file, verification }) => comparison::run(&weights, &file, &verification),
        None => export::run(&arguments.export, &console),
    }
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
