//! `cargo xtask bench kernels`: whole generators on our kernels for the CPU beside ONNX Runtime's, in turns in one process,
//! and beside what else people run on a CPU.

mod plot;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::environment::{self, PNNX, RUNTIMES, TORCH};
use super::statistics::{median, range};
use super::translated::{number, translated};
use crate::process::Task;
use crate::root::target_folder;
use plot::Bar;

/// Flags of `cargo xtask bench kernels`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Times that each side runs, in turns
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only this [default: everything]
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The sizes that have a bound, with either tile
    Bounds,
    /// Sizes, batches, widths and threads; writes the plot
    Spread,
    /// What else runs on a CPU
    Others,
    /// The most memory that `infer` takes
    Memory,
}

const FLAGS: &str = "--size 64 --blocks 9 --steps 1 --rate 1e-30 --device cpu --overwrite --quiet";
const THREADS: u32 = 2;
/// Pictures × rows × columns that have an aim.
const SHORT: [&str; 3] = ["1x256x256", "4x256x256", "1x512x512"];
/// Networks, how many times as fast as ONNX Runtime they are to be in those sizes, and how many times its memory they may take,
/// both with F(4×4, 3×3).
const AIMS: [(&str, [f64; 3], f64); 2] = [("paper", [2.3, 2.0, 2.0], 1.4), ("concat", [2.7, 2.0, 2.0], 2.0)];
/// Pictures that `infer` translates for the memory's sake.
const PICTURES: &str = "8";
const LONG: [&str; 6] = ["1x64x64", "1x128x128", "1x256x256", "1x252x380", "4x256x256", "1x512x512"];
/// Networks with their widths, and threads.
const SPREAD: [(&str, u32, u32); 4] = [("paper", 64, 2), ("paper", 64, 1), ("paper", 32, 2), ("concat", 64, 2)];
/// Where the plot lies, which docs/performance.md shows.
const PLOT: &str = "docs/kernels.svg";

/// Measures and prints tables; writes the plot.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    Task::cargo(["build", "--release", "-p", "trainer", "-p", "exporter"]).run(root)?;
    Task::cargo(["build", "--release", "-p", "kernels", "--example", "turns"]).run(root)?;
    let target = target_folder(root)?;
    let folder = target.join("bench-kernels");
    fs_err::create_dir_all(&folder)?;
    let bench = Bench { root, programs: target.join("release"), folder, rounds: arguments.rounds };
    let is_asked = |part| arguments.only.is_none_or(|only| only == part);
    if is_asked(Part::Bounds) {
        println!("{THREADS} threads, {} rounds in turns:\n\n{}\n", bench.rounds, bench.bounds()?);
    }
    if is_asked(Part::Spread) {
        let (table, plot) = bench.spread()?;
        println!("{table}\n");
        program::files::write_whole(&root.join(PLOT), plot.as_bytes())?;
    }
    if is_asked(Part::Others) {
        println!("{}\n", bench.others()?);
    }
    if is_asked(Part::Memory) {
        Task::cargo(["build", "--release", "-p", "infer"]).run(root)?;
        println!("{}", bench.memory()?);
    }
    Ok(())
}

struct Bench<'a> {
    root: &'a Path,
    programs: PathBuf,
    folder: PathBuf,
    rounds: u32,
}

/// What `turns` found at one shape.
struct Turns {
    shape: String,
    plain: f64,
    ours: f64,
    ratio: f64,
    range: [f64; 2],
    difference: f64,
}

impl Turns {
    fn cells(&self) -> String {
        let Self { plain, ours, ratio, range: [least, most], .. } = self;
        format!("{:.0} | {:.0} | **{ratio:.2}** | {least:.2}–{most:.2}", 1e3 * plain, 1e3 * ours)
    }
}

