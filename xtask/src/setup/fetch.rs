//! Wheels from the package index, by pip, which checks their hashes.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::pins::Wheel;
use super::python::{Python, last_lines};

/// How often the bytes fetched so far are counted.
const TICK: Duration = Duration::from_millis(40);

/// Wheels for this interpreter and these systems, whatever the machine's own Python is.
const TARGET: [&str; 8] = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"];
const PLATFORMS: [&str; 9] = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux_2_18_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_5_x86_64",
    "manylinux1_x86_64",
];

/// Fetches a wheel into a new folder; `progress` hears how many bytes there are so far.
pub(super) fn fetch(python: &Python, wheel: &Wheel, folder: &Path, progress: &dyn Fn(u64)) -> Result<PathBuf> {
    fs_err::create_dir_all(folder)?;
    let requirements = folder.join("requirements.txt");
    fs_err::write(&requirements, format!("{}=={} --hash=sha256:{}\n", wheel.name, wheel.version, wheel.sha256))?;
    let mut command = Command::new(&python.program);
    command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]).args(TARGET);
    command.args(PLATFORMS.iter().flat_map(|platform| ["--platform", platform]));
    // Our cache is the cache: pip's own would keep everything a second time.
    command.args(["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]);
    command.arg("--dest").arg(folder).arg("--requirement").arg(&requirements);
    // pip fetches into TMPDIR first, which is often a small disk, and where nobody could count the bytes.
    command.env("TMPDIR", folder).stdin(Stdio::null());
    let (succeeded, printed) = watch(command, python, || progress(bytes_in(folder).min(wheel.bytes)))?;
    if !succeeded {
        bail!(python.explain_pip(wheel, &printed));
    }
    progress(wheel.bytes);
    let files = fs_err::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut wheels = files.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    match (wheels.next(), wheels.next()) {
        (Some(file), None) => Ok(file),
        _ => bail!("pip did not leave one wheel of {}; it printed: {}", wheel.name, last_lines(&printed, 8)),
    }
}

/// Runs pip, calling `tick` now and then; gives whether it succeeded and what it printed.
fn watch(mut command: Command, python: &Python, tick: impl Fn()) -> Result<(bool, String)> {
    // Not into a file: where the disk is full, that could not be read there.
    let (mut reader, writer) = std::io::pipe().context("no pipe")?;
    command.stdout(writer.try_clone().context("no pipe")?).stderr(writer);
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(python.missing()),
        child => child.with_context(|| format!("{} cannot be started", python.program.display()))?,
    };
    drop(command); // it holds an end of the pipe, which would never close
    let printed = std::thread::spawn(move || {
        let mut printed = Vec::new();
        reader.read_to_end(&mut printed).map(|_| printed)
    });
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for pip")? {
            break status;
        }
        tick();
        std::thread::sleep(TICK);
    };
    let printed = printed.join().expect("reading does not panic").context("cannot read what pip prints")?;
    Ok((status.success(), String::from_utf8_lossy(&printed).into_owned()))
}

/// Size of all files below a folder. Files come and go while it is counted.
fn bytes_in(folder: &Path) -> u64 {
    let entries = WalkDir::new(folder).into_iter().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|data| data.len()).sum()
}
