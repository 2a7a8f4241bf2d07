//! `--profile`: when each stage worked on which picture, as a trace that Chrome (`chrome://tracing`) and Perfetto show.
//!
//! The format is the Trace Event Format's JSON array of complete events (`"ph": "X"`), times in microseconds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use program::files;
use serde_json::{Value, json};

/// Collects events; without a file it collects none.
#[derive(Debug)]
pub struct Profile {
    start: Instant,
    events: Option<Mutex<Vec<Value>>>,
    path: Option<PathBuf>,
}

impl Profile {
    /// For a file, which is written by [`Self::write`].
    pub fn new(path: Option<&Path>) -> Self {
        let events = path.is_some().then(Mutex::default);
        Self { start: Instant::now(), events, path: path.map(Into::into) }
    }

    /// Does something, and notes when and for which pictures.
    pub fn time<T>(&self, stage: &'static str, picture: impl FnOnce() -> Value, work: impl FnOnce() -> T) -> T {
        let Some(events) = &self.events else { return work() };
        let began = self.start.elapsed();
        let done = work();
        let took = self.start.elapsed() - began;
        let thread = std::thread::current();
        let event = json!({
            "name": stage, "ph": "X", "pid": 1, "tid": thread.name().unwrap_or("main"),
            "ts": began.as_secs_f64() * 1e6, "dur": took.as_secs_f64() * 1e6, "args": { "picture": picture() },
        });
        events.lock().expect("no thread panics with it").push(event);
        done
    }

    /// Writes the trace.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn write(self) -> io::Result<()> {
        let (Some(path), Some(events)) = (self.path, self.events) else { return Ok(()) };
        let events = events.into_inner().expect("no thread panics with it");
        files::write_whole(&path, json!({ "traceEvents": events }).to_string().as_bytes())
    }
}
