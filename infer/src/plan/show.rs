//! A plan as lines.

use std::path::Path;

use serde_json::{Map, Value};

use super::Item;

/// `INPUT -> OUTPUT`.
pub(super) fn line(item: &Item) -> String {
    format!("{} -> {}", shown(&item.input), shown(&item.output))
}

/// An object with `input` and `output`. JSON holds Unicode only: for another path there is also `input_bytes` or
/// `output_bytes`, in hexadecimal.
pub(super) fn json(item: &Item) -> Value {
    let mut object = Map::new();
    for (key, path) in [("input", &item.input), ("output", &item.output)] {
        object.insert(key.into(), path.to_string_lossy().into());
        if path.to_str().is_none() {
            let bytes: String = path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            object.insert(format!("{key}_bytes"), bytes.into());
        }
    }
    object.into()
}

/// A path as it is, or quoted with escapes where that would end the line, do something to a terminal, or be read as two.
fn shown(path: &Path) -> String {
    let quoted = format!("{path:?}");
    match path.to_str() {
        Some(plain) if quoted[1..quoted.len() - 1] == *plain && !plain.contains(" -> ") => plain.into(),
        _ => quoted,
    }
}
