//! `cargo xtask prove resume`: however a short run is stopped, resuming it gives the bytes of one that never stopped.
//!
//! A run without fault is recorded. Then, for each point, the same run is started in a folder of its own, meets one fault,
//! and is resumed until it ends. A kill at a call comes before it is made, so that the disk is as all calls before it left
//! it; between two calls nothing changes there.

mod checks;
mod points;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::faults::{Call, Effect, Fault, can_inject_faults, copy, difference, random, record, said};
use crate::process::Task;
use checks::{checkpoints_in, is_best, is_checkpoint, is_of_a_session, last_line};
use points::{Fate, Point};
use table::{Outcome, Table};

/// The presets that are proven, each with the smallest size that it takes. Its errors are tried at every n-th call: what is
/// written how does not depend on the preset.
const PRESETS: [Preset; 2] = [
    Preset { name: "concat", size: 16, whole: true, every: 1 },
    Preset { name: "paper", size: 24, whole: false, every: 4 },
];
/// What leads to many events in few steps, with no path of the folder that it runs in: three saves of which two are kept, two measurements, four sheets.
const SHORT: &str = "--data stripes --data-root /none --width 2 --blocks 1 --threads 1 --seed 1 --steps 6 --log-every 1 --sample-every 2 \
                     --eval-every 3 --ema 0.9 --pool 2 --run run";
/// The run's directory, from the folder that the trainer runs in.
const RUN: &str = "run";
/// Where its checkpoints lie.
const CHECKPOINTS: &str = "run/checkpoints";
/// How many are kept.
const KEEP: usize = 2;
/// Points tried at a time.
const WORKERS: usize = 2;
/// Points that fail before the campaign gives up.
const FAILURES: usize = 10;
/// Points after which it is said how far the campaign is.
const SAID_EVERY: usize = 100;
/// What the trainer ends with where there is nothing to resume: see `program::Exit`.
const CANNOT_START: i32 = 3;

#[derive(Clone, Copy, Debug)]
struct Preset {
    name: &'static str,
    size: usize,
    /// Whether it is killed at every call of the run, or only from the last checkpoint but one on.
    whole: bool,
    every: usize,
}

/// The whole campaign.
pub(crate) fn run(root: &Path) -> Result<()> {
    Task::cargo(["build", "--package", "trainer"]).run(root)?;
    let trainer = crate::root::target_folder(root)?.join("debug/trainer");
    for preset in PRESETS {
        prove(&trainer, preset.name, 1)?;
    }
    Ok(())
}

/// Tries every `stride`-th point of each kind, at least one, with a trainer of a preset; prints a table to stderr.
///
/// # Errors
/// If there is a point that does not end with the same bytes, with what is different and how to repeat it.
pub fn prove(trainer: &Path, preset: &str, stride: usize) -> Result<()> {
    ensure!(can_inject_faults(), "strace is not installed: `apt-get install strace`");
    let preset = PRESETS.into_iter().find(|known| known.name == preset).context("there is no such preset")?;
    let start = Instant::now();
    let campaign = Campaign::new(trainer, preset)?;
    let points = points::sample(points::all(&campaign), stride);
    let table = campaign.try_all(&points)?;
    eprint!("{}", table.text(preset.name, start.elapsed()));
    Ok(())
}

/// What all points of a preset share.
#[derive(Debug)]
struct Campaign {
    preset: Preset,
    trainer: PathBuf,
    folder: TempDir,
    /// Calls of the run that nothing disturbs.
    calls: Vec<Call>,
    /// Calls of the one that goes on in [`Self::half_way`], until it takes its first step.
    resuming: Vec<Call>,
    /// A checkpoint of every step by its path, also of those that are not saved.
    checkpoints: BTreeMap<PathBuf, Vec<u8>>,
    /// How long the run takes.
    duration: Duration,
}

impl Campaign {
    fn new(trainer: &Path, preset: Preset) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut campaign = Self {
            preset,
            trainer: trainer.canonicalize().with_context(|| trainer.display().to_string())?,
            folder,
            calls: Vec::new(),
            resuming: Vec::new(),
            checkpoints: BTreeMap::new(),
            duration: Duration::ZERO,
        };
        let log = campaign.path("log");
        let start = Instant::now();
        campaign.calls = record(&campaign.begin(), &campaign.make("whole")?, &log)?;
        campaign.duration = start.elapsed();

