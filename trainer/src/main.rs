//! `trainer`: two folders of unpaired pictures to two generators.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    program::main(|| trainer::run(trainer::Arguments::parse()))
}
