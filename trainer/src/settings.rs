//! Everything that decides a run, resolved: what `run.toml` holds.

use clap::ValueEnum;
use models::Network;
use models::families::{Family, GeneratorOptions, UpConvolution};
use serde::{Deserialize, Serialize};

/// A family's network, objective, augmentation and rate together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Concatenating blocks, separate objectives, squashed pictures, constant rate
    #[default]
    Concat,
    /// The paper's: residual blocks, joint objective, crops and flips, linear decay
    Paper,
}

/// What the generators minimise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Each its own sum, the other generator held fixed
    Separate,
    /// Both the sum of all losses
    Joint,
}

/// How generators double the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Upsample {
    /// Transposed convolution
    Transpose,
    /// Nearest neighbours, then a convolution: the cure for checkerboards
    Resize,
}

impl From<Upsample> for UpConvolution {
    fn from(upsample: Upsample) -> Self {
        match upsample {
            Upsample::Transpose => Self::Transpose,
            Upsample::Resize => Self::Resize,
        }
    }
}

/// What convolutions are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats
    F32,
    /// bfloat16
    Bf16,
}

impl From<Precision> for models_torch::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// How pictures get the training size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    /// Squashed to size × size
    Squash,
    /// Squashed to 286/256 of the size, then a random crop and flip
    Jitter,
}

/// How the learning rate goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same throughout
    Constant,
    /// Constant, then linear to zero over the second half
    Linear,
}

impl Schedule {
    /// The factor of the rate at an update, counted from 0, of `total`.
    pub fn factor(self, update: u64, total: u64) -> f64 {
        let half = total / 2;
        match self {
            Self::Linear if update >= half => (total - update) as f64 / (total - half) as f64,
            Self::Linear | Self::Constant => 1.0,
        }
    }
}

/// Length of a run as the user said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Updates.
    Steps(u64),
    /// Passes over the larger side.
    Epochs(u64),
}

impl Length {
    /// Updates for a data set whose larger side has `pictures`.
    pub fn updates(self, pictures: usize, batch: usize) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => epochs * pictures.div_ceil(batch) as u64,
        }
    }
}

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What `--data` said.
    pub data: String,
    /// The preset that the others were taken from.
    pub preset: Preset,
    /// Family of the generators.
    pub generator: Family,
    /// Whether a concat generator has a norm before its last tanh.
    pub output_norm: bool,
    /// How generators double the size.
    pub upsample: Upsample,
    /// What convolutions are computed in.
    pub precision: Precision,
    /// Family of the discriminators.
    pub discriminator: Family,
    /// What the generators minimise.
    pub objective: Objective,
    /// How pictures get the training size.
    pub augment: Augment,
    /// How the learning rate goes on.
    pub schedule: Schedule,
    /// Side of the training pictures in pixels.
    pub size: usize,
    /// Channels after the first convolution, of generators and discriminators.
    pub width: usize,
    /// Blocks of a generator.
    pub blocks: usize,
    /// Pictures of each side in an update.
    pub batch: usize,
    /// How long the run is.
    pub length: Length,
    /// Learning rate at the start.
    pub rate: f64,
    /// Weight of the cycle losses.
    pub cycle_weight: f64,
    /// Weight of the identity losses.
    pub identity_weight: f64,
    /// Earlier fakes kept for each discriminator.
    pub pool: usize,
    /// Seed of all random draws.
    pub seed: u64,
    /// Threads that libtorch computes with; sums depend on them in the last bit.
    pub threads: usize,
    /// Steps from one line of metrics to the next.
    pub log_every: u64,
    /// Steps from one sample sheet to the next.
    pub sample_every: u64,
}

impl Settings {
    /// A generator.
    pub fn generator_network(&self) -> Network {
        let Self { width, blocks, output_norm, upsample, .. } = *self;
        self.generator.generator(GeneratorOptions { width, blocks, output_norm, up: upsample.into() })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings of a run that a test can afford.
    pub(crate) fn small() -> Settings {
        Settings {
            data: "stripes".into(),
            preset: Preset::Concat,
            generator: Family::Concat,
            output_norm: false,
            upsample: Upsample::Transpose,
            precision: Precision::F32,
            discriminator: Family::Concat,
            objective: Objective::Separate,
            augment: Augment::Squash,
            schedule: Schedule::Constant,
            size: 16,
            width: 2,
            blocks: 1,
            batch: 1,
            length: Length::Steps(4),
            rate: 2e-4,
            cycle_weight: 10.0,
            identity_weight: 5.0,
            pool: 50,
            seed: 1,
            threads: 1,
            log_every: 2,
            sample_every: 2,
        }
    }

    #[test]
    fn the_linear_schedule_holds_for_half_and_falls_towards_zero() {
        let factors: Vec<f64> = (0..8).map(|update| Schedule::Linear.factor(update, 8)).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(Schedule::Linear.factor(0, 1), 1.0, "a single update learns");
        assert_eq!(Schedule::Constant.factor(7, 8), 1.0);
    }

    #[test]
    fn an_epoch_is_one_pass_over_the_larger_side() {
        assert_eq!(Length::Epochs(200).updates(1334, 1), 266_800);
        assert_eq!(Length::Epochs(2).updates(10, 4), 6);
        assert_eq!(Length::Steps(7).updates(10, 4), 7);
    }
}
