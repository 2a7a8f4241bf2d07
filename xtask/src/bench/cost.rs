//! `cargo xtask bench cost`: what exporting the largest generator takes, in memory and time.
//!
//! The memory of the libraries is that of exporting the smallest one.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::Task;
use crate::root::target_folder;

/// Side of the training pictures, which the verification is about.
const SIZE: &str = "256";
/// The most memory that an export may take beyond the libraries', in times the file.
const MOST_TIMES_THE_FILE: f64 = 2.5;
/// The longest that an export with its verification at [`SIZE`] may take, on two cores.
const MOST_SECONDS: f64 = 60.0;
/// Width and blocks: the full network, and next to nothing.
const NETWORKS: [(&str, &str, &str); 2] = [("largest", "64", "9"), ("smallest", "1", "0")];
/// Runs a command and prints its peak memory in bytes and the seconds that it took.
const MEASURE: &str = "
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, time.monotonic() - start)
";

/// Exports `concat` generators, and prints a line for each way to do so; an error where one costs too much.
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
    let mut costs = Vec::new();
    // Verification is both libraries at work, whose memory is theirs: only what the export itself takes has a bound.
    let ways: [(&[&str], Bounds); 3] = [
        (&["--no-verify"], Bounds { times_the_file: MOST_TIMES_THE_FILE, seconds: MOST_SECONDS }),
        (&["--largest-size", SIZE], Bounds { times_the_file: f64::INFINITY, seconds: MOST_SECONDS }),
        (&[], Bounds { times_the_file: f64::INFINITY, seconds: f64::INFINITY }),
    ];
    for (flags, bounds) in ways {
        let [largest, smallest] =
            NETWORKS.map(|(name, ..)| measure(&exporter, &folder.join(name).join("g_ab.ot"), flags, root));
        let ((peak, seconds), (libraries, _)) = (largest?, smallest?);
        let command = format!("exporter {}", flags.join(" "));
        let cost = Cost { command, peak, libraries, file, seconds, bounds };
        println!("{cost}");
        costs.push(cost);
    }
    judge(&costs)
}

/// What one way to export takes.
struct Cost {
    command: String,
    /// Bytes.
    peak: f64,
    libraries: f64,
    file: f64,
    seconds: f64,
    bounds: Bounds,
}

/// What it may take.
struct Bounds {
    times_the_file: f64,
    seconds: f64,
}

impl Cost {
    fn times_the_file(&self) -> f64 {
        (self.peak - self.libraries) / self.file
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, peak, libraries, seconds, .. } = self;
        let (peak_mb, beyond_mb, times) = (peak / 1e6, (peak - libraries) / 1e6, self.times_the_file());
        write!(f, "{}: {seconds:.1} s; at most {peak_mb:.0} MB, ", command.trim_end())?;
        write!(f, "{beyond_mb:.0} MB beyond the libraries', {times:.2} times the file")
    }
}

/// An error that names all that cost too much.
fn judge(costs: &[Cost]) -> Result<()> {
    let mut faults = Vec::new();
    for cost @ Cost { command, seconds, bounds, .. } in costs {
        let (times, most_times, most_seconds) = (cost.times_the_file(), bounds.times_the_file, bounds.seconds);
        if times > most_times {
            faults.push(format!("{command}: {times:.2} times the file in memory, more than {most_times}"));
        }
        if *seconds > most_seconds {
            faults.push(format!(
                "{command}: {seconds:.1} s, more than {most_seconds}; did something else run meanwhile?"
            ));
        }
    }
    if faults.is_empty() { Ok(()) } else { bail!("an export costs too much:\n{}", faults.join("\n")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(times: f64, seconds: f64, most: [f64; 2]) -> Cost {
        let (libraries, file) = (3e8, 1e8);
        let bounds = Bounds { times_the_file: most[0], seconds: most[1] };
        Cost { command: "exporter".into(), peak: libraries + times * file, libraries, file, seconds, bounds }
    }

    #[test]
    fn an_export_that_costs_too_much_ends_with_an_error_that_says_so() {
        let most = [MOST_TIMES_THE_FILE, MOST_SECONDS];
        let fault = |costs: &[Cost]| judge(costs).expect_err("too much").to_string();
        judge(&[cost(2.4, 59.0, most), cost(7.0, 300.0, [f64::INFINITY; 2])]).expect("within the bounds");
        let memory = fault(&[cost(1.0, 1.0, most), cost(2.51, 1.0, most)]);
        assert!(memory.ends_with("exporter: 2.51 times the file in memory, more than 2.5"), "{memory}");
        let time = fault(&[cost(1.0, 61.0, most)]);
        assert!(time.contains("exporter: 61.0 s, more than 60"), "{time}");
    }
}
