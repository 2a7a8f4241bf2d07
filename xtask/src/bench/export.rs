//! `cargo xtask bench export`: seconds a picture of our ONNX files and of torch.onnx.export's, in ONNX Runtime.
//!
//! The weights are the trainer's first ones: what a network computes with them takes as long as with any.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::environment;
use super::statistics::{median, range};
use crate::process::Task;
use crate::root::target_folder;

const FAMILIES: [&str; 2] = ["paper", "concat"];
/// The full size of both families.
const WIDTH: &str = "64";
const BLOCKS: &str = "9";
/// Of the picture.
const SIZE: &str = "256";
const THREADS: &str = "2";
/// One quick step whose rate changes no weight.
const FIRST_WEIGHTS: &str = "--size 64 --steps 1 --rate 1e-30 --device cpu --overwrite --quiet";

/// Both outputs lie in [-1, 1] and come from the same runtime: what is beyond is another network, not rounding.
const SAME: f64 = 1e-4;
/// A ratio from which on ours is slower, where the median over rounds and the fastest rounds both say so: two runs of one
/// file differ by as much, and what else runs on the machine disturbs either.
const SLOWER: f64 = 1.02;

/// Flags of `cargo xtask bench export`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Times that each file runs
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this family
    #[arg(long, value_name = "FAMILY", value_parser = FAMILIES)]
    only: Option<String>,
}

/// Measures, and prints the table.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let python = environment::python(root, &environment::TORCH)?;
    Task::cargo(["build", "--release", "--package", "trainer", "--package", "exporter"]).run(root)?;
    let target = target_folder(root)?;
    let folder = target.join("bench-export");
    fs_err::create_dir_all(&folder)?;
    let mut rows = Vec::new();
    for family in FAMILIES.into_iter().filter(|family| arguments.only.as_deref().is_none_or(|only| only == *family)) {
        eprintln!("\n── {family}");
        let files = Files { root, programs: target.join("release"), folder: folder.join(family) };
        files.make(family)?;
        rows.extend(rows_of(family, &files.measure(&python, family, arguments.rounds)?)?);
    }
    println!("{}", table(&rows));
    judge(&rows)
}

/// An error where two files do not compute the same, or ours are slower.
fn judge(rows: &[Row]) -> Result<()> {
    if let Some(row) = rows.iter().find(|row| row.apart > SAME) {
        bail!("{}: the outputs are {:.0e} apart, so the two files do not compute the same", row.name, row.apart);
    }
    let slower: Vec<&str> =
        rows.iter().filter(|row| row.ratio.min(row.fastest) > SLOWER).map(|row| row.name.as_str()).collect();
    if !slower.is_empty() {
        bail!("ours are slower: {slower:?}; did something else run meanwhile?");
    }
    Ok(())
}

/// The files of a family.
struct Files<'a> {
    root: &'a Path,
    programs: PathBuf,
    folder: PathBuf,
}

impl Files<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// First weights, and our two exports of them.
    fn make(&self, family: &str) -> Result<()> {
        let (trainer, exporter) = (self.programs.join("trainer"), self.programs.join("exporter"));
        let [data, run, weights] = ["stripes", "run", "run/g_ab.ot"].map(|name| self.path(name));
        if !Path::new(&data).is_dir() {
            Task::new(&trainer, ["datasets", "stripes", &data, "--size", "64"]).output(self.root)?;
        }
        let sized = ["--preset", family, "--width", WIDTH, "--blocks", BLOCKS, "--data", &data, "--run", &run];
        Task::new(&trainer, sized.into_iter().chain(FIRST_WEIGHTS.split(' '))).output(self.root)?;
        let size = format!("{SIZE}x{SIZE}");
        for (name, shape) in [("any.onnx", [].as_slice()), ("one.onnx", &["--batch", "1", "--size", &size])] {
            let output = self.path(name);
            let arguments = [weights.as_str(), "-o", &output].into_iter().chain(shape.iter().copied());
            Task::new(&exporter, arguments).output(self.root)?;
        }
        Ok(())
    }

    /// Lines of JSON, one for each kind of shape and round.
    fn measure(&self, python: &Path, family: &str, rounds: u32) -> Result<String> {
        let script = self.root.join("xtask/src/bench/exported.py").display().to_string();
        let [weights, any, one] = ["run/g_ab.ot", "any.onnx", "one.onnx"].map(|name| self.path(name));
        let rounds = rounds.to_string();
        let arguments = [&script, family, WIDTH, BLOCKS, &weights, &any, &one, SIZE, &rounds, THREADS];
        let lines = Task::new(python, arguments).output(self.root)?;
        // torch prints its own progress among them.
        let lines = String::from_utf8(lines).context("the script prints JSON")?;
        Ok(lines.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n"))
    }
}

