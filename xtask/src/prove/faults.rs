//! Faults that the system is made to report, by strace: the n-th call of a kind fails, or the program is sent a signal
//! there. And what tells whether two directories are the same.
//!
//! strace counts the calls of each name and thread by itself, so that the n-th call is known from a recording of a run
//! without fault, as long as only the main thread makes such calls and the run is repeatable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use crate::process::Task;

/// What changes the disk. Names that a machine does not have are skipped (`?`): arm64 has no `mkdir`, only `mkdirat`.
const TRACED: &str =
    "trace=?open,openat,write,fsync,fdatasync,?rename,?renameat,renameat2,?unlink,unlinkat,?mkdir,mkdirat";
/// How temporary siblings of a file are named before they take its place: see `program::files`.
const TEMPORARY: &str = ".writing-";

/// A call of the main thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The system's name for it, like `renameat`.
    pub(crate) name: String,
    /// How many of that name there were, with this one.
    pub(crate) nth: usize,
    /// What it is about, from the folder that the program runs in: of a temporary sibling the file that it becomes.
    pub(crate) path: String,
    /// Whether it may change the disk: all but opening a file that is there.
    pub(crate) changes: bool,
    /// Whether it is about a temporary sibling.
    pub(crate) temporary: bool,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The program gets a signal: `KILL`, which ends it before the call is made, or one that it may handle.
    Signal(&'static str),
    /// The call is not made and reports an error: `ENOSPC`.
    Error(&'static str),
    /// That call and all later ones of its name report an error.
    ErrorFromThenOn(&'static str),
}

/// A call and what happens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) effect: Effect,
}

/// For a person.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { name, nth, path, .. } = &self.call;
        match self.effect {
            Effect::Signal(signal) => write!(f, "SIG{signal}")?,
            Effect::Error(error) => write!(f, "{error}")?,
            Effect::ErrorFromThenOn(error) => write!(f, "{error} from then on")?,
        }
        write!(f, " at call {nth} of {name} ({path})")
    }
}

impl Fault {
    /// Whether it is a signal that the program may handle.
    pub(crate) fn is_handled(&self) -> bool {
        matches!(self.effect, Effect::Signal(signal) if signal != "KILL")
    }

    /// The command that runs a task with this fault.
    pub(crate) fn task(&self, task: &Task, log: &Path) -> Task {
        let Call { name, nth, .. } = &self.call;
        let (effect, when) = match self.effect {
            Effect::Signal(signal) => (format!("signal={signal}"), format!("{nth}")),
            Effect::Error(error) => (format!("error={error}"), format!("{nth}")),
            Effect::ErrorFromThenOn(error) => (format!("error={error}"), format!("{nth}+")),
        };
        let mut options = vec!["-e".into(), format!("inject={name}:{effect}:when={when}")];
        if !matches!(self.effect, Effect::Signal(_)) {
            options.push("--seccomp-bpf".into()); // only what is traced is slow; strace 6.1 injects no signals then
        }
        traced(task, &format!("trace={name}"), &options, log)
    }

    /// Runs a task in a folder with this fault.
    ///
    /// # Errors
    /// If it cannot be started, or ends without having met the fault.
    pub(crate) fn run(&self, task: &Task, folder: &Path, log: &Path) -> Result<Output> {
        let output = self.task(task, log).finished(folder)?;
        let log = read(log)?;
        let met = match self.effect {
            Effect::Signal("KILL") => output.status.signal() == Some(9), // strace ends as what it runs
            Effect::Signal(signal) => log.contains(&format!("--- SIG{signal} ")),
            Effect::Error(_) | Effect::ErrorFromThenOn(_) => log.contains("(INJECTED)"),
        };
        if !met {
            bail!("it never met the fault, and ended with {}: {}", output.status, said(&output));
        }
        Ok(output)
    }
}

/// What a program has printed to stderr.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether faults can be injected on this machine.
pub fn can_inject_faults() -> bool {
    Task::new("strace", ["--version"]).output(Path::new("/")).is_ok()
}

