//! `exporter`: a trained generator to a verified ONNX file.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    models_runtime::disable_telemetry();
    program::main(|| exporter::run(exporter::Arguments::parse()))
}
