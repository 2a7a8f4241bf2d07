//! How much memory is free.

/// What Linux could give to a program now; none where it does not say.
pub fn available_bytes() -> Option<u64> {
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
