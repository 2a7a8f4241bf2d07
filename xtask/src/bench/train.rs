//! `cargo xtask bench train`: seconds a training step of ours and of the published loop in PyTorch.
//!
//! The trainer's first weights follow from its seed: a run whose rate is too small to change them writes them out for
//! the other side. Each side of the data has one picture, so that both see the same whatever their order is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::environment;
use super::losses::{self, Losses};
use super::statistics::{median, range};
use crate::process::Task;
use crate::root::target_folder;

/// Both sides compute with as many.
const THREADS: &str = "2";
/// No crop, no flip: a picture of the training size stays as it is.
const UNCHANGED: [&str; 4] = ["--load-scale", "1", "--flip", "false"];
/// Changes no weight.
const NO_RATE: &str = "1e-30";
/// Losses of the first step, as a share: both sides sum some thousand numbers in orders of their own.
const SAME: f64 = 1e-4;
/// A later step whose losses are compared too. Adam's first steps are all about the rate in size, whatever the gradient
/// is: where it is nearly zero, rounding decides its sign, so losses drift apart.
const LATER: usize = 3;

/// The slowest round beside the fastest, of the same side, from which on something else must have run.
const DISTURBED: f64 = 1.15;

/// What is trained.
struct Setting {
    family: &'static str,
    size: u32,
    width: u32,
    blocks: u32,
    /// Of one process; the first is left out.
    steps: usize,
}

const SMALL: Setting = Setting { family: "paper", size: 64, width: 32, blocks: 6, steps: 13 };
const LARGE: Setting = Setting { family: "paper", size: 128, width: 64, blocks: 9, steps: 4 };
const SETTINGS: [Setting; 4] =
    [SMALL, Setting { family: "concat", ..SMALL }, LARGE, Setting { family: "concat", ..LARGE }];

/// Flags of `cargo xtask bench train`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Times that each side runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this size or family
    #[arg(long, value_name = "WHICH", value_parser = ["64", "128", "paper", "concat"])]
    only: Option<String>,
}

/// What one process of a side did.
#[derive(Clone, Debug)]
struct Run {
    /// Of each step.
    seconds: Vec<f64>,
    losses: Vec<Losses>,
}

impl Run {
    /// The median step after the first, which is slower than all others.
    fn step(&self) -> f64 {
        median(&self.seconds[1..])
    }
}

/// A round of a setting: ours and theirs.
type Round = [Run; 2];

/// Measures, and prints the table.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let python = environment::python(root, &environment::TORCH)?;
    Task::cargo(["build", "--release", "--package", "trainer"]).run(root)?;
    let target = target_folder(root)?;
    let sides = Sides { root, python, trainer: target.join("release/trainer"), folder: target.join("bench-train") };
    let mut rows = Vec::new();
    for setting in SETTINGS.iter().filter(|setting| setting.is_asked_for(arguments.only.as_deref())) {
        eprintln!("\n── {}", setting.name());
        sides.prepare(setting)?;
        let mut rounds = Vec::new();
        for round in 1..=arguments.rounds {
            let done = [sides.ours(setting)?, sides.theirs(setting)?];
            let [ours, theirs] = done.each_ref().map(Run::step);
            eprintln!("round {round}: {ours:.3} s and {theirs:.3} s a step, ratio {:.3}", ours / theirs);
            rounds.push(done);
        }
        rows.push(Row::of(setting, &rounds)?);
    }
    println!("{}", table(&rows));
    for Row { name, spread, .. } in rows.iter().filter(|row| row.spread > DISTURBED) {
        eprintln!(
            "warning: {name}: the slowest round took {spread:.1} times the fastest, so something else ran: measure again"
        );
    }
    let other: Vec<&str> = rows.iter().filter(|row| row.first > SAME).map(|row| row.name.as_str()).collect();
    if !other.is_empty() {
        bail!("the first losses differ by more than {SAME:e}, so the two sides do not compute the same: {other:?}");
    }
    Ok(())
}

impl Setting {
    fn name(&self) -> String {
        format!("{}, {} px, width {}, {} blocks", self.family, self.size, self.width, self.blocks)
    }

    fn is_asked_for(&self, only: Option<&str>) -> bool {
        only.is_none_or(|only| only == self.family || only == self.size.to_string())
    }
}

/// Where both sides lie, and what they read and write.
struct Sides<'a> {
    root: &'a Path,
    python: PathBuf,
    trainer: PathBuf,
    folder: PathBuf,
}

