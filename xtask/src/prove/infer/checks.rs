//! What must hold after a run that was disturbed, and after the next one.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use walkdir::WalkDir;

use super::{Before, Campaign, Fate, Point, STOPPED};
use crate::prove::faults::{Effect, difference, said};

impl Campaign {
    /// Each translation is whole, and the run has said of itself what is true.
    pub(super) fn check_end(&self, point: &Point, output: Option<&Output>, folder: &Path) -> Result<()> {
        self.check_whole(point.before, folder)?;
        let Some(output) = output else { return Ok(()) };
        let said = said(output);
        ensure!(!said.contains("panicked"), "it panicked: {said}");
        let code = output.status.code();
        if let Fate::Fault(fault) = &point.fate
            && fault.is_handled()
            && output.status.signal().is_some()
        {
            // Before there is anything to finish, a signal does what it does to any program.
            return self.check_untouched(point.before, folder).context("it was ended by a signal");
        }
        let allowed: &[i32] = match &point.fate {
            Fate::Fault(fault) if fault.effect == Effect::Signal("KILL") => return Ok(()),
            Fate::Fault(fault) if fault.is_handled() => &[0, STOPPED],
            Fate::Fault(_) => &[0, 1, 3, 5],
            Fate::Reading { .. } if point.before == Before::Nothing => &[1],
            Fate::Reading { .. } => &[0, 1], // what has not changed is not read
            Fate::Moment => &[0],
        };
        ensure!(code.is_some_and(|code| allowed.contains(&code)), "it ended with {}: {said}", output.status);
        let is_same = self.check_same(point.before, folder);
        if code == Some(0) {
            return is_same.context("it ended with 0");
        }
        if let Fate::Fault(fault) = &point.fate
            && code != Some(STOPPED)
        {
            // Where no write works any more, none to the terminal does.
            let is_dumb = fault.call.name == "write" && matches!(fault.effect, Effect::ErrorFromThenOn(_));
            let name = Path::new(&fault.call.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
            ensure!(is_dumb || said.contains(&name), "its message does not name {name}: {said}");
        }
        if let Fate::Reading { path, .. } = &point.fate {
            ensure!(said.contains(&format!("failed: {path}: ")), "its message does not name {path}: {said}");
        }
        self.check_report(folder)
    }

    /// The output directory is as it was before the run.
    fn check_untouched(&self, before: Before, folder: &Path) -> Result<()> {
        let [before, now] = [self.path(before.folder()), folder.to_owned()].map(|folder| folder.join("out"));
        match (before.is_dir(), now.is_dir()) {
            (true, true) => difference(&before, &now, |_| false)?.map_or(Ok(()), |difference| bail!("{difference}")),
            (before, now) if before == now => Ok(()),
            _ => bail!("the output directory was made"),
        }
    }

    /// Of what the report says that it is done, it is.
    fn check_report(&self, folder: &Path) -> Result<()> {
        let Ok(report) = fs_err::read_to_string(folder.join("report.jsonl")) else { return Ok(()) };
        for line in report.lines() {
            let line: Value = serde_json::from_str(line).context("a line of the report")?;
            if let (Some("translated" | "skipped"), Some(output)) = (line["status"].as_str(), line["output"].as_str()) {
                let content = fs_err::read(folder.join(output)).context("the report says that it is done")?;
                ensure!(line["output_bytes"] == content.len(), "the report says another length of {output}");
            }
        }
        Ok(())
    }

    /// Each translation that is there is that of the undisturbed run, or what was there before.
    fn check_whole(&self, before: Before, folder: &Path) -> Result<()> {
        let (earlier, wanted) = (self.path(before.folder()), self.wanted(before));
        for entry in WalkDir::new(folder.join("out")).into_iter().filter(|_| folder.join("out").is_dir()) {
            let entry = entry?;
            let name = entry.path().strip_prefix(folder)?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if entry.file_type().is_file() && !is_hidden {
                let content = fs_err::read(entry.path())?;
                let is = |folder: &Path| fs_err::read(folder.join(name)).is_ok_and(|other| other == content);
                ensure!(is(&wanted) || is(&earlier), "{} is not whole", name.display());
            }
        }
        Ok(())
    }

    /// The directory is that of the undisturbed run, journal included, and nothing is left beside it.
    pub(super) fn check_same(&self, before: Before, folder: &Path) -> Result<()> {
        let wanted = self.wanted(before);
        if let Some(difference) = difference(&wanted.join("out"), &folder.join("out"), |_| false)? {
            bail!("{difference}");
        }
        for entry in fs_err::read_dir(folder)? {
            let name = entry?.file_name();
            ensure!(wanted.join(&name).exists(), "{} is left in the folder", name.display());
        }
        Ok(())
    }
}
