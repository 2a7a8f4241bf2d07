//! The readers of files from elsewhere, fed by libFuzzer. What it runs is in a crate `fuzz` beside each reader.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Task;
use crate::root::target_folder;
use crate::setup::Setup;

/// The one that was tried.
const CARGO_FUZZ: &str = "0.13.2";

/// A file may cost a second; these are shared machines, and instrumented code is slow.
const SECONDS_OF_AN_INPUT: u32 = 5;

/// Files of this size may cost a tenth of it.
const MEMORY_IN_MIB: u32 = 512;

/// Larger inputs find nothing that these do not.
const LARGEST_INPUT: u32 = 1 << 16;

/// What is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Target {
    /// Any file of weights
    Archive,
    /// The pickle in a PyTorch archive
    Pickle,
    /// A safetensors header
    Safetensors,
    /// An ONNX file
    Onnx,
    /// An ONNX file with its weights beside it
    External,
    /// Metadata, and the shapes of its network
    Metadata,
    /// Names and shapes of a generator from elsewhere
    Recognise,
    /// A photo of any format
    Photo,
    /// A model that `infer` is to run, with its description
    Contract,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Pickle => "pickle",
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::External => "external",
            Self::Metadata => "metadata",
            Self::Recognise => "recognise",
            Self::Photo => "photo",
            Self::Contract => "contract",
        }
    }

    /// The crate that holds it and its seeds, outside the workspace.
    fn home(self) -> &'static str {
        match self {
            Self::Photo => "models/pictures/fuzz",
            Self::Contract => "infer/fuzz",
            _ => "models/archive/fuzz",
        }
    }

    /// Inputs that lie elsewhere already.
    fn more_seeds(self) -> Option<&'static str> {
        (self == Self::Photo).then_some("models/pictures/tests/fixtures")
    }
}

/// Feeds a target, or all of them one after the other, for a time each.
pub(super) fn run(root: &Path, target: Option<Target>, time: Duration) -> Result<()> {
    let program = cargo_fuzz(root)?;
    let folder = target_folder(root)?.join("fuzz");
    let all = <Target as clap::ValueEnum>::value_variants();
    for &target in target.as_ref().map_or(all, std::slice::from_ref) {
        feed(root, &program, &folder, target, time)?;
    }
    Ok(())
}

/// cargo-fuzz in the cache. It is installed where it is not.
fn cargo_fuzz(root: &Path) -> Result<PathBuf> {
    let folder = Setup::of_this_machine(root)?.cache.join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let program = folder.join("bin/cargo-fuzz");
    if !program.is_file() {
        eprintln!("installing cargo-fuzz {CARGO_FUZZ} into {}, once", folder.display());
        let folder = folder.to_str().context("the path of the cache is not UTF-8")?;
        let arguments = ["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ, "--root", folder];
        Task::cargo(arguments).run(root).context("libFuzzer needs a C++ compiler too (Debian: apt-get install g++)")?;
    }
    Ok(program)
}

/// What the fuzzer finds out stays below `target`, and helps the next run.
fn feed(root: &Path, program: &Path, folder: &Path, target: Target, time: Duration) -> Result<()> {
    let (name, home) = (target.name(), target.home());
    let (found, failed) = (folder.join("corpus").join(name), folder.join("failed").join(name));
    fs_err::create_dir_all(&found)?;
    fs_err::create_dir_all(&failed)?;
    let path = |path: &Path| path.display().to_string();
    let mut arguments = vec![
        "run".into(),
        // Nothing here is unsafe: a sanitizer would only make it slow, and needs a nightly compiler.
        "--sanitizer=none".into(),
        format!("--fuzz-dir={home}"),
        format!("--target-dir={}", path(&folder.join("build"))),
        name.into(),
        path(&found),
        format!("{home}/seeds/{name}"),
    ];
    arguments.extend(target.more_seeds().map(Into::into));
    arguments.extend([
        "--".into(),
        format!("-max_total_time={}", time.as_secs().max(1)),
        format!("-timeout={SECONDS_OF_AN_INPUT}"),
        format!("-rss_limit_mb={MEMORY_IN_MIB}"),
        format!("-max_len={LARGEST_INPUT}"),
        format!("-artifact_prefix={}/", path(&failed)),
        "-print_final_stats=1".into(),
    ]);
    eprintln!("── feeding {name} for {}", program::duration(time));
    // The compiler's options for libFuzzer are those of a nightly one.
    let task = Task::new(program, arguments).with_variable("RUSTC_BOOTSTRAP", "1");
    task.run(root).with_context(|| {
        format!(
            "target {name} failed; the input lies in {}: mend the reader, then keep it in {home}/seeds/{name}, where a test \
             runs it",
            failed.display()
        )
    })
}

/// A time as it is typed: `90`, `90s`, `10m`, `1h`.
pub(super) fn time(typed: &str) -> Result<Duration> {
    let (number, seconds) = match typed.char_indices().last() {
        Some((place, 's')) => (&typed[..place], 1),
        Some((place, 'm')) => (&typed[..place], 60),
        Some((place, 'h')) => (&typed[..place], 3600),
        _ => (typed, 1),
    };
    match number.parse::<u32>() {
        Ok(number) if number > 0 => Ok(Duration::from_secs(u64::from(number) * seconds)),
        _ => bail!("give a time like 90s, 10m or 1h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_typed_with_and_without_a_unit() {
        for (typed, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600)] {
            assert_eq!(time(typed).expect(typed), Duration::from_secs(seconds));
        }
        for typed in ["", "s", "0", "-1s", "1.5m", "1d", "ä"] {
            assert!(time(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn every_target_has_its_program_and_seeds() {
        for &target in <Target as clap::ValueEnum>::value_variants() {
            let folder = crate::root::root().join(target.home());
            assert!(folder.join("Cargo.lock").is_file(), "{target:?}: its versions are pinned");
            assert!(folder.join("targets").join(target.name()).with_extension("rs").is_file(), "{target:?}");
            assert!(folder.join("seeds").join(target.name()).is_dir(), "{target:?}");
        }
    }
}