impl Bench<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A generator's ONNX file with its first weights, made once.
    fn model(&self, network: &str, width: u32) -> Result<String> {
        let name = format!("{network}-{width}");
        let model = self.path(&format!("{name}.onnx"));
        if Path::new(&model).is_file() {
            return Ok(model);
        }
        let (data, run) = (self.path("stripes"), self.path(&name));
        let trainer = self.programs.join("trainer");
        if !Path::new(&data).is_dir() {
            Task::new(&trainer, ["datasets", "stripes", &data, "--size", "64"]).output(self.root)?;
        }
        let width = width.to_string();
        let words = ["--preset", network, "--width", &width, "--data", &data, "--run", &run];
        Task::new(&trainer, words.into_iter().chain(FLAGS.split(' '))).output(self.root)?;
        let weights = format!("{run}/g_ab.ot");
        Task::new(self.programs.join("exporter"), [&weights, "-o", &model, "--no-verify"]).output(self.root)?;
        Ok(model)
    }

    /// A model on both sides, with the seconds that each takes to load.
    fn turns(&self, model: &str, kernels: &str, threads: u32, shapes: &[&str]) -> Result<(Vec<Turns>, [f64; 2])> {
        let [threads, rounds] = [threads, self.rounds].map(|number| number.to_string());
        let words = [&[model, kernels, &threads, &rounds], shapes].concat();
        let printed = Task::new(self.programs.join("examples/turns"), words).output(self.root)?;
        let (mut found, mut loads) = (Vec::new(), [0.0; 2]);
        for line in String::from_utf8(printed)?.lines() {
            let line: Value = serde_json::from_str(line)?;
            let number = |key| number(&line, key);
            match line["shape"].as_str() {
                Some(shape) => found.push(Turns {
                    shape: shape.replace('x', "×"),
                    plain: number("plain")?,
                    ours: number("ours")?,
                    ratio: number("ratio")?,
                    range: [number("least")?, number("most")?],
                    difference: number("difference")?,
                }),
                None => loads = [number("load_plain")?, number("load_ours")?],
            }
        }
        Ok((found, loads))
    }

    /// Sizes that have a bound, with either tile.
    fn bounds(&self) -> Result<String> {
        let mut lines = vec![
            "| network | pictures | kernels | ONNX Runtime, ms | ours, ms | times as fast | of single rounds | aim | differs by |"
                .into(),
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |".into(),
        ];
        let mut loads = Vec::new();
        for (network, aims, _) in AIMS {
            let model = self.model(network, 64)?;
            for kernels in ["winograd4", "winograd6"] {
                let (found, [plain, ours]) = self.turns(&model, kernels, THREADS, &SHORT)?;
                loads.push(format!("{network} with {kernels} {ours:.2} s (ONNX Runtime alone {plain:.2} s)"));
                lines.extend(found.iter().zip(aims).map(|(found, aim)| {
                    let Turns { shape, difference, .. } = found;
                    let aim = if kernels == "winograd4" { aim.to_string() } else { String::new() };
                    format!("| {network} | {shape} | {kernels} | {} | {aim} | {difference:.0e} |", found.cells())
                }));
            }
        }
        lines.push(format!("\nTo load: {}.", loads.join(", ")));
        Ok(lines.join("\n"))
    }

    /// Over sizes, batches, threads and widths: a table, and a picture of it.
    fn spread(&self) -> Result<(String, String)> {
        let mut lines = vec![
            "| network | width | threads | pictures | ONNX Runtime, ms | ours, ms | times as fast | of single rounds |"
                .into(),
            "| --- | --- | --- | --- | --- | --- | --- | --- |".into(),
        ];
        let mut bars = Vec::new();
        for (network, width, threads) in SPREAD {
            let (found, _) = self.turns(&self.model(network, width)?, "auto", threads, &LONG)?;
            for found in &found {
                let Turns { shape, ratio, .. } = found;
                lines.push(format!("| {network} | {width} | {threads} | {shape} | {} |", found.cells()));
                let plural = if threads == 1 { "" } else { "s" };
                let series = format!("{network}, width {width}, {threads} thread{plural}");
                bars.push(Bar { series, place: shape.clone(), height: *ratio });
            }
        }
        Ok((lines.join("\n"), plot::grouped("times as fast as ONNX Runtime, by pictures × rows × columns", &bars)))
    }

    /// One picture of 256×256 on what else people run, in turns, each side in a process of its own.
    fn others(&self) -> Result<String> {
        const OTHERS: [(&str, &str); 4] = [
            ("openvino-f32", "OpenVINO in f32"),
            ("openvino", "OpenVINO as it comes"),
            ("ncnn", "ncnn in f32"),
            ("torch", "PyTorch"),
        ];
        let mut lines = vec![
            format!("One picture of 256×256, {THREADS} threads:\n"),
            "| network | | ms | times as long as ours | of single rounds |".into(),
            "| --- | --- | --- | --- | --- |".into(),
        ];
        let [runtimes, converter, torch] = [&RUNTIMES, &PNNX, &TORCH].map(|kind| environment::python(self.root, kind));
        let (runtimes, converter, torch) = (runtimes?, converter?, torch?);
        for (network, ..) in AIMS {
            let model = self.model(network, 64)?;
            let beside = self.path(&format!("{network}-64"));
            if !Path::new(&format!("{beside}.bin")).is_file() {
                translated(self.root, &converter, &["convert", &model, &beside])?;
            }
            let mut seconds = [(); 2 + OTHERS.len()].map(|()| Vec::new());
            for round in 1..=self.rounds {
                eprintln!("{network}: round {round} of {}", self.rounds);
                let (found, _) = self.turns(&model, "auto", THREADS, &SHORT[..1])?;
                let found = found.first().context("`turns` printed no shape")?;
                seconds[0].push(found.ours);
                seconds[1].push(found.plain);
                for ((kind, _), seconds) in OTHERS.iter().zip(&mut seconds[2..]) {
                    let python = if *kind == "torch" { &torch } else { &runtimes };
                    // Some cannot run every network.
                    match translated(self.root, python, &["alone", kind, &model, "4", &THREADS.to_string()]) {
                        Ok(found) => seconds.push(number(&found, "seconds")?),
                        Err(error) => eprintln!("{network} on {kind}: {error:#}"),
                    }
                }
            }
            let names = ["ours", "ONNX Runtime"].into_iter().chain(OTHERS.map(|(_, name)| name));
            for (name, side) in names.zip(&seconds).filter(|(_, side)| !side.is_empty()) {
                let ratios: Vec<f64> = side.iter().zip(&seconds[0]).map(|(side, ours)| side / ours).collect();
                let ([least, most], ratio) = (range(&ratios), median(&ratios));
                let ms = 1e3 * median(side);
                lines.push(format!("| {network} | {name} | {ms:.0} | **{ratio:.2}** | {least:.2}–{most:.2} |"));
            }
        }
        Ok(lines.join("\n"))
    }

    /// The most memory that `infer` takes with our kernels, beside ONNX Runtime's alone.
    fn memory(&self) -> Result<String> {
        let python = environment::python(self.root, &RUNTIMES)?;
        let [pictures, output] = ["pictures", "out"].map(|name| self.path(name));
        // A run that was stopped may have left some.
        if Path::new(&pictures).is_dir() {
            fs_err::remove_dir_all(&pictures)?;
        }
        translated(self.root, &python, &["make", &pictures, PICTURES])?;
        let infer = self.programs.join("infer").display().to_string();
        let mut lines = vec![
            format!("`infer` over {PICTURES} pictures of 256×256, one at a time, {THREADS} threads:\n"),
            "| network | kernels | ONNX Runtime, MB | ours, MB | times as much | aim |".into(),
            "| --- | --- | --- | --- | --- | --- |".into(),
        ];
        let (threads, names) = (THREADS.to_string(), ["off", "winograd4", "winograd6"]);
        for (network, _, aim) in AIMS {
            let model = self.model(network, 64)?;
            let words = ["command", &infer, "--model", &model, &pictures, &output, "--overwrite", "--fit", "native"];
            let words = [&words[..], &["--device", "cpu", "--threads", &threads, "--cpu-kernels"]].concat();
            let mut peaks = names.map(|_| Vec::new());
            for _ in 0..self.rounds {
                for (kernels, peaks) in names.iter().zip(&mut peaks) {
                    let found = translated(self.root, &python, &[&words[..], &[kernels]].concat())?;
                    peaks.push(number(&found, "peak")? / 1e6);
                }
            }
            let [plain, ours @ ..] = peaks.map(|peaks| median(&peaks));
            for ((kernels, ours), aim) in names[1..].iter().zip(ours).zip([aim.to_string(), String::new()]) {
                let ratio = ours / plain;
                lines.push(format!("| {network} | {kernels} | {plain:.0} | {ours:.0} | **{ratio:.2}** | {aim} |"));
            }
        }
        Ok(lines.join("\n"))
    }
}
