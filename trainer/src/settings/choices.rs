//! What single settings choose between.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use models::families::{Family, UpConvolution};
use serde::Serialize;

/// A family's network, objective, augmentation and rate together: a file of settings in `presets/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Concatenating blocks, separate objectives, squashed pictures, constant rate
    #[default]
    Concat,
    /// The paper's: residual blocks, joint objective, crops and flips, linear decay
    Paper,
}

impl Preset {
    /// The file of settings that it stands for.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Concat => include_str!("presets/concat.toml"),
            Self::Paper => include_str!("presets/paper.toml"),
        }
    }
}

/// What the generators minimise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// Each its own sum, the other generator held fixed
    Separate,
    /// Both the sum of all losses
    Joint,
}

/// How generators double the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
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

/// What happens to a picture's size before the crop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Squashed to a square, whatever its ratio
    Squash,
    /// Left as it is: every crop shows pixels of the file
    Off,
}

/// How the learning rate goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same throughout
    Constant,
    /// Constant up to --decay-from, then linear to zero
    Linear,
}

impl Schedule {
    /// The factor of the rate at an update, counted from 0, of `total`; `decay_from` is the share of the run after which
    /// a rate that decays does so.
    pub fn factor(self, update: u64, total: u64, decay_from: f64) -> f64 {
        let whole = (total as f64 * decay_from) as u64; // updates at the full rate
        match self {
            Self::Linear if update >= whole => (total - update) as f64 / (total - whole) as f64,
            Self::Linear | Self::Constant => 1.0,
        }
    }
}

/// Memory for decoded pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// A quarter of what is free when the run starts.
    Auto,
    /// So many bytes.
    Bytes(u64),
}

/// Units of [`Cache::Bytes`], largest first.
const UNITS: [(&str, u64); 4] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("", 1)];

impl FromStr for Cache {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
            .expect("every text ends in nothing");
        let number: f64 =
            number.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0).ok_or(format!(
                "`{text}` is no amount of memory; say auto, 0, or a number with kB, MB or GB, like 500MB or 4GB"
            ))?;
        Ok(Self::Bytes((number * unit as f64) as u64))
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Bytes(0) => f.write_str("0"),
            Self::Bytes(bytes) => {
                let (name, unit) = UNITS.iter().find(|(_, unit)| bytes % unit == 0).expect("one divides all");
                write!(f, "{}{name}", bytes / unit)
            }
        }
    }
}

/// Reads a family's name.
pub(super) fn family(text: &str) -> Result<Family, String> {
    match text {
        "concat" => Ok(Family::Concat),
        "paper" => Ok(Family::Paper),
        _ => Err("the families are concat and paper".into()),
    }
}

/// Reads an address.
pub(super) fn url(text: &str) -> Result<String, String> {
    let is_url =
        ["https://", "http://"].iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    is_url.then(|| text.to_owned()).ok_or_else(|| "an address begins with https:// or http://".into())
}

/// Reads a number of at least 0.
pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    (number.is_finite() && number >= 0.0).then_some(number).ok_or_else(|| "must be 0 or more".into())
}

/// Reads a number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|number| (number > 0.0).then_some(number).ok_or_else(|| "must be more than 0".into()))
}

/// Reads a share below the whole.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = not_negative(text)?;
    (number < 1.0).then_some(number).ok_or_else(|| "must be at least 0 and less than 1".into())
}

/// Reads a factor that makes nothing smaller.
pub(super) fn enlarging(text: &str) -> Result<f64, String> {
    let number = not_negative(text)?;
    (1.0..=8.0).contains(&number).then_some(number).ok_or_else(|| "must be at least 1 and at most 8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linear_schedule_holds_for_half_and_falls_towards_zero() {
        let factors: Vec<f64> = (0..8).map(|update| Schedule::Linear.factor(update, 8, 0.5)).collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(Schedule::Linear.factor(0, 1, 0.5), 1.0, "a single update learns");
        assert_eq!(Schedule::Constant.factor(7, 8, 0.5), 1.0);
    }

    #[test]
    fn a_decay_may_begin_anywhere() {
        let factors = |from| (0..4).map(|update| Schedule::Linear.factor(update, 4, from)).collect::<Vec<_>>();
        assert_eq!(factors(0.0), [1.0, 0.75, 0.5, 0.25]);
        assert_eq!(factors(0.75), [1.0, 1.0, 1.0, 1.0], "the last quarter is one update, which is the first to decay");
    }

    #[test]
    fn memory_is_read_as_it_is_written() {
        for (text, bytes) in [("0", 0), ("4GB", 4_000_000_000), ("1500MB", 1_500_000_000), ("12", 12)] {
            assert_eq!(text.parse(), Ok(Cache::Bytes(bytes)), "{text}");
        }
        assert_eq!("1.5 GB".parse(), Ok(Cache::Bytes(1_500_000_000)));
        for cache in [Cache::Auto, Cache::Bytes(1_500_000_000), Cache::Bytes(4_096)] {
            assert_eq!(cache.to_string().parse(), Ok(cache));
        }
        for wrong in ["", "much", "-1GB", "GB", "4TB", "NaN"] {
            assert!(wrong.parse::<Cache>().is_err_and(|error| error.contains("no amount of memory")), "{wrong}");
        }
    }
}
