//! The run directory: where a run writes, and what is found there.

use std::ffi::OsStr;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use fs_err::File;
use models::{FORMAT_VERSION, Metadata, Role, pixels};
use models_torch::{Format, Module, SavedNetwork};
use program::files::{is_unfinished, remove_unfinished, write_whole};

use crate::best::{BEST, BEST_BEFORE, BestFolder};
use crate::checkpoint::{self, Checkpoint, Newest};
use crate::settings::Settings;
use crate::tensorboard::EVENTS;

/// A run's settings, the first file of a run and the sign by which a run directory is known.
pub(crate) const SETTINGS: &str = "run.toml";
/// Losses, measurements and warnings.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// Speed, which depends on the clock.
pub(crate) const TIMING: &str = "timing.jsonl";
/// What a run is made on and what it costs, written at each start.
pub(crate) const START: &str = "start.json";
/// A run's page.
pub(crate) const REPORT: &str = "report.html";
/// Sample sheets.
pub(crate) const SAMPLES: &str = "samples";
/// What a run can go on from.
const CHECKPOINTS: &str = "checkpoints";
/// Locked while a program writes into the directory. The system unlocks it, however the program ends.
const LOCK: &str = ".lock";

/// Where a run's sample sheet of a step lies.
pub(crate) fn sheet_path(run: &Path, step: u64) -> PathBuf {
    run.join(SAMPLES).join(format!("{step:06}.png"))
}

/// The step of a run's sample sheet; none for a picture that somebody else put there.
pub(crate) fn sheet_step(run: &Path, path: &Path) -> Option<u64> {
    let step = path.file_stem()?.to_str()?.parse().ok()?;
    (sheet_path(run, step) == path).then_some(step)
}

