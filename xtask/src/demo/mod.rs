//! `cargo xtask demo`: the whole pipeline on something small, and a page that shows it.
//!
//! Every stage is a program as a user starts it; the page lists their commands.

mod curves;
mod page;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::compare::compare;
use crate::process::Task;
use crate::root::target_folder;
use curves::Metrics;
use page::{Direction, Page, Triple};

/// What is trained: small enough for about two minutes on two cores, enough for stripes to appear.
struct Recipe {
    preset: &'static str,
    size: u32,
    width: u32,
    blocks: u32,
    steps: u64,
}

const RECIPE: Recipe = Recipe { preset: "paper", size: 64, width: 16, blocks: 3, steps: 1500 };

/// Steps of `--fast`: every stage runs, nothing is learnt.
const FAST_STEPS: u64 = 20;

/// Points on a loss curve.
const POINTS: u64 = 150;

/// Test pictures of each direction on the page.
const SHOWN: usize = 12;

/// Flags of `cargo xtask demo`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Arguments {
    /// Updates to train for
    #[arg(long, value_name = "N", default_value_t = RECIPE.steps, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Run every stage, but train too short to learn anything
    #[arg(long, conflicts_with = "steps")]
    fast: bool,
}

/// Everything of the demo that has run.
struct Demo<'a> {
    root: &'a Path,
    times: Vec<(&'static str, Duration)>,
    commands: Vec<String>,
}

/// Runs all stages and writes the page.
#[expect(clippy::print_stdout, reason = "the result")]
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let steps = if arguments.fast { FAST_STEPS } else { arguments.steps };
    let mut demo = Demo { root, times: Vec::new(), commands: Vec::new() };
    let packages = ["--package", "trainer", "--package", "exporter", "--package", "infer"];
    demo.stage("build", Task::cargo(["build", "--release"].into_iter().chain(packages)))?;
    let programs = target_folder(root)?.join("release");
    let program = |name: &str, arguments: &str| Task::new(programs.join(name), arguments.split_whitespace());

    let Recipe { preset, size, width, blocks, .. } = RECIPE;
    let every = (steps / POINTS).max(1);
    let training = format!(
        "--data stripes --preset {preset} --size {size} --width {width} --blocks {blocks} --steps {steps} \
         --log-every {every} --run demo/run --overwrite"
    );
    demo.stage("train", program("trainer", &training))?;
    demo.stage("export A to B", program("exporter", "demo/run/g_ab.ot -o demo/g_ab.onnx"))?;
    demo.stage("export B to A", program("exporter", "demo/run/g_ba.ot -o demo/g_ba.onnx"))?;
    // Not earlier: the page of an earlier demo shows them.
    for folder in ["demo/stripes", "demo/translated_ab", "demo/translated_ba"] {
        remove_folder(&root.join(folder))?;
    }
    demo.stage("draw", program("trainer", &format!("datasets stripes demo/stripes --size {size}")))?;
    let translate = |model: &str, side: &str, out: &str| {
        program("infer", &format!("--model demo/{model}.onnx demo/stripes/{side} demo/{out} --overwrite"))
    };
    demo.stage("translate A to B", translate("g_ab", "testA", "translated_ab"))?;
    demo.stage("translate B to A", translate("g_ba", "testB", "translated_ba"))?;

    let folder = root.join("demo");
    let page = Page {
        settings: vec![
            ("data", "stripes, drawn by the trainer".into()),
            ("preset", preset.into()),
            ("picture", format!("{size} × {size}")),
            ("width", width.to_string()),
            ("blocks", blocks.to_string()),
            ("steps", steps.to_string()),
        ],
        directions: [
            direction(&folder, "plain to striped", "stripes/testA", "translated_ab", "stripes/testB")?,
            direction(&folder, "striped to plain", "stripes/testB", "translated_ba", "stripes/testA")?,
        ],
        metrics: Metrics::read(&folder.join("run/metrics.jsonl"))?,
        times: demo.times,
        commands: demo.commands,
    };
    let place = folder.join("index.html");
    program::files::write_whole(&place, page.html().as_bytes())?;
    println!("{}", place.display());
    for Direction { name, before, after, .. } in &page.directions {
        println!("{name}: mean L1 {before:.1} before, {after:.1} after, in [0, 255]");
    }
    Ok(())
}

impl Demo<'_> {
    fn stage(&mut self, name: &'static str, task: Task) -> Result<()> {
        eprintln!("\n── {name}: {task}");
        let start = Instant::now();
        if let Err(error) = task.run(self.root) {
            bail!("the demo stopped at `{name}`: {error:#}; that command in {} runs it alone", self.root.display());
        }
        self.times.push((name, start.elapsed()));
        self.commands.push(task.to_string().replace(&format!("{}/", self.root.display()), ""));
        Ok(())
    }
}

/// Numbers and pictures of one direction; the folders lie in that of the page.
fn direction(page: &Path, name: &'static str, real: &str, translated: &str, truth: &str) -> Result<Direction> {
    let [real_folder, translated_folder, truth_folder] = [real, translated, truth].map(|folder| page.join(folder));
    let before = compare(&real_folder, &truth_folder)?;
    let after = compare(&translated_folder, &truth_folder)?;
    if after.alone > 0 {
        bail!("{}: {} pictures have no counterpart in the truth", translated_folder.display(), after.alone);
    }
    let found = pictures::find(&translated_folder)?;
    let names = found.iter().take(SHOWN).filter_map(|path| path.strip_prefix(&translated_folder).ok());
    let triple = |name: &Path| {
        let [real, translated, truth] =
            [real, translated, truth].map(|folder| Path::new(folder).join(name).display().to_string());
        Triple { real, translated, truth }
    };
    Ok(Direction { name, before: before.mean_l1, after: after.mean_l1, triples: names.map(triple).collect() })
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}
