//! The run directory: where a run writes, and what is found there.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use models::{FORMAT_VERSION, Metadata, Role, pixels};
use models_torch::{Format, Module, SavedNetwork};
use program::files::write_whole;

use crate::objective::Networks;
use crate::settings::Settings;

/// A run's settings, the first file of a run and the sign by which a run directory is known.
pub(crate) const SETTINGS: &str = "run.toml";
/// Losses.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// Speed, which depends on the clock.
pub(crate) const TIMING: &str = "timing.jsonl";
/// What a run is made on and what it costs, written at each start.
pub(crate) const START: &str = "start.json";
/// Sample sheets.
pub(crate) const SAMPLES: &str = "samples";

/// Where a run's sample sheet of a step lies.
pub(crate) fn sheet_path(run: &Path, step: u64) -> PathBuf {
    run.join(SAMPLES).join(format!("{step:06}.png"))
}

/// Where one run writes.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes the directory and writes the settings into it. An existing run is replaced only with `overwrite`, a
    /// directory that holds other things never: the name may be a mistake.
    pub(crate) fn create(path: PathBuf, overwrite: bool, settings: &Settings) -> anyhow::Result<Self> {
        let occupied = match std::fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                return Err(error).with_context(|| format!("the run directory {} cannot be used", path.display()));
            }
        };
        if occupied && !path.join(SETTINGS).is_file() {
            bail!("{} holds other things than a run; choose another --run DIR", path.display());
        }
        if occupied && !overwrite {
            bail!("{} holds a run already; choose another --run DIR, or replace it with --overwrite", path.display());
        }
        if occupied {
            fs_err::remove_dir_all(&path)?;
        }
        let settings = toml::to_string(settings).expect("settings are plain values in tables");
        write_whole(&path.join(SETTINGS), settings.as_bytes())?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the four networks as they are after `steps` updates.
    pub(crate) fn save(&self, networks: &Networks, facts: &Facts<'_>, steps: u64) -> anyhow::Result<()> {
        let Networks { g_ab, g_ba, d_a, d_b } = networks;
        for (role, module) in [(Role::GAb, g_ab), (Role::GBa, g_ba), (Role::DA, d_a), (Role::DB, d_b)] {
            let saved =
                SavedNetwork { metadata: facts.metadata(role, module, steps), weights: module.weights().to_weights()? };
            let bytes = models_torch::encode(&saved, Format::Ot)?;
            write_whole(&self.path.join(role.stem()).with_extension("ot"), &bytes)?;
        }
        Ok(())
    }

    /// Writes a sample sheet.
    pub(crate) fn write_sheet(&self, step: u64, sheet: &pictures::Picture) -> anyhow::Result<()> {
        let png = pictures::encode(sheet, pictures::Format::Png)?;
        Ok(write_whole(&sheet_path(&self.path, step), &png)?)
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
            data_set: self.data_set.into(),
            training_size: size,
            pixel_range: pixels::RANGE,
            steps,
            seed,
            program: concat!("trainer ", env!("CARGO_PKG_VERSION")).into(),
            weights_sha256: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::small;

    #[test]
    fn a_run_is_replaced_only_when_asked_and_other_things_never() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        let create = |overwrite| RunDirectory::create(path.clone(), overwrite, &small());
        create(false).expect("nothing is there");
        let error = create(false).expect_err("a run is there").to_string();
        assert!(error.contains("--overwrite"), "{error}");
        fs_err::write(path.join("g_ab.ot"), b"of the first run").expect("writable");
        create(true).expect("asked for");
        assert!(!path.join("g_ab.ot").exists(), "nothing of the first run is left to be taken for the second's");

        fs_err::remove_file(path.join(SETTINGS)).expect("was there");
        fs_err::write(path.join("thesis.txt"), b"years of work").expect("writable");
        let error = create(true).expect_err("no run").to_string();
        assert!(error.contains("other things than a run"), "{error}");
        assert!(path.join("thesis.txt").exists());
    }

    #[test]
    fn settings_survive_their_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        RunDirectory::create(folder.path().join("run"), false, &small()).expect("nothing is there");
        let text = fs_err::read_to_string(folder.path().join("run").join(SETTINGS)).expect("just written");
        assert_eq!(toml::from_str::<Settings>(&text).expect("its own settings"), small());
    }
}
