//! `infer`: a directory of pictures through a translating network.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    program::main(|| infer::run(infer::Arguments::parse()))
}
