//! Ctrl-C and SIGTERM: the first asks the program to finish what it is at, the second ends it at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::Exit;
use crate::console::print_message;

static WATCHING: AtomicBool = AtomicBool::new(false);
static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
static MESSAGE: Mutex<&str> = Mutex::new("");

/// From now on the first signal only sets a flag. `message` says to the user what happens next; a later call changes it,
/// as a program goes from fetching its data to its work.
///
/// The second ends the process without its destructors: those of a C++ library would run beside its threads, and crash.
///
/// # Errors
/// If the system does not take the handlers.
pub fn watch(message: &'static str) -> io::Result<()> {
    *MESSAGE.lock().expect("nobody panics while holding a text") = message;
    if WATCHING.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    // `nohup` has a terminal's end ignored: that stays so. Shell and system may both send it, so it is never the second.
    let signals: Vec<i32> = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)).collect();
    for &signal in &signals {
        // In this order: the first signal finds the flag down.
        if signal != SIGHUP {
            flag::register_conditional_shutdown(signal, i32::from(Exit::Stopped as u8), Arc::clone(&REQUESTED))?;
        }
        flag::register(signal, Arc::clone(&REQUESTED))?;
    }
    let mut first = Signals::new(signals)?;
    thread::spawn(move || {
        if first.forever().next().is_some() {
            let message = *MESSAGE.lock().expect("nobody panics while holding a text");
            print_message(format_args!("\n{message} (again: stop at once)"));
        }
    });
    Ok(())
}

/// Whether this process was started with a signal ignored, as far as Linux says it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
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
            watch("ending").expect("the system takes the handlers");
        }
        assert!(!requested());
    }
}
