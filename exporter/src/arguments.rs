//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use program::ConsoleArguments;

/// Turn a trained generator into an ONNX file, proven to compute the same
///
/// libtorch and ONNX Runtime run on the same inputs before anything is written.
#[derive(Debug, Parser)]
#[command(name = "exporter", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Other things than exporting.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of an export.
    #[command(flatten)]
    pub export: ExportArguments,
    /// Flags of every program.
    #[command(flatten)]
    pub console: ConsoleArguments,
}

/// Other things than exporting.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a network's layers, shapes, costs and metadata, or draw it
    Inspect(InspectArguments),
    /// Say what differs between two files, of any formats
    Diff(DiffArguments),
}

/// Flags of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// An .ot, .safetensors or .onnx file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Height and width to count at, as in 256x384 [default: the training size]
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub(crate) size: Option<[usize; 2]>,
    /// Print one JSON object, its keys described in docs/inspect.md
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw the network into this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

/// Flags of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// An .ot, .safetensors or .onnx file
    #[arg(value_name = "A")]
    pub(crate) one: PathBuf,
    /// Another one
    #[arg(value_name = "B")]
    pub(crate) other: PathBuf,
    /// Print one JSON object, its keys described in docs/inspect.md
    #[arg(long)]
    pub(crate) json: bool,
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=65_535).contains(side));
    let sides = text.split_once(['x', '×']).and_then(|(height, width)| Some([side(height)?, side(width)?]));
    sides.ok_or_else(|| "use height x width in pixels, as in 256x384".into())
}

/// Flags of an export.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Generator to export: g_ab.ot or g_ba.ot of a run directory
    #[arg(required = true, value_name = "WEIGHTS")]
    input: Option<PathBuf>,
    /// ONNX file to write; an existing one is replaced once the new one is verified
    #[arg(short, long, required = true, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl ExportArguments {
    pub(crate) fn input(&self) -> &Path {
        self.input.as_deref().expect("clap requires it without a subcommand")
    }

    pub(crate) fn output(&self) -> &Path {
        self.output.as_deref().expect("clap requires it without a subcommand")
    }
}
