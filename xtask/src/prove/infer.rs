//! `cargo xtask prove infer`: however a short run is stopped, the same command again gives the directory of a run that
//! nothing disturbed, journal included, and no run says done of what is not.
//!
//! Two runs are disturbed: one into a directory that is not there, and one over the translations of an earlier run of which
//! some are damaged, missing or of other pictures. With `--jobs 1:1` the main thread alone writes, so that the n-th call of
//! a name is the same in every run. What the decoding thread reads fails by path.

mod checks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pictures::{Format, Picture};
use tempfile::TempDir;

use super::faults::{Call, Effect, Fault, can_inject_faults, copy, random, record, said};
use crate::process::Task;

/// Pictures by their names. The last directory lies deeper, so that folders are made on the way.
const PICTURES: [(&str, Format); 5] = [
    ("a.png", Format::Png),
    ("b.png", Format::Png),
    ("c.jpg", Format::Jpeg),
    ("deep/er/d.png", Format::Png),
    ("deep/er/e.webp", Format::WebP),
];
/// What is run, in a folder with `photos` and the model.
const COMMAND: &str = "--model model.onnx photos out --jobs 1:1 --threads 1 --device cpu --batch 2 --fit native \
                       --report report.jsonl";
/// Points tried at a time.
const WORKERS: usize = 2;
/// Points that fail before the campaign gives up.
const FAILURES: usize = 10;
/// Runs that are killed by the clock.
const MOMENTS: usize = 50;
/// What `infer` ends with: see `program::Exit`.
const STOPPED: i32 = 130;

/// The whole campaign.
pub(crate) fn run(root: &Path) -> Result<()> {
    Task::cargo(["build", "--package", "infer"]).run(root)?;
    let infer = crate::root::target_folder(root)?.join("debug/infer");
    prove(&infer, &root.join("infer/tests/fixtures/swap.onnx"), 1)
}

/// Tries every `stride`-th point of each kind, at least one, with an `infer` and a small model; prints a table to stderr.
///
/// # Errors
/// If there is a point after which the directory is another, with what is different and how to repeat it.
pub fn prove(infer: &Path, model: &Path, stride: usize) -> Result<()> {
    ensure!(can_inject_faults(), "strace is not installed: `apt-get install strace`");
    let start = Instant::now();
    let campaign = Campaign::new(infer, model)?;
    let points = campaign.points(stride);
    let counts = campaign.try_all(&points)?;
    let width = counts.keys().map(|kind| kind.len()).max().unwrap_or(0);
    for (kind, count) in &counts {
        eprintln!("{kind:width$}  {count:>6}");
    }
    let took = program::duration(start.elapsed());
    eprintln!("all {} points ended with the same directory, in {took}", points.len());
    Ok(())
}

/// What a disturbed run begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Nothing,
    Earlier,
}

impl Before {
    const ALL: [Self; 2] = [Self::Nothing, Self::Earlier];

    /// The folder in which the run has not happened yet.
    fn folder(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Earlier => "earlier",
        }
    }
}

/// A way in which a run is disturbed.
#[derive(Clone, Debug)]
struct Point {
    /// Its row in the table.
    kind: &'static str,
    before: Before,
    fate: Fate,
}

#[derive(Clone, Debug)]
enum Fate {
    Fault(Fault),
    /// Something that is done to a path, by any thread, fails.
    Reading {
        path: String,
        call: &'static str,
    },
    /// Killed by the clock.
    Moment,
}

/// What all points share.
struct Campaign {
    infer: PathBuf,
    folder: TempDir,
    /// Calls of the runs that nothing disturbs.
    calls: BTreeMap<Before, Vec<Call>>,
    /// How long one takes.
    duration: Duration,
}