/// Runs a task in a folder without any fault; gives its calls in order.
///
/// # Errors
/// If it does not end well.
pub(crate) fn record(task: &Task, folder: &Path, log: &Path) -> Result<Vec<Call>> {
    let task = traced(task, TRACED, &[], log);
    let output = task.finished(folder)?;
    if !output.status.success() {
        bail!("`{task}` ended with {}: {}", output.status, said(&output));
    }
    Ok(calls(&read(log)?, folder))
}

fn traced(task: &Task, calls: &str, options: &[String], log: &Path) -> Task {
    // -f: all threads; -y: paths of open files; -qq: no lines of strace's own.
    let mut all: Vec<String> = ["-f", "-y", "-qq", "-e", calls].map(String::from).into();
    all.extend_from_slice(options);
    all.extend(["-o".to_owned(), log.display().to_string()]);
    task.clone().behind("strace", all)
}

/// A log holds what a program writes, cut anywhere.
fn read(log: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&fs_err::read(log)?).into_owned())
}

/// The main thread's calls in a log, with paths from `folder`.
fn calls(log: &str, folder: &Path) -> Vec<Call> {
    let main = log.split_whitespace().next().unwrap_or_default();
    let mut counts = BTreeMap::new();
    let mut becomes = BTreeMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let Some((thread, call)) = line.trim_start().split_once(' ') else { continue };
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        if thread != main || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
            continue;
        }
        let nth: &mut usize = counts.entry(name.to_owned()).or_default();
        *nth += 1;
        let quoted: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
        let path = match name {
            "write" | "fsync" | "fdatasync" => between(arguments, '<', '>'),
            _ if name.starts_with("rename") => quoted.get(1).copied(),
            _ => quoted.first().copied(),
        };
        let mut path = path.unwrap_or_default().to_owned();
        // Removing a folder goes file by file, each from the folder that is open.
        if let (true, Some(open)) =
            (name.ends_with("at") && Path::new(&path).is_relative(), between(arguments, '<', '>'))
        {
            path = format!("{open}/{path}");
        }
        let path = below(&path, folder);
        if let (true, Some(from)) = (name.starts_with("rename"), quoted.first()) {
            becomes.insert(below(from, folder), path.clone());
        }
        let changes = !name.starts_with("open") || arguments.contains("O_CREAT");
        let temporary = path.contains(TEMPORARY);
        calls.push(Call { name: name.to_owned(), nth: *nth, path, changes, temporary });
    }
    for call in calls.iter_mut().filter(|call| call.temporary) {
        if let Some(path) = becomes.get(&call.path) {
            call.path.clone_from(path);
        }
    }
    calls
}

fn between(text: &str, open: char, close: char) -> Option<&str> {
    Some(text.split_once(open)?.1.split_once(close)?.0)
}

fn below(path: &str, folder: &Path) -> String {
    Path::new(path).strip_prefix(folder).map_or(path.to_owned(), |path| path.display().to_string())
}

/// The first file, by name, that two directories do not have alike, and how; those that `is_left_out` do not count.
///
/// # Errors
/// If one cannot be read.
pub(crate) fn difference(one: &Path, other: &Path, is_left_out: impl Fn(&Path) -> bool) -> Result<Option<String>> {
    let [ours, theirs] = [files(one)?, files(other)?];
    for name in ours.union(&theirs).filter(|name| !is_left_out(name)) {
        let shown = name.display();
        for (has, folder) in [(&ours, one), (&theirs, other)] {
            if !has.contains(name) {
                return Ok(Some(format!("{} has no {shown}", folder.display())));
            }
        }
        let [ours, theirs] = [fs_err::read(one.join(name))?, fs_err::read(other.join(name))?];
        if ours != theirs {
            let at = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
            let (one, other) = (ours.len(), theirs.len());
            return Ok(Some(format!("{shown} differs from byte {at} on ({one} bytes and {other})")));
        }
    }
    Ok(None)
}

/// All files below a directory, none where there is none.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in WalkDir::new(folder).into_iter().filter(|_| folder.is_dir()) {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.insert(entry.path().strip_prefix(folder).expect("it is below").to_owned());
        }
    }
    Ok(files)
}

