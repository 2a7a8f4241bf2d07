//! What became of the pictures: counts for a person, `--report` for a program.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use models_runtime::Running;
use program::files;
use serde::Serialize;
use serde_json::{Value, json};

use crate::journal::{Made, PathText};

/// What became of one picture.
#[derive(Debug)]
pub struct Outcome {
    /// Its place in the plan.
    pub picture: usize,
    /// What it came to.
    pub result: Result<Done, anyhow::Error>,
    /// What is told of it on the way.
    pub facts: Facts,
}

/// A picture that needs no more work.
#[derive(Debug)]
pub enum Done {
    /// Translated and written.
    Translated(Made),
    /// Translated by an earlier run.
    Skipped(Made),
}

/// What is known of a picture, as far as it came.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// Columns and rows, upright.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Columns and rows of the translation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_size: Option<(u32, u32)>,
    /// What a person should know, as that only the first page is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Seconds of work on it, by stage. The network's are those of its whole batch.
    #[serde(skip_serializing_if = "Times::is_empty")]
    pub seconds: Times,
}

/// Seconds by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// Reading, decoding, scaling.
    pub decode: f64,
    /// In the network.
    pub translate: f64,
    /// Scaling back, encoding, writing.
    pub encode: f64,
}

impl Times {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pictures translated and written.
    pub translated: usize,
    /// Pictures that an earlier run had translated.
    pub skipped: usize,
    /// Pictures that could not be read, translated or written.
    pub failed: usize,
}

impl Summary {
    /// Counts a picture.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome.result {
            Ok(Done::Translated(_)) => self.translated += 1,
            Ok(Done::Skipped(_)) => self.skipped += 1,
            Err(_) => self.failed += 1,
        }
    }

    /// Pictures of which something is known.
    pub fn done(&self) -> usize {
        self.translated + self.skipped + self.failed
    }

    /// The counts for a program.
    pub fn to_json(&self, planned: usize, devices: &[Running], took: Duration) -> Value {
        let Self { translated, skipped, failed } = self;
        json!({
            "translated": translated, "skipped": skipped, "failed": failed, "left": planned - self.done(),
            "seconds": took.as_secs_f64(), "devices": devices.iter().map(device).collect::<Value>(),
        })
    }
}

/// A device as a program reads it.
fn device(running: &Running) -> Value {
    let Running { device, provider, tf32, threads, memory } = running;
    json!({
        "device": device.to_string(), "provider": provider, "tf32": tf32, "threads": threads, "memory": memory,
    })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "translated {}, skipped {}, failed {}", self.translated, self.skipped, self.failed)
    }
}

/// `--report`: a line of JSON for each picture, and one for all. It takes its place when it is whole.
#[derive(Debug)]
pub struct Report(BufWriter<files::Growing>);

impl Report {
    /// Begins the file beside its place.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn begin(path: &Path) -> io::Result<Self> {
        Ok(Self(BufWriter::new(files::Growing::begin(path)?)))
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn add(&mut self, input: &Path, output: &Path, outcome: &Outcome) -> io::Result<()> {
        let mut line = json!({ "input": PathText::from(input), "output": PathText::from(output) });
        let (status, made) = match &outcome.result {
            Ok(Done::Translated(made)) => ("translated", Some(made)),
            Ok(Done::Skipped(made)) => ("skipped", Some(made)),
            Err(_) => ("failed", None),
        };
        line["status"] = status.into();
        if let Err(reason) = &outcome.result {
            line["reason"] = format!("{reason:#}").into();
        }
        if let Some(made) = made {
            line["input_bytes"] = made.read.bytes.into();
            line["output_bytes"] = made.bytes.into();
            line["output_sha256"] = String::from(made.sha256).into();
        }
        let facts = serde_json::to_value(&outcome.facts).expect("numbers and texts are JSON");
        if let (Value::Object(line), Value::Object(facts)) = (&mut line, facts) {
            line.extend(facts);
        }
        writeln!(self.0, "{line}")
    }

    /// Adds a picture to which the run did not come.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn add_left(&mut self, input: &Path, output: &Path) -> io::Result<()> {
        let line = json!({ "input": PathText::from(input), "output": PathText::from(output), "status": "left" });
        writeln!(self.0, "{line}")
    }

    /// Adds the summary and puts the file into its place.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn finish(mut self, summary: Value) -> io::Result<()> {
        writeln!(self.0, "{}", json!({ "summary": summary }))?;
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }
}
