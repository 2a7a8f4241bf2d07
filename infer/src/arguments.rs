//! The command line.

use std::path::PathBuf;

use clap::Parser;
use program::ConsoleArguments;

use crate::contract::{ContractArguments, MOST_AT_ONCE};
use crate::device::DeviceArguments;
use crate::fit::Fit;

/// Translate pictures with an exported generator
///
/// Directories are mirrored below the output directory; an output keeps its input's name and format. What is there
/// already is left and counted as skipped.
#[derive(Debug, Parser)]
#[command(name = "infer", version)]
pub struct Arguments {
    /// ONNX file that `exporter` wrote, or any other that makes pictures of pictures
    #[arg(short, long, value_name = "FILE")]
    pub model: PathBuf,
    /// Pictures or directories of them
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Directory for the translated pictures
    #[arg(required = true, value_name = "OUTPUT")]
    pub output: Option<PathBuf>,
    /// Size that the network sees: train, native, squash or a number
    ///
    /// train scales the shorter side to the model's training size, a number to that many pixels; native leaves the
    /// picture's size. All of them pad by reflection to the multiple that the network needs, and cut that off again.
    /// squash makes every picture as wide and high as the training pictures. For a model that takes one size only, train
    /// scales the picture to fit into it, squash to fill it, and a picture that the others leave larger fails.
    #[arg(long, default_value_t, value_name = "SIZE")]
    pub fit: Fit,
    /// Pictures of one size that the network sees at once [default: 1, or what the model takes]
    #[arg(long, value_name = "N", value_parser = batch)]
    pub batch: Option<usize>,
    /// Where the network runs.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// Replace outputs that are there already
    #[arg(long)]
    pub overwrite: bool,
    /// Print the counts as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// What the model does not say of itself.
    #[command(flatten)]
    pub contract: ContractArguments,
    /// Flags of every program.
    #[command(flatten)]
    pub console: ConsoleArguments,
}

fn batch(text: &str) -> Result<usize, String> {
    between(text, MOST_AT_ONCE)
}

/// A number from 1 on.
pub(crate) fn between(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("must be a number from 1 to {most}"))
}
