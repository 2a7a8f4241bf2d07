//! The file beside a model that describes it: `NAME.toml` for `NAME.onnx`.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::arguments::Said;
use super::error::ContractError;

/// A description has ten lines; what is larger is another file.
const LARGEST: u64 = 64 << 10;

/// Where a model's description lies.
pub(super) fn place(model: &Path) -> PathBuf {
    model.with_extension("toml")
}

/// What the file beside a model says; nothing where there is none.
pub(super) fn beside(model: &Path) -> Result<Said, ContractError> {
    let path = place(model);
    let refused = |reason: String| ContractError::Description { path: path.clone(), reason };
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Said::default()),
        Err(error) => return Err(refused(error.to_string())),
        Ok(found) if !found.is_file() => return Err(refused("it is no file".into())), // a pipe would be waited for
        Ok(found) if found.len() > LARGEST => return Err(refused(format!("it is larger than {LARGEST} bytes"))),
        Ok(_) => {}
    }
    let mut text = String::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map_err(|error| refused(error.to_string()))?;
    parse(&text).map_err(refused)
}

/// What the text of a description says.
///
/// # Errors
/// What is no TOML, an unknown key, or no value of its key, with the line.
pub(super) fn parse(text: &str) -> Result<Said, String> {
    toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
}
