//! `trainer datasets check`: every picture is decoded once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pictures::ReadError;
use program::{Console, ConsoleArguments, Exit, Failure, OrExit, interrupt};
use rayon::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::catalogue::SIDES;
use super::set::{DataError, side};
use crate::table::table;

/// What is in a data set, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Report {
    folder: PathBuf,
    sides: Vec<Side>,
    /// Sides that are missing, empty or no folders.
    unusable: Vec<String>,
    unreadable: Vec<(PathBuf, String)>,
    /// Pictures that are the same, on more than one side.
    same: Vec<Vec<PathBuf>>,
}

#[derive(Debug)]
struct Side {
    name: &'static str,
    pictures: usize,
    unreadable: usize,
    /// By the number of pixels; none without a readable picture.
    smallest: Option<(u32, u32)>,
    largest: Option<(u32, u32)>,
}

/// A picture's size, and a hash of it and of the pixels: files may differ that show the same.
type Seen = ((u32, u32), [u8; 32]);

/// Looks at a data set.
pub(crate) fn check(folder: &Path, console: ConsoleArguments) -> Result<Report, Failure> {
    interrupt::watch("stopping").or_exit(Exit::CannotStart)?;
    let (mut found, mut unusable) = (Vec::new(), Vec::new());
    for name in SIDES {
        match side(folder, name) {
            Ok(pictures) => found.push((name, (0..pictures.len()).map(|index| pictures.path(index)).collect())),
            Err(DataError::NoSide { .. }) if name.starts_with("test") => {} // it may be missing
            Err(error) => unusable.push(error.to_string()),
        }
    }
    if found.is_empty() {
        return Err(Failure::new(Exit::CannotStart, unusable.remove(0)));
    }
    let mut report =
        Report { folder: folder.into(), sides: Vec::new(), unusable, unreadable: Vec::new(), same: Vec::new() };
    let mut console = Console::new(console);
    let count = found.iter().map(|(_, paths): &(_, Vec<PathBuf>)| paths.len() as u64).sum();
    let bar = console.start_bar(count, "pictures");
    let mut by_hash: BTreeMap<[u8; 32], Vec<(&str, PathBuf)>> = BTreeMap::new();
    for (name, paths) in found {
        let seen: Vec<Option<Result<Seen, ReadError>>> = paths
            .par_iter()
            .map(|path| {
                let seen = (!interrupt::requested()).then(|| see(path));
                bar.inc(1);
                seen
            })
            .collect();
        let mut side = Side { name, pictures: paths.len(), unreadable: 0, smallest: None, largest: None };
        for (path, seen) in paths.into_iter().zip(seen) {
            match seen {
                None => return Err(Failure::new(Exit::Stopped, "stopped before all pictures were looked at")),
                Some(Ok((size, hash))) => {
                    side.add(size);
                    by_hash.entry(hash).or_default().push((name, path));
                }
                Some(Err(error)) => {
                    side.unreadable += 1;
                    // Decoders write lines of their own.
                    let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                    report.unreadable.push((path, why));
                }
            }
        }
        report.sides.push(side);
    }
    console.end_bar();
    let on_several_sides = |group: &Vec<(&str, PathBuf)>| group.iter().any(|(side, _)| *side != group[0].0);
    let groups = by_hash.into_values().filter(on_several_sides);
    report.same = groups.map(|group| group.into_iter().map(|(_, path)| path).collect()).collect();
    report.same.sort_unstable(); // hashes order them at random
    Ok(report)
}

fn see(path: &Path) -> Result<Seen, ReadError> {
    let picture = pictures::read(path)?;
    let (width, height) = picture.dimensions();
    let mut hash = Sha256::new();
    hash.update(width.to_le_bytes());
    hash.update(height.to_le_bytes());
    hash.update(picture.as_raw());
    Ok(((width, height), hash.finalize().into()))
}

impl Side {
    fn add(&mut self, size: (u32, u32)) {
        let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        self.smallest = Some(self.smallest.filter(|smallest| pixels(*smallest) <= pixels(size)).unwrap_or(size));
        self.largest = Some(self.largest.filter(|largest| pixels(*largest) >= pixels(size)).unwrap_or(size));
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub(crate) fn is_fine(&self) -> bool {
        self.unusable.is_empty() && self.unreadable.is_empty() && self.same.is_empty()
    }

    /// A line for each side, and below it what is wrong.
    pub(crate) fn to_table(&self) -> String {
        let size = |size: Option<(u32, u32)>| size.map_or("-".into(), |(width, height)| format!("{width}×{height}"));
        let mut rows = vec![["side", "pictures", "smallest", "largest", "unreadable"].map(str::to_owned)];
        for side in &self.sides {
            let (smallest, largest) = (size(side.smallest), size(side.largest));
            rows.push([side.name.into(), side.pictures.to_string(), smallest, largest, side.unreadable.to_string()]);
        }
        let mut lines = vec![table(&rows, 1)];
        lines.extend(self.unusable.iter().map(|error| format!("\nunusable: {error}")));
        if !self.unreadable.is_empty() {
            lines.push("\nunreadable; training leaves them out:".into());
            lines.extend(self.unreadable.iter().map(|(path, why)| format!("  {} {why}", path.display())));
        }
        if !self.same.is_empty() {
            lines.push("\nthe same picture on more than one side; keep one of each:".into());
            let paths = |group: &Vec<PathBuf>| group.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
            lines.extend(self.same.iter().map(|group| format!("  {}", paths(group).join(" = "))));
        }
        lines.join("\n")
    }

    /// The same for programs.
    pub(crate) fn to_json(&self) -> String {
        let text = |path: &PathBuf| path.display().to_string();
        let size = |size: Option<(u32, u32)>| size.map(|(width, height)| [width, height]);
        let side = |side: &Side| {
            json!({
                "side": side.name, "pictures": side.pictures, "unreadable": side.unreadable,
                "smallest": size(side.smallest), "largest": size(side.largest),
            })
        };
        let unreadable = |(path, why): &(PathBuf, String)| json!({ "path": text(path), "reason": why });
        let same = |group: &Vec<PathBuf>| group.iter().map(text).collect::<Vec<_>>();
        json!({
            "folder": text(&self.folder),
            "fine": self.is_fine(),
            "sides": self.sides.iter().map(side).collect::<Vec<_>>(),
            "unusable": self.unusable,
            "unreadable": self.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
            "same": self.same.iter().map(same).collect::<Vec<_>>(),
        })
        .to_string()
    }
}
