//! `cargo xtask`: the developer's and the newcomer's commands.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    program::main(|| xtask::run(xtask::Arguments::parse()))
}
