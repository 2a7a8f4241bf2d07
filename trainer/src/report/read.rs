//! A run directory as data for the page. What is not there is not shown; what is not known is left out.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::Value;

use super::series::{Series, losses, paired, read_lines, speed};
use crate::best;
use crate::run_directory::{METRICS, SETTINGS, START, TIMING, is_in_use};
use crate::settings::Layer;

/// Points of a curve: a few for each pixel of a wide screen.
const MOST_POINTS: usize = 2000;
/// Settings that say where and on what a run was made, not how: no preset has them.
const NOT_THE_PRESETS: [&str; 5] = ["data", "data_root", "threads", "device", "cache"];
/// Logged intervals that the present speed is the mean of.
const RECENT: usize = 10;

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// The trainer is at it, or was when it wrote this.
    Running,
    /// Ended before its last update.
    Stopped,
    /// All updates are made.
    Finished,
}

/// A run as the page shows it, but for its sample sheets.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) settings: Vec<Setting>,
    pub(super) step: u64,
    pub(super) updates: Option<u64>,
    /// Losses and learning rate.
    pub(super) losses: Series,
    pub(super) paired: Series,
    pub(super) speed: Series,
    pub(super) warnings: Vec<Warning>,
    /// Spent in steps that were logged.
    pub(super) seconds_used: f64,
    pub(super) seconds_left: Option<f64>,
    pub(super) start: Value,
    pub(super) best: Value,
    /// Seconds since 1970.
    pub(super) written: u64,
}

/// A line of `run.toml`.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    /// The comment above it.
    pub(super) comment: String,
    /// What its preset says, where that is something else.
    pub(super) preset: Option<String>,
}

/// Something that went wrong and can be mended.
#[derive(Debug, Serialize)]
pub(super) struct Warning {
    pub(super) step: u64,
    pub(super) kind: String,
    pub(super) message: String,
}

impl Run {
    /// Reads what is there. Without a `state`, a run that has not reached its last update counts as running while a
    /// trainer has it, else as stopped.
    pub(super) fn read(path: &Path, state: Option<State>) -> anyhow::Result<Self> {
        if !path.join(SETTINGS).is_file() {
            bail!(
                "{} is no run directory: it has no {SETTINGS}; give one that `trainer --data …` made, like runs/stripes",
                path.display()
            );
        }
        let settings = settings(&fs_err::read_to_string(path.join(SETTINGS))?)
            .with_context(|| format!("{} cannot be read; mend it by hand", path.join(SETTINGS).display()))?;
        let mut run = Self {
            name: name(path),
            state: State::Stopped,
            settings,
            step: 0,
            updates: None,
            losses: Series::default(),
            paired: Series::default(),
            speed: Series::default(),
            warnings: Vec::new(),
            seconds_used: 0.0,
            seconds_left: None,
            start: Value::Null,
            best: Value::Null,
            written: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        };
        run.start = run.json_or_null(&path.join(START))?;
        run.best = run.json_or_null(&best::facts_path(path))?;
        run.read_metrics(&path.join(METRICS))?;
        run.read_timing(&path.join(TIMING))?;
        run.losses = std::mem::take(&mut run.losses).thinned(MOST_POINTS);
        run.speed = std::mem::take(&mut run.speed).thinned(MOST_POINTS);
        let said = run.setting("steps").and_then(|steps| steps.parse().ok());
        run.updates = run.start["updates"].as_u64().or(said);
        let finished = run.updates.is_some_and(|updates| run.step >= updates);
        run.state = state.unwrap_or_else(|| match finished {
            true => State::Finished,
            false if is_in_use(path) => State::Running,
            false => State::Stopped,
        });
        run.seconds_left = run.seconds_left();
        Ok(run)
    }

    /// Says on the page that a file of the run cannot be shown.
    pub(super) fn warn_of_damage(&mut self, step: u64, message: String) {
        self.warnings.push(Warning { step, kind: "damaged_file".into(), message });
    }

