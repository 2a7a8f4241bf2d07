//! `cargo xtask bench infer`: a folder through `infer`, beside the bare session and what people write in Python.
//!
//! With a network that dominates, all that is not the network must disappear behind it. With one that does next to nothing
//! what counts is how well the stages share the cores: no run can be faster than its slowest stage alone, nor than all of its
//! work over all cores, which are as few as two here.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::Value;

use super::environment::{self, PNNX, RUNTIMES};
use super::statistics::{median, range};
use super::translated::{number, translated};
use crate::process::Task;
use crate::root::target_folder;

/// Flags of `cargo xtask bench infer`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Pictures through the network that dominates, each round
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pictures: u32,
    /// Times that every side runs
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

const THREADS: &str = "2";
/// Pictures through the network that does next to nothing.
const MANY: u32 = 1000;
/// Between these numbers of pictures, memory must not grow.
const FEW_AND_LARGE: [u32; 2] = [200, 5000];
/// Without our own kernels: as the session that it is compared with.
const PLAIN: [&str; 2] = ["--cpu-kernels", "off"];
/// The trivial network: red and blue swapped.
const SWAP: &str = "infer/tests/fixtures/swap.onnx";
/// The full `paper` generator with its first weights.
const NETWORK: &str =
    "--preset paper --size 64 --width 64 --blocks 9 --steps 1 --rate 1e-30 --device cpu --overwrite --quiet";

/// What is demanded: the most that each ratio, or number of seconds, may be.
const MOST_BESIDE_SESSION: f64 = 1.04;
const MOST_BESIDE_STAGE: f64 = 1.15;
const MOST_GROWTH: f64 = 1.05;
const MOST_START: f64 = 0.3;

/// Measures, prints tables, and ends with an error where something is above its bound.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    Task::cargo(["build", "--release", "-p", "trainer", "-p", "exporter", "-p", "infer"]).run(root)?;
    let bench = Bench::new(root)?;
    let network = bench.network()?;
    let mut bounds = Vec::new();
    println!("{}", bench.beside_others(&network, arguments, &mut bounds)?);
    println!("\n{}", bench.trivial(&mut bounds)?);
    println!("\n{}", bench.memory(&mut bounds)?);
    println!("\n{}", bench.start(&network, &mut bounds)?);
    let above: Vec<String> = bounds.iter().filter_map(Bound::fault).collect();
    if above.is_empty() { Ok(()) } else { bail!("{}; did something else run meanwhile?", above.join("; ")) }
}

/// A number that has a bound.
struct Bound {
    what: &'static str,
    found: f64,
    most: f64,
}

impl Bound {
    fn fault(&self) -> Option<String> {
        let Self { what, found, most } = self;
        (found > most).then(|| format!("{what}: {found:.3}, more than {most}"))
    }
}

struct Bench<'a> {
    root: &'a Path,
    python: PathBuf,
    programs: PathBuf,
    folder: PathBuf,
}