impl Campaign {
    fn new(infer: &Path, model: &Path) -> Result<Self> {
        let infer = infer.canonicalize().with_context(|| infer.display().to_string())?;
        let mut campaign =
            Self { infer, folder: tempfile::tempdir()?, calls: BTreeMap::new(), duration: Duration::ZERO };
        let [nothing, earlier] = Before::ALL.map(|before| campaign.path(before.folder()));
        for (seed, (name, format)) in (0..).zip(PICTURES) {
            write(&nothing.join("photos").join(name), &picture(seed, format)?)?;
        }
        fs_err::copy(model, nothing.join("model.onnx"))?;
        copy(&nothing, &earlier)?;
        let output = campaign.task().finished(&earlier)?;
        ensure!(output.status.success(), "an undisturbed run ended with {}: {}", output.status, said(&output));
        fs_err::remove_file(earlier.join("report.jsonl"))?;
        write(&earlier.join("photos/a.png"), &picture(9, Format::Png)?)?;
        write(&earlier.join("photos/new.png"), &picture(8, Format::Png)?)?;
        write(&earlier.join("out/b.png"), b"damaged")?;
        fs_err::remove_file(earlier.join("out/deep/er/e.webp"))?;
        for before in Before::ALL {
            let wanted = campaign.wanted(before);
            copy_with_times(&campaign.path(before.folder()), &wanted)?;
            let start = Instant::now();
            let calls = record(&campaign.task(), &wanted, &campaign.path("log"))?;
            campaign.duration = start.elapsed() / 2; // strace slows it
            campaign.calls.insert(before, calls);
        }
        Ok(campaign)
    }

    fn path(&self, name: &str) -> PathBuf {
        // strace shows the real one.
        self.folder.path().canonicalize().unwrap_or_else(|_| self.folder.path().to_owned()).join(name)
    }

    /// The folder after an undisturbed run.
    fn wanted(&self, before: Before) -> PathBuf {
        self.path(&format!("{} and a run", before.folder()))
    }

    fn task(&self) -> Task {
        Task::new(&self.infer, COMMAND.split_whitespace())
    }

    /// Every `stride`-th of each kind, from the middle of the first ones on.
    fn points(&self, stride: usize) -> Vec<Point> {
        let mut points = Vec::new();
        for (&before, calls) in &self.calls {
            let mut add = |kind, fate| points.push(Point { kind, before, fate });
            for call in calls.iter().filter(|call| is_ours(call)) {
                let fault = |effect| Fate::Fault(Fault { call: call.clone(), effect });
                if call.changes {
                    add("killed", fault(Effect::Signal("KILL")));
                }
                add("disk full once", fault(Effect::Error("ENOSPC")));
                add("disk full from then on", fault(Effect::ErrorFromThenOn("ENOSPC")));
                add("disk fails once", fault(Effect::Error("EIO")));
                add("disk fails from then on", fault(Effect::ErrorFromThenOn("EIO")));
            }
            for call in calls.iter().filter(|call| call.name == "write") {
                let fault = |effect| Fate::Fault(Fault { call: call.clone(), effect });
                add("Ctrl-C", fault(Effect::Signal("INT")));
                add("SIGTERM", fault(Effect::Signal("TERM")));
                if !is_ours(call) {
                    add("terminal fails", fault(Effect::Error("EIO")));
                    add("terminal fails from then on", fault(Effect::ErrorFromThenOn("EIO")));
                }
            }
            for (name, _) in PICTURES {
                for call in ["openat", "read"] {
                    add("picture cannot be read", Fate::Reading { path: format!("photos/{name}"), call });
                }
            }
            (0..MOMENTS / Before::ALL.len()).for_each(|_| add("killed at a random moment", Fate::Moment));
        }
        points.sort_by_key(|point| point.kind);
        let of_a_kind = points.chunk_by(|one, other| one.kind == other.kind);
        of_a_kind
            .flat_map(|points| {
                // Killed by the clock is cheap, and chance: always all.
                let stride = if matches!(points[0].fate, Fate::Moment) { 1 } else { stride };
                points.iter().skip(points.len().min(stride) / 2).step_by(stride).cloned()
            })
            .collect()
    }