/// Where one run writes. Nobody else writes there meanwhile.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl RunDirectory {
    /// Makes the directory and writes the settings into it. An existing run is replaced only with `overwrite`, a
    /// directory that holds other things never: the name may be a mistake.
    pub(crate) fn create(path: PathBuf, overwrite: bool, settings: &Settings) -> anyhow::Result<Self> {
        let occupied = Self::check(&path, overwrite)?;
        fs_err::create_dir_all(&path)?;
        let lock = lock(&path)?;
        remove_unfinished(&path)?;
        if occupied {
            remove_run(&path)?;
        }
        let directory = Self { path, _lock: lock };
        directory.write_settings(settings)?;
        Ok(directory)
    }

    /// Refuses a directory in which [`Self::create`] could not begin, before anything is fetched or computed for it. Says
    /// whether there is a run to replace.
    pub(crate) fn check(path: &Path, overwrite: bool) -> anyhow::Result<bool> {
        let mut occupied = false;
        match std::fs::read_dir(path) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry.with_context(|| path.display().to_string())?.file_name();
                    // Half a file is of a start that was killed: there is nothing in it to lose.
                    occupied |= name != LOCK && !is_unfinished(&name);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("the run directory {} cannot be used", path.display()));
            }
        }
        if occupied && !path.join(SETTINGS).is_file() {
            bail!("{} holds other things than a run; choose another --run DIR", path.display());
        }
        if occupied && !overwrite {
            bail!(
                "{0} holds a run already; go on with it by --resume {0}, choose another --run DIR, or replace it with --overwrite",
                path.display()
            );
        }
        if is_in_use(path) {
            bail!(in_use(path));
        }
        Ok(occupied)
    }

    /// Takes hold of the run that is there.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        if !path.join(SETTINGS).is_file() {
            bail!(
                "{} is no run directory: it has no {SETTINGS}; give one that `trainer --data …` made, like runs/stripes",
                path.display()
            );
        }
        let lock = lock(&path)?;
        // What a killed program had not renamed yet.
        for folder in ["", SAMPLES, CHECKPOINTS] {
            remove_unfinished(&path.join(folder))?;
        }
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write_settings(&self, settings: &Settings) -> anyhow::Result<()> {
        Ok(write_whole(&self.path.join(SETTINGS), settings.to_toml().as_bytes())?)
    }

    /// Writes the latest networks and, where there are any, the averaged generators.
    pub(crate) fn save(&self, networks: &SavedNow<'_>, facts: &Facts<'_>, steps: u64) -> anyhow::Result<()> {
        networks.write(&self.path, facts, steps)
    }

    /// The networks that are the best so far.
    pub(crate) fn best(&self) -> BestFolder<'_> {
        BestFolder { run: &self.path }
    }

    /// Writes a checkpoint, then removes all but the `keep` newest.
    pub(crate) fn write_checkpoint(&self, checkpoint: &Checkpoint, keep: usize) -> anyhow::Result<()> {
        let folder = self.path.join(CHECKPOINTS);
        write_whole(&checkpoint::path(&folder, checkpoint.progress.step), &checkpoint.encode()?)?;
        self.best().confirm()?;
        self.remove_old_checkpoints(keep)
    }

    /// Removes all checkpoints but the `keep` newest.
    pub(crate) fn remove_old_checkpoints(&self, keep: usize) -> anyhow::Result<()> {
        let folder = self.path.join(CHECKPOINTS);
        for step in checkpoint::steps(&folder)?.into_iter().skip(keep) {
            fs_err::remove_file(checkpoint::path(&folder, step))?;
        }
        Ok(())
    }

    /// The newest whole checkpoint.
    pub(crate) fn newest_checkpoint(&self) -> anyhow::Result<Newest> {
        checkpoint::newest(&self.path.join(CHECKPOINTS))
    }

    /// Removes the sheets and checkpoints of later steps: those steps will be made again.
    pub(crate) fn forget_after(&self, step: u64) -> anyhow::Result<()> {
        let folder = self.path.join(CHECKPOINTS);
        for later in checkpoint::steps(&folder)?.into_iter().filter(|&later| later > step) {
            fs_err::remove_file(checkpoint::path(&folder, later))?;
        }
        let samples = self.path.join(SAMPLES);
        if !samples.is_dir() {
            return Ok(());
        }
        for entry in fs_err::read_dir(samples)? {
            let path = entry?.path();
            if sheet_step(&self.path, &path).is_some_and(|of| of > step) {
                fs_err::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Writes a sample sheet.
    pub(crate) fn write_sheet(&self, step: u64, sheet: &pictures::Picture) -> anyhow::Result<()> {
        let png = pictures::encode(sheet, pictures::Format::Png)?;
        Ok(write_whole(&sheet_path(&self.path, step), &png)?)
    }
}

/// Whether a run has made all its updates, by the names of its checkpoints.
pub(crate) fn is_finished(run: &Path) -> anyhow::Result<bool> {
    let Ok(start) = fs_err::read(run.join(START)) else { return Ok(false) };
    let start: serde_json::Value = serde_json::from_slice(&start).unwrap_or_default();
    let newest = checkpoint::steps(&run.join(CHECKPOINTS))?.first().copied();
    Ok(newest.is_some() && newest == start["updates"].as_u64())
}

/// Whether a trainer has a run directory now.
pub(crate) fn is_in_use(run: &Path) -> bool {
    // A lock of one's own that others may share: two that only look do not see each other.
    let file = std::fs::File::open(run.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path.join(LOCK))?;
    match file.file().try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(in_use(path))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.join(LOCK).display()))
        }
    }
}

fn in_use(path: &Path) -> String {
    format!("{} is in use by another trainer; wait for its end, or choose another --run DIR", path.display())
}

/// Removes a run's own files, or nothing at all where there are others beside them: they are somebody's work.
fn remove_run(path: &Path) -> anyhow::Result<()> {
    let mut entries = fs_err::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.retain(|entry| entry.file_name() != LOCK);
    if let Some(other) = entries.iter().find(|entry| !is_of_a_run(&entry.file_name())) {
        bail!(
            "{} is no file of a run, and would be lost; move it away, or choose another --run DIR",
            other.path().display()
        );
    }
    // The settings go last: without them what is left would be foreign, and never removed.
    entries.sort_by_key(|entry| entry.file_name() == SETTINGS);
    for entry in entries {
        match entry.file_type()?.is_dir() {
            true => fs_err::remove_dir_all(entry.path())?,
            false => fs_err::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Whether the trainer writes something of that name into a run directory.
fn is_of_a_run(name: &OsStr) -> bool {
    let own = [SETTINGS, METRICS, TIMING, START, REPORT, SAMPLES, CHECKPOINTS, BEST, BEST_BEFORE];
    let is_own = |name: &str| own.contains(&name) || name.ends_with(".ot") || name.starts_with(EVENTS);
    name.to_str().is_some_and(is_own)
}

/// The networks of one moment.
#[derive(Debug)]
pub(crate) struct SavedNow<'a> {
    pub(crate) networks: &'a crate::objective::Networks,
    /// Averaged `g_ab` and `g_ba`.
    pub(crate) averaged: Option<[Module; 2]>,
}

impl SavedNow<'_> {
    /// Each with its role and its file's ending.
    fn all(&self) -> Vec<(Role, &Module, &'static str)> {
        let latest = self.networks.by_role().into_iter().map(|(role, module)| (role, module, "ot"));
        let averaged = [Role::GAb, Role::GBa].into_iter().zip(self.averaged.iter().flatten());
        latest.chain(averaged.map(|(role, module)| (role, module, "ema.ot"))).collect()
    }

    /// Writes them into a folder as they are after `steps` updates.
    pub(crate) fn write(&self, folder: &Path, facts: &Facts<'_>, steps: u64) -> anyhow::Result<()> {
        for (role, module, ending) in self.all() {
            let saved =
                SavedNetwork { metadata: facts.metadata(role, module, steps), weights: module.weights().to_weights()? };
            let bytes = models_torch::encode(&saved, Format::Ot)?;
            write_whole(&folder.join(format!("{}.{ending}", role.stem())), &bytes)?;
        }
        Ok(())
    }
}

/// What every artefact of a run says.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) data_set: &'a str,
}

