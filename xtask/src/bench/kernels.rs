//! `cargo xtask bench kernels`: whole generators on our kernels for the CPU beside ONNX Runtime's, in turns in one process.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::Task;
use crate::root::target_folder;

/// Flags of `cargo xtask bench kernels`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Times that each side runs, in turns
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Threads of either side
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// Only the sizes that have a bound
    #[arg(long)]
    short: bool,
}

/// Both generators in full size, with their first weights.
const NETWORKS: [&str; 2] = ["paper", "concat"];
const FLAGS: &str = "--size 64 --width 64 --blocks 9 --steps 1 --rate 1e-30 --device cpu --overwrite --quiet";
/// Pictures × rows × columns.
const SHORT: [&str; 3] = ["1x256x256", "4x256x256", "1x512x512"];
const LONG: [&str; 6] = ["1x64x64", "1x128x128", "1x256x256", "1x252x380", "4x256x256", "1x512x512"];

/// Measures and prints a table.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    Task::cargo(["build", "--release", "-p", "trainer", "-p", "exporter"]).run(root)?;
    Task::cargo(["build", "--release", "-p", "kernels", "--example", "turns"]).run(root)?;
    let target = target_folder(root)?;
    let folder = target.join("bench-kernels");
    fs_err::create_dir_all(&folder)?;
    println!("{} threads, {} rounds in turns:\n", arguments.threads, arguments.rounds);
    println!(
        "| network | pictures | kernels | ONNX Runtime, ms | ours, ms | times as fast | of single rounds | differs by |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut loads = Vec::new();
    for network in NETWORKS {
        let model = model(root, &target, &folder, network)?;
        for kernels in ["winograd4", "winograd6"] {
            let turns = target.join("release/examples/turns").display().to_string();
            let [threads, rounds] = [arguments.threads, arguments.rounds].map(|number| number.to_string());
            let shapes = if arguments.short { &SHORT[..] } else { &LONG };
            let words = [&[model.as_str(), kernels, &threads, &rounds], shapes].concat();
            let printed = Task::new(turns, words).output(root)?;
            for line in String::from_utf8(printed)?.lines() {
                let line: Value = serde_json::from_str(line)?;
                if line.get("shape").is_none() {
                    let [plain, ours] = [number(&line, "load_plain")?, number(&line, "load_ours")?];
                    loads.push(format!("{network} with {kernels} {ours:.2} s (ONNX Runtime alone {plain:.2} s)"));
                    continue;
                }
                let shape = line["shape"].as_str().context("a shape")?.replace('x', "×");
                let [plain, ours, ratio] = [number(&line, "plain")?, number(&line, "ours")?, number(&line, "ratio")?];
                let [least, most] = [number(&line, "least")?, number(&line, "most")?];
                println!(
                    "| {network} | {shape} | {kernels} | {:.0} | {:.0} | **{ratio:.2}** | {least:.2}–{most:.2} | {:.0e} |",
                    1e3 * plain,
                    1e3 * ours,
                    number(&line, "difference")?
                );
            }
        }
    }
    println!("\nTo load: {}.", loads.join(", "));
    Ok(())
}

/// A generator's ONNX file, made once.
fn model(root: &Path, target: &Path, folder: &Path, network: &str) -> Result<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let model = path(&format!("{network}.onnx"));
    if Path::new(&model).is_file() {
        return Ok(model);
    }
    let (data, run) = (path("stripes"), path(network));
    let trainer = target.join("release/trainer");
    if !Path::new(&data).is_dir() {
        Task::new(&trainer, ["datasets", "stripes", &data, "--size", "64"]).output(root)?;
    }
    let words = ["--preset", network, "--data", &data, "--run", &run].into_iter().chain(FLAGS.split(' '));
    Task::new(&trainer, words).output(root)?;
    let weights = format!("{run}/g_ab.ot");
    Task::new(target.join("release/exporter"), [&weights, "-o", &model, "--no-verify"]).output(root)?;
    Ok(model)
}

fn number(json: &Value, key: &str) -> Result<f64> {
    json[key].as_f64().with_context(|| format!("no {key} in {json}"))
}
