//! Whether a picture has room in this machine's memory.
//!
//! Linux promises more memory than there is and then ends the program that uses it: one panorama would end the run for
//! all other pictures. So what cannot fit is refused beforehand. What might just fit is tried.

use models_runtime::Session;
use program::Device;

/// The most pixels of one picture for which there is memory, where each needs at least `bytes_per_pixel`.
pub(crate) fn most_pixels(session: &Session, bytes_per_pixel: u64) -> u64 {
    let on_cpu = session.device() == Device::Cpu; // a card says by itself when it is full
    let available = if on_cpu { available_bytes() } else { None };
    available.map_or(u64::MAX, |bytes| bytes / bytes_per_pixel.max(1))
}

/// What Linux could give to a program now; none where it does not say.
fn available_bytes() -> Option<u64> {
    available_in(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read_as_linux_writes_it() {
        let meminfo = "MemTotal:       24689236 kB\nMemFree:         1789508 kB\nMemAvailable:   23068672 kB\n";
        assert_eq!(available_in(meminfo), Some(22 << 30));
        assert_eq!(available_in("MemTotal: 24689236 kB"), None);
    }
}