impl Facts<'_> {
    fn metadata(&self, role: Role, module: &Module, steps: u64) -> Metadata {
        let Settings { generator, discriminator, size, seed, .. } = *self.settings;
        Metadata {
            format_version: FORMAT_VERSION,
            role,
            family: Some(if role.is_generator() { generator } else { discriminator }),
            network: module.network().clone(),
            data_set: Some(self.data_set.into()),
            training_size: Some(size),
            pixel_range: pixels::RANGE,
            steps: Some(steps),
            seed: Some(seed),
            program: concat!("trainer ", env!("CARGO_PKG_VERSION")).into(),
            weights_sha256: None,
            assumptions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Layer;
    use crate::settings::tests::small;

    #[test]
    fn a_run_is_replaced_only_when_asked_and_other_things_never() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        let create = |overwrite| RunDirectory::create(path.clone(), overwrite, &small());
        create(false).expect("nothing is there");
        let error = create(false).expect_err("a run is there").to_string();
        assert!(error.contains("--overwrite") && error.contains("--resume"), "{error}");
        fs_err::write(path.join("g_ab.ot"), b"of the first run").expect("writable");
        create(true).expect("asked for");
        assert!(!path.join("g_ab.ot").exists(), "nothing of the first run is left to be taken for the second's");

        fs_err::create_dir(path.join("another run")).expect("writable");
        let error = create(true).expect_err("it is no part of a run").to_string();
        assert!(error.contains("another run is no file of a run"), "{error}");
        assert!(path.join(SETTINGS).exists() && path.join("another run").exists(), "nothing was removed");
        fs_err::remove_dir(path.join("another run")).expect("was there");

        fs_err::remove_file(path.join(SETTINGS)).expect("was there");
        fs_err::write(path.join("thesis.txt"), b"years of work").expect("writable");
        let error = create(true).expect_err("no run").to_string();
        assert!(error.contains("other things than a run"), "{error}");
        assert!(path.join("thesis.txt").exists());
    }

    #[test]
    fn a_start_that_was_killed_is_begun_again_without_asking() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        fs_err::create_dir(&path).expect("writable");
        for left in [LOCK, ".writing-x1Y2z3"] {
            fs_err::write(path.join(left), b"").expect("writable");
        }
        RunDirectory::create(path.clone(), false, &small()).expect("nothing is lost");
        assert!(!path.join(".writing-x1Y2z3").exists());
    }

    #[test]
    fn a_directory_in_use_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        let first = RunDirectory::create(path.clone(), false, &small()).expect("nothing is there");
        fs_err::write(path.join("g_ab.ot"), b"being written").expect("writable");
        for error in [RunDirectory::create(path.clone(), true, &small()), RunDirectory::open(path.clone())] {
            assert!(error.expect_err("in use").to_string().contains("is in use by another trainer"));
        }
        assert!(path.join("g_ab.ot").exists());
        drop(first);
        RunDirectory::open(path).expect("free again");
    }

    #[test]
    fn settings_survive_their_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        RunDirectory::create(folder.path().join("run"), false, &small()).expect("nothing is there");
        let text = fs_err::read_to_string(folder.path().join("run").join(SETTINGS)).expect("just written");
        assert_eq!(Layer::read(&text).expect("TOML").settings().expect("complete"), small());
    }
}
