//! How a program ends: a frozen exit code and one line that says why.

use std::fmt;
use std::process::ExitCode;

use crate::console::print_message;

/// The exit codes, frozen: scripts rely on them. Usage errors (2) are clap's where the command line alone shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All of it is done.
    Done = 0,
    /// Done, but some inputs failed, or a comparison differs.
    Differs = 1,
    /// The command line asks for what cannot be.
    Usage = 2,
    /// Data, model, library or device is missing or unusable; nothing was begun.
    CannotStart = 3,
    /// A loss is no longer a number.
    Diverged = 4,
    /// A fault on the way (disk, memory); what is done is kept.
    Fault = 5,
    /// Stopped by the user; state is saved.
    Stopped = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with the exit code that it ends the program with.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What went wrong, where, and the remedy.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure without a deeper cause.
    pub fn new(exit: Exit, message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { exit, error: anyhow::Error::msg(message) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

/// Gives an error its exit code. There is no conversion without one: each place that can fail says how that ends.
pub trait OrExit<T> {
    /// The value, or a failure that ends the program with `exit`.
    ///
    /// # Errors
    /// The error itself, with its code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into() })
    }
}

/// Runs a program and ends it: an error is printed to stderr as one chain.
pub fn main(run: impl FnOnce() -> Result<Exit, Failure>) -> ExitCode {
    match run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            print_message(format_args!("error: {failure}"));
            failure.exit.into()
        }
    }
}
