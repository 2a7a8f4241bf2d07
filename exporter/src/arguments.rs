//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use program::ConsoleArguments;

use crate::target::TargetArguments;

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
    /// Print a network's layers, shapes, parameters and metadata
    Inspect {
        /// An .ot, .safetensors or .onnx file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
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
    /// What the file is made for.
    #[command(flatten)]
    pub(crate) target: TargetArguments,
}

impl ExportArguments {
    pub(crate) fn input(&self) -> &Path {
        self.input.as_deref().expect("clap requires it without a subcommand")
    }

    pub(crate) fn output(&self) -> &Path {
        self.output.as_deref().expect("clap requires it without a subcommand")
    }
}
