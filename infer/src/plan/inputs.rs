//! What was named: on the command line, or in a list.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use program::{Exit, Failure, OrExit};

use super::{PlanArguments, usage};

/// A file or directory that was named.
#[derive(Debug)]
pub(super) struct Input {
    /// Where it is, without `.` between.
    pub path: PathBuf,
    /// How many parts of that are its path below the output directory: all where it stands in a list by a path from here.
    /// Else none: a file is called by its name there, a directory is the output directory.
    pub below: usize,
}

/// All that was named.
pub(super) fn of(arguments: &PlanArguments) -> Result<Vec<Input>, Failure> {
    let Some(list) = &arguments.from_file else {
        if arguments.nul {
            return usage("-0 is about the list of --from-file, and there is none; leave it out"); // clap does not see it
        }
        let named = arguments.inputs.iter().map(|path| Input { path: cleaned(path), below: 0 });
        return Ok(named.collect());
    };
    let bytes = read(list).with_context(|| format!("--from-file {}", list.display())).or_exit(Exit::CannotStart)?;
    if !arguments.nul && bytes.contains(&0) {
        return usage(format!("--from-file {}: paths end with NUL there; add -0", list.display()));
    }
    let end = if arguments.nul { 0 } else { b'\n' };
    let listed: Vec<Input> = bytes.split(|byte| *byte == end).filter(|path| !path.is_empty()).map(listed).collect();
    match listed.is_empty() {
        true => Err(Failure::new(Exit::CannotStart, format!("--from-file {}: lists nothing", list.display()))),
        false => Ok(listed),
    }
}

fn read(list: &Path) -> io::Result<Vec<u8>> {
    if list.as_os_str() != "-" {
        return std::fs::read(list);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn listed(path: &[u8]) -> Input {
    let path = cleaned(Path::new(OsStr::from_bytes(path)));
    let from_here = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let below = if from_here && path.as_os_str() != "." { path.components().count() } else { 0 };
    Input { path, below }
}

/// A path without `.` and doubled or trailing `/`, so that one place from here has one spelling; `..` stays, for a link
/// may lie before it.
pub(super) fn cleaned(path: &Path) -> PathBuf {
    let cleaned: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if cleaned.as_os_str().is_empty() { PathBuf::from(".") } else { cleaned }
}