    fn try_all(&self, points: &[Point]) -> Result<BTreeMap<&'static str, usize>> {
        let next = Mutex::new(points.iter());
        let (counts, failures) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (next, counts, failures) = (&next, &counts, &failures);
                scope.spawn(move || {
                    while failures.lock().expect("no panic").len() < FAILURES {
                        let Some(point) = next.lock().expect("no panic").next() else { return };
                        match self.try_point(point, worker) {
                            Ok(()) => *counts.lock().expect("no panic").entry(point.kind).or_default() += 1,
                            Err(error) => {
                                let failure =
                                    format!("{} ({:?}): {error:#}\n  {}", point.kind, point.before, self.repeat(point));
                                failures.lock().expect("no panic").push(failure);
                            }
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().expect("no panic");
        ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(counts.into_inner().expect("no panic"))
    }

    fn repeat(&self, point: &Point) -> String {
        match &point.fate {
            Fate::Fault(fault) => format!("{fault}: {}", fault.task(&self.task(), Path::new("/dev/null"))),
            Fate::Reading { path, call } => format!("{call} of {path} fails: {}", self.reading(path, call)),
            Fate::Moment => format!("killed by the clock: {}", self.task()),
        }
    }

    /// The command with a path that cannot be read.
    fn reading(&self, path: &str, call: &str) -> Task {
        let inject = format!("inject={call}:error=EIO");
        let options = ["-f", "-qq", "-o", "/dev/null", "-P", path, "-e", &format!("trace={call}"), "-e", &inject];
        self.task().behind("strace", options)
    }

    /// Runs, meets what it is to meet, and runs again.
    fn try_point(&self, point: &Point, worker: usize) -> Result<()> {
        let folder = self.path(&format!("worker {worker}"));
        if folder.is_dir() {
            fs_err::remove_dir_all(&folder)?;
        }
        copy_with_times(&self.path(point.before.folder()), &folder)?;
        let output = match &point.fate {
            Fate::Fault(fault) => Some(fault.run(&self.task(), &folder, &self.path(&format!("log {worker}")))?),
            Fate::Reading { path, call } => Some(self.reading(path, call).finished(&folder)?),
            Fate::Moment => self.kill_at_a_moment(&folder)?,
        };
        self.check_end(point, output.as_ref(), &folder)?;
        let again = self.task().finished(&folder)?;
        ensure!(again.status.success(), "run again, it ended with {}: {}", again.status, said(&again));
        self.check_same(point.before, &folder).context("run again")
    }

    /// None where the run had ended before.
    fn kill_at_a_moment(&self, folder: &Path) -> Result<Option<Output>> {
        let mut command = self.task().command(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        std::thread::sleep(self.duration.mul_f64(random()));
        child.kill()?;
        let output = child.wait_with_output()?;
        Ok(output.status.code().is_some().then_some(output))
    }
}

/// Whether a call is about the folder in which the run is: of a write to the terminal or a library it is not.
fn is_ours(call: &Call) -> bool {
    ["out", "report.jsonl"].iter().any(|ours| call.path.starts_with(ours)) || call.path.contains(".writing-")
}

/// A small picture of its own.
fn picture(seed: u8, format: Format) -> Result<Vec<u8>> {
    let picture = Picture::from_fn(12, 8, |x, y| [(x * 20) as u8 ^ seed, (y * 30) as u8, seed.wrapping_mul(27)].into());
    Ok(pictures::encode(&picture, format)?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs_err::create_dir_all(path.parent().context("inside a folder")?)?;
    Ok(fs_err::write(path, bytes)?)
}

/// Copies all files below a directory with their times: the journal holds those of the pictures.
fn copy_with_times(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let copied = to.join(entry.path().strip_prefix(from)?);
            fs_err::OpenOptions::new().write(true).open(copied)?.file().set_modified(entry.metadata()?.modified()?)?;
        }
    }
    Ok(())
}
