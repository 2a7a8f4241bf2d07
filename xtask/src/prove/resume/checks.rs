//! What has to hold of a run after its fault.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, ensure};

use super::{CANNOT_START, CHECKPOINTS, Campaign, KEEP, is_step};
use crate::prove::faults::{Call, Effect, Fault, said};

/// What the trainer ends with: see `program::Exit`.
const FAULT: i32 = 5;
const STOPPED: i32 = 130;
/// Four networks, and two averaged generators.
const BEST_NETWORKS: usize = 6;

impl Campaign {
    /// What a program does at a fault: ends as it should, and says why.
    pub(super) fn check_end(&self, fault: &Fault, output: &Output) -> Result<()> {
        let (code, said) = (output.status.code(), said(output));
        let end = last_line(&said);
        ensure!(!said.contains("panicked"), "it panicked: {end}");
        match fault.effect {
            Effect::Signal("KILL") => {}
            // The signal is handled beside the step: the last steps may be faster.
            Effect::Signal(_) => {
                let early =
                    fault.call.nth < self.calls.iter().rfind(|call| is_step(call)).map_or(0, |call| call.nth) / 2;
                let is_right = code == Some(STOPPED) || code == Some(0) && !early;
                ensure!(is_right, "it ended with {} instead of {STOPPED}: {end}", output.status);
                ensure!(
                    code == Some(0) || said.contains("go on with `trainer --resume run`"),
                    "it says not how to go on: {end}"
                );
            }
            Effect::Error(_) | Effect::ErrorFromThenOn(_) if code == Some(0) => {} // the bytes will tell
            Effect::Error(_) | Effect::ErrorFromThenOn(_) => {
                let is_right = matches!(code, Some(CANNOT_START | FAULT));
                ensure!(is_right, "it ended with {} instead of {FAULT} or {CANNOT_START}: {end}", output.status);
                // Where no write works any more, none to the terminal does.
                let is_dumb = fault.call.name == "write" && matches!(fault.effect, Effect::ErrorFromThenOn(_));
                // The name of an event file ends in the time.
                let path = fault.call.path.as_str();
                let mut named = path.split_once("tfevents").map_or(path, |(name, _)| name);
                if fault.call.name == "unlinkat" {
                    named = named.rsplit_once('/').map_or(named, |(folder, _)| folder); // removed as a whole
                }
                ensure!(is_dumb || said.contains(named), "its message does not name {named}: {end}");
            }
        }
        Ok(())
    }

    /// The best networks are of one step; and once there were some, some are there, if only under the name that they
    /// have for a moment while others take their place.
    pub(super) fn check_best(&self, folder: &Path, was_there: bool) -> Result<()> {
        let [best, before] = ["run/best", "run/best.before"].map(|name| folder.join(name));
        let found = if best.is_dir() { best } else { before };
        ensure!(found.is_dir() || !was_there, "the best networks are lost");
        if found.is_dir() {
            let facts = fs_err::read_to_string(found.join("best.json"))?;
            let step = facts.split_once("\"step\":").and_then(|(_, rest)| rest.split_once(',')).map(|(step, _)| step);
            let metadata = format!("\"steps\":{},", step.context("best.json names no step")?);
            let mut networks = 0;
            for entry in fs_err::read_dir(&found)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "ot") {
                    let is_of_it = find(&fs_err::read(&path)?, metadata.as_bytes());
                    ensure!(is_of_it, "{} is not of step {}", path.display(), step.unwrap_or_default());
                    networks += 1;
                }
            }
            ensure!(networks == BEST_NETWORKS, "{} holds {networks} networks", found.display());
        }
        Ok(())
    }

    /// Every checkpoint is whole, and those of before are there, but for older ones than are kept.
    pub(super) fn check_checkpoints(&self, folder: &Path, before: &[PathBuf]) -> Result<()> {
        let there = checkpoints_in(folder)?;
        for path in &there {
            let is_whole = Some(&fs_err::read(folder.join(path))?) == self.checkpoints.get(path);
            ensure!(is_whole, "{} is not whole", path.display());
        }
        for path in before.iter().filter(|path| !there.contains(path)) {
            let newer = there.iter().filter(|other| *other > path).count();
            ensure!(newer >= KEEP, "{} is lost", path.display());
        }
        Ok(())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Whether a call puts the best networks into their place.
pub(super) fn is_best(call: &Call) -> bool {
    call.name.starts_with("rename") && call.path == "run/best"
}

pub(super) fn is_checkpoint(path: &str) -> bool {
    path.starts_with("run/checkpoints/") && path.ends_with(".safetensors")
}

/// Checkpoints in a run's folder in order, with their paths from it.
pub(super) fn checkpoints_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if folder.join(CHECKPOINTS).is_dir() {
        for entry in fs_err::read_dir(folder.join(CHECKPOINTS))? {
            let path = Path::new(CHECKPOINTS).join(entry?.file_name());
            found.extend(path.to_str().is_some_and(is_checkpoint).then(|| path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// The line that says how a program ended.
pub(super) fn last_line(said: &str) -> &str {
    said.trim_end().lines().last().unwrap_or_default()
}

/// Files that depend on the clock, or list the times that the program was started.
pub(super) fn is_of_a_session(file: &Path) -> bool {
    let name = file.to_string_lossy();
    name.starts_with("events.") || ["timing.jsonl", "report.html", ".lock"].contains(&&*name)
}