impl Sides<'_> {
    /// Pictures and first weights.
    fn prepare(&self, setting: &Setting) -> Result<()> {
        let data = self.data(setting);
        if data.is_dir() {
            fs_err::remove_dir_all(&data)?;
        }
        let folder = data.display().to_string();
        let size = setting.size.to_string();
        Task::new(&self.trainer, ["datasets", "stripes", &folder, "--size", &size]).output(self.root)?;
        for side in ["trainA", "trainB"] {
            for picture in pictures::find(&data.join(side))?.iter().skip(1) {
                fs_err::remove_file(picture)?;
            }
        }
        for side in ["testA", "testB"] {
            fs_err::remove_dir_all(data.join(side))?; // nothing is evaluated
        }
        self.trainer(setting, "weights", 1, NO_RATE).output(self.root).map(drop)
    }

    fn ours(&self, setting: &Setting) -> Result<Run> {
        self.trainer(setting, "run", setting.steps, "2e-4").output(self.root)?;
        let read = |name: &str| fs_err::read_to_string(self.folder.join("run").join(name));
        Ok(Run { seconds: seconds(&read("timing.jsonl")?)?, losses: losses::read(&read("metrics.jsonl")?)? })
    }

    fn theirs(&self, setting: &Setting) -> Result<Run> {
        let script = self.root.join("xtask/src/bench/published_loop.py").display().to_string();
        let [weights, data] = [self.folder.join("weights"), self.data(setting)].map(|path| path.display().to_string());
        let [width, blocks] = [setting.width, setting.blocks].map(|number| number.to_string());
        let arguments =
            [&script, setting.family, &width, &blocks, &weights, &data, &setting.steps.to_string(), THREADS];
        let lines = Task::new(&self.python, arguments.map(str::to_owned)).output(self.root)?;
        let lines = String::from_utf8(lines).context("the published loop prints JSON")?;
        Ok(Run { seconds: seconds(&lines)?, losses: losses::read(&lines)? })
    }

    fn trainer(&self, setting: &Setting, run: &str, steps: usize, rate: &str) -> Task {
        let Setting { family, size, width, blocks, .. } = setting;
        let fixed = "--objective joint --schedule constant --device cpu --log-every 1 --overwrite --quiet";
        let sized = format!("--preset {family} --size {size} --width {width} --blocks {blocks} --steps {steps}");
        let (data, run) = (self.data(setting), self.folder.join(run));
        let folders = ["--data".as_ref(), data.as_os_str(), "--run".as_ref(), run.as_os_str()];
        let words = [sized.as_str(), fixed].into_iter().flat_map(str::split_whitespace);
        let words = words.chain(UNCHANGED).chain(["--threads", THREADS, "--rate", rate]);
        Task::new(&self.trainer, words.map(OsString::from).chain(folders.map(OsString::from)))
    }

    fn data(&self, setting: &Setting) -> PathBuf {
        self.folder.join(format!("stripes-{}", setting.size))
    }
}

fn seconds(lines: &str) -> Result<Vec<f64>> {
    let line = |line: &str| {
        let json: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        json["seconds"].as_f64().with_context(|| format!("no seconds: {line}"))
    };
    lines.lines().map(line).collect()
}

/// What the rounds of a setting say together.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    /// Median over rounds of the seconds a step, ours and theirs.
    seconds: [f64; 2],
    ratio: f64,
    ratios: [f64; 2],
    /// The slowest round beside the fastest, of the side where that is more.
    spread: f64,
    /// Largest difference of losses at the first step and at [`LATER`], as a share.
    first: f64,
    later: f64,
}

impl Row {
    fn of(setting: &Setting, rounds: &[Round]) -> Result<Self> {
        let sides = [0, 1].map(|side| rounds.iter().map(|round| round[side].step()).collect::<Vec<_>>());
        let spread = |steps: &Vec<f64>| {
            let [least, most] = range(steps);
            most / least
        };
        // Of one round: a machine that slows down in between slows both sides of the same round.
        let ratios: Vec<f64> = rounds.iter().map(|[ours, theirs]| ours.step() / theirs.step()).collect();
        let difference = |step: usize| {
            let of_round =
                |[ours, theirs]: &Round| losses::difference(&ours.losses[step - 1], &theirs.losses[step - 1]);
            rounds.iter().map(of_round).try_fold(0.0, |most, found| Ok::<_, anyhow::Error>(found?.max(most)))
        };
        Ok(Self {
            name: setting.name(),
            seconds: sides.each_ref().map(|steps| median(steps)),
            ratio: median(&ratios),
            ratios: range(&ratios),
            spread: sides.iter().map(spread).fold(1.0, f64::max),
            first: difference(1)?,
            later: difference(LATER)?,
        })
    }
}

/// In Markdown, as docs/performance.md has it.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        format!(
            "| | ours, s a step | PyTorch | ratio | of single rounds | losses differ at step 1 | at step {LATER} |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- |".into(),
    ];
    lines.extend(rows.iter().map(|row| {
        let Row { name, seconds: [ours, theirs], ratio, ratios: [least, most], first, later, .. } = row;
        format!(
            "| {name} | {ours:.3} | {theirs:.3} | **{ratio:.2}** | {least:.2}–{most:.2} | {first:.0e} | {later:.0e} |"
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: &[f64], loss: f64) -> Run {
        let losses = seconds.iter().map(|_| Losses::from([("cycle_a".into(), loss)])).collect();
        Run { seconds: seconds.to_vec(), losses }
    }

    #[test]
    fn a_ratio_is_of_one_round_and_without_the_first_step() {
        let rounds = [
            [run(&[9.0, 0.8, 0.8], 1.0), run(&[1.0, 1.0, 1.0], 1.0)],
            [run(&[9.0, 1.8, 1.8], 1.0), run(&[3.0, 2.0, 2.0], 1.0)], // a slow machine
            [run(&[9.0, 0.7, 0.7], 1.0), run(&[1.0, 1.0, 1.0], 1.00001)],
        ];
        let row = Row::of(&SMALL, &rounds).expect("losses have the same names");
        assert_eq!(row.spread, 1.8 / 0.7);
        assert_eq!(
            table(&[row]).lines().last(),
            Some("| paper, 64 px, width 32, 6 blocks | 0.800 | 1.000 | **0.80** | 0.70–0.90 | 1e-5 | 1e-5 |")
        );
    }

    #[test]
    fn a_setting_is_chosen_by_size_or_family() {
        let chosen = |only| SETTINGS.iter().filter(|setting| setting.is_asked_for(only)).count();
        assert_eq!([None, Some("64"), Some("concat")].map(chosen), [4, 2, 2]);
    }
}
