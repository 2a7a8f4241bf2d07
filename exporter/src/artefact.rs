//! A file of weights or a graph, in any format, for whoever only looks at it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use models::{Metadata, Weight, parameters};
use models_archive::Kind;
use models_onnx::Beside;
use models_onnx::proto::ModelProto;
use models_torch::SavedNetwork;
use program::{Exit, Failure, OrExit};
use serde::Serialize;

use crate::arguments::SourceArguments;
use crate::source::{self, Source};

/// The formats that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// libtorch's archive.
    Ot,
    /// safetensors.
    Safetensors,
    /// What `torch.save` writes.
    Pytorch,
    /// An ONNX graph.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ot => "libtorch archive",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "PyTorch",
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
    /// Its size, without what lies beside it.
    pub bytes: u64,
    /// The files beside an ONNX file that its weights are in.
    pub data: Vec<Beside>,
    /// What it says about itself; none in an ONNX file from elsewhere.
    pub metadata: Option<Metadata>,
    /// What it learned, in the network's order, which differs from that of some files; of an ONNX file from elsewhere, all
    /// 32-bit floats that come with the graph. Where the network was recognised, under its names.
    pub weights: Vec<Weight>,
    /// Biases that an export left out since a norm takes them away.
    pub left_out: Vec<String>,
    /// The graph of an ONNX file.
    pub model: Option<ModelProto>,
}

impl Artefact {
    /// Reads a file; `said` is what one from elsewhere does not say.
    pub(crate) fn open(path: &Path, said: &SourceArguments) -> Result<Self, Failure> {
        let of_path = || path.display().to_string();
        let size = || anyhow::Ok(std::fs::metadata(path).context("cannot be read")?.len());
        let bytes = size().with_context(of_path).or_exit(Exit::CannotStart)?;
        let path = path.to_owned();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            if let Some(flag) = said.first_given() {
                let message = "an ONNX file says itself what it computes; leave the flag out";
                return Err(Failure::new(Exit::Usage, format!("{}: --{flag}: {message}", path.display())));
            }
            return Self::onnx(path.clone(), bytes).with_context(of_path).or_exit(Exit::CannotStart);
        }
        let Source { network: SavedNetwork { metadata, weights }, kind, .. } = source::read(&path, said)?;
        let format = match kind {
            Kind::LibTorch => Format::Ot,
            Kind::Safetensors => Format::Safetensors,
            Kind::PyTorch => Format::Pytorch,
        };
        let weights = in_order(weights, Some(&metadata));
        let (data, left_out) = (Vec::new(), Vec::new());
        Ok(Self { path, format, bytes, data, metadata: Some(metadata), weights, left_out, model: None })
    }

    fn onnx(path: PathBuf, bytes: u64) -> anyhow::Result<Self> {
        let (model, data) = models_onnx::open_with_data(&path)?;
        let (metadata, weights, left_out) = match models_onnx::metadata(&model) {
            Ok(metadata) => {
                let weights = in_order(models_onnx::weights(&model)?, Some(&metadata));
                // Whatever else is missing is a fault, and named as such.
                let mut left_out: Vec<String> = models_onnx::cancelled_biases(&metadata.network).into_iter().collect();
                left_out.retain(|name| !weights.iter().any(|weight| weight.name == *name));
                (Some(metadata), weights, left_out)
            }
            Err(models_onnx::ReadError::NoMetadata) => (None, models_onnx::floats(&model), Vec::new()),
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path, format: Format::Onnx, bytes, data, metadata, weights, left_out, model: Some(model) })
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
