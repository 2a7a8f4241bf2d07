//! Whether a picture has room in this machine's memory.
//!
//! Linux promises more memory than there is and then ends the program that uses it: one panorama would end the run for
//! all other pictures. So what cannot fit is refused beforehand. What might just fit is tried.

use models_runtime::Session;
use program::{Device, available_bytes};

/// The most pixels of one picture for which there is memory, where each needs at least `bytes_per_pixel`. `allowed` is
/// what the user grants of it.
pub(crate) fn most_pixels(session: &Session, bytes_per_pixel: u64, allowed: Option<u64>) -> u64 {
    let on_cpu = session.device() == Device::Cpu; // a card says by itself when it is full
    let available = if on_cpu { available_bytes() } else { None };
    let most = available.into_iter().chain(allowed).min();
    most.map_or(u64::MAX, |bytes| bytes / bytes_per_pixel.max(1))
}