        let all = campaign.make("all checkpoints")?;
        record(&campaign.saving(1000, 1), &all, &log)?;
        for entry in fs_err::read_dir(all.join(CHECKPOINTS))? {
            let path = entry?.path();
            campaign.checkpoints.insert(path.strip_prefix(&all)?.to_owned(), fs_err::read(&path)?);
        }
        ensure!(campaign.checkpoints.len() > KEEP, "the run is too short to remove a checkpoint");

        // Killed before its last checkpoint takes its place: sheets and a best of steps that will be made again are there.
        let mut fault = None;
        for call in campaign.calls.iter().filter(|call| call.name.starts_with("rename") && is_checkpoint(&call.path)) {
            fault = Some(Fault { call: call.clone(), effect: Effect::Signal("KILL") });
        }
        let half_way = campaign.make("half way")?;
        fault.context("the run renames no checkpoint")?.run(&campaign.begin(), &half_way, &log)?;
        let resumed = campaign.make("resumed")?;
        copy(&half_way, &resumed)?;
        campaign.resuming = record(&campaign.resume(), &resumed, &log)?;
        let first_step = campaign.resuming.iter().position(is_step).context("it makes no step")?;
        campaign.resuming.truncate(first_step);
        Ok(campaign)
    }

    fn path(&self, name: &str) -> PathBuf {
        // strace shows the real one.
        self.folder.path().canonicalize().unwrap_or_else(|_| self.folder.path().to_owned()).join(name)
    }

    fn make(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs_err::create_dir_all(&path)?;
        Ok(path)
    }

    /// The run from its start.
    fn begin(&self) -> Task {
        self.saving(KEEP, 2)
    }

    /// The same with other checkpoints.
    fn saving(&self, keep: usize, save_every: usize) -> Task {
        let Preset { name, size, .. } = self.preset;
        let arguments = format!("--preset {name} --size {size} {SHORT} --keep {keep} --save-every {save_every}");
        Task::new(&self.trainer, arguments.split_whitespace())
    }

    fn resume(&self) -> Task {
        Task::new(&self.trainer, ["--resume", RUN])
    }

    fn try_all(&self, points: &[Point]) -> Result<Table> {
        let next = Mutex::new(points.iter().enumerate());
        let (table, failures) = (Mutex::new(Table::default()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (next, table, failures) = (&next, &table, &failures);
                scope.spawn(move || {
                    while failures.lock().expect("no panic").len() < FAILURES {
                        let Some((index, point)) = next.lock().expect("no panic").next() else { return };
                        if index % SAID_EVERY == 0 {
                            eprintln!("{}: point {index} of {}", self.preset.name, points.len());
                        }
                        match self.try_point(point, worker) {
                            Ok(outcome) => table.lock().expect("no panic").add(point.kind, outcome),
                            Err(error) => {
                                let (preset, kind, repeat) = (self.preset.name, point.kind, self.how_to_repeat(point));
                                let failure = format!("{preset}, {kind}: {error:#}\n  {repeat}");
                                failures.lock().expect("no panic").push(failure);
                            }
                        }
                    }
                });
            }
        });
        let failures = failures.into_inner().expect("no panic");
        ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(table.into_inner().expect("no panic"))
    }

    fn how_to_repeat(&self, point: &Point) -> String {
        let resume = self.resume();
        let (what, first) = match &point.fate {
            Fate::Fault { fault, .. } => (fault.to_string(), fault.task(&self.begin(), Path::new("/dev/null"))),
            Fate::FaultInResume(fault) => (
                format!("{fault} of the run that goes on before its last checkpoint"),
                fault.task(&resume, Path::new("/dev/null")),
            ),
            Fate::Moments => ("killed at moments by the clock".into(), self.begin()),
            Fate::Damaged(damage) => (damage.to_string(), self.begin()),
        };
        format!("{what}; to repeat it, in an empty folder: {first}; then {resume}")
    }

    /// Runs, meets what it is to meet, and resumes until it ends.
    fn try_point(&self, point: &Point, worker: usize) -> Result<Outcome> {
        let folder = self.path(&format!("worker {worker}"));
        if folder.is_dir() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir_all(&folder)?;
        let log = self.path(&format!("log {worker}"));
        let ended = match &point.fate {
            Fate::Fault { fault, index } => {
                let output = fault.run(&self.begin(), &folder, &log)?;
                self.check_end(fault, &output)?;
                self.check_checkpoints(&folder, &points::checkpoints(&self.calls[..*index]))?;
                self.check_best(&folder, self.calls[..*index].iter().any(is_best))?;
                output.status.code() == Some(0)
            }
            Fate::FaultInResume(fault) => {
                copy(&self.path("half way"), &folder)?;
                let before: Vec<PathBuf> = checkpoints_in(&folder)?;
                let output = fault.run(&self.resume(), &folder, &log)?;
                self.check_end(fault, &output)?;
                self.check_checkpoints(&folder, &before)?;
                self.check_best(&folder, self.path("half way").join("run/best").is_dir())?;
                output.status.code() == Some(0)
            }
            Fate::Moments => self.kill_at_moments(&folder)?,
            Fate::Damaged(damage) => {
                copy(&self.path("whole"), &folder)?;
                damage.apply(&folder.join(CHECKPOINTS))?;
                false
            }
        };
        let outcome = if ended { Outcome::Ended } else { self.go_on(&folder, point)? };
        // One that the user stops saves at that step, and keeps other checkpoints from then on.
        let is_stopped = matches!(&point.fate, Fate::Fault { fault, .. } if fault.is_handled());
        let is_left_out = |file: &Path| is_of_a_session(file) || is_stopped && file.starts_with("checkpoints");
        if let Some(difference) = difference(&self.path("whole").join(RUN), &folder.join(RUN), is_left_out)? {
            bail!("{difference}");
        }
        let last = checkpoints_in(&self.path("whole"))?;
        self.check_checkpoints(&folder, &last[last.len() - 1..])?;
        Ok(outcome)
    }

    /// Resumes; begins anew where there is nothing to resume.
    fn go_on(&self, folder: &Path, point: &Point) -> Result<Outcome> {
        let task = self.resume();
        let output = task.finished(folder)?;
        let said = said(&output);
        let end = last_line(&said);
        if let Fate::Damaged(damage) = &point.fate {
            for file in damage.files() {
                let warning = format!("warning: {CHECKPOINTS}/{file} ");
                ensure!(said.contains(&warning) && said.contains("is left out"), "{file} is not warned of: {end}");
            }
        }
        match output.status.code() {
            Some(0) if said.contains("there is no checkpoint yet: from the start") => Ok(Outcome::Start),
            Some(0) => {
                ensure!(said.contains("resume    run after step "), "it does not say from where it goes on: {end}");
                Ok(Outcome::Checkpoint)
            }
            Some(CANNOT_START) if !folder.join("run/run.toml").exists() => {
                let task = self.begin();
                let output = task.finished(folder)?;
                ensure!(output.status.success(), "`{task}` ended with {}: {}", output.status, self::said(&output));
                Ok(Outcome::Anew)
            }
            _ => bail!("`{task}` ended with {}: {end}", output.status),
        }
    }

    /// Kills the run at random moments, again and again, until it has come to its end; says whether it has.
    fn kill_at_moments(&self, folder: &Path) -> Result<bool> {
        for _kill in 0..4 {
            let task = if folder.join("run/run.toml").exists() { self.resume() } else { self.begin() };
            let mut command = task.command(folder);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            std::thread::sleep(self.duration.mul_f64(random()));
            child.kill()?;
            let status = child.wait()?;
            ensure!(status.code().is_none_or(|code| code == 0), "`{task}` ended with {status} by itself");
            self.check_checkpoints(folder, &[])?;
            self.check_best(folder, false)?;
        }
        Ok(false)
    }
}

/// Whether a call adds a line to the metrics: a step's losses, for every step here, or a measurement.
fn is_step(call: &Call) -> bool {
    call.name == "write" && call.path == "run/metrics.jsonl" && !call.temporary
}
