//! The commands behind `cargo xtask`.
//!
//! `setup` brings the native libraries, `demo` shows the whole pipeline, `test` is what has to pass before a push,
//! `prove` what is too long for that, `bench` measures, `compare` says how far a translation is from the truth, `dist` packs
//! what is passed on. This crate links no native library and depends on little: it is the first thing that a newcomer compiles.

mod arguments;
mod bench;
mod compare;
mod demo;
mod dist;
mod process;
mod prove;
mod root;
pub mod setup;
mod test;

pub use arguments::Arguments;
pub use prove::faults::can_inject_faults;
pub use prove::infer::prove as prove_infer;
pub use prove::resume::prove as prove_resume;

use arguments::Command;
use program::{Exit, Failure, OrExit};

/// Does what the command line asks for.
///
/// # Errors
/// What failed, where, and the remedy.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let root = root::root();
    match arguments.command {
        Command::Setup(arguments) => setup::run(&root, &arguments).or_exit(Exit::CannotStart)?,
        Command::Test(arguments) => {
            setup::ensure(&root).or_exit(Exit::CannotStart)?;
            test::run(&root, &arguments).or_exit(Exit::Differs)?;
        }
        Command::Prove(arguments) => prove::run(&root, &arguments).or_exit(Exit::Differs)?,
        Command::Bench(arguments) => {
            setup::ensure(&root).or_exit(Exit::CannotStart)?;
            bench::run(&root, &arguments).or_exit(Exit::Differs)?;
        }
        Command::Demo(arguments) => {
            setup::ensure(&root).or_exit(Exit::CannotStart)?;
            demo::run(&root, &arguments).or_exit(Exit::Fault)?;
        }
        Command::Dist(arguments) => {
            setup::ensure(&root).or_exit(Exit::CannotStart)?;
            dist::run(&root, &arguments).or_exit(Exit::Fault)?;
        }
        Command::Compare(arguments) => compare::run(&arguments).or_exit(Exit::CannotStart)?,
    }
    Ok(Exit::Done)
}
