//! What became of the pictures.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What became of one picture.
#[derive(Debug)]
pub struct Outcome {
    /// The picture.
    pub input: PathBuf,
    /// Written, or why not.
    pub result: Result<(), anyhow::Error>,
}

/// Counts over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pictures translated and written.
    pub translated: usize,
    /// Pictures whose output was there already.
    pub skipped: usize,
    /// Pictures that could not be read, translated or written.
    pub failed: usize,
}

impl Summary {
    /// Counts a picture.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome.result {
            Ok(()) => self.translated += 1,
            Err(_) => self.failed += 1,
        }
    }

    /// Pictures of which something is known.
    pub fn done(&self) -> usize {
        self.translated + self.skipped + self.failed
    }

    /// The counts for a program.
    pub fn to_json(&self, device: &str, took: Duration) -> serde_json::Value {
        let Self { translated, skipped, failed } = self;
        let seconds = took.as_secs_f64();
        serde_json::json!({ "translated": translated, "skipped": skipped, "failed": failed, "seconds": seconds, "device": device })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "translated {}, skipped {}, failed {}", self.translated, self.skipped, self.failed)
    }
}
