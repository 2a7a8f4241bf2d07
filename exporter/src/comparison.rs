//! A network's file of weights held against an ONNX file: after an export, and by `exporter verify`.

use std::path::Path;

use anyhow::{Context, anyhow};
use models::pixels::Scale;
use models::{Metadata, shapes, weights_hash};
use models_onnx::proto::ModelProto;
use models_onnx::{Interface, Precision, ReadError};
use models_torch::{Module, SavedNetwork};
use program::{Console, Exit, Failure, OrExit, files, interrupt, print_result};
use serde_json::json;

use crate::arguments::{SourceArguments, VerificationArguments};
use crate::source;
use crate::verification::{Basis, Pair, Report, VerificationError, verify};

/// An ONNX file, which may not be in its place yet.
pub(crate) struct Made<'a> {
    /// What it is called, or will be.
    pub(crate) name: &'a Path,
    /// Where it is.
    pub(crate) file: &'a Path,
    pub(crate) interface: Interface,
    pub(crate) precision: Precision,
    /// Who says so.
    pub(crate) basis: Basis,
    /// What the file of weights says, or was recognised to be.
    pub(crate) source: &'a Metadata,
    /// What the ONNX file says of itself that is not so.
    pub(crate) contradictions: Vec<String>,
    /// Whether its weights are those that the export wrote; none where it does not say what they were.
    pub(crate) unchanged: Option<bool>,
}

/// `exporter verify`: prints the table.
pub(crate) fn run(
    weights: &Path,
    said: &SourceArguments,
    file: &Path,
    precision: Option<Precision>,
    arguments: &VerificationArguments,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let SavedNetwork { metadata, weights: tensors } = source::read(weights, said)?.network;
    if !metadata.role.is_generator() {
        let error = anyhow!("{}: this is the {}; only generators translate pictures", weights.display(), metadata.role);
        return Err(error).or_exit(Exit::CannotStart);
    }
    let of_file = || file.display().to_string();
    let model = models_onnx::open(file).with_context(of_file).or_exit(Exit::CannotStart)?;
    let hash = || models_onnx::weights(&model).map(|weights| weights_hash(&weights));
    let unchanged = models_onnx::written_hash(&model).map(|written| Ok(hash()? == written)).transpose();
    let unchanged =
        unchanged.map_err(|error: ReadError| anyhow!(error)).with_context(of_file).or_exit(Exit::CannotStart)?;
    let channels = [metadata.network.channels, shapes::output_channels(&metadata.network)];
    let interface = models_onnx::interface_with(&model, channels).with_context(of_file).or_exit(Exit::CannotStart)?;
    let found = models_onnx::precision(&model);
    let hash = weights_hash(&tensors);
    drop(tensors);
    let mut contradictions =
        contradictions(&model, &metadata, &hash).with_context(of_file).or_exit(Exit::CannotStart)?;
    if let Some(asked) = precision.filter(|&asked| asked != found) {
        contradictions.push(format!("precision: --precision {asked}, but the file's weights are {found}"));
    }
    let made = Made {
        name: file,
        file,
        interface,
        precision: precision.unwrap_or(found),
        basis: if precision.is_some() { Basis::Flag } else { Basis::Weights },
        source: &metadata,
        contradictions,
        unchanged,
    };
    drop(model);
    let report = compare(weights, said, &made, arguments, console)?;
    print_result(&report);
    if unchanged == Some(false) {
        print_result(format!("{}: its weights are not what its export wrote: they were changed later", file.display()));
    }
    Ok(if report.agrees() && unchanged != Some(false) { Exit::Done } else { Exit::Differs })
}

/// Where the metadata of an ONNX file is not that of the weights; nothing where it has none.
fn contradictions(model: &ModelProto, source: &Metadata, hash: &str) -> Result<Vec<String>, ReadError> {
    let file = match models_onnx::metadata(model) {
        Ok(metadata) => metadata,
        Err(ReadError::NoMetadata) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    let mut differ = |what: &str, file: String, source: String| {
        if file != source {
            found.push(format!("{what}: the file's metadata say {file}, the weights {source}"));
        }
    };
    let range = |[black, white]: [f32; 2]| format!("{black} to {white}");
    differ("pixel range", range(file.pixel_range), range(source.pixel_range));
    differ("weights", file.weights_sha256.unwrap_or_else(|| "nothing".into()), hash.into());
    if file.network != source.network {
        found.push(
            "network: the file's metadata have another than the weights; `exporter diff` says what differs".into(),
        );
    }
    Ok(found)
}

/// Compares both, and writes the report where one is asked for.
pub(crate) fn compare(
    weights: &Path,
    said: &SourceArguments,
    made: &Made<'_>,
    arguments: &VerificationArguments,
    console: &mut Console,
) -> Result<Report, Failure> {
    interrupt::watch("stopping after this input").or_exit(Exit::CannotStart)?;
    let module = || {
        let saved = source::read(weights, said).map_err(|failure| failure.error)?.network;
        Ok(Module::from_weights(saved.metadata.network, &saved.weights, tch::Device::Cpu)?)
    };
    let bar = console.start_bar(0, "runs compared");
    let progress = |made, runs| {
        bar.set_length(runs);
        bar.set_position(made);
    };
    let report = verify(&Pair {
        module: &module,
        network: &made.source.network,
        scale: Scale::new(made.source.pixel_range, 255),
        file: made.file,
        interface: made.interface,
        precision: made.precision,
        basis: made.basis,
        training_size: made.source.training_size,
        largest_size: arguments.largest_size,
        progress: &progress,
        pictures: arguments.pictures.as_deref(),
    });
    console.end_bar();
    let mut report = report.map_err(|error| {
        let exit = match error {
            VerificationError::Stopped => Exit::Stopped,
            _ => Exit::CannotStart,
        };
        Failure { exit, error: error.into() }
    })?;
    report.contradictions.clone_from(&made.contradictions);
    if let Some(path) = &arguments.report {
        let (file, unchanged, agrees) = (made.name, made.unchanged, report.agrees());
        let json =
            json!({ "weights": weights, "file": file, "unchanged": unchanged, "agrees": agrees, "report": &report });
        let text = serde_json::to_string_pretty(&json).expect("plain values");
        files::write_whole(path, text.as_bytes()).or_exit(Exit::Fault)?;
    }
    Ok(report)
}
