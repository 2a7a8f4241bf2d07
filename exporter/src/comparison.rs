//! A network's file of weights held against an ONNX file: after an export, and by `exporter verify`.

use std::path::Path;

use anyhow::{Context, anyhow};
use models::weights_hash;
use models_onnx::{Interface, Precision, ReadError};
use models_torch::Module;
use program::{Console, Exit, Failure, OrExit, files, interrupt, print_result};
use serde_json::json;

use crate::arguments::{SourceArguments, VerificationArguments};
use crate::source;
use crate::verification::{Pair, Report, VerificationError, verify};

/// An ONNX file, which may not be in its place yet.
pub(crate) struct Made<'a> {
    /// What it is called, or will be.
    pub(crate) name: &'a Path,
    /// Where it is.
    pub(crate) file: &'a Path,
    pub(crate) interface: Interface,
    pub(crate) precision: Precision,
    /// Side of the pictures that its network was trained on, where that is known.
    pub(crate) training_size: Option<usize>,
    /// Whether its weights are those that the export wrote; none where it does not say what they were.
    pub(crate) unchanged: Option<bool>,
}

/// `exporter verify`: prints the table.
pub(crate) fn run(
    weights: &Path,
    said: &SourceArguments,
    file: &Path,
    arguments: &VerificationArguments,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let metadata = source::read(weights, said)?.network.metadata;
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
    let made = Made {
        name: file,
        file,
        interface: models_onnx::interface(&model).with_context(of_file).or_exit(Exit::CannotStart)?,
        precision: models_onnx::precision(&model),
        training_size: metadata.training_size,
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
        file: made.file,
        interface: made.interface,
        precision: made.precision,
        training_size: made.training_size,
        largest_size: arguments.largest_size,
        progress: &progress,
        pictures: arguments.pictures.as_deref(),
    });
    console.end_bar();
    let report = report.map_err(|error| {
        let exit = match error {
            VerificationError::Stopped => Exit::Stopped,
            _ => Exit::CannotStart,
        };
        Failure { exit, error: error.into() }
    })?;
    if let Some(path) = &arguments.report {
        let (file, unchanged, agrees) = (made.name, made.unchanged, report.agrees());
        let json =
            json!({ "weights": weights, "file": file, "unchanged": unchanged, "agrees": agrees, "report": &report });
        let text = serde_json::to_string_pretty(&json).expect("plain values");
        files::write_whole(path, text.as_bytes()).or_exit(Exit::Fault)?;
    }
    Ok(report)
}
