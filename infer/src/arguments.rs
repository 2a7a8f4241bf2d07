//! The command line.

use std::path::PathBuf;

use clap::Parser;
use program::ConsoleArguments;

use crate::contract::{ContractArguments, MOST_AT_ONCE};
use crate::device::DeviceArguments;
use crate::fit::Fit;
use crate::jobs::Jobs;
use crate::output::OutputArguments;
use crate::plan::PlanArguments;

/// Translate pictures with an image-to-image network
///
/// Directories are mirrored below the output directory; a translation keeps its picture's name and format. What an
/// earlier run has done is skipped, as long as picture, model and options are the same; the output directory keeps a
/// journal of it.
///
/// Exit codes: 0 done; 1 some pictures failed; 2 usage; 3 could not start; 5 stopped by a fault; 130 stopped by Ctrl-C or
/// SIGTERM, after what was under way.
#[derive(Debug, Parser)]
#[command(name = "infer", version)]
pub struct Arguments {
    /// ONNX file: one that `exporter` wrote, or another's with what it does not say
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
    /// How translations are written.
    #[command(flatten)]
    pub output: OutputArguments,
    /// How the run goes.
    #[command(flatten)]
    pub run: RunArguments,
    /// On what.
    #[command(flatten)]
    pub device: DeviceArguments,
    /// What the model does not say.
    #[command(flatten)]
    pub contract: ContractArguments,
    /// Flags of every program.
    #[command(flatten)]
    pub console: ConsoleArguments,
}

/// Flags of how a run goes: none changes a translation.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArguments {
    /// Pictures of one size that the network sees at once [default: 1, or what the model takes]
    #[arg(long, value_name = "N", value_parser = batch)]
    pub batch: Option<usize>,
    /// Threads that decode, and that encode [default: a decoder and two encoders for each core]
    #[arg(long, value_name = "DECODE:ENCODE")]
    pub jobs: Option<Jobs>,
    /// Translate again, and replace whatever is in an output's place
    #[arg(long)]
    pub overwrite: bool,
    /// Trust no time and no length, but read again what an earlier run has done
    #[arg(long, conflicts_with = "overwrite")]
    pub verify: bool,
    /// Stop at the first picture that fails
    #[arg(long, conflicts_with = "max_failures")]
    pub fail_fast: bool,
    /// Stop when N pictures have failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_failures: Option<u64>,
    /// Write a line of JSON for each picture, and one for all
    #[arg(long, value_name = "FILE.jsonl")]
    pub report: Option<PathBuf>,
    /// Write when each stage worked on which picture, for chrome://tracing or Perfetto
    #[arg(long, value_name = "FILE.json")]
    pub profile: Option<PathBuf>,
    /// Print the counts as a line of JSON
    #[arg(long)]
    pub json: bool,
}

impl RunArguments {
    /// Failures at which a run ends.
    pub fn most_failures(&self) -> Option<usize> {
        let most = self.max_failures.or(self.fail_fast.then_some(1));
        most.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    }
}

fn batch(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_AT_ONCE).contains(number));
    number.ok_or_else(|| format!("must be a number from 1 to {MOST_AT_ONCE}"))
}
