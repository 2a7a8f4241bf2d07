//! Python and pip as we meet them on other people's machines: what their failures mean, and what to do.

use std::path::PathBuf;

use super::pins::{Kind, Wheel};

/// The Python that fetches and unpacks.
#[derive(Clone, Debug)]
pub(super) struct Python {
    /// The program.
    pub(super) program: PathBuf,
    /// Where everything is written, for messages.
    pub(super) cache: PathBuf,
    /// What is fetched, for messages.
    pub(super) kind: Kind,
}

impl Python {
    /// The program itself is missing.
    pub(super) fn missing(&self) -> String {
        format!(
            "{} was not found, and pip fetches the native libraries: install Python 3 with pip (Debian: apt-get install \
             python3 python3-pip); it is needed for set-up only",
            self.program.display()
        )
    }

    /// No space for the libraries.
    pub(super) fn disk_full(&self) -> String {
        format!(
            "the disk of {} is full: set-up takes {} while it works; make room, or set XDG_CACHE_HOME to a folder on \
             another disk; nothing unfinished is used",
            self.cache.display(),
            program::bytes(self.kind.space_while_fetching())
        )
    }

    /// Whether a message of Python is about a full disk or a used up quota.
    pub(super) fn says_disk_full(&self, printed: &str) -> bool {
        // ENOSPC and EDQUOT, by number: their text depends on the user's language.
        ["No space left on device", "[Errno 28]", "[Errno 122]"].iter().any(|sign| printed.contains(sign))
    }

    /// Why pip failed, by what it printed.
    pub(super) fn explain_pip(&self, wheel: &Wheel, printed: &str) -> String {
        let what = format!("{} {}", wheel.name, wheel.version);
        let says = |signs: &[&str]| signs.iter().any(|sign| printed.contains(sign));
        if says(&["No module named pip", "No module named 'pip'"]) {
            return format!(
                "{} has no pip, which fetches the native libraries: install it (Debian: apt-get install python3-pip; \
                 elsewhere: {0} -m ensurepip)",
                self.program.display()
            );
        }
        if self.says_disk_full(printed) {
            return self.disk_full();
        }
        if says(&["DO NOT MATCH THE HASHES"]) {
            return format!(
                "{what}: the file that pip fetched has another SHA-256 than the pinned {}; it was not unpacked. Try once \
                 more; if it stays, `{} -m pip config list` says whether a mirror serves a file of its own",
                wheel.sha256,
                self.program.display()
            );
        }
        // pip ends a failed connection with "no matching distribution" too, so the network is looked at first.
        if says(&[
            "NewConnectionError",
            "NameResolutionError",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "ConnectionResetError",
            "Connection broken",
            "ProxyError",
            "SSLError",
            "Max retries exceeded",
            "Could not fetch URL",
        ]) {
            return format!(
                "{what} cannot be fetched, the package index does not answer: {}\ncheck the network (behind a proxy: set \
                 HTTPS_PROXY) and run `cargo xtask setup` again",
                last_lines(printed, 3)
            );
        }
        if says(&["No matching distribution found", "Could not find a version"]) {
            return format!(
                "{what} is not on the package index that pip uses: {}\nif `{} -m pip config list` names a mirror, it lacks \
                 this version or its wheel for Linux x86_64; a very old pip can also be why (`{1} -m pip --version`)",
                last_lines(printed, 2),
                self.program.display()
            );
        }
        format!("pip failed to fetch {what}: {}", last_lines(printed, 8))
    }
}

/// The last lines that say something.
pub(super) fn last_lines(printed: &str, count: usize) -> String {
    let lines: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => "it printed nothing".into(),
        lines => lines[lines.len().saturating_sub(count)..].join("\n  "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_pip_says_what_and_the_remedy() {
        let python = Python { program: "python3".into(), cache: "/cache".into(), kind: Kind::Cpu };
        let wheel = &Kind::Cpu.wheels()[0];
        let no_network = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'\n\
                          ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: \
                          none)\nERROR: No matching distribution found for torch==2.13.0";
        let old_mirror = "ERROR: No matching distribution found for torch==2.13.0";
        let table = [
            ("/usr/bin/python3: No module named pip", ["has no pip", "apt-get install python3-pip"]),
            ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", ["another SHA-256", "Try once"]),
            ("ERROR: Could not install packages due to an OSError: [Errno 28] …", ["/cache is full", "XDG_CACHE_HOME"]),
            (no_network, ["does not answer", "check the network"]),
            (old_mirror, ["is not on the package index", "pip config list"]),
            ("ERROR: something new", ["torch 2.13.0", "something new"]),
        ];
        for (printed, expected) in table {
            let message = python.explain_pip(wheel, printed);
            for part in expected {
                assert!(message.contains(part), "{printed}\n gave: {message}\n without: {part}");
            }
        }
    }
}
