//! How much memory is free.

use std::path::{Path, PathBuf};

/// What Linux could give to this program now: of the machine's memory, and of what its control groups may use, as a
/// container's or a batch job's. None where it does not say.
pub fn available_bytes() -> Option<u64> {
    let machine = available_in(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(left_to_groups(&groups, Path::new("/sys/fs/cgroup")).map_or(machine, |left| left.min(machine)))
}

fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// The least that is left to a group of `/proc/self/cgroup`, or to one that it lies in: cgroups(7). A group without a limit
/// says a word, or a number beyond any machine.
fn left_to_groups(groups: &str, root: &Path) -> Option<u64> {
    let left = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (root, files) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current", "inactive_file"]),
            "memory" => {
                (root.join("memory"), ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"])
            }
            _ => return Vec::new(),
        };
        // Inside a container the path may be the host's, and only the root be there.
        let group = root.join(path.trim_start_matches('/'));
        let within: Vec<PathBuf> =
            group.ancestors().take_while(|group| group.starts_with(&root)).map(Into::into).collect();
        within.iter().filter_map(|group| left_to(group, files)).collect()
    });
    left.min()
}

/// What is left to one group. Pages of files that nobody has looked at lately are given back when memory is needed.
fn left_to(group: &Path, [limit, usage, cached]: [&str; 3]) -> Option<u64> {
    let number = |file: &str| std::fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    let statistics = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cached = statistics.lines().find_map(|line| line.strip_prefix(cached)?.trim().parse::<u64>().ok());
    let used = number(usage)?.saturating_sub(cached.unwrap_or(0));
    Some(number(limit)?.saturating_sub(used))
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

    #[test]
    fn a_group_may_use_no_more_than_it_and_those_around_it_are_given() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |group: &str, file: &str, text: &str| {
            std::fs::create_dir_all(root.path().join(group)).expect("writable");
            std::fs::write(root.path().join(group).join(file), text).expect("writable");
        };
        let left = |groups| left_to_groups(groups, root.path());
        write("job/step", "memory.max", "max\n");
        write("job/step", "memory.current", "100\n");
        assert_eq!(left("0::/job/step\n"), None, "no limit");
        write("job", "memory.max", "1000\n");
        write("job", "memory.current", "700\n");
        assert_eq!(left("0::/job/step\n"), Some(300), "that of the group around it");
        write("job", "memory.stat", "anon 100\ninactive_file 200\n");
        assert_eq!(left("0::/job/step\n"), Some(500), "what is cached is given back");
        write("memory/old", "memory.limit_in_bytes", "90\n");
        write("memory/old", "memory.usage_in_bytes", "50\n");
        assert_eq!(left("4:memory:/old\n1:cpu:/\n0::/job/step\n"), Some(40), "both versions of groups");
        assert_eq!(left("0::/of/the/host\n"), None);
    }
}
