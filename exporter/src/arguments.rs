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
    /// Compare a generator with an ONNX file that was made of it earlier, by anyone
    ///
    /// Ends with 1 where they differ, and names the first layer that does.
    Verify {
        /// Generator, in a format that can be exported
        #[arg(value_name = "WEIGHTS")]
        weights: PathBuf,
        /// ONNX file
        #[arg(value_name = "FILE.onnx")]
        file: PathBuf,
        /// How to compare.
        #[command(flatten)]
        verification: VerificationArguments,
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
    /// Write the file without comparing it
    #[arg(long, help_heading = "Verification", conflicts_with_all = ["pictures", "report"])]
    pub(crate) no_verify: bool,
    /// How to compare.
    #[command(flatten)]
    pub(crate) verification: VerificationArguments,
}

/// Flags of a comparison.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verification")]
pub struct VerificationArguments {
    /// Compare on pictures of a folder too, at most 8 of them
    #[arg(long, value_name = "DIR")]
    pub(crate) pictures: Option<PathBuf>,
    /// Side of the largest picture to compare
    #[arg(long, value_name = "PIXELS", default_value_t = 512)]
    pub(crate) largest_size: usize,
    /// Write all numbers as JSON, also where they differ
    #[arg(long, value_name = "FILE.json")]
    pub(crate) report: Option<PathBuf>,
}

impl ExportArguments {
    pub(crate) fn input(&self) -> &Path {
        self.input.as_deref().expect("clap requires it without a subcommand")
    }

    pub(crate) fn output(&self) -> &Path {
        self.output.as_deref().expect("clap requires it without a subcommand")
    }
}
