//! The points of a campaign: where and how a run is disturbed.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Campaign, is_checkpoint, is_step};
use crate::prove::faults::{Call, Effect, Fault};

/// Runs that are killed at random moments.
const MOMENTS: usize = 8;
/// The two newest checkpoints of the run when it has ended.
const NEWEST: &str = "000006.safetensors";
const BEFORE: &str = "000004.safetensors";

/// A way in which a run is disturbed.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// Its row in the table.
    pub(super) kind: &'static str,
    pub(super) fate: Fate,
}

#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// In the run from its start; `index` is the call's among all.
    Fault { fault: Fault, index: usize },
    /// In a run that goes on, before its first step.
    FaultInResume(Fault),
    /// Killed by the clock, several times.
    Moments,
    /// Ended, then its checkpoints were damaged.
    Damaged(Damage),
}

/// What became of the newest checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// Cut to that share of its length, in thousandths.
    Cut(usize),
    /// Without its last byte.
    LastByte,
    /// One bit flipped at that share of its length, in thousandths.
    Bit(usize),
    /// Cut to half, and the one before too.
    Both,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(share) => write!(f, "{NEWEST} cut to {share}/1000 of its length"),
            Self::LastByte => write!(f, "{NEWEST} without its last byte"),
            Self::Bit(share) => write!(f, "{NEWEST} with a bit flipped at {share}/1000 of its length"),
            Self::Both => write!(f, "{NEWEST} and {BEFORE} cut to half"),
        }
    }
}

impl Damage {
    /// What is damaged.
    pub(super) fn files(self) -> &'static [&'static str] {
        if matches!(self, Self::Both) { &[NEWEST, BEFORE] } else { &[NEWEST] }
    }

    pub(super) fn apply(self, checkpoints: &Path) -> Result<()> {
        for file in self.files() {
            let path = checkpoints.join(file);
            let mut bytes = fs_err::read(&path)?;
            let length = bytes.len();
            match self {
                Self::Cut(share) => bytes.truncate(length * share / 1000),
                Self::LastByte => bytes.truncate(length - 1),
                Self::Bit(share) => bytes[length * share / 1000] ^= 1,
                Self::Both => bytes.truncate(length / 2),
            }
            fs_err::write(&path, &bytes)?;
        }
        Ok(())
    }
}

/// All points of a campaign, kind by kind.
pub(super) fn all(campaign: &Campaign) -> Vec<Point> {
    let (calls, preset) = (&campaign.calls, campaign.preset);
    let saved: Vec<usize> = indices(calls, |call| call.name.starts_with("rename") && is_checkpoint(&call.path));
    let late = saved.len().checked_sub(2).map_or(0, |second_to_last| saved[second_to_last] + 1);
    let steps = indices(calls, is_step);
    let changing = indices(calls, |call| call.changes && is_in_run(call));
    // Before these the disk is as after the call before, but for opening and making folders.
    let killed: Vec<usize> = changing.iter().copied().filter(|&index| is_written(&calls[index])).collect();
    let killed = killed.into_iter().filter(|&index| preset.whole || index >= late);
    let early = changing.iter().copied().filter(|&index| index < steps[0]);
    let early = early.step_by(preset.every).collect::<Vec<_>>();
    let failing = changing.iter().copied().filter(|&index| index >= late).step_by(preset.every).collect::<Vec<_>>();
    let terminal = indices(calls, |call| call.name == "write" && !is_in_run(call));

    let mut points = Vec::new();
    let mut add = |kind, index: usize, effect| {
        let fault = Fault { call: calls[index].clone(), effect };
        points.push(Point { kind, fate: Fate::Fault { fault, index } });
    };
    steps.iter().for_each(|&step| add("killed at a step", step, Effect::Signal("KILL")));
    killed.for_each(|index| add("killed at a write, sync, rename or removal", index, Effect::Signal("KILL")));
    for (kind, effect) in [("Ctrl-C at a step", "INT"), ("SIGTERM at a step", "TERM")] {
        steps.iter().for_each(|&step| add(kind, step, Effect::Signal(effect)));
    }
    for &index in early.iter().chain(&failing) {
        add("disk full from then on", index, Effect::ErrorFromThenOn("ENOSPC"));
        add("disk fails once", index, Effect::Error(failure(&calls[index])));
    }
    // To the program all errors are alike: the other two of the four are tried at some calls.
    for &index in failing.iter().step_by(4) {
        add("disk full once", index, Effect::Error("ENOSPC"));
        add("disk fails from then on", index, Effect::ErrorFromThenOn(failure(&calls[index])));
    }
    for &index in terminal.iter().step_by(4) {
        add("terminal fails once", index, Effect::Error("EIO"));
    }
    for call in campaign.resuming.iter().filter(|call| call.changes && is_in_run(call)) {
        let fault = |effect| Fate::FaultInResume(Fault { call: call.clone(), effect });
        points.push(Point { kind: "killed while resuming", fate: fault(Effect::Signal("KILL")) });
        points.push(Point { kind: "disk full while resuming", fate: fault(Effect::ErrorFromThenOn("ENOSPC")) });
    }
    points.extend((0..MOMENTS).map(|_| Point { kind: "killed at random moments", fate: Fate::Moments }));
    let damages = [0, 1, 250, 500, 999].map(Damage::Cut).into_iter();
    let damages = damages.chain([Damage::LastByte]).chain([0, 2, 300, 999].map(Damage::Bit)).chain([Damage::Both]);
    points.extend(damages.map(|damage| Point { kind: "checkpoint damaged", fate: Fate::Damaged(damage) }));
    points
}

