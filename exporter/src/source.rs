//! A generator's file to a network and its weights, whoever wrote it.

use std::path::Path;

use anyhow::anyhow;
use models::recognise::{self, Origin};
use models::{Metadata, Weight};
use models_torch::{FileError, SavedNetwork};
use program::{Exit, Failure, OrExit};

use crate::arguments::SourceArguments;

/// A generator as its file says it, or as it was recognised.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The network, what is known of it, and its weights. Where the file did not say all of it, the metadata's
    /// `assumptions` are not empty.
    pub network: SavedNetwork,
    /// What was recognised, in a few words, where the file does not say what it is.
    pub recognised: Option<String>,
}

/// Reads a file of this project or from elsewhere.
///
/// # Errors
/// If it cannot be read, holds no generator that is known, or a flag contradicts what it says.
pub fn read(path: &Path, arguments: &SourceArguments) -> Result<Source, Failure> {
    let behind_path = |error: anyhow::Error| anyhow!("{}: {error:#}", path.display());
    let (json, weights) = read_tensors(path).map_err(behind_path).or_exit(Exit::CannotStart)?;
    match json {
        Some(json) => {
            if let Some(flag) = arguments.first_given() {
                let message = "the file says itself what it computes; leave the flag out";
                return Err(Failure::new(Exit::Usage, format!("{}: --{flag}: {message}", path.display())));
            }
            let network = models_torch::saved(json.as_bytes(), weights).map_err(|error| behind_path(error.into()));
            Ok(Source { network: network.or_exit(Exit::CannotStart)?, recognised: None })
        }
        None => recognise_in(path, weights, arguments).map_err(|error| {
            // A flag that the file rules out is a mistake on the command line.
            let exit = match error {
                recognise::RecogniseError::Choice { .. } => Exit::Usage,
                _ => Exit::CannotStart,
            };
            Failure::new(exit, format!("{}: {error}", path.display()))
        }),
    }
}

/// Metadata where there is any, and tensors.
fn read_tensors(path: &Path) -> anyhow::Result<(Option<String>, Vec<Weight>)> {
    match models_torch::read_tensors(path) {
        Err(FileError::Extension) if path.exists() => {
            Err(anyhow!("is no .ot or .safetensors; those are what is exported"))
        }
        read => Ok(read?),
    }
}

fn recognise_in(
    path: &Path,
    mut weights: Vec<Weight>,
    arguments: &SourceArguments,
) -> Result<Source, recognise::RecogniseError> {
    let mut origin = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(key) = &arguments.key {
        weights = recognise::under(key, weights)?;
        origin = format!("{origin} {key}");
    }
    // Neither format keeps the order in which a network lists its tensors.
    let origin = Origin { name: &origin, ordered: false };
    let recognised = recognise::recognise(weights, &arguments.choices(), origin)?;
    let summary = recognised.summary.clone();
    let program = concat!("exporter ", env!("CARGO_PKG_VERSION"));
    let (metadata, weights) = recognised.into_parts(program, arguments.training_size.map(usize::from));
    Ok(Source { network: SavedNetwork { metadata, weights }, recognised: Some(summary) })
}

/// What a file did not say, for a person.
pub(crate) fn assumed(Metadata { assumptions, .. }: &Metadata) -> String {
    let table = models::Assumption::table(assumptions);
    format!("names and shapes do not say these; flags of the same names set them:\n{table}")
}
