//! `translated.py`: what people write to translate a folder, and the seconds that it takes.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::Task;

/// What the script says, run by one of the environments.
pub(super) fn translated(root: &Path, python: &Path, words: &[&str]) -> Result<Value> {
    let script = root.join("xtask/src/bench/translated.py").display().to_string();
    let printed = Task::new(python, [&[script.as_str()], words].concat()).output(root)?;
    serde_json::from_slice(&printed).with_context(|| format!("no JSON: {}", String::from_utf8_lossy(&printed)))
}

/// A number of what it says, or of another object.
pub(super) fn number(json: &Value, key: &str) -> Result<f64> {
    json[key].as_f64().with_context(|| format!("no {key} in {json}"))
}