/// A number in [0, 1).
pub(crate) fn random() -> f64 {
    // The hasher's keys are the system's random numbers.
    (RandomState::new().build_hasher().finish() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Copies all files below a directory.
///
/// # Errors
/// The system's, with the path.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let target = to.join(&file);
        fs_err::create_dir_all(target.parent().context("a file lies in a folder")?)?;
        fs_err::copy(from.join(&file), target)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of strace 6.1 on x86-64.
    const LOG: &str = r#"41 openat(AT_FDCWD</t/1>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>
41 mkdir("run", 0777) = 0
41 openat(AT_FDCWD</t/1>, "/t/1/run/.writing-x", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0666) = 4</t/1/run/.writing-x>
42 write(9</t/1/other>, "by another thread", 17) = 17
41 write(4</t/1/run/.writing-x>, "<!doctype html>\n(\"quoted\")", 26 <unfinished ...>
42 futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 0
41 <... write resumed>)              = 26
41 fsync(4</t/1/run/.writing-x>)     = 0
41 renameat(AT_FDCWD</t/1>, "/t/1/run/.writing-x", AT_FDCWD</t/1>, "run/page.html") = 0
41 fsync(4</t/1/run>)                = 0
41 --- SIGINT {si_signo=SIGINT, si_code=SI_KERNEL} ---
41 write(2<pipe:[77]>, "done", 4)    = 4
"#;

    fn call(name: &str, nth: usize, path: &str) -> Call {
        Call { name: name.into(), nth, path: path.into(), changes: true, temporary: false }
    }

    #[test]
    fn calls_are_counted_by_name_and_a_temporary_file_goes_by_its_later_name() {
        let found = calls(LOG, Path::new("/t/1"));
        let mut expected = vec![
            Call { changes: false, ..call("openat", 1, "/etc/ld.so.cache") },
            call("mkdir", 1, "run"),
            Call { temporary: true, ..call("openat", 2, "run/page.html") },
            Call { temporary: true, ..call("write", 1, "run/page.html") },
            Call { temporary: true, ..call("fsync", 1, "run/page.html") },
            call("renameat", 1, "run/page.html"),
            call("fsync", 2, "run"),
            call("write", 2, "pipe:[77]"),
        ];
        assert_eq!(found, expected);
        expected.clear();
        assert_eq!(calls("", Path::new("/t")), expected);
    }

    #[test]
    fn a_fault_reads_as_strace_wants_it() {
        let task = Task::new("trainer", ["--seed", "1"]);
        let end = "-o log trainer --seed 1";
        for (effect, expected) in [
            (Effect::Signal("KILL"), format!("inject=write:signal=KILL:when=7 {end}")),
            (Effect::Error("EIO"), format!("inject=write:error=EIO:when=7 --seccomp-bpf {end}")),
            (Effect::ErrorFromThenOn("ENOSPC"), format!("inject=write:error=ENOSPC:when=7+ --seccomp-bpf {end}")),
        ] {
            let fault = Fault { call: call("write", 7, "run/file"), effect };
            let shown = fault.task(&task, Path::new("log")).to_string().replace('\'', "");
            assert_eq!(shown, format!("strace -f -y -qq -e trace=write -e {expected}"));
        }
    }

    #[test]
    fn random_moments_are_shares_and_not_the_same() {
        let moments = [random(), random(), random()];
        assert!(moments.iter().all(|moment| (0.0..1.0).contains(moment)), "{moments:?}");
        assert!(moments[0] != moments[1] || moments[1] != moments[2], "{moments:?}");
    }

    #[test]
    fn directories_differ_by_names_and_bytes_but_not_by_what_is_left_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        let write = |folder: &Path, name: &str, bytes: &str| {
            let path = folder.join(name);
            fs_err::create_dir_all(path.parent().expect("has one")).expect("writable");
            fs_err::write(path, bytes).expect("writable");
        };
        let found = || difference(&one, &other, |name| name.ends_with("clock")).expect("readable");
        write(&one, "deep/file", "abc");
        copy(&one, &other).expect("writable");
        write(&one, "deep/clock", "12:00");
        assert_eq!(found(), None);
        write(&other, "deep/file", "abX");
        assert_eq!(found().as_deref(), Some("deep/file differs from byte 2 on (3 bytes and 3)"));
        write(&one, "a", "");
        assert_eq!(found(), Some(format!("{} has no a", other.display())));
    }
}
