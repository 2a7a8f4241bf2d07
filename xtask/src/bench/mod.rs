//! `cargo xtask bench`: how fast the programs are beside what people use today.

mod cost;
mod environment;
mod export;
mod infer;
mod kernels;
mod loading;
mod losses;
mod statistics;
mod train;
mod translated;

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

/// Flags of `cargo xtask bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// What to measure
    #[command(subcommand)]
    bench: Bench,
}

/// Something to measure. A new one is a variant here and an arm in [`run`].
#[derive(Clone, Debug, Subcommand)]
enum Bench {
    /// Measure a training step beside the published loop in PyTorch
    ///
    /// Makes a Python environment with torch in the cache (2.7 GB, once), then lets both sides train in turns: from the
    /// same weights, on the same pictures, batch 1, two threads, on the CPU. Prints a table in Markdown. Nothing else may
    /// run meanwhile: threads that spin on shared cores slow each other many times over.
    Train(train::Arguments),
    /// Measure how long training waits for its pictures
    ///
    /// Trains the smaller network of `train` on a data set, and prints the share of all steps' time.
    Loading(loading::Arguments),
    /// Measure exported files beside those of PyTorch's own exporter
    ///
    /// Exports both families' full generators with `exporter` and with torch.onnx.export, for any shape and for one, and runs
    /// them in ONNX Runtime in turns: one picture of 256×256, two threads, on the CPU. Prints a table in Markdown, and fails
    /// where ours are slower. As for `train`, nothing else may run meanwhile.
    Export(export::Arguments),
    /// Measure the memory and time of exporting the largest generator
    ///
    /// Makes one of 35 million parameters by a training step at 256×256, which takes a minute. Fails where the export takes more
    /// than 2.5 times the file in memory, or 60 s with its verification at 256×256.
    Cost,
    /// Measure a folder through `infer` beside the bare session and what people write in Python
    ///
    /// The full paper generator at 256×256 on the CPU, in turns with ONNX Runtime alone, with onnxruntime + Pillow one by one and
    /// with threads, and with OpenVINO; a trivial network beside its slowest stage; peak memory over 5,000 pictures beside 200;
    /// the time to the first picture. Takes about ten minutes, in which nothing else may run. Fails where a bound is passed.
    Infer(infer::Arguments),
    /// Measure our kernels for the CPU beside ONNX Runtime's
    ///
    /// Both families' full generators in several sizes, batches, widths and threads, on either side in turns in one process;
    /// then beside OpenVINO, ncnn and PyTorch. Prints tables in Markdown, and writes docs/kernels.svg. Takes a quarter of an hour
    /// (`--only bounds`: four minutes), in which nothing else may run.
    Kernels(kernels::Arguments),
}

/// Measures what the command line asks for.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    match &arguments.bench {
        Bench::Train(arguments) => train::run(root, arguments),
        Bench::Loading(arguments) => loading::run(root, arguments),
        Bench::Export(arguments) => export::run(root, arguments),
        Bench::Cost => cost::run(root),
        Bench::Infer(arguments) => infer::run(root, arguments),
        Bench::Kernels(arguments) => kernels::run(root, arguments),
    }
}
