//! Losses over a run: summed where they are computed, read when they are logged.

use std::io::Write;
use std::path::Path;

use fs_err::File;
use serde::Serialize;
use tch::{Kind, TchError, Tensor};

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
    pub(crate) fn take_means(&mut self) -> Result<Vec<(&'static str, f64)>, TchError> {
        let Some(sum) = self.sum.take() else { return Ok(Vec::new()) };
        let mut sums = [0.0_f64; LOSSES.len()];
        sum.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Double)?.f_copy_data(&mut sums, LOSSES.len())?;
        let updates = std::mem::take(&mut self.updates) as f64;
        Ok(LOSSES.into_iter().zip(sums.map(|sum| sum / updates)).collect())
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
