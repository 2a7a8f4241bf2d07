//! Turns a trained generator into an ONNX file and proves that it computes the same.
//!
//! ```text
//! exporter g_ab.ot -o g_ab.onnx        export, run libtorch and ONNX Runtime on the same inputs, then write
//! exporter g.pth -o g.onnx             the same for one that another program trained: see `models::recognise`
//! exporter verify g_ab.ot g_ab.onnx    compare a pair that was made earlier, by anyone
//! exporter inspect g_ab.onnx           layers, shapes, costs, metadata of any of these files; --svg draws it
//! exporter diff g_ab.ot g_ab.onnx      what differs between two files, of any formats
//! ```

mod arguments;
mod artefact;
mod comparison;
mod difference;
mod drawing;
mod export;
mod inspection;
pub mod source;
mod table;
mod target;
mod unfinished;
pub mod verification;

use program::{Console, Exit, Failure};

pub use arguments::{Arguments, Command, DiffArguments, InspectArguments, SourceArguments};

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let mut console = Console::new(arguments.console);
    match arguments.command {
        Some(Command::Inspect(arguments)) => inspection::run(&arguments, &console),
        Some(Command::Diff(arguments)) => difference::run(&arguments),
        Some(Command::Verify { weights, file, precision, verification, source }) => {
            comparison::run(&weights, &source, &file, precision, &verification, &mut console)
        }
        None => export::run(&arguments.export, &arguments.source, &mut console),
    }
}