impl<'a> Bench<'a> {
    fn new(root: &'a Path) -> Result<Self> {
        let target = target_folder(root)?;
        let folder = target.join("bench-infer");
        fs_err::create_dir_all(&folder)?;
        Ok(Self { root, python: environment::python(root, &RUNTIMES)?, programs: target.join("release"), folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// What the script says.
    fn script(&self, words: &[&str]) -> Result<Value> {
        translated(self.root, &self.python, words)
    }

    /// A folder of so many pictures, made once.
    fn pictures(&self, count: u32) -> Result<String> {
        let folder = self.path(&format!("{count} pictures"));
        if !Path::new(&folder).is_dir() {
            let unfinished = self.path("unfinished");
            if Path::new(&unfinished).is_dir() {
                fs_err::remove_dir_all(&unfinished)?;
            }
            self.script(&["make", &unfinished, &count.to_string()])?;
            fs_err::rename(unfinished, &folder)?;
        }
        Ok(folder)
    }

    fn network(&self) -> Result<String> {
        let [data, run, weights, model] = ["stripes", "run", "run/g_ab.ot", "network.onnx"].map(|name| self.path(name));
        let trainer = self.programs.join("trainer");
        if !Path::new(&data).is_dir() {
            Task::new(&trainer, ["datasets", "stripes", &data, "--size", "64"]).output(self.root)?;
        }
        let words = NETWORK.split(' ').chain(["--data", &data, "--run", &run]);
        Task::new(&trainer, words).output(self.root)?;
        Task::new(self.programs.join("exporter"), [&weights, "-o", &model, "--no-verify"]).output(self.root)?;
        let converter = environment::python(self.root, &PNNX)?;
        translated(self.root, &converter, &["convert", &model, &self.path("network")])?;
        Ok(model)
    }

    /// Runs `infer` into an empty folder.
    fn infer(&self, model: &str, pictures: &str, flags: &[&str]) -> Result<Value> {
        let output = self.output("out")?;
        let infer = self.programs.join("infer").display().to_string();
        let words = ["command", &infer, "--model", model, pictures, &output, "--fit", "native", "--device", "cpu"];
        self.script(&[&words[..], &["--threads", THREADS], flags].concat())
    }

    /// A folder that is not there.
    fn output(&self, name: &str) -> Result<String> {
        let output = self.path(name);
        if Path::new(&output).is_dir() {
            fs_err::remove_dir_all(&output)?;
        }
        Ok(output)
    }

    /// `infer`, the bare session and others in turns.
    fn beside_others(&self, model: &str, arguments: &Arguments, bounds: &mut Vec<Bound>) -> Result<String> {
        const OTHERS: [(&str, &str); 5] = [
            ("loop", "onnxruntime + Pillow, one by one"),
            ("pool", "onnxruntime + Pillow, with threads"),
            ("openvino", "OpenVINO as it comes + Pillow"),
            ("openvino-f32", "OpenVINO in f32 + Pillow"),
            ("ncnn", "ncnn in f32 + Pillow"),
        ];
        const OWN: [&str; 3] = ["infer", "infer on ONNX Runtime's kernels only", "bare session × N"];
        let count = arguments.pictures;
        let pictures = self.pictures(count)?;
        // Of ours a test says it; it writes no numbers here.
        let mut differences = vec![String::new(); OWN.len() + OTHERS.len()];
        let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); OWN.len() + OTHERS.len()];
        for round in 1..=arguments.rounds {
            eprintln!("round {round} of {}", arguments.rounds);
            seconds[0].push(number(&self.infer(model, &pictures, &[])?, "seconds")?);
            seconds[1].push(number(&self.infer(model, &pictures, &PLAIN)?, "seconds")?);
            let bare = self.script(&["bare", model, &count.to_string(), THREADS])?;
            seconds[2].push(number(&bare, "seconds")? * f64::from(count));
            for (place, (kind, _)) in OTHERS.into_iter().enumerate() {
                let output = self.output("other")?;
                let other = self.script(&[kind, model, &pictures, &output, THREADS])?;
                seconds[OWN.len() + place].push(number(&other, "seconds")?);
                differences[OWN.len() + place] = format!("{:.0e}", number(&other, "difference")?);
            }
        }
        let names = OWN.into_iter().chain(OTHERS.map(|(_, name)| name));
        let mut lines = vec![
            format!("{count} pictures of 256×256, paper generator (11.4 M parameters), {THREADS} threads:\n"),
            "| | s | infer beside it | of single rounds | differs by |".into(),
            "| --- | --- | --- | --- | --- |".into(),
        ];
        for ((name, side), difference) in names.zip(&seconds).zip(differences) {
            let ratios = ratios(&seconds[0], side);
            let ([least, most], ratio) = (range(&ratios), median(&ratios));
            lines.push(format!(
                "| {name} | {:.2} | **{ratio:.3}** | {least:.3}–{most:.3} | {difference} |",
                median(side)
            ));
        }
        let found = median(&ratios(&seconds[1], &seconds[2]));
        lines.push(format!(
            "\nOn ONNX Runtime's kernels only, infer takes {found:.3} times what the bare session does."
        ));
        bounds.push(Bound { what: "wall time beside the bare session", found, most: MOST_BESIDE_SESSION });
        Ok(lines.join("\n"))
    }

    /// With the trivial network: the wall time beside the slowest stage alone, and beside all work over the cores.
    fn trivial(&self, bounds: &mut Vec<Bound>) -> Result<String> {
        let model = self.root.join(SWAP).display().to_string();
        let pictures = self.pictures(MANY)?;
        let cores = std::thread::available_parallelism()?.get() as f64;
        let (mut walls, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let run = self.infer(&model, &pictures, &[])?;
            let [wall, work] = [number(&run, "seconds")?, number(&run, "work")?];
            let report = self.path("report.jsonl");
            self.infer(&model, &pictures, &["--jobs", "1:1", "--report", &report])?;
            let [decode, translate, encode] = stages(&fs_err::read_to_string(report)?)?;
            let slowest = (decode / cores).max(translate).max(encode / cores);
            walls.push(wall);
            floors.push([slowest, work / cores]);
        }
        let [slowest, work] = [0, 1].map(|place| median(&floors.iter().map(|floor| floor[place]).collect::<Vec<_>>()));
        let wall = median(&walls);
        let ratio = wall / slowest.max(work);
        bounds.push(Bound { what: "wall time beside what no run can beat", found: ratio, most: MOST_BESIDE_STAGE });
        Ok(format!(
            "{MANY} pictures, trivial network: {wall:.2} s; slowest stage alone {slowest:.2} s ({:.2}), all work over \
             {cores} cores {work:.2} s ({:.2})",
            wall / slowest,
            wall / work
        ))
    }

    fn memory(&self, bounds: &mut Vec<Bound>) -> Result<String> {
        let model = self.root.join(SWAP).display().to_string();
        let mut peaks = [Vec::new(), Vec::new()];
        // In turns, since the allocator's luck alone is 2 %.
        for _ in 0..3 {
            for (peaks, count) in peaks.iter_mut().zip(FEW_AND_LARGE) {
                peaks.push(number(&self.infer(&model, &self.pictures(count)?, &[])?, "peak")?);
            }
        }
        let [few, many] = peaks.map(|peaks| median(&peaks));
        bounds.push(Bound { what: "peak memory over 5,000 pictures beside 200", found: many / few, most: MOST_GROWTH });
        let [less, more] = FEW_AND_LARGE;
        Ok(format!(
            "peak memory: {:.1} MB over {less} pictures, {:.1} MB over {more} ({:.3})",
            few / 1e6,
            many / 1e6,
            many / few
        ))
    }

    /// From start to end with one picture, without loading the model and running it.
    fn start(&self, model: &str, bounds: &mut Vec<Bound>) -> Result<String> {
        let pictures = self.pictures(1)?;
        let mut beyond = Vec::new();
        for _ in 0..5 {
            let bare = self.script(&["bare", model, "3", THREADS])?;
            let whole = number(&self.infer(model, &pictures, &PLAIN)?, "seconds")?;
            beyond.push(whole - number(&bare, "load")? - number(&bare, "seconds")?);
        }
        let beyond = median(&beyond);
        bounds.push(Bound { what: "seconds to the first picture", found: beyond, most: MOST_START });
        Ok(format!("start to first picture: {beyond:.2} s beyond loading the model and running it"))
    }
}

fn ratios(ones: &[f64], others: &[f64]) -> Vec<f64> {
    ones.iter().zip(others).map(|(one, other)| one / other).collect()
}

/// Seconds in each stage over all pictures of a report. A batch's seconds are those of each of its pictures, which were alone.
fn stages(report: &str) -> Result<[f64; 3]> {
    let mut sums = [0.0; 3];
    for line in report.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let Some(seconds) = line.get("seconds").filter(|_| line["status"] == "translated") {
            for (sum, stage) in sums.iter_mut().zip(["decode", "translate", "encode"]) {
                *sum += number(seconds, stage)?;
            }
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_above_its_bound_is_a_fault_that_says_so() {
        let bound = |found| Bound { what: "memory", found, most: 1.05 };
        assert_eq!(bound(1.05).fault(), None);
        assert_eq!(bound(1.06).fault().as_deref(), Some("memory: 1.060, more than 1.05"));
    }

    #[test]
    fn stages_are_those_of_translated_pictures() {
        let line = r#"{"status":"translated","seconds":{"decode":1.0,"translate":2.0,"encode":4.0}}"#;
        let other = r#"{"status":"failed","seconds":{"decode":9.0,"translate":0.0,"encode":0.0}}"#;
        let report = format!("{line}\n{other}\n{line}\n{{\"summary\":{{}}}}\n");
        assert_eq!(stages(&report).expect("a report"), [2.0, 4.0, 8.0]);
    }
}
