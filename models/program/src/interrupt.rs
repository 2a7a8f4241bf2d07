//! Ctrl-C and SIGTERM: the first asks the program to finish what it is at, the second ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Exit;
use crate::console::print_message;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// From now on the first signal only sets a flag. `message` says to the user what happens next.
///
/// # Errors
/// If the system does not take the handler.
pub fn watch(message: &'static str) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Exit::Stopped as u8));
        }
        print_message(format_args!("\n{message} (again: stop at once)"));
    })
}

/// Whether the user has asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
