//! The command line.

use std::path::PathBuf;

use clap::Parser;
use program::{ConsoleArguments, Device};

use crate::contract::MOST_AT_ONCE;
use crate::fit::Fit;
use crate::plan::PlanArguments;

/// Translate pictures with an exported generator
///
/// Directories are mirrored below the output directory; an output keeps its input's name, and the format that this says.
/// What is there already is left and counted as skipped.
#[derive(Debug, Parser)]
#[command(name = "infer", version)]
pub struct Arguments {
    /// ONNX file that `exporter` wrote
    #[arg(short, long, value_name = "FILE")]
    pub model: PathBuf,
    /// Which pictures, and where to.
    #[command(flatten)]
    pub plan: PlanArguments,
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
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: Device,
    /// Threads that the network runs on [default: one for each core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Replace outputs that are there already
    #[arg(long)]
    pub overwrite: bool,
    /// Print the counts as a line of JSON
    #[arg(long)]
    pub json: bool,
    /// Flags of every program.
    #[command(flatten)]
    pub console: ConsoleArguments,
}

fn batch(text: &str) -> Result<usize, String> {
    between(text, MOST_AT_ONCE)
}

fn threads(text: &str) -> Result<usize, String> {
    between(text, 1024)
}

fn between(text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("must be a number from 1 to {most}"))
}
