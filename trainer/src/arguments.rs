//! The command line.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use program::{ConsoleArguments, Exit, Failure, OrExit};

use crate::data::DatasetsAction;
use crate::earlier::Earlier;
use crate::settings::{Flags, Layer, Settings};

/// Train a CycleGAN: two folders of unpaired pictures to two generators
///
/// Writes g_ab.ot, g_ba.ot, d_a.ot, d_b.ot, metrics, checkpoints and sample sheets into the run directory. `exporter`
/// turns g_ab.ot into ONNX.
#[derive(Debug, Parser)]
#[command(name = "trainer", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Other things than training.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of a training run.
    #[command(flatten)]
    pub training: TrainingArguments,
    /// Flags of every program.
    #[command(flatten)]
    pub console: ConsoleArguments,
}

/// Other things than training.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List, check and write data sets
    Datasets {
        /// What to do with them.
        #[command(subcommand)]
        action: DatasetsAction,
    },
    /// Draw a run's report.html again and print its path
    ///
    /// Training writes it too: at each sample sheet, and at its end.
    Report {
        /// Run directory
        #[arg(value_name = "RUN")]
        run: PathBuf,
    },
    /// Put runs side by side: a table, and a page with their curves and samples
    Compare {
        /// Run directories
        #[arg(value_name = "RUN", required = true)]
        runs: Vec<PathBuf>,
        /// Page to write
        #[arg(short, long, default_value = "compare.html", value_name = "FILE")]
        output: PathBuf,
    },
}

/// Flags of a training run.
#[derive(Debug, Args)]
pub struct TrainingArguments {
    /// Settings that the command line gives.
    #[command(flatten)]
    pub(crate) flags: Flags,
    /// Take settings from a file, below the flags
    ///
    /// TOML; its keys are the flags' names. run.toml of another run is such a file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print all settings as a file for --config, and end
    #[arg(long)]
    pub print_config: bool,
    /// Go on with a run that was stopped [default: the one below runs/]
    ///
    /// Its settings are in its run.toml; a flag that says something else is refused. The result is the same, to the last
    /// bit on one CPU, as if the run had never stopped.
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with_all = ["overwrite", "config", "print_config"])]
    pub resume: Option<Option<PathBuf>>,
    /// Replace an existing run directory
    #[arg(long)]
    pub overwrite: bool,
}

impl TrainingArguments {
    /// The settings of a new run: preset, earlier networks, file and flags.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let (layer, source) = self.layer()?;
        // clap has checked the flags, so that what is wrong now comes from the file.
        layer.onto_preset().and_then(|layer| layer.settings()).context(source).or_exit(Exit::Usage)
    }

    /// What `--print-config` prints: a file for `--config`. Data that nobody has named stays open: there is no default.
    pub(crate) fn config(&self) -> Result<String, Failure> {
        const DATA: &str = "data";
        let (layer, source) = self.layer()?;
        let is_open = layer.get(DATA).is_none();
        let any = Layer::read("data = 'stripes'").expect("a setting");
        let settings = any.under(&layer).onto_preset().and_then(|layer| layer.settings());
        Ok(settings.context(source).or_exit(Exit::Usage)?.to_toml_without(is_open.then_some(DATA)))
    }

    /// Earlier networks' settings, file and flags; and what to call their source in a message.
    fn layer(&self) -> Result<(Layer, String), Failure> {
        let mut layer = Layer::default();
        let mut source = "the command line".to_owned();
        if let Some(path) = &self.config {
            source = path.display().to_string();
            let text = fs_err::read_to_string(path).or_exit(Exit::CannotStart)?;
            layer = Layer::read(&text).with_context(|| source.clone()).or_exit(Exit::Usage)?;
        }
        let mut layer = layer.under(&self.flags.0);
        if let Some(file) = layer.get("init_from") {
            layer = Earlier::settings(Path::new(file)).or_exit(Exit::CannotStart)?.under(&layer);
        }
        Ok((layer, source))
    }
}