/// One kind of shape of a family.
struct Row {
    name: String,
    /// Medians of ours and theirs.
    seconds: [f64; 2],
    ratio: f64,
    ratios: [f64; 2],
    /// Our fastest round beside their fastest.
    fastest: f64,
    apart: f64,
    /// Of ours and theirs, once ONNX Runtime has rewritten the graphs.
    operators: [u64; 2],
}

/// One round of one kind of shape.
struct Round {
    name: String,
    /// Of ours and theirs.
    seconds: [f64; 2],
    apart: f64,
    operators: [u64; 2],
}

fn rows_of(family: &str, lines: &str) -> Result<Vec<Row>> {
    let rounds: Vec<Round> = lines.lines().map(|line| round_of(family, line)).collect::<Result<_>>()?;
    let rows = rounds.chunk_by(|one, other| one.name == other.name).map(|rounds| {
        let sides = [0, 1].map(|side| rounds.iter().map(|round| round.seconds[side]).collect::<Vec<_>>());
        // Of one round: a machine that slows down in between slows both sides of the same round.
        let ratios: Vec<f64> = rounds.iter().map(|round| round.seconds[0] / round.seconds[1]).collect();
        let [ours, theirs] = sides.each_ref().map(|seconds| range(seconds)[0]);
        Row {
            name: rounds[0].name.clone(),
            seconds: sides.each_ref().map(|seconds| median(seconds)),
            ratio: median(&ratios),
            ratios: range(&ratios),
            fastest: ours / theirs,
            apart: rounds[0].apart,
            operators: rounds[0].operators,
        }
    });
    Ok(rows.collect())
}

fn round_of(family: &str, line: &str) -> Result<Round> {
    let json: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
    let round = || {
        Some(Round {
            name: format!("{family}, {}", json["shape"].as_str()?),
            seconds: [json["seconds"][0].as_f64()?, json["seconds"][1].as_f64()?],
            apart: json["apart"].as_f64()?,
            operators: [json["operators"][0].as_u64()?, json["operators"][1].as_u64()?],
        })
    };
    round().with_context(|| format!("something is missing: {line}"))
}

/// In Markdown, as docs/performance.md has it.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| | ours, s a picture | torch.onnx.export | ratio | of single rounds | of the fastest | operators | outputs apart |"
            .to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- |".into(),
    ];
    lines.extend(rows.iter().map(|row| {
        let Row { name, seconds: [ours, theirs], ratio, ratios: [least, most], fastest, apart, operators } = row;
        let [our_operators, their_operators] = operators;
        format!(
            "| {name} | {ours:.3} | {theirs:.3} | **{ratio:.2}** | {least:.2}–{most:.2} | {fastest:.2} \
             | {our_operators}, {their_operators} | {apart:.0e} |"
        )
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_one_round() {
        let lines = [
            r#"{"shape": "any shape", "seconds": [0.9, 1.0], "apart": 1e-6, "operators": [9, 9]}"#,
            r#"{"shape": "any shape", "seconds": [1.8, 2.0], "apart": 1e-6, "operators": [9, 9]}"#, // a slow machine
            r#"{"shape": "any shape", "seconds": [0.8, 1.0], "apart": 1e-6, "operators": [9, 9]}"#,
            r#"{"shape": "one shape", "seconds": [1.0, 0.5], "apart": 0.5, "operators": [9, 13]}"#,
        ];
        let rows = rows_of("paper", &lines.join("\n")).expect("whole lines");
        let lines: Vec<String> = table(&rows).lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "| paper, any shape | 0.900 | 1.000 | **0.90** | 0.80–0.90 | 0.80 | 9, 9 | 1e-6 |",
                "| paper, one shape | 1.000 | 0.500 | **2.00** | 2.00–2.00 | 2.00 | 9, 13 | 5e-1 |",
            ]
        );
        assert!(rows_of("paper", r#"{"shape": "any shape"}"#).is_err());
    }

    #[test]
    fn a_file_of_ours_that_is_slower_ends_with_an_error_that_names_it() {
        let judged = |ours: [f64; 2], apart: f64| {
            let line = |ours: f64| {
                format!(r#"{{"shape": "s", "seconds": [{ours}, 1.0], "apart": {apart}, "operators": [9, 9]}}"#)
            };
            let rows = rows_of("paper", &ours.map(line).join("\n")).expect("whole lines");
            judge(&rows).map_err(|error| error.to_string())
        };
        assert_eq!(judged([1.01, 1.02], 0.0), Ok(()));
        assert_eq!(judged([0.9, 1.5], 0.0), Ok(()), "one disturbed round");
        let slower = judged([1.1, 1.2], 0.0).expect_err("slower");
        assert!(slower.starts_with("ours are slower: [\"paper, s\"]"), "{slower}");
        let other = judged([0.5, 0.5], 0.1).expect_err("another network");
        assert!(other.contains("do not compute the same"), "{other}");
    }
}
