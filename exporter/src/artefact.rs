//! A file of weights or a graph, in any format, for whoever only looks at it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use models::{Metadata, Weight, parameters};
use models_onnx::proto::ModelProto;
use models_torch::SavedNetwork;
use program::{Exit, Failure, OrExit};
use serde::Serialize;

/// The formats that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// libtorch's archive.
    Ot,
    /// safetensors.
    Safetensors,
    /// An ONNX graph.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ot => "libtorch archive",
            Self::Safetensors => "safetensors",
            Self::Onnx => "ONNX",
        })
    }
}

/// What a file holds.
pub(crate) struct Artefact {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub format: Format,
    /// Its size.
    pub bytes: u64,
    /// What it says about itself; none in an ONNX file from elsewhere.
    pub metadata: Option<Metadata>,
    /// What it learned, in the network's order, which differs from that of some files; of an ONNX file from elsewhere, all 32-bit floats that come with the graph.
    pub weights: Vec<Weight>,
    /// The graph of an ONNX file.
    pub model: Option<ModelProto>,
}

impl Artefact {
    /// Reads a file.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let is_onnx = path.extension().is_some_and(|extension| extension == "onnx");
        let (format, metadata, weights, model) = if is_onnx {
            let (metadata, weights, model) =
                read_onnx(path).with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?;
            (Format::Onnx, metadata, weights, Some(model))
        } else {
            let SavedNetwork { metadata, weights } = crate::read(path)?;
            let format = match models_torch::Format::of(path).or_exit(Exit::CannotStart)? {
                models_torch::Format::Ot => Format::Ot,
                models_torch::Format::Safetensors => Format::Safetensors,
            };
            (format, Some(metadata), weights, None)
        };
        let weights = in_order(weights, metadata.as_ref());
        let bytes =
            std::fs::metadata(path).with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?.len();
        Ok(Self { path: path.to_owned(), format, bytes, metadata, weights, model })
    }

    /// Its name without folders, fit to be printed.
    pub(crate) fn name(&self) -> String {
        crate::table::printable(&self.path.file_name().unwrap_or_default().to_string_lossy())
    }
}

/// Tensors in the order of the network's table, then those that it does not know.
fn in_order(mut weights: Vec<Weight>, metadata: Option<&Metadata>) -> Vec<Weight> {
    let table = metadata.map_or_else(Vec::new, |metadata| parameters::table(&metadata.network));
    let places: BTreeMap<&str, usize> =
        table.iter().enumerate().map(|(place, parameter)| (parameter.name.as_str(), place)).collect();
    weights.sort_by_key(|weight| places.get(weight.name.as_str()).copied().unwrap_or(usize::MAX));
    weights
}

fn read_onnx(path: &Path) -> anyhow::Result<(Option<Metadata>, Vec<Weight>, ModelProto)> {
    let model = models_onnx::parse(std::fs::read(path).context("cannot be read")?)?;
    match models_onnx::metadata(&model) {
        Ok(metadata) => Ok((Some(metadata), models_onnx::weights(&model)?, model)),
        Err(models_onnx::ReadError::NoMetadata) => Ok((None, models_onnx::floats(&model), model)),
        Err(error) => Err(error.into()),
    }
}
