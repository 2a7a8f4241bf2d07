//! `cargo xtask bench cost`: what exporting the largest generator takes, in memory and time.
//!
//! The memory of the libraries is that of exporting the smallest one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Task;
use crate::root::target_folder;

/// Side of the training pictures, which the verification is about.
const SIZE: &str = "256";
/// Width and blocks: the full network, and next to nothing.
const NETWORKS: [(&str, &str, &str); 2] = [("largest", "64", "9"), ("smallest", "1", "0")];
/// Runs a command and prints its peak memory in bytes and the seconds that it took.
const MEASURE: &str = "
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, time.monotonic() - start)
";

/// Exports `concat` generators, and prints a line for each way to do so.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path) -> Result<()> {
    Task::cargo(["build", "--release", "--package", "trainer", "--package", "exporter"]).run(root)?;
    let target = target_folder(root)?;
    let [trainer, exporter] = ["trainer", "exporter"].map(|program| target.join("release").join(program));
    let folder = target.join("bench-cost");
    let data = data(&trainer, &folder, root)?;
    for (name, width, blocks) in NETWORKS {
        let network = format!("--size {SIZE} --width {width} --blocks {blocks} --steps 1 --overwrite --quiet");
        let run = folder.join(name);
        let folders = ["--data".as_ref(), data.as_os_str(), "--run".as_ref(), run.as_os_str()];
        let words = network.split_whitespace().map(Into::into).chain(folders.map(Into::into));
        Task::new(&trainer, words.collect::<Vec<std::ffi::OsString>>()).output(root)?;
    }
    let file = fs_err::metadata(folder.join("largest/g_ab.ot"))?.len() as f64;
    println!("the file of weights: {:.0} MB", file / 1e6);
    for flags in [&["--no-verify"][..], &["--largest-size", "256"], &[]] {
        let [largest, smallest] =
            NETWORKS.map(|(name, ..)| measure(&exporter, &folder.join(name).join("g_ab.ot"), flags, root));
        let ((peak, seconds), (libraries, _)) = (largest?, smallest?);
        let beyond = peak - libraries;
        println!(
            "exporter {}: {seconds:.1} s; at most {:.0} MB, {:.0} MB beyond the libraries', {:.2} times the file",
            flags.join(" "),
            peak / 1e6,
            beyond / 1e6,
            beyond / file
        );
    }
    Ok(())
}

/// One picture of each side: nothing is measured on pairs.
fn data(trainer: &Path, folder: &Path, root: &Path) -> Result<PathBuf> {
    let data = folder.join("stripes");
    if !data.is_dir() {
        Task::new(trainer, ["datasets", "stripes", &data.display().to_string(), "--size", SIZE]).output(root)?;
        for side in ["testA", "testB"] {
            fs_err::remove_dir_all(data.join(side))?;
        }
    }
    Ok(data)
}

/// Peak memory in bytes, and seconds.
fn measure(exporter: &Path, weights: &Path, flags: &[&str], root: &Path) -> Result<(f64, f64)> {
    // Beside the run, whose folder holds nothing else than the run.
    let output = weights.parent().unwrap_or(weights).with_extension("onnx");
    let mut words: Vec<std::ffi::OsString> = ["-c", MEASURE].map(Into::into).into();
    words.extend([exporter.as_os_str(), weights.as_os_str(), "-o".as_ref(), output.as_os_str()].map(Into::into));
    words.extend(flags.iter().map(Into::into));
    let printed = String::from_utf8(Task::new("python3", words).output(root)?)?;
    let (peak, seconds) = printed.trim().split_once(' ').with_context(|| format!("two numbers, not {printed:?}"))?;
    Ok((peak.parse()?, seconds.parse()?))
}
