//! `exporter inspect`: what a network's file holds, for a person.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use models::{Metadata, Weight, shapes, weights_hash};
use program::{Exit, Failure, OrExit, count, print_result};

use crate::{SourceArguments, source};

/// Prints a file's metadata and layers to stdout.
pub(crate) fn run(path: &Path, source: &SourceArguments) -> Result<Exit, Failure> {
    let is_onnx = path.extension().is_some_and(|extension| extension == "onnx");
    let (metadata, weights) = if is_onnx {
        read_onnx(path).with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?
    } else {
        let saved = source::read(path, source)?.network;
        (saved.metadata, saved.weights)
    };
    print_result(describe(&metadata, &weights).with_context(|| path.display().to_string()).or_exit(Exit::CannotStart)?);
    Ok(Exit::Done)
}

fn read_onnx(path: &Path) -> anyhow::Result<(Metadata, Vec<Weight>)> {
    let model = models_onnx::parse(std::fs::read(path)?)?;
    Ok((models_onnx::metadata(&model)?, models_onnx::weights(&model)?))
}

fn describe(metadata: &Metadata, weights: &[Weight]) -> anyhow::Result<String> {
    let size = metadata.usual_size();
    let trace = shapes::trace(&metadata.network, size, size)?;
    let family =
        metadata.family.map_or("none of the families".to_owned(), |family| format!("{family:?}").to_lowercase());
    let parameters: u64 = weights.iter().map(|weight| weight.bytes.len() as u64 / 4).sum();
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
    fact("weights", format!("sha256 {}", weights_hash(weights)));
    fact("written by", format!("{}, format version {}", metadata.program, metadata.format_version));

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
