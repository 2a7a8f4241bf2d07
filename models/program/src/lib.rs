//! What the three programs share at their edge: how they end, are stopped, write files, choose a device and show
//! progress. No network and no picture is known here.

mod console;
mod device;
mod exit;
pub mod files;
pub mod interrupt;
mod memory;
mod nearest;

pub use console::{Console, ConsoleArguments, bytes, count, duration, print_result, terminal_columns};
pub use device::Device;
pub use exit::{Exit, Failure, OrExit, main};
pub use indicatif::ProgressBar;
pub use memory::available_bytes;
pub use nearest::nearest;
