//! `infer`: a directory of pictures through a translating network.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    models_runtime::disable_telemetry();
    program::main(|| infer::run(infer::Arguments::parse()))
}
