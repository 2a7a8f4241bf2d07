//! Trains a CycleGAN (Zhu et al. 2017, arXiv 1703.10593) with libtorch.
//!
//! ```text
//! trainer --data horse2zebra                        a folder with trainA and trainB, or a name to fetch
//! trainer --data stripes --size 64 --steps 500      the built-in data set
//! trainer datasets list | check DIR | stripes DIR   what there is by name; whether a folder is fit; `stripes` as files
//! trainer report RUN                                draws a run's page again
//! trainer compare RUN RUN                           puts runs side by side
//! ```
//!
//! One step is: `data` decodes pictures ahead of it, [`objective`] computes the losses, [`update`] moves the weights,
//! `training` logs, samples and saves around it.

mod adam;
mod arguments;
mod average;
mod begin;
mod best;
mod checkpoint;
mod cost;
pub mod data;
mod earlier;
mod effects;
mod evaluation;
mod guards;
mod memory;
mod metrics;
pub mod objective;
pub mod pool;
mod random;
mod report;
mod run_directory;
pub mod settings;
mod sheet;
mod start;
mod table;
pub mod tensorboard;
mod training;
pub mod update;
mod watching;

use program::{Exit, Failure};

pub use arguments::{Arguments, Command};

/// Runs the command line.
///
/// # Errors
/// What ends the program, with its exit code.
pub fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Some(Command::Datasets { action }) => data::run(action, arguments.console),
        Some(Command::Report { run }) => report::run(&run),
        Some(Command::Compare { runs, output }) => report::compare(&runs, &output, arguments.console),
        None => training::run(&arguments.training, arguments.console),
    }
}
