//! `exporter inspect`: what a network's file holds, for a person.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use models::{Metadata, parameters, shapes, weights_hash};
use program::{Exit, Failure, OrExit, count, print_result};

/// A network's file.
struct Inspected {
    metadata: Metadata,
    /// Of the weights; in an ONNX file, of those that were exported.
    weights_hash: String,
    /// What an ONNX file was made for.
    made_for: Vec<(&'static str, String)>,
}
use crate::{SourceArguments, source};

/// Prints a file's metadata and layers to stdout.
pub(crate) fn run(path: &Path, source: &SourceArguments) -> Result<Exit, Failure> {
    let is_onnx = path.extension().is_some_and(|extension| extension == "onnx");
    let inspected = if is_onnx {
        read_onnx(path).with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?
    } else {
        let saved = source::read(path, source)?.network;
        Inspected { weights_hash: weights_hash(&saved.weights), metadata: saved.metadata, made_for: Vec::new() }
    };
    print_result(describe(&inspected).with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?);
    Ok(Exit::Done)
}

fn read_onnx(path: &Path) -> anyhow::Result<Inspected> {
    let model = models_onnx::open(path)?;
    let metadata = models_onnx::metadata(&model)?;
    let weights = models_onnx::weights(&model)?;
    let dropped = models_onnx::dropped_biases(&model, &metadata.network)?;
    let opset = model.opset_import.iter().find(|set| set.domain.is_empty()).map_or(0, |set| set.version);
    let interface = models_onnx::interface(&model)?;
    let made_for = vec![
        ("made for", format!("opset {opset}, {interface}, computed in {}", models_onnx::precision(&model))),
        ("left out", format!("{} biases that a norm takes away", dropped.len())),
    ];
    let weights_hash = metadata.weights_sha256.clone().unwrap_or_else(|| weights_hash(&weights));
    Ok(Inspected { metadata, weights_hash, made_for })
}

fn describe(Inspected { metadata, weights_hash, made_for }: &Inspected) -> anyhow::Result<String> {
    let size = metadata.usual_size();
    let trace = shapes::trace(&metadata.network, size, size)?;
    let family =
        metadata.family.map_or("none of the families".to_owned(), |family| format!("{family:?}").to_lowercase());
    let parameters = parameters::count(&parameters::table(&metadata.network)) as u64;
    let mut text = String::new();
    let mut fact = |name: &str, value: String| writeln!(text, "{name:<14} {value}").expect("a string takes all");
    fact("network", format!("{}, family {family}", metadata.role));
    let seed = metadata.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let training = metadata.training();
    let (what, known) = training.split_once(' ').expect("of more than one word");
    fact(what, format!("{known}{seed}"));
    let [black, white] = metadata.pixel_range;
    fact("pixels", format!("{black} is black, {white} is white, RGB"));
    if metadata.role.is_generator() {
        let (multiple, smallest) =
            (shapes::size_multiple(&metadata.network), shapes::smallest_size(&metadata.network)?);
        fact("sizes", format!("multiples of {multiple}, {smallest} or more"));
    }
    fact("parameters", format!("{} ({parameters})", count(parameters)));
    fact("multiply-adds", format!("{} at {size}×{size}", count(trace.multiply_adds())));
    fact("weights", format!("sha256 {weights_hash}"));
    fact("written by", format!("{}, format version {}", metadata.program, metadata.format_version));
    for (name, value) in made_for {
        fact(name, value.clone());
    }

    if !metadata.assumptions.is_empty() {
        writeln!(text, "\n{}", source::assumed(metadata))?;
    }
    writeln!(text, "\n{:<20} {:<26} {:>18} {:>12} {:>12}", "layer", "kind", "output", "parameters", "mult-adds")?;
    for step in &trace.steps {
        let number = |value: u64| if value == 0 { String::new() } else { count(value) };
        let (parameters, multiply_adds) = (number(step.parameters as u64), number(step.multiply_adds));
        let output = step.output.to_string();
        writeln!(text, "{:<20} {:<26} {output:>18} {parameters:>12} {multiply_adds:>12}", step.label, step.kind)?;
    }
    Ok(text.trim_end().to_owned())
}
