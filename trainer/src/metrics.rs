//! Losses over a run: summed where they are computed, read when they are logged.

use std::fmt;
use std::io::Write;
use std::path::Path;

use fs_err::File;
use serde::Serialize;
use tch::{Device, Kind, TchError, Tensor};

use crate::update::LOSSES;

/// The losses since they were last logged.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    sum: Option<Tensor>,
    updates: u64,
}

impl Losses {
    /// Adds those of one update, `[8]`, without waiting for the device.
    pub(crate) fn add(&mut self, losses: Tensor) -> Result<(), TchError> {
        self.updates += 1;
        match &mut self.sum {
            Some(sum) => sum.f_add_(&losses).map(drop),
            None => {
                self.sum = Some(losses);
                Ok(())
            }
        }
    }

    /// Their means by name, and starts anew. Waits for the device.
    pub(crate) fn take_means(&mut self) -> Result<Means, TchError> {
        let updates = std::mem::take(&mut self.updates).max(1) as f64;
        let sums = self.sum.take().map(|sum| read(&sum)).transpose()?.unwrap_or_default();
        Ok(Means(sums.map(|sum| sum / updates)))
    }
}

fn read(losses: &Tensor) -> Result<[f64; LOSSES.len()], TchError> {
    let mut values = [0.0; LOSSES.len()];
    losses.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_copy_data(&mut values, LOSSES.len())?;
    Ok(values)
}

/// A number for each of the [`LOSSES`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means([f64; LOSSES.len()]);

impl Means {
    /// By name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        LOSSES.into_iter().zip(self.0)
    }

    /// As JSON.
    pub(crate) fn to_json(self) -> serde_json::Map<String, serde_json::Value> {
        self.named().map(|(name, mean)| (name.to_owned(), mean.into())).collect()
    }

    /// The first that is no number any more.
    pub(crate) fn not_finite(&self) -> Option<(&'static str, f64)> {
        self.named().find(|(_, mean)| !mean.is_finite())
    }
}

/// In one short line: both directions of a kind together.
impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [adv_ab, adv_ba, cycle_a, cycle_b, id_a, id_b, d_a, d_b] = self.0;
        let half = |one: f64, other: f64| (one + other) / 2.0;
        let (cycle, id) = (half(cycle_a, cycle_b), half(id_a, id_b));
        write!(f, "cycle {cycle:.3}  id {id:.3}  adv {:.3}  d {:.3}", half(adv_ab, adv_ba), half(d_a, d_b))
    }
}

/// A file of JSON lines, each written at once so that it can be followed.
#[derive(Debug)]
pub(crate) struct JsonLines(File);

impl JsonLines {
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        File::create(path).map(Self)
    }

    pub(crate) fn write(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut json = serde_json::to_vec(line)?;
        json.push(b'\n');
        Ok(self.0.write_all(&json)?)
    }
}