    /// The value of a setting.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
    }

    /// A file of JSON, which the page does without where it is none.
    fn json_or_null(&mut self, path: &Path) -> anyhow::Result<Value> {
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
            Err(error) => return Err(error.into()),
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            self.warn_of_damage(0, format!("{} is no JSON ({error}): left out", path.display()));
            Value::Null
        }))
    }

    fn read_metrics(&mut self, path: &Path) -> anyhow::Result<()> {
        let (lines, damaged) = read_lines(path)?;
        for line in &lines {
            let Some(step) = line["step"].as_u64() else { continue };
            self.warnings.retain(|warning| warning.step <= step);
            if line["losses"].is_object() {
                self.losses.push(step, losses(line));
            }
            if line["paired"].is_object() {
                self.paired.push(step, paired(line).into_iter().map(|(name, number)| (name, Some(number))));
            }
            if let Some(warning) = line["warning"].as_object() {
                let text = |key: &str| warning.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                self.warnings.push(Warning { step, kind: text("kind"), message: text("message") });
            }
        }
        self.step = self.losses.last_step().unwrap_or(0);
        if let [first, ..] = damaged[..] {
            let message =
                format!("{}, line {first} and {} more: not readable, left out", path.display(), damaged.len() - 1);
            self.warn_of_damage(self.step, message);
        }
        Ok(())
    }

    fn read_timing(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut seconds = Series::default();
        for line in &read_lines(path)?.0 {
            let Some(step) = line["step"].as_u64() else { continue };
            seconds.push(step, [("seconds".to_owned(), line["seconds"].as_f64())]);
            if let Some(speed) = speed(line) {
                self.speed.push(step, speed.map(|(name, number)| (name.to_owned(), Some(number))));
            }
        }
        self.seconds_used = seconds.column("seconds").iter().sum();
        self.step = self.step.max(seconds.last_step().unwrap_or(0));
        Ok(())
    }

    fn seconds_left(&self) -> Option<f64> {
        let all = self.speed.column("seconds_per_step");
        let recent = &all[all.len().saturating_sub(RECENT)..];
        let a_step = recent.iter().sum::<f64>() / recent.len() as f64;
        let left = self.updates?.checked_sub(self.step)?;
        (self.state == State::Running && !recent.is_empty()).then_some(a_step * left as f64)
    }
}

/// What a run is called: its folder, also for `.`.
fn name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole.file_name().map_or_else(|| whole.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The settings in the order of the file, with the comments above them and what the preset says.
fn settings(text: &str) -> anyhow::Result<Vec<Setting>> {
    let table: toml::Table = toml::from_str(text)?;
    let presets = preset(&table);
    let mut settings: Vec<Setting> = flat(&table)
        .into_iter()
        .map(|(name, value)| {
            let says = presets.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
            let compared = !presets.is_empty() && !NOT_THE_PRESETS.contains(&name.as_str());
            let says = says.unwrap_or_else(|| "not set".into());
            let comment = comment_above(text, &name);
            Setting { preset: (compared && says != value).then_some(says), comment, name, value }
        })
        .collect();
    settings.sort_by_key(|setting| text.find(&format!("\n{} =", setting.name)).unwrap_or(0));
    Ok(settings)
}

/// What a run with this data and preset would have had without another flag.
fn preset(table: &toml::Table) -> Vec<(String, String)> {
    let said = ["data", "preset"].iter().filter_map(|name| Some(((*name).to_owned(), table.get(*name)?.clone())));
    let said: toml::Table = said.collect();
    let settings = Layer::read(&said.to_string()).and_then(Layer::onto_preset).and_then(|layer| layer.settings());
    settings.map(|settings| flat(&settings.of_the_run().table())).unwrap_or_default()
}

/// Plain values by name; one inside a table like `length.steps`.
fn flat(table: &toml::Table) -> Vec<(String, String)> {
    let mut values = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => {
                values.extend(flat(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            toml::Value::String(text) => values.push((name.clone(), text.clone())),
            other => values.push((name.clone(), other.to_string())),
        }
    }
    values
}

fn comment_above(text: &str, name: &str) -> String {
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim) {
        match line.strip_prefix('#') {
            Some(said) => comment.push(said.trim()),
            None if line.split_once('=').is_some_and(|(key, _)| key.trim() == name) => return comment.join(" "),
            None => comment.clear(),
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_keep_their_comments_and_name_what_the_preset_says() {
        let text = "# Where pictures are.\ndata = \"stripes\"\npreset = \"paper\"\n\n# Side of the\n# pictures.\nsize = 64\nrate = 0.0002\n";
        let settings = settings(text).expect("it is TOML");
        let shown: Vec<_> = settings
            .iter()
            .map(|setting| (setting.name.as_str(), setting.value.as_str(), setting.preset.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("data", "stripes", None),
                ("preset", "paper", None),
                ("size", "64", Some("256")),
                ("rate", "0.0002", None)
            ]
        );
        assert_eq!(settings[2].comment, "Side of the pictures.");
    }
}
