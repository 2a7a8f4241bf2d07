//! Ctrl-C and SIGTERM: the first asks the program to finish what it is at, the second ends it at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Exit;
use crate::console::print_message;

static WATCHING: AtomicBool = AtomicBool::new(false);
static REQUESTED: AtomicBool = AtomicBool::new(false);
static MESSAGE: Mutex<&str> = Mutex::new("");

/// From now on the first signal only sets a flag. `message` says to the user what happens next; a later call changes it,
/// as a program goes from fetching its data to its work.
///
/// # Errors
/// If the system does not take the handler.
pub fn watch(message: &'static str) -> Result<(), ctrlc::Error> {
    *MESSAGE.lock().expect("nobody panics while holding a text") = message;
    if WATCHING.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(Exit::Stopped as u8));
        }
        let message = *MESSAGE.lock().expect("nobody panics while holding a text");
        print_message(format_args!("\n{message} (again: stop at once)"));
    })
}

/// Whether the user has asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_in_one_process_watches_too() {
        for _run in 0..2 {
            watch("ending").expect("the system takes the handler");
        }
        assert!(!requested());
    }
}
