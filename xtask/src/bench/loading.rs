//! `cargo xtask bench loading`: the share of its time that training waits for pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::Task;
use crate::root::target_folder;

/// Pictures are small beside the network here: a larger one would only wait less.
const SHAPE: &str = "--size 64 --width 32 --blocks 6";
/// The presets that are trained.
const PRESETS: [&str; 2] = ["paper", "concat"];

/// Flags of `cargo xtask bench loading`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Folder with trainA and trainB
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Steps of each preset
    #[arg(long, value_name = "N", default_value_t = 300)]
    steps: u64,
}

/// Measures, and prints a line for each preset.
#[expect(clippy::print_stdout, reason = "the result")]
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    Task::cargo(["build", "--release", "--package", "trainer"]).run(root)?;
    let target = target_folder(root)?;
    let folder = target.join("bench-loading");
    let data = fs_err::canonicalize(&arguments.data)?;
    for preset in PRESETS {
        let flags = format!("--preset {preset} {SHAPE} --steps {} --log-every 10 --overwrite --quiet", arguments.steps);
        let folders = ["--data".as_ref(), data.as_os_str(), "--run".as_ref(), folder.as_os_str()];
        let words = flags.split_whitespace().map(Into::into).chain(folders.map(Into::into));
        Task::new(target.join("release/trainer"), words.collect::<Vec<std::ffi::OsString>>()).output(root)?;
        let [seconds, waited] = sums(&fs_err::read_to_string(folder.join("timing.jsonl"))?)?;
        println!(
            "{preset}: waited {waited:.2} s of {seconds:.1} s in {} steps: {:.2} %",
            arguments.steps,
            100.0 * waited / seconds
        );
    }
    Ok(())
}

/// Seconds in steps, and of them those without a picture.
fn sums(lines: &str) -> Result<[f64; 2]> {
    let mut sums = [0.0; 2];
    for line in lines.lines() {
        let json: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
        for (sum, key) in sums.iter_mut().zip(["seconds", "waited_for_pictures"]) {
            *sum += json[key].as_f64().with_context(|| format!("no {key}: {line}"))?;
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_summed() {
        let line = r#"{"step":10,"steps":10,"seconds":2.0,"waited_for_pictures":0.5}"#;
        assert_eq!(sums(&format!("{line}\n{line}\n")).expect("JSON"), [4.0, 1.0]);
        assert!(sums("{}").is_err());
    }
}
