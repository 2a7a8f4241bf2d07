//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use models::families::Family;
use program::{ConsoleArguments, Device};

use crate::data::{DatasetsAction, Places};
use crate::settings::{Augment, Length, Objective, Precision, Preset, Schedule, Settings, Upsample};

/// Train a CycleGAN: two folders of unpaired pictures to two generators
///
/// Writes g_ab.ot, g_ba.ot, d_a.ot, d_b.ot, metrics and sample sheets into the run directory. `exporter` turns g_ab.ot
/// into ONNX.
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

/// Flags of a training run. What is not given comes from the preset.
#[derive(Debug, Args)]
pub struct TrainingArguments {
    /// Folder with trainA and trainB [testA, testB], or the name of a data set
    ///
    /// A name that is no folder is looked up below --data-root, and fetched to there if it is a published one:
    /// `trainer datasets list` shows them. `stripes` is built in: scenes drawn by this program, plain animals in A and
    /// striped ones in B.
    #[arg(long, required = true, value_name = "DIR")]
    pub data: Option<String>,
    /// Where data sets are looked up by name
    #[arg(long, default_value = "datasets", value_name = "DIR")]
    pub data_root: PathBuf,
    /// Address to fetch data sets from, as URL/NAME.zip, instead of the published ones
    #[arg(long, value_name = "URL", value_parser = url)]
    pub data_url: Option<String>,
    /// Seconds without a byte after which fetching is tried again
    #[arg(long, hide = true, default_value_t = 30.0, value_name = "SECONDS", value_parser = positive)]
    pub data_patience: f64,
    /// Sets network, objective, augmentation and rate together
    #[arg(long, value_enum, default_value_t)]
    pub preset: Preset,
    /// Family of the generators, instead of the preset's
    #[arg(long, value_parser = family, value_name = "concat|paper")]
    pub generator: Option<Family>,
    /// Give concat generators a norm before the last tanh
    ///
    /// As in the article that the family comes from. Every output then has the same brightness and contrast in each
    /// channel, which a discriminator soon tells from real pictures: on small data sets training does not recover.
    #[arg(long)]
    pub output_norm: bool,
    /// How generators double the size
    #[arg(long, value_enum, default_value = "transpose")]
    pub upsample: Upsample,
    /// What convolutions are computed in
    ///
    /// Weights, norms and losses stay 32-bit floats. bf16 is fast on recent cards; a CPU without instructions for it is
    /// slower.
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Precision,
    /// Family of the discriminators, instead of the preset's
    #[arg(long, value_parser = family, value_name = "concat|paper")]
    pub discriminator: Option<Family>,
    /// What the generators minimise, instead of the preset's
    #[arg(long, value_enum)]
    pub objective: Option<Objective>,
    /// How pictures get their size, instead of the preset's
    #[arg(long, value_enum)]
    pub augment: Option<Augment>,
    /// How the learning rate goes on, instead of the preset's
    #[arg(long, value_enum)]
    pub schedule: Option<Schedule>,
    /// Side of the training pictures in pixels, a multiple of 4
    #[arg(long, default_value_t = 256, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=4096))]
    pub size: u32,
    /// Channels after the first convolution
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub width: u32,
    /// Blocks of a generator
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    pub blocks: u32,
    /// Pictures of each side in an update
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub batch: u32,
    /// Updates to make
    #[arg(long, value_name = "N", conflicts_with = "epochs", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Passes over the larger side [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: Option<u64>,
    /// Learning rate of Adam
    #[arg(long, default_value_t = 2e-4, value_name = "RATE", value_parser = positive)]
    pub rate: f64,
    /// Weight of the cycle losses
    #[arg(long, default_value_t = 10.0, value_name = "WEIGHT", value_parser = not_negative)]
    pub cycle_weight: f64,
    /// Weight of the identity losses
    #[arg(long, default_value_t = 5.0, value_name = "WEIGHT", value_parser = not_negative)]
    pub identity_weight: f64,
    /// Earlier fakes kept for each discriminator
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub pool: usize,
    /// Seed of all random draws
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_name = "DEVICE")]
    pub device: Device,
    /// Threads that libtorch computes with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Run directory [default: runs/<data>]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Replace an existing run directory
    #[arg(long)]
    pub overwrite: bool,
    /// Steps from one line of metrics to the next
    #[arg(long, default_value_t = 50, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..))]
    pub log_every: u64,
    /// Steps from one sample sheet to the next
    #[arg(long, default_value_t = 500, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..))]
    pub sample_every: u64,
}

impl TrainingArguments {
    /// Where data sets are looked for.
    pub(crate) fn places(&self) -> Places<'_> {
        let patience = Duration::try_from_secs_f64(self.data_patience).unwrap_or(Duration::MAX);
        Places { root: &self.data_root, url: self.data_url.as_deref(), patience }
    }

    /// The settings that they mean: the preset's, but for what was said.
    pub(crate) fn settings(&self) -> Settings {
        let (family, objective, augment, schedule) = match self.preset {
            Preset::Concat => (Family::Concat, Objective::Separate, Augment::Squash, Schedule::Constant),
            Preset::Paper => (Family::Paper, Objective::Joint, Augment::Jitter, Schedule::Linear),
        };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            data: self.data.clone().expect("clap requires --data without a subcommand"),
            preset: self.preset,
            generator: self.generator.unwrap_or(family),
            output_norm: self.output_norm,
            upsample: self.upsample,
            precision: self.precision,
            discriminator: self.discriminator.unwrap_or(family),
            objective: self.objective.unwrap_or(objective),
            augment: self.augment.unwrap_or(augment),
            schedule: self.schedule.unwrap_or(schedule),
            size: self.size as usize,
            width: self.width as usize,
            blocks: self.blocks as usize,
            batch: self.batch as usize,
            length: self.steps.map_or(Length::Epochs(self.epochs.unwrap_or(200)), Length::Steps),
            rate: self.rate,
            cycle_weight: self.cycle_weight,
            identity_weight: self.identity_weight,
            pool: self.pool,
            seed: self.seed,
            threads: self.threads.map_or_else(cores, |threads| threads as usize),
            log_every: self.log_every,
            sample_every: self.sample_every,
        }
    }
}

fn url(text: &str) -> Result<String, String> {
    let is_url =
        ["https://", "http://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    is_url.then(|| text.to_owned()).ok_or_else(|| "an address begins with https:// or http://".into())
}

fn family(text: &str) -> Result<Family, String> {
    match text {
        "concat" => Ok(Family::Concat),
        "paper" => Ok(Family::Paper),
        _ => Err("the families are concat and paper".into()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    (number.is_finite() && number >= 0.0).then_some(number).ok_or_else(|| "must be 0 or more".into())
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| (number > 0.0).then_some(number).ok_or_else(|| "must be more than 0".into()))
}
