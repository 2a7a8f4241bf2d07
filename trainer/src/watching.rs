//! What lets one watch a run: TensorBoard events and the page, both from what the run directory holds.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use pictures::Picture;
use serde_json::Value;

use crate::report::{Report, State, series};
use crate::run_directory::{SETTINGS, sheet_path};
use crate::tensorboard::EventFile;

/// The page is drawn again when there are new losses, but not more often than this: it is written whole, and synced.
const BETWEEN_PAGES: Duration = Duration::from_secs(30);

/// A run's events and page. An error of theirs is no reason to end the run.
#[derive(Debug)]
pub(crate) struct Watching {
    run: PathBuf,
    /// None once a record could not be written: half of it may be there, and nothing can follow that.
    events: Option<EventFile>,
    report: Report,
    drawn: Option<Instant>,
}

impl Watching {
    /// What is shown of the run in that directory; nothing yet.
    pub(crate) fn new(run: &Path) -> Self {
        Self { run: run.to_owned(), events: None, report: Report::new(run), drawn: None }
    }

    /// Begins the events of a run that has its settings, after `from_step` updates.
    pub(crate) fn start(&mut self, from_step: u64) -> anyhow::Result<()> {
        self.events = Some(EventFile::create(&self.run, from_step)?);
        let settings = fs_err::read_to_string(self.run.join(SETTINGS))?;
        self.event(|events| events.text(from_step, "settings", &format!("```toml\n{settings}\n```")))
    }

    fn event(&mut self, write: impl FnOnce(&mut EventFile) -> io::Result<()>) -> anyhow::Result<()> {
        let Some(events) = &mut self.events else { return Ok(()) };
        let written = write(events).context("TensorBoard's events end here");
        if written.is_err() {
            self.events = None;
        }
        written
    }

    /// A line was added to `metrics.jsonl`: losses, paired quality or a warning.
    pub(crate) fn logged(&mut self, line: &Value) -> anyhow::Result<()> {
        let step = line["step"].as_u64().unwrap_or_default();
        self.event(|events| events.scalars(step, &scalars(line)))?;
        match line["warning"]["message"].as_str() {
            Some(message) => self.event(|events| events.text(step, "warnings", message)),
            None => Ok(()),
        }
    }

    /// A line was added to `timing.jsonl`, the last of what is logged together.
    pub(crate) fn timed(&mut self, line: &Value) -> anyhow::Result<()> {
        let speed = series::speed(line).into_iter().flatten().map(|(name, number)| (format!("speed/{name}"), number));
        let (step, speed) = (line["step"].as_u64().unwrap_or_default(), speed.collect::<Vec<_>>());
        let written = self.event(|events| events.scalars(step, &speed));
        if self.drawn.is_none_or(|drawn| drawn.elapsed() > BETWEEN_PAGES) {
            self.draw(State::Running)?;
        }
        written
    }

    /// A sample sheet was written.
    pub(crate) fn sampled(&mut self, step: u64, sheet: &Picture) -> anyhow::Result<()> {
        let png = fs_err::read(sheet_path(&self.run, step))?;
        let written = self.event(|events| events.image(step, "samples", &png, sheet.width(), sheet.height()));
        self.draw(State::Running)?;
        written
    }

    /// The run has ended, one way or another.
    pub(crate) fn ended(&mut self, state: State) -> anyhow::Result<()> {
        self.draw(state)
    }

    fn draw(&mut self, state: State) -> anyhow::Result<()> {
        self.drawn = Some(Instant::now());
        self.report.write(state).context("the page is not drawn")?;
        Ok(())
    }
}

/// The numbers of a metrics line under the tags that TensorBoard groups them by.
fn scalars(line: &Value) -> Vec<(String, f64)> {
    let losses = series::losses(line).into_iter().filter_map(|(name, number)| {
        let tag = if name == "learning_rate" { name } else { format!("losses/{name}") };
        Some((tag, number?))
    });
    losses.chain(series::paired(line).into_iter().map(|(name, number)| (format!("paired/{name}"), number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_line_becomes_scalars_in_their_group() {
        let losses = json!({ "step": 50, "losses": { "d_a": 0.5, "d_b": null }, "learning_rate": 2e-4 });
        assert_eq!(scalars(&losses), [("losses/d_a".into(), 0.5), ("learning_rate".into(), 2e-4)]);
        let paired = json!({ "step": 50, "paired": { "pairs": 2, "a_to_b": { "l1": 15.0 } } });
        assert_eq!(scalars(&paired), [("paired/a_to_b_l1".into(), 15.0)]);
        assert_eq!(scalars(&json!({ "step": 50, "warning": { "message": "…" } })), []);
    }
}
