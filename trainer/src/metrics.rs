//! Losses over a run: summed where they are computed, read when they are logged.

use std::fmt;
use std::io::Write;
use std::path::Path;

use fs_err::File;
use program::files::write_whole;
use serde::Serialize;
use tch::{Device, Kind, TchError, Tensor};

use crate::update::LOSSES;

/// Updates whose losses are put into one tensor, so that rare logging does not keep a tensor for each update.
const TOGETHER: usize = 256;

/// The losses of each update since they were last logged.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// `[k, 8]` each, on the device, in the order of the updates.
    blocks: Vec<Tensor>,
    /// `[8]` each.
    newest: Vec<Tensor>,
}

impl Losses {
    /// Adds those of one update, `[8]`, without waiting for the device.
    pub(crate) fn add(&mut self, losses: Tensor) -> Result<(), TchError> {
        self.newest.push(losses);
        if self.newest.len() == TOGETHER {
            self.blocks.push(Tensor::f_stack(&std::mem::take(&mut self.newest), 0)?);
        }
        Ok(())
    }

    /// All of them, `[k, 8]`, for a checkpoint.
    pub(crate) fn pending(&self) -> Result<Option<Tensor>, TchError> {
        let newest = (!self.newest.is_empty()).then(|| Tensor::f_stack(&self.newest, 0)).transpose()?;
        let all: Vec<&Tensor> = self.blocks.iter().chain(&newest).collect();
        (!all.is_empty()).then(|| Tensor::f_cat(&all, 0)).transpose()
    }

    /// Starts with what a checkpoint had.
    pub(crate) fn from_pending(pending: Tensor) -> Self {
        Self { blocks: vec![pending], newest: Vec::new() }
    }

    /// The first that is no number. Waits for the device.
    pub(crate) fn not_finite(&self) -> Result<Option<NotFinite>, TchError> {
        let all = self.read()?;
        Ok(all.iter().enumerate().find_map(|(index, losses)| {
            let (name, value) = LOSSES.into_iter().zip(*losses).find(|(_, value)| !value.is_finite())?;
            Some(NotFinite { updates_ago: (all.len() - 1 - index) as u64, name, value })
        }))
    }

    /// Their means, and starts anew. Waits for the device.
    pub(crate) fn take_means(&mut self) -> Result<Means, TchError> {
        let all = self.read()?;
        *self = Self::default();
        let mut means = [0.0; LOSSES.len()];
        for losses in &all {
            means.iter_mut().zip(losses).for_each(|(mean, loss)| *mean += loss / all.len() as f64);
        }
        Ok(Means(means))
    }

    fn read(&self) -> Result<Vec<[f64; LOSSES.len()]>, TchError> {
        let Some(pending) = self.pending()? else { return Ok(Vec::new()) };
        let mut values = vec![[0.0; LOSSES.len()]; pending.size()[0] as usize];
        let numbers = values.as_flattened_mut();
        let count = numbers.len();
        pending.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_copy_data(numbers, count)?;
        Ok(values)
    }
}

/// A loss that is no number any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotFinite {
    /// Updates made after its own.
    pub(crate) updates_ago: u64,
    pub(crate) name: &'static str,
    pub(crate) value: f64,
}

/// A number for each of the [`LOSSES`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means([f64; LOSSES.len()]);

impl Means {
    /// By name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        LOSSES.into_iter().zip(self.0)
    }

    /// One of them.
    ///
    /// # Panics
    /// If [`LOSSES`] does not have that name.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.named().find(|(other, _)| *other == name).expect("one of the losses").1
    }

    #[cfg(test)]
    pub(crate) fn of(means: [f64; LOSSES.len()]) -> Self {
        Self(means)
    }

    /// As JSON, without the identity losses where they are not computed.
    pub(crate) fn to_json(self, with_identity: bool) -> serde_json::Map<String, serde_json::Value> {
        let computed = self.named().filter(|(name, _)| with_identity || !name.starts_with("id_"));
        computed.map(|(name, mean)| (name.to_owned(), mean.into())).collect()
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
    /// Goes on with the lines up to that step, or begins. Later ones are of updates that will be made again; half a line is
    /// of a program that was killed.
    pub(crate) fn open(path: &Path, step: u64) -> std::io::Result<Self> {
        let lines = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let is_kept = |line: &[u8]| {
            let line: Option<serde_json::Value> = serde_json::from_slice(line).ok();
            line.is_some_and(|line| line["step"].as_u64().is_some_and(|of| of <= step))
        };
        let whole = lines.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let kept: Vec<u8> = whole.filter(|line| is_kept(line)).flatten().copied().collect();
        write_whole(path, &kept)?;
        fs_err::OpenOptions::new().append(true).open(path).map(Self)
    }

    /// What is written is on the disk afterwards.
    pub(crate) fn sync(&mut self) -> std::io::Result<()> {
        self.0.sync_data()
    }

    pub(crate) fn write(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut json = serde_json::to_vec(line)?;
        json.push(b'\n');
        Ok(self.0.write_all(&json)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(first: f32) -> Tensor {
        Tensor::from_slice(&[first, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    }

    #[test]
    fn means_are_over_all_updates_also_across_a_checkpoint() {
        let mut whole = Losses::default();
        let mut before = Losses::default();
        for update in 0..600 {
            whole.add(losses(update as f32)).expect("small");
            if update < 300 {
                before.add(losses(update as f32)).expect("small");
            }
        }
        let mut after = Losses::from_pending(before.pending().expect("small").expect("300 updates"));
        for update in 300..600 {
            after.add(losses(update as f32)).expect("small");
        }
        let [one, two] = [&mut whole, &mut after].map(|losses| losses.take_means().expect("small"));
        assert_eq!(one.get("adv_ab").to_bits(), two.get("adv_ab").to_bits());
        assert!((one.get("adv_ab") - 299.5).abs() < 1e-9);
        assert!(whole.pending().expect("nothing").is_none(), "they start anew");
    }

    #[test]
    fn the_first_loss_that_is_no_number_is_found_with_its_update() {
        let mut all = Losses::default();
        for value in [1.0, 2.0, f32::NAN, f32::INFINITY] {
            all.add(losses(value)).expect("small");
        }
        let found = all.not_finite().expect("small").expect("the third");
        assert_eq!((found.updates_ago, found.name, found.value.is_nan()), (1, "adv_ab", true));
    }

    #[test]
    fn lines_of_updates_that_will_be_made_again_are_left_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("metrics.jsonl");
        let mut lines = JsonLines::open(&path, 0).expect("writable");
        for step in [10, 20, 30] {
            lines.write(&serde_json::json!({ "step": step })).expect("writable");
        }
        lines.0.write_all(b"{\"step\":4").expect("writable");
        let mut resumed = JsonLines::open(&path, 20).expect("writable");
        resumed.write(&serde_json::json!({ "step": 30, "again": true })).expect("writable");
        let text = fs_err::read_to_string(&path).expect("just written");
        assert_eq!(text, "{\"step\":10}\n{\"step\":20}\n{\"again\":true,\"step\":30}\n");
    }
}