/// Every `stride`-th of each kind, from the middle of the first ones on.
pub(super) fn sample(mut points: Vec<Point>, stride: usize) -> Vec<Point> {
    points.sort_by_key(|point| point.kind);
    let of_a_kind = points.chunk_by(|one, other| one.kind == other.kind);
    let sampled = of_a_kind.flat_map(|points| points.iter().skip(points.len().min(stride) / 2).step_by(stride));
    sampled.cloned().collect()
}

/// The checkpoints that are there after calls.
pub(super) fn checkpoints(calls: &[Call]) -> Vec<PathBuf> {
    let mut there = Vec::new();
    for call in calls.iter().filter(|call| is_checkpoint(&call.path)) {
        if call.name.starts_with("rename") {
            there.push(PathBuf::from(&call.path));
        } else if call.name.starts_with("unlink") {
            there.retain(|path| *path != Path::new(&call.path));
        }
    }
    there
}

fn indices(calls: &[Call], is_one: impl Fn(&Call) -> bool) -> Vec<usize> {
    calls.iter().enumerate().filter(|(_, call)| is_one(call)).map(|(index, _)| index).collect()
}

fn is_in_run(call: &Call) -> bool {
    Path::new(&call.path).starts_with(super::RUN)
}

/// Writing, flushing, renaming and removing.
fn is_written(call: &Call) -> bool {
    ["write", "fsync", "fdatasync", "rename", "unlink"].iter().any(|start| call.name.starts_with(start))
}

/// How a disk fails at a call: where something is to be made or removed it is read-only.
fn failure(call: &Call) -> &'static str {
    if ["write", "fsync", "fdatasync"].contains(&call.name.as_str()) { "EIO" } else { "EROFS" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, path: &str) -> Call {
        Call { name: name.into(), nth: 1, path: path.into(), changes: true, temporary: false }
    }

    #[test]
    fn checkpoints_are_there_from_their_rename_to_their_removal() {
        let [first, second] = ["run/checkpoints/000002.safetensors", "run/checkpoints/000004.safetensors"];
        let calls =
            [call("write", first), call("renameat", first), call("renameat", "run/g_ab.ot"), call("rename", second)];
        assert!(checkpoints(&calls[..1]).is_empty());
        assert_eq!(checkpoints(&calls), [first, second].map(PathBuf::from));
        let removed = [calls.as_slice(), &[call("unlink", first)]].concat();
        assert_eq!(checkpoints(&removed), [PathBuf::from(second)]);
    }

    #[test]
    fn a_sample_has_every_kind() {
        let points = |kind, count| vec![Point { kind, fate: Fate::Moments }; count];
        let all = [points("many", 100), points("one", 1), points("many", 20)].concat();
        for (stride, many) in [(1, 120), (40, 3), (1000, 1)] {
            let sampled = sample(all.clone(), stride);
            let count = |kind| sampled.iter().filter(|point| point.kind == kind).count();
            assert_eq!((count("many"), count("one")), (many, 1), "{stride}");
        }
    }
}
