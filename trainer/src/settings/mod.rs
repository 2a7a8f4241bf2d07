//! Everything that decides a run.
//!
//! [`Settings`] is the one source: its fields are the flags, the keys of `--config` files and presets, and what `run.toml`
//! holds; its comments are what `--help` and `run.toml` say. `layers` puts preset, file and flags on top of each other.

mod choices;
mod layers;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use models::Network;
use models::families::{Family, GeneratorOptions};
use program::Device;
use serde::{Serialize, Serializer};

use crate::data::Places;
pub use choices::{Cache, Objective, Precision, Preset, Resize, Schedule, Upsample};
use choices::{enlarging, family, not_negative, positive, share, url};
pub(crate) use layers::{Flags, Layer};

/// Reads a whole number within a range.
fn within(range: impl std::ops::RangeBounds<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// The number of a step, or of steps: TOML knows no larger one.
fn steps() -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(1..=i64::MAX as u64)
}

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, clap::Args)]
pub struct Settings {
    /// Folder with trainA and trainB [testA, testB], or a data set's name
    ///
    /// A name that is no folder is looked up below --data-root; a published data set that is not there either is fetched
    /// (`trainer datasets list`). `stripes` is built in: scenes drawn by this program, plain animals in A and striped ones
    /// in B.
    #[arg(long, required = true, value_name = "DIR|NAME")]
    pub data: String,
    /// Where data sets are looked up by name, and fetched to
    #[arg(long, default_value = "datasets", value_name = "DIR")]
    pub data_root: PathBuf,
    /// Address to fetch data sets from, as URL/NAME.zip, instead of the published ones
    #[arg(long, value_name = "URL", value_parser = url)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_url: Option<String>,
    /// Seconds without a byte after which fetching is tried again
    #[arg(long, hide = true, default_value_t = 30.0, value_name = "SECONDS", value_parser = positive)]
    #[serde(skip)]
    pub data_patience: f64,
    /// Sets network, objective, augmentation and schedule together
    #[arg(long, value_enum, default_value_t)]
    pub preset: Preset,
    /// Family of the generators, instead of the preset's
    #[arg(long, required = true, value_parser = family, value_name = "concat|paper")]
    pub generator: Family,
    /// Give concat generators a norm before the last tanh
    ///
    /// As in the article that the family comes from. Every output then has the same brightness and contrast in each
    /// channel, which a discriminator soon tells from real pictures: on small data sets training does not recover.
    #[arg(long, required = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub output_norm: bool,
    /// How generators double the size
    #[arg(long, value_enum, default_value = "transpose")]
    pub upsample: Upsample,
    /// Family of the discriminators, instead of the preset's
    #[arg(long, required = true, value_parser = family, value_name = "concat|paper")]
    pub discriminator: Family,
    /// What the generators minimise, instead of the preset's
    #[arg(long, required = true, value_enum)]
    pub objective: Objective,
    /// Side of the training pictures in pixels, a multiple of 4
    #[arg(long, default_value_t = 256, value_name = "PIXELS", value_parser = within(16..=4096))]
    pub size: usize,
    /// Channels after the first convolution, of generators and discriminators
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = within(1..=1024))]
    pub width: usize,
    /// Blocks of a generator
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = within(0..=64))]
    pub blocks: usize,
    /// How pictures get their size before the crop
    #[arg(long, value_enum, default_value = "squash")]
    pub resize: Resize,
    /// Times --size that a picture is squashed to, before a crop of --size at a random place
    ///
    /// 1 leaves nothing to crop. Instead of the preset's: 1 for concat, 286/256 for paper.
    #[arg(long, required = true, value_name = "FACTOR", value_parser = enlarging)]
    pub load_scale: f64,
    /// Flip pictures half the time, instead of the preset's
    #[arg(long, required = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub flip: bool,
    /// Pictures of each side in an update
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = within(1..=1024))]
    pub batch: usize,
    /// Updates to make, instead of --epochs
    #[arg(long, value_name = "N", conflicts_with = "epochs", value_parser = steps())]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Passes over the larger side [default: 200]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Learning rate of Adam
    #[arg(long, default_value_t = 2e-4, value_name = "RATE", value_parser = positive)]
    pub rate: f64,
    /// How the learning rate goes on, instead of the preset's
    #[arg(long, required = true, value_enum)]
    pub schedule: Schedule,
    /// Share of the run after which a linear schedule begins to fall
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    pub decay_from: f64,
    /// Weight of the cycle losses
    #[arg(long, default_value_t = 10.0, value_name = "WEIGHT", value_parser = not_negative)]
    pub cycle_weight: f64,
    /// Weight of the identity losses; 0 computes none
    #[arg(long, default_value_t = 5.0, value_name = "WEIGHT", value_parser = not_negative)]
    pub identity_weight: f64,
    /// Earlier fakes kept for each discriminator
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = within(0..=100_000))]
    pub pool: usize,
    /// Keep a moving average of the generators: g_ab.ema.ot
    ///
    /// The share of the average that an update keeps, like 0.999; 0 keeps no average. Averages are often smoother than the
    /// last weights; training itself does not change.
    #[arg(long, default_value_t = 0.0, value_name = "DECAY", value_parser = share)]
    pub ema: f64,
    /// Start with the weights of earlier networks
    ///
    /// A generator like runs/zebras/g_ab.ot. The three others are taken from its folder where they lie there; what is
    /// missing starts with new weights.
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<PathBuf>,
    /// What convolutions are computed in
    ///
    /// Weights, norms and losses stay 32-bit floats. bf16 is fast on recent cards; a CPU without instructions for it is
    /// slower.
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: Precision,
    /// Seed of all random draws
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = RangedU64ValueParser::<u64>::new().range(..=i64::MAX as u64))]
    pub seed: u64,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_name = "DEVICE")]
    #[serde(serialize_with = "as_text")]
    pub device: Device,
    /// Threads that libtorch computes with [default: one for each core]
    ///
    /// Sums depend on them in the last bit.
    #[arg(long, default_value_t = cores(), hide_default_value = true, value_name = "N", value_parser = within(1..=1024))]
    pub threads: usize,
    /// Memory for decoded pictures: auto, 0, or like 4GB
    ///
    /// Pictures that fit are decoded once. auto is a quarter of the memory that is free when the run starts.
    #[arg(long, default_value = "auto", value_name = "MEMORY")]
    #[serde(serialize_with = "as_text")]
    pub cache: Cache,
    /// Run directory [default: runs/NAME]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// Steps from one line of metrics to the next
    #[arg(long, default_value_t = 50, value_name = "STEPS", value_parser = steps())]
    pub log_every: u64,
    /// Steps from one sample sheet to the next
    #[arg(long, default_value_t = 500, value_name = "STEPS", value_parser = steps())]
    pub sample_every: u64,
    /// Steps from one measurement on paired test pictures to the next
    ///
    /// Pairs are pictures of the same name in testA and testB; of more than 128, that many are measured, evenly chosen.
    /// Without any, nothing is measured.
    #[arg(long, default_value_t = 1000, value_name = "STEPS", value_parser = steps())]
    pub eval_every: u64,
    /// Steps from one checkpoint to the next
    #[arg(long, default_value_t = 1000, value_name = "STEPS", value_parser = steps())]
    pub save_every: u64,
    /// Newest checkpoints that are kept
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = within(1..=1_000_000))]
    pub keep: usize,
}

