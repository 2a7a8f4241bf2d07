//! `exporter`: a trained generator to a verified ONNX file.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    program::main(|| exporter::run(exporter::Arguments::parse()))
}
