//! A generator's file to a network and its weights, whoever wrote it.

use std::path::Path;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use models::Metadata;
use models::recognise::{self, Origin, RecogniseError};
use models_archive::{ArchiveError, Contents, Kind};
use models_torch::SavedNetwork;
use program::{Exit, Failure, OrExit};

use crate::arguments::SourceArguments;

/// A generator as its file says it, or as it was recognised.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The network, what is known of it, and its weights. Where the file did not say all of it, the metadata's
    /// `assumptions` are not empty.
    pub network: SavedNetwork,
    /// Who wrote the file.
    pub kind: Kind,
    /// What was recognised, in a few words, where the file does not say what it is.
    pub recognised: Option<String>,
}

/// Reads a file of this project or from elsewhere.
///
/// # Errors
/// If it cannot be read, holds no generator that is known, or a flag contradicts what it says.
pub fn read(path: &Path, arguments: &SourceArguments) -> Result<Source, Failure> {
    let behind_path = |error: anyhow::Error| anyhow!("{}: {error:#}", path.display());
    let (contents, prefix) =
        contents(path, arguments.key.as_deref()).map_err(behind_path).or_exit(Exit::CannotStart)?;
    if contents.metadata.is_some() {
        if let Some(flag) = arguments.first_given() {
            let message = "the file says itself what it computes; leave the flag out";
            return Err(Failure::new(Exit::Usage, format!("{}: --{flag}: {message}", path.display())));
        }
        let kind = contents.kind;
        let network = models_torch::saved(contents).map_err(|error| behind_path(error.into()));
        return Ok(Source { network: network.or_exit(Exit::CannotStart)?, kind, recognised: None });
    }
    recognised(path, contents, prefix, arguments).map_err(|error| {
        // A flag that the file rules out is a mistake on the command line.
        let exit = match error {
            RecogniseError::Choice { .. } => Exit::Usage,
            _ => Exit::CannotStart,
        };
        Failure::new(exit, format!("{}: {error}", path.display()))
    })
}

/// What a file holds. A key names a dictionary in it; where there is none of that name, it is what the tensors' names begin
/// with, and given back.
fn contents<'k>(path: &Path, key: Option<&'k str>) -> anyhow::Result<(Contents, Option<&'k str>)> {
    let file = Bytes::from(std::fs::read(path).context("cannot be read")?);
    match models_archive::read(file.clone(), key) {
        Err(ArchiveError::NoDictionaries { .. }) => Ok((models_archive::read(file, None)?, key)),
        // Where a name that nothing has would be looked for among several, the first message says more.
        Err(error @ ArchiveError::NoKey { .. }) => Ok((models_archive::read(file, None).map_err(|_| error)?, key)),
        read => Ok((read?, None)),
    }
}

fn recognised(
    path: &Path,
    contents: Contents,
    prefix: Option<&str>,
    arguments: &SourceArguments,
) -> Result<Source, RecogniseError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let place = arguments.key.as_deref().or(contents.key.as_deref()).unwrap_or_default();
    let origin = format!("{stem} {place}");
    // safetensors keeps no order; Python's dictionaries have that in which a network lists its tensors.
    let origin = Origin { name: origin.trim_end(), ordered: contents.kind == Kind::PyTorch };
    let weights = match prefix {
        Some(prefix) => recognise::under(prefix, contents.tensors)?,
        None => contents.tensors,
    };
    let recognised = recognise::recognise(weights, &arguments.choices(), origin)?;
    let summary = match &contents.key {
        Some(key) => format!("{} under `{key}`", recognised.summary),
        None => recognised.summary.clone(),
    };
    let program = concat!("exporter ", env!("CARGO_PKG_VERSION"));
    let (metadata, weights) = recognised.into_parts(program, arguments.training_size.map(usize::from));
    Ok(Source { network: SavedNetwork { metadata, weights }, kind: contents.kind, recognised: Some(summary) })
}

/// What a file did not say, for a person.
pub(crate) fn assumed(Metadata { assumptions, .. }: &Metadata) -> String {
    let table = models::Assumption::table(assumptions);
    format!("names and shapes do not say these; flags of the same names set them:\n{table}")
}