/// Settings that say where and with what a run goes on, not what it computes: they may change when it is resumed.
pub(crate) const NOT_OF_THE_RESULT: [&str; 6] = ["data", "data_root", "data_url", "device", "cache", "keep"];

/// Passes over the larger side where neither steps nor epochs are said.
const EPOCHS: u64 = 200;

impl Settings {
    /// A generator.
    pub fn generator_network(&self) -> Network {
        let Self { width, blocks, output_norm, upsample, .. } = *self;
        self.generator.generator(GeneratorOptions { width, blocks, output_norm, up: upsample.into() })
    }

    /// A discriminator.
    pub fn discriminator_network(&self) -> Network {
        self.discriminator.discriminator(self.width)
    }

    /// Where its data set is looked for.
    pub(crate) fn places(&self) -> Places<'_> {
        let patience = Duration::try_from_secs_f64(self.data_patience).unwrap_or(Duration::MAX);
        Places { root: &self.data_root, url: self.data_url.as_deref(), patience }
    }

    /// Updates that the run makes, with so many pictures on the larger side.
    pub fn updates(&self, pictures: usize) -> u64 {
        let an_epoch = pictures.div_ceil(self.batch) as u64;
        self.steps.unwrap_or_else(|| self.epochs.unwrap_or(EPOCHS).saturating_mul(an_epoch))
    }

    /// The learning rate of an update, counted from 0, of `total`.
    pub fn rate_at(&self, update: u64, total: u64) -> f64 {
        self.rate * self.schedule.factor(update, total, self.decay_from)
    }

    /// Side of a picture before it is cropped to the training size.
    pub fn load_size(&self) -> u32 {
        (self.size as f64 * self.load_scale).round() as u32
    }

    /// The same as `run.toml` has it: its length said, paths that mean the same from any folder, and not where the run
    /// lies, since it may be moved.
    pub(crate) fn of_the_run(mut self) -> Self {
        self.run = None;
        if self.steps.is_none() {
            self.epochs.get_or_insert(EPOCHS);
        }
        // A path that is not Unicode cannot stand in the file: it stays as it was said.
        let absolute = |path: &Path| {
            let absolute = std::path::absolute(path).ok().filter(|absolute| absolute.to_str().is_some());
            absolute.unwrap_or_else(|| path.to_owned())
        };
        if Path::new(&self.data).is_dir() {
            self.data = absolute(Path::new(&self.data)).to_str().expect("said, or checked").to_owned();
        }
        self.data_root = absolute(&self.data_root);
        self.init_from = self.init_from.map(|path| absolute(&path));
        self
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings of a run that a test can afford.
    pub(crate) fn small() -> Settings {
        let text = "data = 'stripes'\nsize = 16\nwidth = 2\nblocks = 1\nsteps = 4\nseed = 1\nthreads = 1\n\
                    log_every = 2\nsample_every = 2\neval_every = 2\nsave_every = 2\n";
        Layer::read(text).expect("it is TOML").onto_preset().and_then(|layer| layer.settings()).expect("they are right")
    }

    #[test]
    fn an_epoch_is_one_pass_over_the_larger_side() {
        let epochs = |epochs, batch| Settings { epochs: Some(epochs), steps: None, batch, ..small() };
        assert_eq!(epochs(200, 1).updates(1334), 266_800);
        assert_eq!(epochs(2, 4).updates(10), 6);
        assert_eq!(Settings { steps: Some(7), batch: 4, ..small() }.updates(10), 7);
        assert_eq!(Settings { steps: None, ..small() }.updates(10), 2000, "200 epochs where nothing is said");
    }

    #[test]
    fn the_papers_pictures_are_cropped_from_286_for_256() {
        let side = |size| Settings { size, load_scale: 286.0 / 256.0, ..small() }.load_size();
        assert_eq!((side(256), side(64), side(128)), (286, 72, 143));
    }
}
